"""Numbers, formulas, choices, labels and sets in an answer."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_evals.scorers.choices import items_in
from pytest_evals.scorers.chosen import choice_letter
from pytest_evals.scorers.extract import numbers_in
from pytest_evals.scorers.formula import FormulaError, read_formula, same_value

CHOICES = ["Rome", "Paris", "Oslo"]
COLOURS = {"labels": ["red", "green", "light green"], "aliases": {"red": ["crimson"]}}
RIGHT = [
    ({"numeric": 30}, "30"),
    ({"numeric": 30}, "You have 30 days."),
    ({"numeric": -1234.5}, "It is -1,234.50 EUR"),
    ({"numeric": 0.5}, ".5"),
    ({"numeric": 3000}, "3e3"),
    ({"numeric": "1,000"}, "1000"),
    ({"numeric": {"value": 3.14159, "abs": 0.01}}, "about 3.14"),
    ({"numeric": {"value": 100, "rel": 0.05}}, "104"),
    ({"numeric": {"value": 3, "pick": "first"}}, "3 of 5"),
    ({"numeric": {"value": 5, "pick": "any"}}, "3 of 5 or 7"),
    ({"numeric": {"value": 5, "pick": "only"}}, "five is 5"),
    ({"numeric": 7}, r"2 + 5, so \boxed{7} (not 9)"),
    ({"numeric": -3}, "\u22123"),
    ({"numeric": 0}, "0.0"),
    ({"math_equal": r"\frac{1}{2}"}, "0.5"),
    ({"math_equal": "1/2"}, r"The answer is \boxed{\dfrac{2}{4}}."),
    ({"math_equal": "2(x+1)"}, "2x + 2"),
    ({"math_equal": "x^2-1"}, "$(x-1)(x+1)$"),
    ({"math_equal": "sqrt(8)"}, r"2\sqrt{2}"),
    ({"math_equal": "1000"}, "So the answer is 1,000."),
    ({"math_equal": "50%"}, "1/2"),
    ({"math_equal": "x=3"}, "x = 3"),
    ({"math_equal": 42}, "6 * 7 = 42"),
    ({"math_equal": r"\pi/2"}, "pi/2"),
    ({"math_equal": "(1, 2]"}, r"\boxed{(1, 2]}"),
    ({"math_equal": "sin(x)^2+cos(x)^2"}, "1"),
    ({"math_equal": "2^10"}, "1024"),
    ({"math_equal": "5!"}, "120"),
    ({"math_equal": "-2^2"}, "-4"),
    ({"multiple_choice": "B"}, "B"),
    ({"multiple_choice": "B"}, "(b)."),
    ({"multiple_choice": "B"}, "A is tempting, but the answer is **B**."),
    ({"multiple_choice": "B"}, "Answer: B) Paris"),
    ({"multiple_choice": "B"}, r"\boxed{\text{B}}"),
    ({"multiple_choice": {"letter": "B", "choices": CHOICES}}, "It must be Paris."),
    ({"multiple_choice": {"letter": "B", "choices": CHOICES}}, "B. Paris, I think"),
    ({"label": {**COLOURS, "expected": "red"}}, "Red."),
    ({"label": {**COLOURS, "expected": "red"}}, "I would call it crimson"),
    ({"label": {**COLOURS, "expected": "light green"}}, "It is light green"),
    ({"set_match": ["red", "green"]}, '["Green", "red"]'),
    ({"set_match": ["red", "green"]}, '```json\n{"colours": ["red", "green"]}\n```'),
    ({"set_match": ["red", "green"]}, "- red\n- **green**\n"),
    ({"set_match": ["red", "green"]}, "Here:\n1. green\n2. red"),
    ({"set_match": ["red", "green"]}, "red and green."),
    ({"set_match": ["a", "b", "c"]}, "They are: a, b, and c"),
    ({"set_match": {"items": ["US"], "aliases": {"US": ["United States", "USA"]}}}, "USA"),
    ({"type": "set_match", "items": ["a", "b"], "threshold": 0.6}, "a"),
]
WRONG = [
    ({"numeric": 30}, "31"),
    ({"numeric": 30}, "none"),
    ({"numeric": 30}, ""),
    ({"numeric": 30}, "30 or 31"),
    ({"numeric": 4}, "GPT4"),
    ({"numeric": {"value": 3.14159, "abs": 0.001}}, "3.14"),
    ({"numeric": {"value": 5, "pick": "only"}}, "5 and 5"),
    ({"numeric": {"value": 5, "pick": "first"}}, "3 of 5"),
    ({"numeric": 1}, "1e999"),
    ({"math_equal": "1/2"}, "0.51"),
    ({"math_equal": "x^2"}, "x^3"),
    ({"math_equal": "2x"}, "2y"),
    ({"math_equal": "7"}, r"7 is wrong, \boxed{8}"),
    ({"math_equal": "7"}, "I do not know"),
    ({"math_equal": "7"}, ""),
    ({"math_equal": "7"}, "__import__('os').system('true')"),
    ({"multiple_choice": "B"}, "C"),
    ({"multiple_choice": "B"}, "I do not know."),
    ({"multiple_choice": "B"}, "A or B"),
    ({"multiple_choice": {"letter": "B", "choices": CHOICES}}, "Rome or Paris"),
    ({"multiple_choice": {"letter": "B", "choices": CHOICES}}, "Parisian"),
    ({"label": {**COLOURS, "expected": "red"}}, "green"),
    ({"label": {**COLOURS, "expected": "red"}}, "red or green"),
    ({"label": {**COLOURS, "expected": "green"}}, "light green"),
    ({"label": {**COLOURS, "expected": "red"}}, ""),
    ({"set_match": ["red", "green"]}, "red"),
    ({"set_match": ["red", "green"]}, "red, green, blue"),
    ({"set_match": ["red"]}, ""),
    ({"type": "set_match", "items": ["a", "b"], "threshold": 0.7}, "a"),
]


@pytest.mark.parametrize(("written", "answer"), RIGHT)
def test_a_right_answer_passes(bench, written, answer):
    """The assertion holds."""
    assert bench.passes(written, answer), bench.score(written, answer).reason


@pytest.mark.parametrize(("written", "answer"), WRONG)
def test_a_wrong_answer_fails_with_a_reason(bench, written, answer):
    """The assertion does not hold, and says why."""
    scored = bench.score(written, answer)
    assert scored.passed is False
    assert scored.reason


@pytest.mark.parametrize(
    ("name", "expected", "answer"),
    [("numeric", 30, "30"), ("numeric", "30", "30"), ("math_equal", "1/2", "0.5"),
     ("multiple_choice", "B", "B"), ("set_match", ["a", "b"], "b, a")],
)  # fmt: skip
def test_the_right_one_may_come_from_the_case(bench, name, expected, answer):
    """Without a value, `expected` is compared with."""
    assert bench.problems(name, expected=expected) == []
    assert bench.passes(name, answer, expected=expected)
    assert not bench.passes(name, "99", expected=expected)


def test_choices_may_come_from_the_case(bench):
    """The variable `choices`, and `expected` as a choice's own text."""
    given = {"variables": {"choices": CHOICES}, "expected": "Paris"}
    assert bench.problems("multiple_choice", **given) == []
    assert bench.passes("multiple_choice", "(B)", **given)
    assert not bench.passes("multiple_choice", "(C)", **given)
    assert bench.problems("multiple_choice", variables={"choices": CHOICES}, expected="Bonn")
    assert bench.problems({"multiple_choice": "E"}, variables={"choices": CHOICES})


def test_a_labels_confusion_is_kept(bench):
    """What was expected and what was found, for the matrix over the dataset."""
    scored = bench.score({"label": COLOURS}, "green", expected="Red")
    assert scored.metadata == {"expected": "red", "found": "green"}
    assert scored.label == "green"
    assert bench.problems({"label": COLOURS}, expected="blue")
    assert bench.problems({"label": {**COLOURS, "expected": "red", "aliases": {"blu": ["b"]}}})


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_any_number_is_read_from_a_sentence(number):
    """As Python writes it."""
    text = repr(number)
    assert float(text) == float(numbers_in(f"It is {text}, they say.")[-1])


@given(st.integers(-(10**12), 10**12))
def test_grouped_digits_are_one_number(number):
    """Commas in threes."""
    assert [str(number)] == numbers_in(f"= {number:,}!")


@given(st.sampled_from("ABCD"), st.sampled_from(
    ["{}", "({})", "{}.", "**{}**", "The answer is {}.", "Answer: {}", "I say the answer is ({}).",
     "I think it must be {}!", r"\boxed{{{}}}", "{}) because", "Let me think.\n\n{}"]
))  # fmt: skip
def test_a_choice_is_read_however_it_is_said(letter, form):
    """In every usual form."""
    assert letter == choice_letter(form.format(letter), "ABCD")


def _formula(draw: random.Random, depth: int) -> str:
    """Write a random formula in x and y."""
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(["x", "y", "2", "3", "0.5", "7/3", "pi"])
    one, other = _formula(draw, depth - 1), _formula(draw, depth - 1)
    return draw.choice(
        [f"({one} + {other})", f"({one} - {other})", f"({one} * {other})", f"({one})^2",
         f"sqrt(({one})^2 + 1)", f"({one}) / (({other})^2 + 3)", f"sin({one})", f"exp(({one})/9)"]
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_formulas_agree_with_sympy(seed):
    """A random formula equals its expansion by an independent algebra, and not one that is off."""
    sympy = pytest.importorskip("sympy")
    draw = random.Random(seed)
    text = _formula(draw, 3)
    tree = sympy.sympify(text.replace("^", "**"), rational=True)
    mine = read_formula(text)
    place = {"x": 1.25 + 0.5j, "y": 0.75 - 0.25j}
    theirs = complex(tree.subs({"x": sympy.Rational(5, 4) + sympy.I / 2,
                                "y": sympy.Rational(3, 4) - sympy.I / 4}).evalf(30))  # fmt: skip
    assert abs(complex(mine.at(place)) - theirs) <= 1e-9 * max(1, abs(theirs))
    assert same_value(
        mine, read_formula(str(sympy.expand(tree)).replace("**", "^").replace("E", "e"))
    )
    assert same_value(mine, read_formula(sympy.latex(tree)))
    assert not same_value(mine, read_formula(f"({text}) + 1/100"))
    assert not same_value(mine, read_formula(f"({text}) * (x + 5)"))


@given(st.fractions(max_denominator=1000), st.fractions(max_denominator=1000))
def test_fractions_are_compared_exactly(one, other):
    """As fractions, not as floats."""
    assume(abs(one - other) > 1e-6 or one == other)
    assert (one == other) == same_value(read_formula(str(one)), read_formula(str(other)))


@pytest.mark.parametrize(
    "text",
    ["", "1 +", "(", "1 2", "hello world", "1/0", "0^-1", "2^(2^(2^(2^9)))", "999!", "1e99999",
     "(" * 500 + "1" + ")" * 500, "x" * 3000, "a;b", "{}", "[1,2"],
)  # fmt: skip
def test_what_is_no_formula_or_has_no_value_is_refused(text):
    """With our own error, soon."""
    with pytest.raises(FormulaError):
        same_value(read_formula(text), read_formula("1"))


@given(st.text(alphabet="0123456789x+-*/^()!%. \\{}sqrtfac", max_size=40))
def test_any_text_is_a_formula_or_refused(text):
    """Nothing else is ever raised."""
    try:
        found = read_formula(text)
        same_value(found, read_formula("1"))
    except FormulaError:
        return
    assert found.letters <= set("xsqrtfac")


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=2, max_size=6))
def test_a_list_is_read_in_each_form(items):
    """JSON, bullets, numbers and commas hold the same items."""
    import json

    assume("and" not in items)
    forms = [json.dumps(items), "\n".join(f"- {i}" for i in items), ", ".join(items),
             "\n".join(f"{n}. {i}" for n, i in enumerate(items, 1))]  # fmt: skip
    assert [items] * 4 == [items_in(form) for form in forms]
