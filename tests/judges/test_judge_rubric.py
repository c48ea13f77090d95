"""judge: a rubric, criteria, examples, a reference; by itself and by name."""

import json

import pytest

from pytest_evals.message import Message

RUBRIC = {"judge": {"model": "openai:j", "rubric": "Polite and exact.", "min_score": 0.7}}


def judge(**options):
    """Write a judge with a model."""
    return {"judge": {"model": "openai:j", "rubric": "Polite and exact.", **options}}


@pytest.mark.parametrize(
    ("score", "value", "passed"),
    [(1, 0.0, False), (3, 0.5, False), (4, 0.75, True), (5, 1.0, True), (3.8, 0.7, True)],
)
def test_a_score_is_brought_to_0_to_1_and_held_to_the_bar(bench, score, value, passed):
    """On the scale of 1 to 5, with a bar of 0.7."""
    scored = bench.reply({"reasoning": "so", "score": score}).score(RUBRIC)
    assert (pytest.approx(value), passed, "so", ">= 0.7") == (
        scored.value, scored.passed, scored.reason, scored.bar,
    )  # fmt: skip


def test_without_a_bar_it_is_a_score_and_no_verdict(bench):
    """Gates on its mean still see it."""
    scored = bench.reply({"reasoning": "so", "score": 2}).score(judge())
    assert (scored.value, scored.passed) == (0.25, None)


def test_the_shorthand_is_the_rubric_and_the_default_judges_model_is_asked(bench):
    """``judge: text`` where the dataset says who judges by default."""
    bench.judges = {"default": {"model": "openai:usual", "params": {"temperature": 0}}}
    bench.reply({"reasoning": "", "score": 5}).score({"judge": "Be kind."})
    (asked,) = bench.asked
    assert (asked.model, asked.params) == ("openai:usual", {"temperature": 0})
    assert "Be kind." in asked.text


def test_a_judge_by_name_is_called_by_its_name(bench):
    """Its score, its role, and the bar of the place where it is used."""
    bench.judges = {"helpful": {"model": "openai:j", "rubric": "Helps.", "scale": [0, 10]}}
    bench.reply({"reasoning": "so", "score": 6})
    scored = bench.score({"judge": {"use": "helpful", "min_score": 0.5}})
    assert (scored.name, scored.type, scored.value, scored.passed) == (
        "helpful",
        "judge",
        0.6,
        True,
    )
    assert bench.asked[0].role == "judge:helpful"


def test_a_judge_by_name_may_be_of_any_kind(bench):
    """`type` in its definition says which."""
    bench.judges = {"dated": {"type": "closed_qa", "model": "openai:j", "question": "A date?"}}
    bench.reply({"reasoning": "none", "reply": "no"})
    scored = bench.score({"judge": {"use": "dated"}})
    assert (scored.passed, scored.value, scored.label) == (False, 0.0, "no")


def test_the_rubric_is_a_template_over_the_case_and_the_fingerprint_is_not(bench):
    """Its variables, `input` and `expected` are filled in; every case has the same judge."""
    written = judge(rubric="Says {{ expected }} to {{ who }}.")
    prints = []
    for expected, who in (("30 days", "Jo"), ("a month", "Al")):
        bench.reply({"reasoning": "", "score": 5})
        scored = bench.score(written, expected=expected, variables={"who": who})
        assert f"Says {expected} to {who}." in bench.asked[0].text
        prints.append(scored.metadata["fingerprint"])
    assert prints[0] == prints[1]


def test_criteria_are_scored_one_by_one_and_weighed(bench):
    """Three quarters of the weight at 1, one at 0.5."""
    written = judge(
        criteria=[
            {"id": "right", "description": "Is right.", "weight": 3},
            {"id": "kind", "description": "Is kind to {{ input }}."},
        ],
        min_score=0.8,
    )
    row = {"right": {"reasoning": "yes", "score": 5}, "kind": {"reasoning": "hm", "score": 3}}
    scored = bench.reply({"criteria": row}).score(written)
    assert (scored.value, scored.passed, scored.reason) == (0.875, True, "right 5: yes; kind 3: hm")
    assert scored.metadata["criteria"] == {"right": 5, "kind": 3}
    assert "- kind: Is kind to How long?." in bench.asked[0].text


def test_a_required_criterion_that_is_missed_fails_the_answer(bench):
    """Whatever the mean says; the mean stays what it is."""
    written = judge(
        criteria=[
            {"id": "safe", "description": "Harms nobody.", "required": True},
            {"id": "kind", "description": "Is kind.", "weight": 9},
        ],
        min_score=0.6,
    )
    row = {"safe": {"reasoning": "harm", "score": 2}, "kind": {"reasoning": "yes", "score": 5}}
    scored = bench.reply({"criteria": row}).score(written)
    assert (scored.value, scored.passed) == (pytest.approx(0.925), False)
    assert scored.reason.startswith("required and missed: safe")


@pytest.mark.parametrize(("score", "passed"), [(4, True), (3, True), (2, False)])
def test_required_criteria_give_a_verdict_without_a_bar(bench, score, passed):
    """The middle of the scale is then enough, unless the criterion has its own bar."""
    written = judge(criteria=[{"id": "a", "description": "A.", "required": True}])
    scored = bench.reply({"criteria": {"a": {"reasoning": "", "score": score}}}).score(written)
    assert scored.passed is passed


def test_the_form_is_asked_for_by_its_schema_and_in_words(bench):
    """Whole numbers of a short scale by name; every key required and no other."""
    bench.reply({"reasoning": "", "score": 5}).score(judge())
    form = bench.asked[0].response_format
    assert form["type"] == "json_schema"
    schema = form["json_schema"]["schema"]
    assert schema["properties"]["score"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert (schema["required"], schema["additionalProperties"]) == (["reasoning", "score"], False)
    assert '"score": <number from 1 to 5>' in bench.asked[0].text


@pytest.mark.parametrize(("output", "form"), [("json", {"type": "json_object"}), ("text", None)])
def test_a_server_that_takes_no_schema_is_asked_in_another_way(bench, output, form):
    """`output` says how."""
    bench.reply({"reasoning": "", "score": 5}).score(judge(output=output))
    assert bench.asked[0].response_format == form


def test_examples_and_the_reference_are_shown(bench):
    """The reference is material, the examples are the author's own."""
    written = judge(
        reference="{{ expected }}",
        examples=[{"input": "When?", "answer": "Soon.", "score": 1, "reasoning": "vague"}],
    )
    bench.reply({"reasoning": "", "score": 5}).score(written, expected="30 days")
    text = bench.asked[0].text
    assert 'Answer: Soon.\nVerdict: {"reasoning": "vague", "score": 1.0}' in text
    assert "\n30 days\n</reference-" in text


def test_chat_messages_and_turns_are_shown_as_the_question(bench):
    """Without instructions to the model under test."""
    chat = [
        {"role": "system", "content": "SECRET RULES"},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "How long?"},
    ]
    bench.reply({"reasoning": "", "score": 5}).score(RUBRIC, input=chat)
    assert "user: Hi\nassistant: Hello\nuser: How long?" in bench.asked[0].text
    assert "SECRET" not in "".join(m.text for m in bench.asked[0].messages)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"judge": {"rubric": "r"}}, "has no `model`"),
        ({"judge": {"model": " ", "rubric": "r"}}, "`model` of the judge is blank"),
        ({"judge": {"model": "a:b", "rubric": "  \n"}}, "the `rubric` is blank"),
        ({"judge": {"model": "a:b"}}, "neither a `rubric` nor `criteria`"),
        ({"judge": {"use": "helpfull"}}, "no judge is called 'helpfull'"),
        ({"judge": {"use": "helpfull"}}, "Did you mean 'helpful'?"),
        ({"judge": {"use": "helpful", "rubric": "r"}}, "move `rubric` to the definition"),
        (judge(min_score=1.5), "less than or equal to 1"),
        (judge(min_score=0), "greater than 0"),
        (judge(scale=[5, 1]), "its worst and its best score"),
        (judge(scale=[1, float("inf")]), "its worst and its best score"),
        (judge(rubic="x"), "Did you mean 'rubric'?"),
        (judge(rubric="{{ answer }}"), "The judge always gets the answer"),
        (judge(rubric="{{ expectd }}"), "Did you mean 'expected'?"),
        (judge(examples=[{"answer": "a", "score": 9}]), "outside the scale 1 to 5"),
        (judge(panel=["a:b", "c:d"]), "`model` or `panel`, not both"),
        (judge(rule="mean"), "needs a `panel` of two"),
        (judge(aggregate="median"), "needs `repeats` above 1"),
        (judge(revise={"max": 2}), "needs a `min_score`"),
        (judge(requires_certificate=True), "needs a name for its certificate"),
        (judge(criteria=[{"id": "a", "description": " "}]), "`description` is blank"),
        ({**RUBRIC, "threshold": 0.5}, "the threshold of `judge` is its option `min_score`"),
        ({"judge": {"model": {"model": "x"}, "rubric": "r"}}, "needs a `provider`"),
    ],
)
def test_what_cannot_judge_is_found_at_collection(bench, written, problem):
    """Each in words that say what to do."""
    bench.judges = {"helpful": {"model": "openai:j", "rubric": "r"}}
    found = bench.problems(written)
    assert [problem in message for message in found] == [True], found


def test_a_right_judge_has_no_problem(bench):
    """With and without a case."""
    bench.judges = {"helpful": {"model": "openai:j", "rubric": "r"}}
    use = {"judge": {"use": "helpful", "min_score": 0.5}}
    assert [bench.problems(w, cased=c) for w in (RUBRIC, use) for c in (True, False)] == [[]] * 4


def test_everything_of_a_judgement_is_kept(bench):
    """Who judged, by which prompt, at what cost, and with what score."""
    scored = bench.reply({"reasoning": "so", "score": 4}).score(RUBRIC)
    assert scored.metadata == {
        "fingerprint": scored.metadata["fingerprint"],
        "models": ["openai:j"],
        "calls": 1,
        "cost_usd": 0.01,
        "keys": ["k1"],
        "score": 4.0,
        "scale": [1.0, 5.0],
    }
    json.dumps(scored.metadata)


def test_without_a_way_to_ask_it_is_an_error(bench):
    """Never 0."""
    assert "no call is allowed" in bench.error(RUBRIC, ask=None)


def test_the_thread_begins_with_the_judges_own_rules(bench):
    """A system message that is the same for every case, so that servers can cache it."""
    systems = set()
    for answer in ("one", "two"):
        bench.reply({"reasoning": "", "score": 5}).score(RUBRIC, answer)
        systems.add(bench.asked[0].messages[0])
    (system,) = systems
    assert (type(system), system.role) == (Message, "system")
