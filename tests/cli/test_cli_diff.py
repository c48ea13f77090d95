"""`pytest-evals diff`: what changed between a baseline and a stored run, and the exit status."""

import json
import re
import shutil
import subprocess

import pytest

from pytest_evals.ground.plain_text import display_width
from pytest_evals.run_record import RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore


def ids(project):
    """Return the ids of the first and of the second run."""
    store = SqliteRunStore(project / ".evals" / "evals.sqlite", write=False)
    try:
        return [run.id for run in reversed(store.runs())]
    finally:
        store.close()


def test_against_the_committed_baseline(evals_cli):
    """The verdict first, then the cases by what they did, with what changed in each of them."""
    status, out, _ = evals_cli("diff", "latest", "--dataset", "support")
    assert status == 1
    lines = out.splitlines()
    assert re.fullmatch(r"support: run \S+ against baselines/support\.jsonl", lines[0])
    assert lines[1].startswith(
        "* large: REGRESSED: return-2, return-5 pass less often than in the baseline;"
    )
    titles = [line for line in lines if re.match(r"[a-z].*: \d+$", line)]
    assert titles == [
        "regressed: 2",
        "no answer, or no score: 1",
        "drifted: they pass, but the answer or its calls changed: 2",
        "still failing: 1",
        "edited, so not compared: 2",
        "fixed: 1",
        "no longer in the dataset: 2",
        "new, passing: 2",
    ]
    start = lines.index("  return-2[large]  passed 3/3, now 0/3  (blocks)")
    assert lines[start + 1 : start + 6] == [
        "    answer   You have [-30-]{+14+} days.",
        "    scores   contains 1 -> 0",
        "    tools    find_order -> none",
        "    spent    tokens 52 -> 57 (+10%), cost $0.00088 -> $0.0011 (+23%)",
        ("    why      contains: the output does not contain '30 days'; it is 'You have 14 days.'"),
    ]
    assert "    answer   You have 30 days.{+ Have a nice day.+}" in lines
    assert "  return-8[small]  its input changed;  passed 3/3, now 3/3" in lines
    assert lines[-1] == (
        "cases x models: 2 regressed, 1 without an answer or a score, 2 drifted, 1 flaky, 1 still "
        "failing, 2 edited, 1 fixed, 2 removed, 2 new passing, 8 still passing."
    )


def test_every_dataset_of_a_run(evals_cli):
    """Without --dataset all are compared; one that regressed decides the exit status."""
    status, out, _ = evals_cli("diff", "latest")
    heads = re.findall(r"^(\w+): run ", out, re.MULTILINE)
    assert (status, heads) == (1, ["live", "plain", "support"])


def test_what_is_inconclusive_blocks_only_where_asked(evals_cli):
    """A case that flickers: 0, and 1 with --strict; what would settle it is said."""
    status, out, _ = evals_cli("diff", "latest", "--dataset", "live")
    assert status == 0
    assert "* app: INCONCLUSIVE (not blocking): 1 worse, 0 better;" in out
    assert "Not enough changed cases: 1 changed, at least 5 needed" in out
    assert "    answer   [-it is right-] {+no idea+}" in out
    status, _, _ = evals_cli("diff", "latest", "--dataset", "live", "--strict")
    assert status == 1


def test_without_a_declared_comparison(evals_cli):
    """A dataset without gates is compared by the command's own, and that is said."""
    status, out, _ = evals_cli("diff", "latest", "--dataset", "plain")
    assert status == 0
    assert "declare no comparison; this is `no regressions` of every model." in out


def test_two_runs(evals_cli, filled_project):
    """A run's id, the beginning of one, or `latest`, the complete run before."""
    first, second = ids(filled_project)
    for source in (first, "latest"):
        status, out, _ = evals_cli("diff", source, second, "--dataset", "support")
        assert status == 1
        assert out.splitlines()[0] == f"support: run {second} against run {first}"
    _, out, _ = evals_cli("diff", first, first, "--dataset", "support")
    assert "cases x models: 3 still failing, 17 still passing." not in out
    assert re.search(r"cases x models: .*still passing\.$", out)
    assert "regressed" not in out


def test_the_other_way_round(evals_cli, filled_project):
    """What regressed one way is fixed the other way."""
    first, second = ids(filled_project)
    _, out, _ = evals_cli("diff", second, first, "--dataset", "support", "--json")
    found = {(e["case"], e["model"]): e["class"] for e in json.loads(out)["diff"]["entries"]}
    assert found["return-2", "large"] == "fixed"
    assert found["return-1", "small"] == "regressed"


def test_baselines_as_a_file_and_a_folder(evals_cli, monkeypatch, filled_project):
    """Paths begin where one stands; a file chooses the dataset that it is of."""
    status, out, _ = evals_cli("diff", "baselines/plain.jsonl", "latest")
    assert status == 0
    assert re.findall(r"^(\w+): run \S+ against (\S+)", out, re.MULTILINE) == [
        ("plain", "baselines/plain.jsonl")
    ]
    monkeypatch.chdir(filled_project / "baselines")
    _, out, _ = evals_cli("diff", "../baselines", "latest", "--store", "../.evals/evals.sqlite")
    assert "live: run " in out
    assert " against ../baselines/live.jsonl" in out


def test_a_git_revision(own_project, evals_cli, monkeypatch):
    """REVISION: is the dataset's own file there, whatever it is now."""
    monkeypatch.chdir(own_project)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "baselines"], ["commit", "-qm", "b"]):
        subprocess.run([*git, *words], check=True, cwd=own_project)
    shutil.rmtree(own_project / "baselines")
    status, out, _ = evals_cli("diff", "main:", "latest", "--dataset", "support")
    assert status == 1
    assert " against main:baselines/support.jsonl\n" in out
    status, _, err = evals_cli("diff", "other:", "latest", "--dataset", "support")
    assert (status, "error: baseline other::" in err) == (1, True)


def test_json(evals_cli):
    """The diff as in --evals-json, the verdicts, and whether it regressed; in ASCII."""
    status, out, _ = evals_cli("diff", "latest", "--json")
    told = json.loads(out)
    assert (status, told["schema"], told["regressed"], told["not_compared"]) == (1, 1, True, [])
    assert told["diff"]["verdict"] == "regressed"
    gates = {(g["dataset"], g["model"]): (g["verdict"], g["declared"]) for g in told["gates"]}
    assert gates["support", "large"] == ("failed", True)
    assert gates["live", "app"] == ("inconclusive", True)
    assert gates["plain", "large"] == ("passed", False)
    entry = next(e for e in told["diff"]["entries"] if e["class"] == "regressed")
    assert (entry["dataset"], entry["case"], entry["scores"]["contains"]) == (
        "support",
        "return-2",
        {"before": 1.0, "now": 0.0},
    )
    assert out.isascii()
    assert "\x1b" not in out


def test_markdown(evals_cli):
    """Answers stand in fenced diffs, names in code; nothing of a model can act."""
    status, out, _ = evals_cli("diff", "latest", "--md", "--dataset", "support")
    assert status == 1
    assert "- ❌ `large`, `no regressions`: REGRESSED: return-2, return-5 pass less often" in out
    assert "#### Regressed: 2\n\n`return-2[large]` passed 3/3, now 0/3 (blocks)" in out
    assert "```diff\n- You have 30 days.\n+ You have 14 days.\n! scores: contains 1 -> 0\n" in out
    assert not {"\x1b", "\u202e"} & set(out)


def test_what_models_say_is_harmless(evals_cli):
    """No control sequence and no mark that turns the text reaches the terminal."""
    _, out, _ = evals_cli("diff", "latest", "--color", "never")
    assert "overloaded: come back" in out
    assert not {"\x1b", "\u202e"} & set(out)


def test_colors(evals_cli, monkeypatch):
    """--color always colours; NO_COLOR is obeyed by auto; colours take the place of marks."""
    _, out, _ = evals_cli("diff", "latest", "--dataset", "support", "--color", "always")
    assert "    answer   You have \x1b[31m30\x1b[0m\x1b[32m14\x1b[0m days." in out
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = evals_cli("diff", "latest", "--dataset", "support")
    assert "\x1b" not in out


def test_it_fits_the_terminal(evals_cli, monkeypatch):
    """On a terminal of 60 columns no line is longer."""
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = evals_cli("diff", "latest", "--color", "never")
    assert max(map(display_width, out.splitlines())) <= 60


def test_at_most_so_many_of_each_kind(evals_cli):
    """--limit says how many are left out; 0 shows all."""
    _, out, _ = evals_cli("diff", "latest", "--dataset", "support", "--limit", "1")
    assert "return-5[large]" not in out
    assert "  and 1 more (--limit 0 shows all)" in out
    _, out, _ = evals_cli("diff", "latest", "--dataset", "support", "--limit", "0")
    assert "return-5[large]" in out
    assert "more (--limit" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lates"], "holds no run 'lates'. Did you mean 'latest'?"),
        (["latest", "--dataset", "suport"], "of dataset 'suport'. Did you mean 'support'?"),
        (["nothing", "latest"], "it is no file, no git revision with a path"),
        (["baselines/none.jsonl", "latest"], "baselines/none.jsonl: there is no such baseline"),
    ],
)
def test_what_is_not_there(evals_cli, words, said):
    """An error on stderr with what there is, and status 1."""
    status, out, err = evals_cli("diff", *words)
    assert (status, out) == (1, "")
    assert said in err


def test_too_many_words(evals_cli):
    """A usage error is 4."""
    status, _, err = evals_cli("diff", "a", "b", "c")
    assert status == 4
    assert "expected [BASELINE] RUN, found 3" in err


def test_a_baseline_that_is_missing_or_wrong_is_never_a_pass(own_project, evals_cli, monkeypatch):
    """The other datasets are shown, and the status is 1."""
    monkeypatch.chdir(own_project)
    (own_project / "baselines" / "support.jsonl").unlink()
    path = own_project / "baselines" / "plain.jsonl"
    path.write_text(path.read_text().replace('"passes":1', '"passes":0'))
    status, out, _ = evals_cli("diff", "latest", "--color", "never")
    assert status == 1
    assert "support was not compared: baselines/support.jsonl: there is no such baseline" in out
    assert "plain was not compared: baselines/plain.jsonl:2: the line of case 'hi'" in out
    assert "live: run " in out


def test_a_run_that_was_cut_short_is_never_a_pass(own_project, evals_cli, monkeypatch):
    """A run that lacks trials is incomplete, whatever those that it has say."""
    monkeypatch.chdir(own_project)
    first, _ = ids(own_project)
    path = own_project / ".evals" / "evals.sqlite"
    store = SqliteRunStore(path)
    whole = store.run(first)
    cut = whole.model_copy(
        update={"id": "20300101-000000-0000", "status": RunStatus.RUNNING, "ended_at": None}
    )
    results = [r for r in store.results(first) if r.case_id != "case-5"]
    store.begin(cut)
    for result in results:
        store.append(cut.id, result.model_dump_json(), result)
    store.seal(cut.model_copy(update={"status": RunStatus.INTERRUPTED}))
    store.close()
    status, out, _ = evals_cli("diff", "latest", "--dataset", "live")
    assert status == 1
    assert "* app: INCOMPLETE: the run ended with 55 of 60 trials of app." in out
    assert "no longer in the dataset" not in out
