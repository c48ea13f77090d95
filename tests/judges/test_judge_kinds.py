"""Every other kind of judge: what it asks, how it reads the reply, what it needs."""

import pytest

from pytest_evals.case import ScorerSpec
from pytest_evals.exchange import Exchange, Request, Response, Span
from pytest_evals.message import Message
from pytest_evals.registry import Registry
from pytest_evals.scorers.judge.definitions import JUDGES, judge_class

M = {"model": "openai:j"}


def verdict(scored):
    """Return what a score comes down to."""
    return scored.value, scored.passed, scored.label


@pytest.mark.parametrize("name", sorted(JUDGES))
def test_every_kind_is_registered_and_its_example_binds(name):
    """Under one name as a scorer and as the type of a definition."""
    import yaml

    cls = Registry.builtin().scorer(name)
    assert (cls, cls.type) == (judge_class(name), name)
    written = yaml.safe_load(cls.example)
    assert Registry.builtin().bind(ScorerSpec.model_validate(written)).type == name


def test_g_eval_writes_its_steps_once_and_then_scores(bench):
    """The question for the steps holds nothing of the case."""
    written = {"g_eval": {**M, "criteria": "Coherent.", "min_score": 0.5}}
    bench.reply({"steps": ["Read it.", "Rate it."]}, {"reasoning": "ok", "score": 4})
    assert verdict(bench.score(written, "ANSWER", input="INPUT")) == (0.75, True, None)
    planning, scoring = bench.asked
    assert "INPUT" not in planning.text + planning.messages[0].text
    assert "1. Read it.\n2. Rate it." in scoring.text


def test_g_eval_with_given_steps_asks_once(bench):
    """They are templates over the case."""
    written = {"g_eval": {**M, "criteria": "Coherent.", "steps": ["Look for {{ expected }}."]}}
    bench.reply({"reasoning": "ok", "score": 1})
    assert verdict(bench.score(written, expected="tea")) == (0.0, None, None)
    assert "1. Look for tea." in bench.asked[0].text


@pytest.mark.parametrize("steps", [[], "Read it.", ["", "x"], [1], ["x"] * 21])
def test_g_eval_takes_no_other_steps(bench, steps):
    """Asked again, then an error."""
    bench.reply({"steps": steps})
    assert "`steps`" in bench.error({"g_eval": {**M, "criteria": "Coherent."}})


@pytest.mark.parametrize(
    ("passes", "reply", "passed"),
    [("yes", "yes", True), ("yes", "No", False), ("no", "no", True), ("no", True, False)],
)
def test_closed_qa_passes_on_its_reply(bench, passes, reply, passed):
    """Yes, unless the question is put the other way round."""
    written = {"closed_qa": {**M, "question": "Is it {{ expected }}?", "passes": passes}}
    scored = bench.reply({"reasoning": "r", "reply": reply}).score(written, expected="late")
    assert (scored.value, scored.passed) == (float(passed), passed)
    assert "Is it late?" in bench.asked[0].text


def test_closed_qa_takes_nothing_between_yes_and_no(bench):
    """Not even where the judge insists."""
    bench.reply({"reasoning": "r", "reply": "maybe"})
    assert "expected one of: yes, no" in bench.error({"closed_qa": {**M, "question": "q"}})


@pytest.mark.parametrize(
    ("relation", "value", "passed"),
    [("same", 1, True), ("immaterial", 1, True), ("superset", 0.6, True), ("subset", 0.4, False),
     ("conflict", 0, False)],
)  # fmt: skip
def test_factuality_scores_the_relation_to_the_reference(bench, relation, value, passed):
    """With its usual bar."""
    bench.reply({"reasoning": "r", "relation": relation})
    scored = bench.score({"factuality": M}, expected="30 days")
    assert verdict(scored) == (value, passed, relation)
    assert "<reference-" in bench.asked[0].text


def test_factuality_may_weigh_relations_otherwise(bench):
    """A mapping of what each is worth."""
    bench.reply({"reasoning": "r", "relation": "subset"})
    written = {"factuality": {**M, "scores": {"subset": 0.9}}}
    assert verdict(bench.score(written, expected="x")) == (0.9, True, "subset")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("first", "second", (1.0, True, "better")),
        ("second", "first", (0.0, False, "worse")),
        ("tie", "tie", (0.5, True, "tie")),
        ("first", "first", (0.5, True, "inconsistent")),
        ("second", "second", (0.5, True, "inconsistent")),
        ("first", "tie", (0.75, True, "better")),
        ("tie", "first", (0.25, False, "worse")),
    ],
)
def test_pairwise_asks_in_both_orders(bench, first, second, expected):
    """A judge that prefers a place ends in the middle."""
    bench.reply(*({"reasoning": "r", "better": better} for better in (first, second)))
    scored = bench.score({"pairwise": M}, "MINE", expected="THEIRS")
    assert verdict(scored) == expected
    assert scored.metadata["consistent"] is (scored.value in {0.0, 1.0} or scored.label == "tie")
    orders = [asked.text.index("MINE") < asked.text.index("THEIRS") for asked in bench.asked]
    assert orders == [True, False]
    assert ["<answer-" in asked.text for asked in bench.asked] == [False, False]


STATEMENTS = [
    {"statement": "30 days", "why": "stands there", "supported": True},
    {"statement": "free", "why": "does not", "supported": False},
]


@pytest.mark.parametrize(
    "context", ["The window is 30 days.", ["The window is 30 days."], [{"text": "The window is 30 days."}]]
)  # fmt: skip
def test_faithfulness_is_the_share_of_supported_statements(bench, context):
    """By the case's own context, in any form."""
    bench.reply({"statements": STATEMENTS})
    written = {"context_faithfulness": {**M, "min_score": 0.9}}
    scored = bench.score(written, variables={"context": context})
    assert (scored.value, scored.passed) == (0.5, False)
    assert scored.reason == "1 of 2 supported; not supported: free (does not)"
    assert "\nThe window is 30 days.\n</passage-1-" in bench.asked[0].text


def test_faithfulness_of_an_answer_that_states_nothing_is_absent(bench):
    """Neither 1 nor 0, and no vote."""
    bench.reply({"statements": []})
    written = {"context_faithfulness": {**M, "min_score": 0.9, "context": "c"}}
    assert verdict(bench.score(written)) == (None, None, "no statements")


def test_context_is_taken_from_what_the_application_retrieved(bench):
    """Its answer's metadata, else the retrieval spans of its trace, else it is an error."""
    written = {"context_faithfulness": M}
    bench.reply({"statements": STATEMENTS})
    bench.score(written, response=Response(text="a", metadata={"context": ["META"]}))
    assert "META" in bench.asked[-1].text
    span = Span(id="1", name="s", kind="retrieval", attributes={"documents": [{"content": "SPAN"}]})
    answer = Response(text="a", trace=(span,))
    exchange = Exchange(request=Request(messages=()), response=answer)
    bench.score(written, response=answer, exchanges=(exchange,))
    assert "SPAN" in bench.asked[-1].text
    assert "there is no context;" in bench.error(written)
    assert "the context is empty" in bench.error(written, variables={"context": []})


def test_recall_looks_for_the_reference_in_the_context(bench):
    """The answer is not shown; a reference always states something."""
    rows = [{**row, "found": row["supported"]} for row in STATEMENTS]
    bench.reply({"statements": rows})
    written = {"context_recall": {**M, "context": ["one", "two"]}}
    scored = bench.score(written, "MY ANSWER", expected="30 days, free")
    assert scored.value == 0.5
    assert "MY ANSWER" not in bench.asked[0].text
    bench.reply({"statements": []})
    assert "`statements` is empty" in bench.error(written, expected="30 days")


def test_relevance_judges_every_passage_once(bench):
    """By its number; none may be left out or stand twice."""
    written = {"context_relevance": {**M, "context": ["one", "two"], "min_score": 0.5}}
    rows = [{"passage": n, "why": "w", "relevant": n == 2} for n in (2, 1)]
    scored = bench.reply({"passages": rows}).score(written)
    assert (scored.value, scored.passed, scored.metadata["relevant"]) == (0.5, True, [2])
    for bad in ([rows[0]], [rows[0], rows[0]], [*rows, {**rows[0], "passage": 3}]):
        bench.reply({"passages": bad})
        assert "passage" in bench.error(written)


def test_answer_relevance_is_the_share_of_statements_to_the_point(bench):
    """An empty answer has none, and nobody needs to be asked."""
    rows = [{"statement": "s", "why": "w", "relevant": n < 3} for n in range(4)]
    written = {"answer_relevance": {**M, "min_score": 0.7}}
    scored = bench.reply({"statements": rows}).score(written)
    assert (scored.value, scored.passed) == (0.75, True)
    bench.reply("never asked")
    scored = bench.score(written, " \n")
    assert (scored.value, scored.passed, len(bench.asked)) == (0.0, False, 0)


@pytest.mark.parametrize(
    ("outcome", "value", "passed"), [("reached", 1, True), ("partly", 0.5, False), ("missed", 0, False)]
)  # fmt: skip
def test_goal_success_passes_what_is_reached(bench, outcome, value, passed):
    """A part is not enough, unless the bar says so."""
    bench.reply({"reasoning": "r", "outcome": outcome})
    scored = bench.score({"goal_success": {**M, "goal": "Cancel {{ variables_id }}."}},
                         variables={"variables_id": "o7"})  # fmt: skip
    assert verdict(scored) == (value, passed, outcome)
    assert "\nCancel o7.\n</goal-" in bench.asked[0].text


@pytest.mark.parametrize(
    ("options", "label", "expected"),
    [
        ({"choices": {"good": 1, "bad": 0.2}, "min_score": 0.5}, "Good", (1.0, True, "good")),
        ({"choices": {"good": 1, "bad": 0.2}, "min_score": 0.5}, "bad", (0.2, False, "bad")),
        ({"choices": ["good", "bad"], "passes": "good"}, "bad", (0.0, False, "bad")),
        ({"choices": ["good", "bad"], "passes": ["good"]}, "good", (1.0, True, "good")),
        ({"choices": ["good", "bad"]}, "good", (None, None, "good")),
        ({"choices": ["good", "bad"], "expected": "{{ expected }}"}, "good", (0.0, False, "good")),
    ],
)
def test_a_classifier_gives_one_of_the_labels(bench, options, label, expected):
    """With scores, with labels that pass, with the one that is right, or as a label alone."""
    bench.reply({"reasoning": "r", "label": label})
    assert verdict(bench.score({"classifier": {**M, **options}}, expected="bad")) == expected


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"closed_qa": {**M, "question": " "}}, "the `question` is blank"),
        ({"g_eval": {**M, "criteria": ""}}, "the `criteria` is blank"),
        ({"pairwise": {**M, "rubric": " "}}, "the `rubric` is blank"),
        ({"pairwise": M}, "the case has no `expected`"),
        ({"factuality": M}, "the case has no `expected`"),
        ({"factuality": {**M, "scores": {"some": 1}}}, "found 'some'"),
        ({"context_recall": M}, "has no `expected`"),
        ({"goal_success": {**M, "goal": " "}}, "the `goal` is blank"),
        ({"goal_success": {**M, "goal": "{{ nope }}"}}, "`nope`"),
        ({"classifier": {**M, "choices": ["a"]}}, "at least 2"),
        ({"classifier": {**M, "choices": ["a", "A"]}}, "differ only in case"),
        ({"classifier": {**M, "choices": ["a", "a"]}}, "a duplicate label"),
        ({"classifier": {**M, "choices": {"a": 1, "b": None}}}, "'b' has no score"),
        ({"classifier": {**M, "choices": {"a": 1, "b": 7}}}, "a score must be between 0 and 1"),
        ({"classifier": {**M, "choices": ["a", "b"], "passes": "c"}}, "'c' is none of the choices"),
        ({"classifier": {**M, "choices": ["a", "b"], "passes": ["a", "b"]}}, "no output can fail"),
        ({"classifier": {**M, "choices": ["a", "b"], "min_score": 0.5}}, "needs `choices` with scores"),
        ({"classifier": {**M, "choices": ["a", "b"], "expected": "c"}}, "'c', none of a, b"),
        ({"closed_qa": {**M, "question": "q", "requires_certificate": True}}, "define it in"),
        ({"closed_qa": {"question": "q"}}, "has no `model`"),
    ],
)  # fmt: skip
def test_what_a_kind_cannot_use_is_found_at_collection(bench, written, problem):
    """By the words of the option that is wrong."""
    found = bench.problems(written)
    assert [problem in message for message in found] == [True], found


def test_a_conversation_can_stand_in_the_place_of_the_question(bench):
    """`transcript` shows all of it."""
    exchange = Exchange(
        request=Request(messages=(Message(role="user", content="Hi there"),)),
        response=Response(text="Hello"),
    )
    bench.reply({"reasoning": "", "reply": "yes"})
    bench.score({"closed_qa": {**M, "question": "q", "transcript": True}}, exchanges=(exchange,))
    assert "\nHi there\n</user-" in bench.asked[0].text
