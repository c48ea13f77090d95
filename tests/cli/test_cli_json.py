"""`--json`: every command that prints has it, and then prints one JSON document in ASCII."""

import argparse
import json

import pytest

from pytest_evals.cli import build_parser, main

TEXTS = {"schema", "completion", "export", "curate", "serve"}
"""Commands whose output is a document of its own, or which go on."""

LINES = {
    "init": "init made --json",
    "lint": "lint plain.evals.yaml --json",
    "runs": "runs --json",
    "show": "show latest --json",
    "show TRIAL": "show latest return-1[small-0] --json",
    "diff": "diff latest --json",
    "compare": "compare latest --dataset support --json",
    "leaderboard": "leaderboard support --json",
    "baseline show": "baseline show --json",
    "baseline check": "baseline check --json",
    "baseline accept": "baseline accept latest --dataset live --json",
    "import": "import run.jsonl --store other.sqlite --json",
    "score": "score latest return-1[small-0] --rater a --name n --label pass --json",
    "score --export": "score latest --export said.csv --json",
    "score --import": "score latest --import said.csv --json",
    "calibrate": "calibrate judged.yaml --judge good --labels labels.csv --no-write --json",
    "merge": "merge one.sqlite two.sqlite --json",
    "rescore": "rescore latest --dataset support --json",
    "estimate": "estimate plain.evals.yaml --json",
    "plugins": "plugins --json",
    "prune": "prune --keep 1 --json",
}
"""A command line of each command; run in this order in one project."""

JUDGED = """
name: judged
models: [{id: m, provider: script}]
judges: {good: {type: closed_qa, question: Good?, model: {provider: python, target: "j.py:judge"}}}
scorers: [{judge: {use: good}}]
cases: [{id: one, input: q, script: [{kind: chat_response, content: hi}]}]
"""


def leaves(parser, name=""):
    """Yield every command that does something, with its parser."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield name, parser
    for action in below:
        for word, inner in action.choices.items():
            yield from leaves(inner, f"{name} {word}".strip())


def test_every_command_that_prints_has_it():
    """And a line here that shows it."""
    found = {name: it for name, it in leaves(build_parser()) if name not in TEXTS}
    lacking = [n for n, it in found.items() if "--json" not in it._option_string_actions]
    assert lacking == []
    assert set(found) == {name for name in LINES if name in found}


@pytest.fixture(scope="module")
def project(filled_project, tmp_path_factory):
    """Make a copy of the project with all that the lines need."""
    import shutil

    from tests.cli._stored_project import pytest_evals

    folder = tmp_path_factory.mktemp("json") / "own"
    shutil.copytree(filled_project, folder)
    for i, name in enumerate(("one", "two"), 1):
        pytest_evals(folder, "support.evals.yaml", f"--evals-shard={i}/2",
                     f"--evals-store={name}.sqlite")  # fmt: skip
    store = str(folder / ".evals" / "evals.sqlite")
    main(["export", "latest", "--store", store, "-o", str(folder / "run.jsonl")])
    (folder / "judged.yaml").write_text(JUDGED)
    (folder / "j.py").write_text(
        'def judge(text):\n    return \'{"reasoning": "r", "reply": "yes"}\'\n'
    )
    (folder / "labels.csv").write_text("case,answer,label,rater\none,hi,pass,ann\n")
    return folder


@pytest.mark.parametrize("name", LINES)
def test_stdout_is_one_json_document(name, project, monkeypatch, capsys):
    """With its schema's version; nothing else stands before or behind it."""
    monkeypatch.chdir(project)
    status = main(LINES[name].split())
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (out.isascii(), status in {0, 1}) == (True, True)
    assert name in {"lint", "plugins"} or told["schema"] == 1, err
