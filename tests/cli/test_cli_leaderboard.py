"""`pytest-evals leaderboard`: models or runs of a dataset ranked, with what a rank hides."""

import json
import re

import pytest

from pytest_evals.ground.plain_text import display_width
from pytest_evals.storage.sqlite import SqliteRunStore


@pytest.fixture
def ids(filled_project):
    """The ids of the first and of the second run."""
    store = SqliteRunStore(filled_project / ".evals" / "evals.sqlite", write=False)
    try:
        return [run.id for run in reversed(store.runs())]
    finally:
        store.close()


@pytest.fixture
def board(evals_cli):
    """Run the command with --json; return what it says."""

    def run(*words):
        status, out, err = evals_cli("leaderboard", "support", *words, "--json")
        assert status == 0, err
        return json.loads(out)

    return run


def test_the_last_run(evals_cli, ids):
    """By the share of samples that pass; a row that lacks a case has no rank and says so."""
    status, out, _ = evals_cli("leaderboard", "support")
    assert status == 0
    assert out.splitlines() == [
        f"support: run {ids[1]}",
        "#         pass@1  95% interval   n  errors      cost  latency  p",
        "1  large   0.800  0.50 to 1.00  30       0   $0.0011    1.5 s  -  *",
        "-  small   0.815  0.53 to 1.00  27       3  $0.00011    1.5 s  -",
        "cost and latency are means of a trial; * is on the cost-quality front",
        "",
        "* small has no rank: 1 of 10 cases have no pass@1.",
    ]


def test_renormalised(board):
    """What is incomplete is ranked by what it has, where that is asked for."""
    told = board("--renormalise")
    assert [(row["rank"], row["name"]) for row in told["rows"]] == [(1, "small"), (2, "large")]
    assert told["rows"][1]["p_first"] == 1.0
    assert told["rows"][0]["overlaps"] == ["large"]
    assert "The interval of small overlaps with that of large." in told["notes"]


def test_weights(evals_cli, board):
    """Scorers by their weights; each score stands beside the value."""
    told = board("--weights", "contains=2,max_latency_s=1", "--renormalise")
    assert told["weights"] == {
        "contains": pytest.approx(2 / 3),
        "max_latency_s": pytest.approx(1 / 3),
    }
    large = next(row for row in told["rows"] if row["name"] == "large")
    assert large["value"] == pytest.approx((2 * 0.8 + 1) / 3)
    assert large["parts"]["contains"]["value"] == pytest.approx(0.8)
    _, out, _ = evals_cli(
        "leaderboard", "support", "--weights", "contains=2", "--weights", "score=1"
    )
    assert "       contains (67%)  score (33%)" in out
    assert re.search(r"^large +0\.800 +0\.900$", out, re.MULTILINE)


def test_several_runs_together(board, ids):
    """A model's samples of all runs are pooled; what was edited counts as the newest run has it."""
    told = board("--run", ids[0], "--run", ids[1])
    rows = {row["name"]: row for row in told["rows"]}
    assert sorted(rows) == ["large", "small"]
    assert rows["large"]["cases"] == 11
    assert rows["large"]["n"] == 57
    assert rows["small"]["errored"] == 3
    assert any("had other inputs or assertions in return-8" in n for n in told["notes"])
    assert told["runs"] == ids


def test_runs_as_rows(evals_cli, board, ids):
    """--by run ranks each model of each run; on the terminal runs are called by their ends."""
    told = board("--by", "run", "--run", ids[0], "--run", ids[1], "--renormalise")
    assert sorted(row["name"] for row in told["rows"]) == sorted(
        f"{run}:{model}" for run in ids for model in ("large", "small")
    )
    words = ("--by", "run", "--run", ids[0], "--run", ids[1], "--renormalise")
    _, out, _ = evals_cli("leaderboard", "support", *words)
    assert out.splitlines()[2].startswith(f"1  large ({ids[0][-4:]})   1.000")
    assert f"{ids[0]}:large" not in out


def test_the_front_and_ties(board, ids):
    """The best and the cheapest are on the front; equal values share a rank, and that is said."""
    told = board("--weights", "max_latency_s=1", "--renormalise")
    rows = {row["name"]: row for row in told["rows"]}
    assert [rows["large"]["rank"], rows["small"]["rank"]] == [1, 1]
    assert rows["large"]["tied"] == ["small"]
    assert [rows["large"]["front"], rows["small"]["front"]] == [False, True]
    assert "large, small are tied." in told["notes"]


def test_the_dataset_by_its_file(evals_cli):
    """A dataset is named as it is called, or by the file it was run from."""
    assert evals_cli("leaderboard", "support.evals.yaml") == evals_cli("leaderboard", "support")


def test_markdown(evals_cli):
    """Tables with the names in code."""
    status, out, _ = evals_cli("leaderboard", "support", "--md", "--weights", "contains=2,score=1")
    assert status == 0
    assert out.startswith("### `support`, `")
    assert "| 1 | `large` | 0.833 | " in out
    assert "|  | `contains (67%)` | `score (33%)` |" in out
    assert "- small has no rank: 1 of 10 cases have no contains" in out


def test_it_fits_the_terminal(evals_cli, monkeypatch, ids):
    """On a terminal of 80 columns no line is longer, with runs as rows."""
    monkeypatch.setenv("COLUMNS", "80")
    words = ("--by", "run", "--run", ids[0], "--run", ids[1], "--renormalise")
    _, out, _ = evals_cli("leaderboard", "support", *words, "--color", "never")
    assert max(map(display_width, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["suport"], 1, "no stored run has a dataset 'suport'. Did you mean 'support'?"),
        (["support", "--weights", "contain=2"], 1, "no score is called 'contain'. Did you mean"),
        (["support", "--weights", "contains=0"], 1, "the weight of 'contains' must be above 0"),
        (["support", "--weights", "contains=2,contains=1"], 1, "'contains' is given twice"),
        (["support", "--weights", "contains"], 4, "expected NAME=NUMBER, found 'contains'"),
        (["support", "--weights", "contains=x"], 4, "expected NAME=NUMBER, found 'contains=x'"),
        (["support", "--run", "nothing"], 1, "holds no run 'nothing'"),
    ],
)
def test_what_is_not_right(evals_cli, words, status, said):
    """An error on stderr that says what there is."""
    found, out, err = evals_cli("leaderboard", *words)
    assert (found, out) == (status, "")
    assert said in err
