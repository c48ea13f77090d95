"""Each kind of judge's example, as the page of scorers shows it: a right answer and a wrong one."""

import pytest
import yaml

from pytest_evals.registry import Registry
from pytest_evals.scorers.judge.definitions import JUDGES

CONTEXT = {"variables": {"context": ["Returns within 30 days."]}}
EXPECTED = {"expected": "30 days"}


def stated(key, *holds):
    """A reply about the answer's statements."""
    return {"statements": [{"statement": "s", "why": "w", key: hold} for hold in holds]}


def scored(score):
    """A reply with a number."""
    return {"reasoning": "r", "score": score}


STEPS = {"steps": ["Read it.", "Rate it."]}
SAID = {
    "judge": ({}, [scored(5)], [scored(2)]),
    "g_eval": ({}, [STEPS, scored(5)], [STEPS, scored(1)]),
    "closed_qa": ({}, [{"reasoning": "r", "reply": "yes"}], [{"reasoning": "r", "reply": "no"}]),
    "classifier": (
        {},
        [{"reasoning": "r", "label": "polite"}],
        [{"reasoning": "r", "label": "rude"}],
    ),
    "factuality": (
        EXPECTED,
        [{"reasoning": "r", "relation": "superset"}],
        [{"reasoning": "r", "relation": "conflict"}],
    ),
    "pairwise": (
        EXPECTED,
        [{"reasoning": "r", "better": "first"}, {"reasoning": "r", "better": "second"}],
        [{"reasoning": "r", "better": "second"}, {"reasoning": "r", "better": "first"}],
    ),
    "context_faithfulness": (
        CONTEXT,
        [stated("supported", True, True)],
        [stated("supported", True, False)],
    ),
    "context_recall": (
        {**CONTEXT, **EXPECTED},
        [stated("found", True)],
        [stated("found", True, False)],
    ),
    "context_relevance": (
        CONTEXT,
        [{"passages": [{"passage": 1, "why": "w", "relevant": True}]}],
        [{"passages": [{"passage": 1, "why": "w", "relevant": False}]}],
    ),
    "answer_relevance": (
        {},
        [stated("relevant", True, True)],
        [stated("relevant", True, False)],
    ),
    "goal_success": (
        {},
        [{"reasoning": "r", "outcome": "reached"}],
        [{"reasoning": "r", "outcome": "partly"}],
    ),
}
"""By kind: what the case holds, and what the model replies of a right and of a wrong answer."""


def test_every_kind_has_its_example_run():
    """None is left out."""
    assert JUDGES.keys() == SAID.keys()


@pytest.mark.parametrize("kind", sorted(SAID))
def test_the_example_passes_a_right_answer_and_fails_a_wrong_one(bench, kind):
    """With nothing wrong when the dataset is collected."""
    case, right, wrong = SAID[kind]
    example = yaml.safe_load(Registry.builtin().scorer(kind).example)
    assert [] == bench.problems(example, **case)
    assert True is bench.reply(*right).score(example, **case).passed
    assert len(right) == len(bench.asked)
    assert False is bench.reply(*wrong).score(example, **case).passed
