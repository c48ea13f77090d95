"""`pytest-evals compare`: models of stored runs against each other, paired by case."""

import json
import re

import pytest

from pytest_evals.ground.plain_text import display_width
from pytest_evals.result import Outcome
from pytest_evals.score import ScoreError
from pytest_evals.storage.sqlite import SqliteRunStore

MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def ids(filled_project):
    """The ids of the first and of the second run."""
    store = SqliteRunStore(filled_project / ".evals" / "evals.sqlite", write=False)
    try:
        return [run.id for run in reversed(store.runs())]
    finally:
        store.close()


@pytest.fixture
def rows(evals_cli):
    """Run the command with --json; return its rows."""

    def run(*words):
        status, out, err = evals_cli("compare", *words, "--json")
        assert status == 0, err
        return json.loads(out)["rows"]

    return run


def test_the_models_of_a_run(evals_cli):
    """The first model is the reference; the others stand below it, and in words."""
    status, out, _ = evals_cli("compare", "latest", "--dataset", "support")
    assert status == 0
    assert out.splitlines()[:3] == [
        "support: large is the reference, paired by case",
        "       cases   mean    ref  change    95% interval     p  +/-",
        f"small      9  81.5%  77.8%    +3.7  {MINUS}50.0 to +50.0  1.00  2/2",
    ]
    assert (
        "* small and large: the difference is not statistically significant (9 cases: 2 better, 2 worse, p = 1.00)."
        in out
    )
    assert "Not enough changed cases: 4 changed, at least 6 needed, all to one side." in out
    assert re.search(r"Minimum detectable effect: [\d.]+ points", out)


def test_what_is_left_out_is_named(evals_cli):
    """A case that errored on one side is no pair, and errors are said to flatter."""
    _, out, _ = evals_cli("compare", "latest", "--dataset", "support")
    assert "  not compared: return-7 (small has no scored answer)" in out
    assert "  small: 3 of 30 trials have no answer or no score and are left out;" in out


def test_named_models_and_their_order(rows):
    """The first that is named is the reference; the other way round everything is mirrored."""
    (one,) = rows("latest:large", "latest:small", "--dataset", "support")
    (two,) = rows("latest:small", "latest:large", "--dataset", "support")
    assert (one["reference"]["model"], one["candidate"]["model"]) == ("large", "small")
    assert (one["better"], one["worse"]) == (two["worse"], two["better"]) == (2, 2)
    assert one["change"] == pytest.approx(-two["change"])
    assert one["change"] == pytest.approx(one["candidate_mean"] - one["reference_mean"])
    assert (one["low"], one["high"]) == (pytest.approx(-two["high"]), pytest.approx(-two["low"]))


def test_two_runs(rows, ids):
    """Each model with itself, by case; edited, added and removed cases are left out, with why."""
    found = {row["candidate"]["model"]: row for row in rows(*ids, "--dataset", "support")}
    large = found["large"]
    assert [large["reference"]["run"], large["candidate"]["run"]] == ids
    assert (large["cases"], large["better"], large["worse"]) == (8, 0, 2)
    assert {item["case"]: item["reason"] for item in large["dropped"]} == {
        "new": f"not run by {ids[0]}",
        "return-8": "its input or reference answer differs",
        "return-9": f"not run by {ids[1]}",
    }
    assert found["small"]["dropped"][1] == {
        "case": "return-7",
        "reason": f"{ids[1]} has no scored answer",
    }


def test_every_dataset_of_the_runs(evals_cli, ids):
    """One family over all of them: p is corrected over every row that is shown."""
    status, out, _ = evals_cli("compare", *ids)
    assert status == 0
    heads = re.findall(r"^(\w+)(?:, \w+)?: \S+ is the reference", out, re.MULTILINE)
    assert heads == ["live", "plain", "support", "support"]
    assert out.splitlines()[-1] == "p is corrected over 4 rows: Holm"


def test_what_has_no_partner_is_said(evals_cli):
    """A dataset with a single model is left out by name, and the others are compared."""
    _, out, _ = evals_cli("compare", "latest")
    assert "plain is left out: " in out
    assert "is the only model of dataset 'plain' in that run" in out
    status, out, err = evals_cli("compare", "latest", "--dataset", "plain")
    assert (status, out) == (1, "")
    assert "name another run or model to compare it with" in err


def test_by_tag_and_by_metadata(rows):
    """The whole first, then a row for each value."""
    found = rows("latest", "--dataset", "support", "--group-by", "tag")
    assert [row["slice"] for row in found] == [
        None,
        {"key": "tag", "value": "even"},
        {"key": "tag", "value": "odd"},
    ]
    assert sum(row["cases"] for row in found[1:]) == found[0]["cases"]
    tiers = rows("latest", "--dataset", "support", "--group-by", "tier")
    assert [row["slice"] and row["slice"]["value"] for row in tiers] == [None, "basic", "gold"]


def test_by_scorer(rows):
    """A row for each scorer; --of takes one alone, and its verdicts are what is compared."""
    found = rows("latest", "--dataset", "support", "--group-by", "scorer")
    assert [row["of"] for row in found] == ["pass@1", "contains", "max_latency_s"]
    assert [row["verdict"] for row in found] == ["unclear", "unclear", "same"]
    (one,) = rows("latest", "--dataset", "support", "--of", "contains")
    assert one["change"] == found[1]["change"]


def test_corrections(rows):
    """None leaves p as it is; Holm multiplies the least by the number of rows; BH is between."""
    words = ("latest", "--dataset", "support", "--group-by", "tag")
    plain = rows(*words, "--correction", "none")
    assert [row["p"] for row in plain] == [row["p_adjusted"] for row in plain]
    holm, bh = (rows(*words, "--correction", name) for name in ("holm", "bh"))
    least = min(plain, key=lambda row: row["p"])["p"]
    assert min(row["p_adjusted"] for row in holm) == pytest.approx(min(1, 3 * least))
    for a, b, c in zip(plain, bh, holm, strict=True):
        assert a["p_adjusted"] <= b["p_adjusted"] <= c["p_adjusted"]
    assert plain[0]["changes_needed"] == 6
    assert holm[0]["changes_needed"] == 7


def test_all_pairs(rows, ids):
    """Each with each: four sides make six pairs."""
    found = rows(*ids, "--dataset", "support", "--all-pairs")
    assert len(found) == 6
    sides = {(r["reference"]["run"], r["reference"]["model"], r["candidate"]["model"],
              r["candidate"]["run"]) for r in found}  # fmt: skip
    assert len(sides) == 6


def test_a_real_difference_is_told(own_project, evals_cli, monkeypatch):
    """Seven cases that all got better are enough; the sentence says by how much."""
    monkeypatch.chdir(own_project)
    path = own_project / ".evals" / "evals.sqlite"
    store = SqliteRunStore(path)
    run = store.runs()[0]
    info = next(info for info in run.datasets if info.name == "live")
    new = run.model_copy(update={"id": "20300101-000000-0000", "datasets": (info,)})
    results = [r for r in store.results(run.id) if r.dataset == "live"]
    store.begin(new)
    for result in results:
        bad = result.case_id in {f"case-{i}" for i in range(1, 8)}
        changed = result.model_copy(update={"outcome": Outcome.FAILED}) if bad else result
        store.append(new.id, changed.model_dump_json(), changed)
    store.seal(new)
    store.close()
    status, out, _ = evals_cli("compare", run.id, new.id, "--dataset", "live", "--color", "always")
    assert status == 0
    told = f"{new.id} is worse than {run.id} by 56.7 points (95 % interval {MINUS}"
    assert f"* \x1b[31m{told}" in out
    assert re.search(r"; p = 0\.\d+\)", out)
    assert "too few" not in out.casefold()


def test_markdown(evals_cli):
    """A table with the names in code, and the same sentences."""
    status, out, _ = evals_cli("compare", "latest", "--md", "--dataset", "support")
    assert status == 0
    assert out.startswith("### `support`, against `large`\n\n|  | cases | mean | ref |")
    assert f"| `small` | 9 | 81.5% | 77.8% | +3.7 | {MINUS}50.0 to +50.0 | 1.00 | 2/2 |" in out
    assert "- small and large: the difference is not statistically significant (9 cases" in out


def test_it_fits_the_terminal(evals_cli, monkeypatch, ids):
    """On a terminal of 80 columns no line is longer, with run ids as names."""
    monkeypatch.setenv("COLUMNS", "80")
    for words in (ids, [*ids, "--all-pairs"], ["latest", "--group-by", "tag"]):
        _, out, _ = evals_cli("compare", *words, "--color", "never")
        assert max(map(display_width, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["latest", "latest"], "latest is given twice"),
        (["lates"], "holds no run 'lates'. Did you mean 'latest'?"),
        (["latest:larg"], "no trial of a model 'larg' in dataset 'support'. Did you mean 'large'?"),
        (["latest", "--of", "contain"], "no scorer of these runs is called 'contain'. Did you "),
        (["latest", "--group-by", "teir"], "no case has a teir. Did you mean 'tier'?"),
        (["latest", "--of", "score", "--group-by", "scorer"], "compares every scorer; drop --of"),
        (["latest", "--dataset", "suport"], "of dataset 'suport'. Did you mean 'support'?"),
    ],
)
def test_what_is_not_there(evals_cli, words, said):
    """An error on stderr with what there is, and status 1."""
    more = () if "--dataset" in words else ("--dataset", "support")
    status, out, err = evals_cli("compare", *words, *more)
    assert (status, out) == (1, "")
    assert said in err


def test_a_model_named_in_one_run_alone(evals_cli, ids):
    """It meets itself in the other run; two named models meet each other, whatever they are."""
    first, second = ids
    _, out, _ = evals_cli("compare", f"{first}:large", second, "--dataset", "support")
    assert re.findall(r"^support.* is the reference", out, re.MULTILINE) == [
        f"support, large: {first} is the reference"
    ]
    _, out, _ = evals_cli("compare", f"{first}:large", f"{second}:small", "--dataset", "support")
    assert f"support: {first}:large is the reference, paired by case" in out


def test_nothing_in_common(evals_cli, own_project, monkeypatch):
    """Runs without a dataset in common are refused with what each of them has."""
    monkeypatch.chdir(own_project)
    store = SqliteRunStore(own_project / ".evals" / "evals.sqlite")
    run = store.runs()[0]
    other = run.datasets[0].model_copy(update={"name": "foreign"})
    store.begin(run.model_copy(update={"id": "20300101-000000-0000", "datasets": (other,)}))
    store.close()
    status, _, err = evals_cli("compare", run.id, "latest")
    assert status == 1
    assert "these runs share no dataset: " in err
    assert "has foreign" in err


def test_a_scorer_that_says_nothing_of_a_case(own_project, evals_cli, monkeypatch):
    """A case is dropped with the reason: no answer, no scored answer, or a scorer without a word."""
    monkeypatch.chdir(own_project)
    store = SqliteRunStore(own_project / ".evals" / "evals.sqlite")
    run = store.runs()[0]
    info = next(info for info in run.datasets if info.name == "live")
    new = run.model_copy(update={"id": "20300101-000000-0000", "datasets": (info,)})
    silent = ScoreError(name="contains", type="contains", message="cannot say")
    changes = {
        "case-1": {"scores": (silent,), "outcome": Outcome.ERRORED, "score": None},
        "case-2": {"scores": ()},
    }
    store.begin(new)
    for result in list(store.results(run.id)):
        if result.dataset == "live" and result.case_id != "case-4":
            changed = result.model_copy(update=changes.get(result.case_id, {}))
            store.append(new.id, changed.model_dump_json(), changed)
    store.seal(new)
    store.close()
    status, out, _ = evals_cli(
        "compare", run.id, new.id, "--dataset", "live", "--of", "contains", "--json"
    )
    (row,) = json.loads(out)["rows"]
    assert (status, row["cases"]) == (0, 9)
    assert {item["case"]: item["reason"] for item in row["dropped"]} == {
        "case-1": f"{new.id} has no scored answer",
        "case-2": f"contains has no value for {new.id}",
        "case-4": f"not run by {new.id}",
    }
    _, out, _ = evals_cli("compare", run.id, new.id, "--dataset", "live", "--json")
    assert json.loads(out)["rows"][0]["cases"] == 10
    _, out, _ = evals_cli("leaderboard", "live", "--run", new.id, "--run", run.id, "--by", "run",
                          "--weights", "contains=1")  # fmt: skip
    assert "3 of 12 cases have no contains" in out
