"""What is wrong with judges and the models that scorers ask is told before anything is asked."""

import pytest

from pytest_evals.cli import main
from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import LoadContext
from pytest_evals.loaders.build import load
from pytest_evals.registry import Registry


@pytest.fixture
def problems(tmp_path):
    """Return everything that is wrong with a dataset of these judges and scorers, by its line."""

    def problems(judges="", scorers="{contains: x}"):
        path = tmp_path / "d.yaml"
        text = f"models: [openai:x]\njudges:\n{judges or '  {}'}\n"
        path.write_text(f"{text}cases: [{{id: a, input: x, scorers: [{scorers}]}}]\n")
        try:
            load(path, LoadContext(rootdir=tmp_path, checker=Registry.builtin()))
        except DatasetError as error:
            return [str(one).partition(":")[2] for one in error.problems]
        return []

    return problems


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        ("{model: openai:y, rubrik: x}", "unknown option 'rubrik'*Did you mean 'rubric'?"),
        ("{type: closed_qaa, model: openai:y}", "no type of judge*Did you mean 'closed_qa'?"),
        ("{model: openai:y, rubric: ' '}", "the `rubric` is blank"),
        ("{model: opnai:y, rubric: r}", "no provider is called 'opnai'*Did you mean 'openai'"),
        (
            "{model: {provider: openai, base_ur: y}, rubric: r}",
            "unknown key 'base_ur' for provider 'openai'*Did you mean 'base_url'?",
        ),
        ("{panel: [openai:y, opnai:z], rubric: r}", "no provider is called 'opnai'"),
        (
            "{model: openai:y, rubric: r, params: {temperature: [0, 1]}}",
            "`temperature` is one number, found [0, 1]",
        ),
        (
            "{model: {provider: openai, model: y, params: {seed: {grid: [1, 2]}}}, rubric: r}",
            "`seed` is one number, found {'grid': [1, 2]}",
        ),
        (
            "{panel: [{model: openai:y, params: {max_tokens: [1]}}, openai:z], rubric: r}",
            "`max_tokens` is one number, found [1]",
        ),
    ],
)
def test_a_judge_nobody_uses_is_looked_at_too(problems, judge, words):
    """At the judge's own line, with a suggestion."""
    (problem,) = problems(f"  k: {judge}")
    assert problem.startswith("3:")
    for part in words.split("*"):
        assert part in problem


def test_right_judges_are_right(problems):
    """Models by provider, by the id of one of the dataset's, written out; a default model."""
    judges = (
        "  default: {model: openai:y}\n  a: {rubric: r}\n  b: {model: 'openai:x', rubric: r}\n"
        "  c: {type: closed_qa, question: q, panel: [openai:y, {provider: script}]}"
    )
    assert [] == problems(judges, "{judge: {use: a, min_score: 0.5}}")


@pytest.mark.parametrize(
    "scorer",
    [
        "{judge: {model: opnai:y, rubric: r, min_score: 0.5}}",
        "{not: {judge: {model: opnai:y, rubric: r, min_score: 0.5}}}",
        "{type: embedding_similarity, model: opnai:y, reference: z, threshold: 0.5}",
    ],
)
def test_a_model_that_a_scorer_asks_is_looked_at(problems, scorer):
    """Where the scorer stands."""
    (problem,) = problems(scorers=scorer)
    assert "no model and no provider is called 'opnai' (in 'opnai:y')" in problem


def test_lint_tells_of_all_at_once(tmp_path, capsys):
    """And once each, however many cases use the judge."""
    path = tmp_path / "d.yaml"
    cases = "".join(f"  - {{id: c{i}, input: x}}\n" for i in range(3))
    path.write_text(
        "models: [openai:x]\njudges:\n  a: {model: opnai:y, rubric: r, min_score: 0.5}\n"
        f"  b: {{rubric: r}}\nscorers: [{{judge: {{use: a}}}}]\ncases:\n{cases}"
    )
    assert 1 == main(["lint", str(path)])
    told = capsys.readouterr().out
    assert 1 == told.count("opnai:y")
    assert 1 == told.count("the judge has no `model`")
