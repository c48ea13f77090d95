"""Baselines in files, in git revisions and in runs, with a real git."""

import re
import subprocess
from pathlib import Path

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.storage.baseline_file import (
    baseline_path,
    find_baseline,
    load_baseline,
    save_baseline,
)
from pytest_evals.verdict.baseline import build_baseline, update_baseline
from tests.gates.makers import info, table


def made(seed):
    """Return a baseline of one case."""
    one = table({"a": "+++"}, seed=seed)
    return build_baseline(one, info(one))


def no_run(name):
    """Know no run."""
    raise StoreError(f"there is no run {name!r}")


def git(folder, *words):
    """Run git in a folder."""
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def repo(tmp_path):
    """Make a repository whose main branch has a baseline in a folder of evals."""
    git(tmp_path, "init", "-q", "-b", "main")
    save_baseline(baseline_path(tmp_path / "evals" / "d.yaml", "d"), made("main"))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "a baseline")
    return tmp_path


def find(source, rootdir, run=no_run, dataset="d"):
    """Find a baseline."""
    return find_baseline(
        source, rootdir=rootdir, dataset=dataset, dataset_path=rootdir / "evals" / "d.yaml", run=run
    )


def test_a_file_is_written_once(tmp_path):
    """Saving tells whether the file changed, and what is saved reads back."""
    path = baseline_path(tmp_path / "d.yaml", "d")
    assert Path("baselines/d.jsonl") == path.relative_to(tmp_path)
    assert [save_baseline(path, made("1")) for _ in range(2)] == [True, False]
    assert load_baseline(path).cells.keys() == made("1").cells.keys()


def test_a_missing_file(tmp_path):
    """A baseline that is not there is an error that says how to make one."""
    with pytest.raises(StoreError, match=r"no such baseline; make it with --evals-update-baseline"):
        load_baseline(tmp_path / "d.jsonl")


def test_a_file_that_is_no_text(tmp_path):
    """Bytes that are no UTF-8 are refused with the line."""
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"\n\xff")
    with pytest.raises(StoreError, match=r"d\.jsonl:2: the baseline is not UTF-8"):
        load_baseline(path)


def test_a_folder_cannot_be_written_as_a_file(tmp_path):
    """What cannot be written is an error, with the path."""
    with pytest.raises(StoreError, match="cannot be written"):
        save_baseline(tmp_path, made("1"))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("evals/baselines/d.jsonl", "evals/baselines/d.jsonl"),
        ("evals/baselines", "evals/baselines/d.jsonl"),
        ("main:evals/baselines/d.jsonl", "main:evals/baselines/d.jsonl"),
        ("HEAD:evals/baselines/", "HEAD:evals/baselines/d.jsonl"),
        ("main:", "main:evals/baselines/d.jsonl"),
    ],
)
def test_where_a_baseline_is_found(repo, source, name):
    """A file, a folder, a revision with a path, a revision alone."""
    found = find(source, repo)
    assert (name, {("a", "m")}) == (found.name, set(found.baseline.cells))


def test_a_revision_is_read_as_it_was(repo):
    """The revision's file counts, not the one in the working tree."""
    save_baseline(repo / "evals" / "baselines" / "d.jsonl", made("now"))
    old, new = find("main:", repo).baseline, find("evals/baselines", repo).baseline
    assert old.lines[0].runs != new.lines[0].runs


def test_a_rootdir_below_the_top(repo):
    """A path in a revision may be given from the rootdir, as it would be for a file."""
    below = repo / "evals"
    found = find_baseline(
        "main:baselines/d.jsonl", rootdir=below, dataset="d",
        dataset_path=below / "d.yaml", run=no_run,
    )  # fmt: skip
    assert {("a", "m")} == set(found.baseline.cells)


def test_a_run_by_id(repo):
    """What is no file and no revision is a run."""
    found = find("latest", repo, run=made)
    assert (found.name, found.baseline.lines[0].n) == ("latest", 3)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere", "it is no file, no git revision with a path"),
        ("gone.jsonl", "gone.jsonl: there is no such baseline"),
        ("evals/gone/d.jsonl", "evals/gone/d.jsonl: there is no such baseline"),
        ("nobranch:x.jsonl", "no such revision"),
        ("main:gone.jsonl", "main:gone.jsonl: that revision has no such file"),
        ("--output=x:y", "that is no git revision"),
    ],
)
def test_what_is_not_there(repo, source, said):
    """A source that does not exist is an error that says what was tried."""
    with pytest.raises(StoreError, match=re.escape(said)):
        find(source, repo)


def test_a_broken_baseline_in_a_revision(repo):
    """A revision's file is checked like any other, and named with its line."""
    path = repo / "evals" / "baselines" / "d.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"passes":3', '"passes":2'))
    git(repo, "commit", "-qam", "an edit by hand")
    with pytest.raises(StoreError, match=r"HEAD:evals/baselines/d\.jsonl:2: .*edited by hand"):
        find("HEAD:", repo)


def test_another_dataset_is_refused(repo):
    """The baseline of another dataset is no baseline here."""
    with pytest.raises(StoreError, match="the dataset here is 'other'"):
        find("main:evals/baselines/d.jsonl", repo, dataset="other")


def test_no_repository(tmp_path):
    """Outside a repository git's own words are told."""
    with pytest.raises(StoreError, match="baseline main:x"):
        find("main:x", tmp_path)


def test_git_merges_two_updates(repo):
    """Two branches that add runs merge, with `merge=union`, into the sum of both."""
    path = repo / "evals" / "baselines" / "d.jsonl"
    (repo / ".gitattributes").write_text("*.jsonl merge=union\n", encoding="utf-8")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "union")
    for branch in ("one", "two"):
        git(repo, "checkout", "-q", "-b", branch, "main")
        save_baseline(path, update_baseline(load_baseline(path), made(branch)))
        git(repo, "commit", "-qam", branch)
    git(repo, "merge", "-q", "--no-edit", "one")
    [line] = load_baseline(path).lines
    assert (line.passes, line.n) == (9, 9)
