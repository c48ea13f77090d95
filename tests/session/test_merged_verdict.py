"""A merged run reaches the verdict of the undivided run."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pytest_evals import Case, Dataset, Model, Run, run
from pytest_evals.config import Settings
from pytest_evals.session.merging import check_shards, merge_shards, new_merged_run, read_shard
from pytest_evals.session.read_baseline import read_baseline
from pytest_evals.storage.sqlite import SqliteRunStore

CASES = 12
APP = """
from pathlib import Path

def answer(question, context):
    kind = (Path(__file__).parent / "kinds").read_text().split()[int(question)]
    if kind == "error":
        raise RuntimeError("down")
    once = kind == "once" and context.sample < 100_000
    flaky = kind == "flaky" and context.sample % 2
    return "no" if kind == "bad" or once or flaky else "yes"
"""
KINDS = ("good", "bad", "once", "flaky", "error")


def dataset(gates, samples):
    """Make a dataset whose answers stand in the file ``kinds``."""
    cases = [
        Case(id=f"c{number}", input=str(number), scorers=[{"type": "equals", "value": "yes"}])
        for number in range(CASES)
    ]
    model = Model(id="app", provider="python", options={"target": "app.py:answer"})
    return Dataset(
        name="d",
        path="d.evals.yaml",
        samples=samples,
        models=[model],
        cases=cases,
        gates=gates,
        max_error_rate=0.2,
    )


def merged(root: Path, made: Dataset, parts: int, **options) -> Run:
    """Run a dataset in shards and merge them."""
    shards = []
    for number in range(1, parts + 1):
        store = root / f"{number}-of-{parts}.sqlite"
        store.unlink(missing_ok=True)
        run(made, rootdir=root, shard=f"{number}/{parts}", store=store, **options)
        opened = SqliteRunStore(store, write=False)
        shards.append(read_shard(opened, "latest", store.name))
    check_shards(shards)
    target = root / "merged.sqlite"
    target.unlink(missing_ok=True)
    store = SqliteRunStore(target)
    new = new_merged_run(shards)
    settings = Settings(rootdir=root, store=target, baseline=new.baseline_source)
    baselines = {info.name: read_baseline(settings, info, new.id).named for info in new.datasets}
    sealed = merge_shards(shards, store, new, baselines, strict=new.strict)
    for part in shards:
        part.store.close()
    store.close()
    return sealed


def verdicts(made: Run):
    """Return what a run says, without the times of its answers."""
    sentences = [(gate["verdict"], gate["blocking"], gate["sentence"]) for gate in made.gates]
    return made.decision["decision"], bool(made.exit_status), sentences, made.counts


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project with baselines of 3 and 5 samples."""
    folder = tmp_path_factory.mktemp("merged")
    (folder / "app.py").write_text(APP)
    (folder / "kinds").write_text("good " * CASES)
    for samples in (1, 3, 5):
        (folder / f"of-{samples}").mkdir()
        run(dataset(["no regressions"], samples), rootdir=folder, update_baseline=True)
        shutil.move(folder / "baselines", folder / f"of-{samples}" / "baselines")
    return folder


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=CASES),
    base=st.sampled_from([1, 3, 5]),
    samples=st.sampled_from([1, 3]),
    parts=st.integers(2, 4),
    confirm=st.sampled_from([None, 0, 4]),
    strict=st.booleans(),
)
def test_merge_of_the_parts_is_the_run(root, kinds, base, samples, parts, confirm, strict):
    """Whatever breaks, is flaky, passes on confirmation or errs, in whichever shard."""
    (root / "kinds").write_text(" ".join([*kinds, *["good"] * (CASES - len(kinds))]))
    shutil.rmtree(root / "baselines", ignore_errors=True)
    shutil.copytree(root / f"of-{base}" / "baselines", root / "baselines")
    made = dataset(["no regressions", "pass@1 >= 0.5"], samples)
    options = {"confirm": confirm, "strict": strict, "responses": "off", "breaker": 1000}
    whole = run(made, rootdir=root, store=root / "whole.sqlite", **options)
    assert verdicts(whole) == verdicts(merged(root, made, parts, **options))


def test_the_shards_confirm_their_own_breaks(root):
    """Two of twelve cases break, in different shards: the merged run is REGRESSED."""
    kinds = ["good"] * CASES
    kinds[0] = kinds[11] = "bad"
    (root / "kinds").write_text(" ".join(kinds))
    shutil.rmtree(root / "baselines", ignore_errors=True)
    shutil.copytree(root / "of-5" / "baselines", root / "baselines")
    made = merged(root, dataset(["no regressions"], 3), 2, responses="off")
    assert (made.decision["decision"], made.exit_status) == ("reject", 1)
    assert re.search("REGRESSED: c0, c11|REGRESSED: c11, c0", made.gates[0]["sentence"])
    assert {"c0", "c11"} == {sample.case_id for sample in made.confirmations["d"]}


def test_strict_of_a_shard_is_strict_of_the_whole(root):
    """A reader need not say it again."""
    (root / "kinds").write_text("good " * CASES)
    shutil.rmtree(root / "baselines", ignore_errors=True)
    made = dataset(["no regressions"], 3)
    sealed = merged(root, made, 2, responses="off", strict=True)
    assert (sealed.strict, sealed.exit_status) == (True, 1), sealed.decision
    opened = SqliteRunStore(root / "1-of-2.sqlite", write=False)
    part = read_shard(opened, "latest", "1-of-2.sqlite")
    opened.close()
    assert part.run.strict
