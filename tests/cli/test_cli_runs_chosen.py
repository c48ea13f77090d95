"""`pytest-evals runs`, narrowed: by model, tag, commit, time and score."""

import json
from time import mktime, time

import pytest

from pytest_evals.cli.options import moment, until
from pytest_evals.run_record import GitInfo
from pytest_evals.storage.sqlite import SqliteRunStore

OLD = "20200101-000000-0000"


@pytest.fixture
def runs(own_project, evals_cli, monkeypatch):
    """Run the command in a project with one more run, an old one of a commit; the runs' ids."""
    monkeypatch.chdir(own_project)
    store = SqliteRunStore(own_project / ".evals" / "evals.sqlite")
    newest = store.runs()[0]
    kept = [r for r in store.results(newest.id) if r.dataset == "live" and r.case_id != "case-0"]
    git = GitInfo(commit="abcdef0123456789")
    old = newest.model_copy(update={"id": OLD, "started_at": 1_577_836_800.0, "git": git})
    store.begin(old)
    for result in kept:
        store.append(OLD, result.model_dump_json(), result)
    store.seal(old)
    store.close()

    def run(*words):
        status, out, err = evals_cli("runs", *words, "--json")
        told = json.loads(out)
        assert told["total"] == len(told["runs"]) or "--limit" in words
        assert status == (0 if told["total"] else 1), err
        return ["old" if one["id"] == OLD else "new" for one in told["runs"]]

    return run


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["old", "new", "new"]),
        (["--model", "app"], ["old", "new", "new"]),
        (["--model", "small"], ["new", "new"]),
        (["--model", "nobody"], []),
        (["--tag", "even"], ["new", "new"]),
        (["--tag", "even", "--dataset", "live"], []),
        (["--commit", "abcd"], ["old"]),
        (["--commit", "ABCDEF01"], ["old"]),
        (["--commit", "abce"], []),
        (["--since", "1h"], ["new", "new"]),
        (["--since", "2019-01-01", "--until", "2020-06-01"], ["old"]),
        (["--until", "2019-12-01"], []),
        (["--model", "app", "--min-score", "0.98"], ["old", "new"]),
        (["--model", "app", "--dataset", "live", "--max-score", "0.97"], ["new"]),
        (["--model", "app", "--min-score", "0.981", "--max-score", "0.99"], ["old", "new"]),
        (["--since", "2019-01-01", "--limit", "1", "--offset", "1"], ["new"]),
    ],
)
def test_only_the_runs_that_are_meant(runs, words, expected):
    """Each filter leaves out what it says, and they are taken together."""
    assert runs(*words) == expected


def test_the_total_counts_what_is_meant(runs, evals_cli):
    """With filters the total is theirs, and where there is none that is said."""
    _, out, _ = evals_cli("runs", "--model", "small", "--limit", "1")
    assert out.splitlines()[-1] == "1 to 1 of 2 runs"
    status, out, err = evals_cli("runs", "--model", "nobody", "--min-score", "0.5")
    assert (status, out) == (1, "")
    assert "no runs in " in err
    assert "with --model nobody --min-score 0.5" in err


@pytest.mark.parametrize(
    "words",
    [["--since", "yesterday"], ["--commit", "xyz"], ["--commit", "ab"], ["--min-score", "nan"]],
)
def test_what_is_no_filter(evals_cli, words):
    """A usage error that says what was expected."""
    status, _, err = evals_cli("runs", *words)
    assert status == 4
    assert f"found '{words[1]}'" in err


def test_moments():
    """An age, a date of this place, and all of a day where it ends a time."""
    assert moment("90m") == pytest.approx(time() - 5400, abs=2)
    assert moment("2w") == pytest.approx(time() - 14 * 86_400, abs=2)
    assert moment("2026-11-21T09:15") == mktime((2026, 11, 21, 9, 15, 0, 0, 0, -1))
    assert until("2026-11-21") - moment("2026-11-21") == pytest.approx(86_400, abs=0.001)
