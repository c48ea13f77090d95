"""pytest-evals export: a stored run, as any reporter writes it."""

import csv
import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pytest_evals.cli import main

pytestmark = pytest.mark.heavy

DATASET = """
name: shop
samples: 3
models: [{{id: app, provider: python, target: "app.py:answer"}}]
gates: ["pass@1 >= {bar}"]
scorers: [{{contains: yes}}]
cases: [{{id: a, input: a}}, {{id: b, input: b}}]
"""


@pytest.fixture
def stored(pytester: pytest.Pytester) -> None:
    """Run a dataset twice, the second time worse, so that there is a baseline and a regression."""
    for bar, said in (("0.9", "yes"), ("0.1", "no")):
        pytester.makepyfile(app=f"def answer(input): return 'yes' if input == 'b' else {said!r}")
        pytester.path.joinpath("shop.evals.yaml").write_text(DATASET.format(bar=bar))
        keep = ["--evals-update-baseline"] if said == "yes" else ["--evals-json=session.json"]
        pytester.runpytest_subprocess(
            "--evals", "-p", "no:randomly", "-p", "no:hypothesispytest", *keep
        )


def test_json_is_what_the_session_wrote(pytester, stored) -> None:
    """The same trials, metrics, verdicts and decision, by the same shape."""
    assert 0 == main(["export", "latest", "-o", "out/e.json"])
    told, session = (json.loads(Path(n).read_text()) for n in ("out/e.json", "session.json"))
    assert session["trials"] == told["trials"]
    assert session["metrics"] == told["metrics"]
    assert (session["gates"], session["decision"]) == (told["gates"], told["decision"])
    assert session["run"] == told["run"]


@pytest.mark.parametrize("source", ["baselines", "baselines/shop.jsonl", "latest"])
def test_against_a_baseline(pytester, stored, source) -> None:
    """Compared as a session compares: a file, a folder, or the run before."""
    assert 0 == main(["export", "latest", "--baseline", source, "-o", "e.json"])
    diff = json.loads(Path("e.json").read_text())["diff"]
    assert [("a", "regressed", 3, 0)] == [
        (one["case"], one["class"], one["passes_before"], one["passes"]) for one in diff["entries"]
    ]


def test_it_is_printed(pytester, stored, capfdbinary) -> None:
    """Without a file the text goes to the standard output, in UTF-8."""
    assert 0 == main(["export", "latest", "--format", "md"])
    assert "<!-- pytest-evals -->\n## ✅ Evals: accept\n" in capfdbinary.readouterr().out.decode()


def test_the_ending_says_the_format(pytester, stored) -> None:
    """A file called .csv is CSV."""
    assert 0 == main(["export", "latest", "-o", "e.csv"])
    with Path("e.csv").open(newline="", encoding="utf-8") as file:
        assert ["no", "no", "no", "yes", "yes", "yes"] == sorted(
            row["answer"] for row in csv.DictReader(file)
        )


def test_parquet(pytester, stored) -> None:
    """Columns have types; texts are as they were."""
    parquet = pytest.importorskip("pyarrow.parquet")
    assert 0 == main(["export", "latest", "-o", "e.parquet"])
    table = parquet.read_table("e.parquet")
    assert [0.0, 0.0, 0.0, 1.0, 1.0, 1.0] == sorted(table.column("score.contains").to_pylist())
    assert {"no", "yes"} == set(table.column("answer").to_pylist())
    assert ("int64", "bool", "double") == tuple(
        str(table.schema.field(name).type) for name in ("sample", "tolerated", "score")
    )


def test_parquet_without_pyarrow(pytester, stored, monkeypatch, capsys) -> None:
    """It says what is missing, and what else there is."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 1 == main(["export", "latest", "-o", "e.parquet"])
    assert "e.parquet was not written: Parquet needs pyarrow" in capsys.readouterr().err
    assert not Path("e.parquet").exists()


def test_what_is_not_there(pytester, stored, capsys) -> None:
    """Neither a run, nor a baseline, nor a place to write: each is one line."""
    assert 1 == main(["export", "1999"])
    assert 1 == main(["export", "latest", "--baseline", "nothing.jsonl"])
    assert 1 == main(["export", "latest", "-o", "baselines"])
    errors = capsys.readouterr().err.splitlines()
    assert 3 == len([line for line in errors if line.startswith("error: ")])
    assert "baselines is a folder; name a file in it" in errors[-1]


def test_every_reporter_can_export() -> None:
    """The formats are the registry's reporters."""
    from pytest_evals.cli.commands.export import FORMATS
    from pytest_evals.registry import REPORTERS

    assert sorted(REPORTERS) == sorted(FORMATS)
    for place in REPORTERS.values():
        module, _, name = place.partition(":")
        if module != "pytest_evals.reporters.html":
            assert getattr(import_module(module), name).name in FORMATS
