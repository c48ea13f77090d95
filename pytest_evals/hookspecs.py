"""Hooks: what a plugin can bring, be told of, and add. Their names, arguments and meaning.

A plugin is a module (or an object) with functions of these names: a ``conftest.py``, a module
named with ``-p``, or a package with an entry point in the group ``pytest_evals``. What this package
brings itself comes in by the same hooks. Each implementation is called by itself, so that what goes
wrong is told of the plugin whose it is; an argument that it does not need may be left out.

This module knows pluggy and names types; it is imported in every pytest session, so it imports
nothing else.
"""

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping

    from pytest_evals.loaders.base import Loader
    from pytest_evals.matrix import Trial
    from pytest_evals.providers.base import Provider
    from pytest_evals.report import ContextValue, Report
    from pytest_evals.reporters.base import Reporter
    from pytest_evals.responses.base import AnswerStore
    from pytest_evals.result import TrialResult
    from pytest_evals.scorers.base import Scorer
    from pytest_evals.verdict.gate.spec import GateVerdict

hookspec = pluggy.HookspecMarker("pytest")


@hookspec
def pytest_evals_providers() -> "Mapping[str, type[Provider] | str]":  # type: ignore[empty-body]
    """Bring providers: who can answer, by the name that stands in datasets.

    Asked once, when a session begins, in each process. A provider's ``name`` is the name it is
    brought under; its ``Options`` are the keys of a model that only it knows, checked when a
    dataset is collected. The engine retries, limits, stores, counts and prices for it.

    Returns:
        Classes by name; or, so that nothing is imported before it is used, ``"module:Class"``.

    Example::

        from pytest_evals import Response
        from pytest_evals.ground.canonical import Frozen


        class EchoOptions(Frozen):
            times: int = 1


        class Echo:
            name = "echo"
            Options = EchoOptions
            opaque = recorded = local = False

            def __init__(self, model, context):
                self.options = EchoOptions.model_validate(model.options)

            @classmethod
            def required_env(cls, model):
                return ()

            def host(self):
                return None

            def prepare(self):
                pass

            def identity(self, request):
                return {"times": self.options.times, "asked": request.messages[-1].content}

            async def complete(self, request):
                return Response(text=" ".join([request.messages[-1].content] * self.options.times))

            async def aclose(self):
                pass


        def pytest_evals_providers():
            return {"echo": Echo}
    """


@hookspec
def pytest_evals_scorers() -> "Mapping[str, type[Scorer] | str]":  # type: ignore[empty-body]
    """Bring scorers: what can be asserted of an answer, by the name that stands in datasets.

    Asked once, when a session begins, in each process. A scorer's ``type`` is the name it is
    brought under, and its fields are its options: they are checked, suggested and listed in the
    schema as those of any scorer.

    Returns:
        Classes by name, or ``"module:Class"``.

    Example::

        from pytest_evals import Scorer, Verdict


        class Shouts(Scorer):
            type = "shouts"

            def score(self, ctx):
                return Verdict(passed=ctx.answer.isupper(), reason=f"found {ctx.answer!r}")


        def pytest_evals_scorers():
            return {"shouts": Shouts}
    """


@hookspec
def pytest_evals_loaders() -> "Mapping[str, type[Loader] | str]":  # type: ignore[empty-body]
    """Bring loaders: file formats of datasets, by the ending of a file's name.

    Asked once, when a session begins, in each process. A loader makes plain data of a file's bytes
    and says where each value stands; what the data means is checked as for any dataset. Data that
    is a list is rows of cases. A file is collected where it is named on the command line, or where
    ``evals_files`` matches it.

    Returns:
        Classes by ending, with its dot and in lower case (``.toml``), or ``"module:Class"``.

    Example::

        import tomllib

        from pytest_evals.ground.errors import DatasetError, Position
        from pytest_evals.loaders.base import Document


        class TomlLoader:
            name = "toml"
            suffixes = (".toml",)

            def parse(self, content, path):
                try:
                    data = tomllib.loads(content.decode())
                except ValueError as error:
                    raise DatasetError.at(Position(path), str(error)) from None
                return Document(data, lambda loc, *, key=False: Position(path))


        def pytest_evals_loaders():
            return {".toml": TomlLoader}
    """


@hookspec
def pytest_evals_reporters() -> "Mapping[str, type[Reporter] | str]":  # type: ignore[empty-body]
    r"""Bring reporters: files that are written of a run at its end.

    Asked once, when a session begins; used where the session is, never on an xdist worker. A
    report is asked for with ``--evals-report NAME=PATH``, or of a stored run with ``pytest-evals
    export --format NAME`` (there plugins of entry points alone are known). All that a reporter sees
    has passed the redaction. One that raises fails the session, and is told with its plugin.

    Returns:
        Classes by name, or ``"module:Class"``.

    Example::

        class Tally:
            name = "tally"

            def write(self, report, path):
                passed = {}
                for trial in report.trials():
                    passed.setdefault(trial.model_id, []).append(trial.outcome == "passed")
                lines = [f"{model} {sum(p)}/{len(p)}\n" for model, p in sorted(passed.items())]
                path.write_text("".join(lines), encoding="utf-8")


        def pytest_evals_reporters():
            return {"tally": Tally}
    """


@hookspec
def pytest_evals_stores() -> "Mapping[str, type[AnswerStore] | str]":  # type: ignore[empty-body]
    """Bring stores of answers that people or machines share, by the scheme of their address.

    One is used with ``--evals-shared SCHEME:ADDRESS``, beside the session's own file: an answer is
    looked for in the file first, then there, and what is asked is put into both. It is made with
    the address behind the scheme and ``write`` (False where answers are only replayed). What is put
    has passed the redaction. It is used from several threads, and each xdist worker makes its own.
    A store that fails is told with its plugin, and never takes an answer away. Runs are kept in the
    session's own file alone; what else is to know of them is told by `pytest_evals_after_trial` and
    reporters.

    Returns:
        Classes by scheme, or ``"module:Class"``.

    Example::

        from pathlib import Path

        from pytest_evals.responses.base import StoredAnswer


        class Folder:
            def __init__(self, address, *, write):
                self.folder = Path(address)
                self.write = write
                self.folder.mkdir(parents=True, exist_ok=True)

            def get(self, key):
                path = self.folder / f"{key}.json"
                if not path.exists():
                    return None
                return StoredAnswer.model_validate_json(path.read_bytes())

            def put(self, answer):
                if self.write:
                    path = self.folder / f"{answer.key}.json"
                    path.write_text(answer.model_dump_json(), encoding="utf-8")

            def nearest(self, case, model, role, sample, turn):
                return None

            def close(self):
                pass


        def pytest_evals_stores():
            return {"folder": Folder}
    """


@hookspec
def pytest_evals_redact() -> "Iterable[str | re.Pattern[str]]":  # type: ignore[empty-body]
    """Say what is secret: it is taken out of all that is written, shown or stored.

    Asked once, when a session begins, in each process: what a worker records is redacted there.
    Secrets in environment variables named ``*KEY*``, ``*TOKEN*`` and the like are known without it.

    Returns:
        Texts, which are taken out as they are and as they look in JSON, in URLs and in base64 (at
        least 6 characters long: shorter ones would match by chance), and compiled patterns.

    Example::

        import re


        def pytest_evals_redact():
            return ["correct horse battery staple", re.compile(r"CUST-[0-9]{6}")]
    """


@hookspec
def pytest_evals_before_trial(trial: "Trial") -> None:
    """Get something ready for a trial: called before its first question is asked.

    Called in the process that runs the trial, in a thread of the engine's, so it may wait; several
    trials run at a time, each in a thread of its own. Where it raises, nothing is asked: the trial
    is an error that names the plugin, and the others go on. So is one that takes longer than a
    trial may. Of several plugins the one registered last is called first. Sessions alone call it,
    those of ``--evals-from`` and ``--evals-sanity`` included, and cases that are asked again before
    a verdict too; a trial that is never begun is not among them.

    Args:
        trial: what is about to run: `case`, `model`, `sample`, `dataset` and `id`.

    Example::

        from pathlib import Path


        def pytest_evals_before_trial(trial):
            sandbox = Path("sandboxes") / trial.name
            sandbox.mkdir(parents=True)
            (sandbox / "question.txt").write_text(str(trial.case.input))
    """


@hookspec
def pytest_evals_after_trial(trial: "Trial", result: "TrialResult") -> None:
    r"""Look at what became of a trial, or tidy up after it.

    Called where `pytest_evals_before_trial` was called (or would have been), once, when the last
    score is known, in the reverse order of plugins. The result has passed the redaction. It is
    told, not asked: the verdict stands, whatever this returns; where it raises, the result is kept
    and a note at the end of the session names the plugin.

    Args:
        trial: what has run.
        result: what became of it: outcome, scores, exchanges, cost.

    Example::

        import json
        from pathlib import Path
        from threading import Lock

        LOCK = Lock()


        def pytest_evals_after_trial(trial, result):
            line = {"trial": trial.id, "outcome": result.outcome, "cost_usd": result.cost_usd}
            with LOCK, Path("trials.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    """


@hookspec
def pytest_evals_gate_verdict(verdict: "GateVerdict") -> "str | Iterable[str] | None":
    """Add notes to a gate's verdict: who owns it, what to do.

    Called once a verdict, after the last trial, where the session is (never on an xdist worker),
    before the verdict is reported. It cannot change the verdict. Where it raises, the verdict
    stands without its notes, and a note at the end of the session names the plugin.

    Args:
        verdict: the gate, the model, the numbers, and whether it blocks.

    Returns:
        A sentence, several, or None: they stand among the verdict's notes in the terminal and in
        reports.

    Example::

        def pytest_evals_gate_verdict(verdict):
            if verdict.blocking:
                return f"Ask #team-refunds about {verdict.dataset} before you merge."
            return None
    """


@hookspec
def pytest_evals_report_context(report: "Report") -> "Mapping[str, ContextValue] | None":
    """Add sections to the reports: what was deployed, where it ran, a link to a dashboard.

    Called once, before the reports of a session are written, where the session is (never on an
    xdist worker), and before ``pytest-evals export`` writes one. The sections stand in the HTML and
    Markdown reports and under ``context`` in JSON, escaped and redacted as all texts are. Where it
    raises, the reports are written without them, and a note at the end names the plugin.

    Args:
        report: the run, its evaluations, and its trials.

    Returns:
        Sections by title: a text, or a mapping of names to texts, numbers, truth values or None.

    Example::

        import platform


        def pytest_evals_report_context(report):
            return {
                "Deployment": {"prompt version": "v7", "machine": platform.machine()},
                "Owner": "team refunds",
            }
    """


def hooks() -> dict[str, Any]:
    """Return every hook's specification by its name, in the order of this file."""
    return {name: spec for name, spec in globals().items() if name.startswith("pytest_evals_")}
