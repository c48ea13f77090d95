"""Tables of right readings: numbers, formulas, choices, JSON, reasoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.scorers.chosen import choice_letter
from pytest_evals.scorers.extract import numbers_in
from pytest_evals.scorers.judge.reply import BadReplyError, read_object
from pytest_evals.scorers.reasoning import without_reasoning


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1{,}234", [1234]), (r"1{,}234{,}567.5", [1234567.5]), (r"12\,345", [12345]),
        ("1'234'567", [1234567]), ("12\u202f345", [12345]), ("1,00,000", [100000]),
        ("3 \u00d7 10^6 kg", [3e6]), (r"3 \times 10^{6}", [3e6]), ("3*10^6", [3e6]),
        ("3 x 10^-2", [0.03]), ("6.02\u00b710\u00b2\u00b3", [6.02e23]), ("3 \u00d7 10\u207b\u00b2", [0.03]),
        ("3 million people", [3e6]), ("$2.5 billion", [2.5e9]), (r"1\frac{1}{2}", [1.5]),
        (r"\frac{3}{4}", [0.75]), (r"2\frac12", [2.5]), (r"\dfrac{6}{3}", [2]),
        ("3, 400", [3, 400]), ("3 x 4", [3, 4]), ("-5 and 7", [-5, 7]), ("in 2024, 1,234", [2024, 1234]),
        ("it's 3'", [3]), ("3 million-dollar", [3e6]),
    ],
)  # fmt: skip
def test_numbers_are_read_whole(text, numbers):
    """No part of a written number is taken for the number."""
    assert [float(number) for number in numbers_in(text)] == pytest.approx(numbers)


@given(
    st.integers(1, 999), st.integers(-20, 20), st.sampled_from([" \u00d7 ", r" \times ", "*", "x"])
)
def test_powers_of_ten_are_part_of_a_number(number, power, sign):
    """Every notation of a power of ten has its value."""
    for written in (f"{number}{sign}10^{power}", f"{number}{sign}10^{{{power}}}"):
        (read,) = numbers_in(written)
        assert float(read) == pytest.approx(number * 10.0**power)


@pytest.mark.parametrize(
    ("expected", "answer", "passed"),
    [
        (0.5, r"\boxed{1\frac{1}{2}}", False), (1.5, r"\boxed{1\frac{1}{2}}", True),
        (1.5, r"\boxed{1\frac12}", True), (-1.5, r"\boxed{-1\frac12}", True), (1.5, "1 1/2", True),
        ("35", r"\boxed{35\text{ cm}}", True), ("35", "35 cm", True),
        (r"35\text{ cm}", r"\boxed{35\text{ cm}}", True), (r"35\text{ cm}", "35 m/s", False),
        (r"35\text{ cm}", r"\boxed{35\text{ kg}}", False), ("36", r"\boxed{35\text{ cm}}", False),
        ("12", r"\boxed{12\text{ cm}^2}", True), (1234, r"\boxed{1{,}234}", True),
        (1234, r"\boxed{1\,234}", True), (3000000, r"\boxed{3 \times 10^6}", True),
        (2, r"\boxed{\sqrt[3]{8}}", True), (3, r"\sqrt[4]{81}", True), (8, r"\sqrt[3]{8}", False),
        ("x/2", r"\frac{x}{2}", True), ("3x/2", r"3\frac{x}{2}", True),
    ],
)  # fmt: skip
def test_formulas_are_read_whole(bench, expected, answer, passed):
    """Mixed numbers, grouped digits, roots and units have their value."""
    assert bench.passes({"math_equal": expected}, answer) is passed


def test_empty_formula_is_refused(bench):
    """An empty output equals an empty formula."""
    assert bench.problems("math_equal", expected=" ")
    assert bench.problems({"math_equal": ""})


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is B, since option A is wrong.", "B"),
        ("Option A is wrong. Option C is wrong. The answer should be B", "B"),
        ("The answer is B because the answer A contradicts it.", "B"),
        ("Since option A is wrong, the answer must be C.", "C"),
        ("I cannot say, because option A is tempting.", None),
        ("The answer is not A.", None), ("The answer is not A but B", "B"),
        ("The answer is a bit complex: B", "B"), ("I choose B rather than option A.", "B"),
        ("Options A and C are incorrect; B is right.", "B"), ("Option A isn't right, so B.", "B"),
        ("The correct option is (D).", "D"), ("The answer is option C", "C"), ("**Answer:** B", "B"),
        ("The answer would be B. Option A is a distractor.", "B"), ("\u7b54\u6848\u662fB\u3002", "B"),
        ("We can rule out A. The answer is D", "D"), ("Answer: B", "B"), ("I'd go with C", "C"),
        ("If it rains, the answer is A", "A"), ("Option A looks right, but the answer is B.", "B"),
    ],
)  # fmt: skip
def test_cue_words_of_choices(text, letter):
    """The choice is what the output states, not what it rejects or mentions."""
    assert choice_letter(text, "ABCD") == letter


@pytest.mark.parametrize(
    ("scorer", "answer", "passed"),
    [
        ({"json_equals": {"s": "ok"}}, 'As [1] shows: {"s": "ok"}', True),
        ({"json_equals": {"s": "ok"}}, '{"example": 1} then {"s": "ok"}', True),
        ({"json_equals": {"s": "ok"}}, 'As [1] shows: {"s": "bad"}', False),
        ({"json_equals": [1]}, 'See {"a": 2}: [1]', True),
        ({"type": "json_schema", "schema": {"type": "object"}, "inside": True}, '[2]: {"a": 1}', True),
        ({"contains_json": {"paths": {"a": 1}}}, 'By [2]: {"a": 1}', True),
        ({"contains_json": {"subset": {"a": 1}}}, 'By [2]: {"a": 2}', False),
        ({"type": "equals", "value": "x", "transform": {"json": "a"}}, 'By [2]: {"a": "x"}', True),
        ("contains_json", "42", False), ("contains_json", '"text"', False), ("contains_json", "null", False),
        ("contains_json", "```json\n7\n```", False), ("contains_json", "[]", True),
        ("is_json", "42", True), ({"json_equals": 42}, "42", True),
        ({"json_equals": {"a": 1}}, '[{"a": 1}]', False),
    ],
)  # fmt: skip
def test_json_that_fits(bench, scorer, answer, passed):
    """Of several values the one that fits counts; a scalar is no object or array."""
    assert bench.passes(scorer, answer) is passed


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('<think>{"a": "draft"}</think>{"a": "final"}', '{"a": "final"}'),
        ("<think>\nB?\n</think>\n\nA", "A"), ("B?\n</think>\nA", "A"), ("B? </think>A", "A"),
        ("<think>it goes on", ""), ("<THINKING>x</THINKING> A", "A"), ("<think></think>A", "A"),
        ("<think>a</think>\n<think>b</think>\nA", "A"), ("Well <think>B</think> A", "Well  A"),
        ("Write `<think>` and `</think>`.", "Write `<think>` and `</think>`."),
        ("1 < 2", "1 < 2"), ("", ""), ("<thinker>a</thinker>", "<thinker>a</thinker>"),
    ],
)  # fmt: skip
def test_reasoning_is_no_part_of_the_answer(bench, text, answer):
    """Reasoning between tags, also unclosed, is removed before an output is scored."""
    assert without_reasoning(text) == answer
    assert bench.passes({"equals": answer}, text)


@given(st.text())
def test_reasoning_never_passes(text):
    """What is inside the tags is not scored, whatever it is."""
    draft = text.replace("<", "").replace(">", "")
    assert without_reasoning(f"<think>{draft}</think>final") == "final"
    assert without_reasoning(f"<think>{draft}") == ""


def test_unclosed_reasoning_is_no_verdict_of_a_judge():
    """A verdict in reasoning that does not end is a draft."""
    with pytest.raises(BadReplyError, match="reasoning"):
        read_object('<think>maybe {"score": 5}', ["score"])
    assert read_object('<think>{"score": 5}</think>{"score": 1}', ["score"]) == {"score": 1}
