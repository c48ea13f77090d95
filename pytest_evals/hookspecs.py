"""Hooks of plugins: their names, arguments and meaning.

A plugin is a module (or an object) with functions of these names: a ``conftest.py``, a module
named with ``-p``, or a package with an entry point in the group ``pytest_evals``. The built-in
members are registered by the same hooks. Implementations are called separately, so that an error is
reported with its plugin. An implementation may omit arguments that it does not need.

This module imports pluggy only: it is imported in every pytest session.
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
    """Register providers, by their names in datasets.

    Called once, when a session begins, in each process. The name is the provider's ``name``. Its
    ``Options`` are the keys of a model that are specific to it; they are checked when a dataset is
    collected. The engine retries, limits, stores, counts and prices its calls.

    Returns:
        Classes by name, or ``"module:Class"``, which is imported on first use.

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
    """Register scorers, by their names in datasets.

    Called once, when a session begins, in each process. The name is the scorer's ``type``, and its
    fields are its options: they are checked, suggested and listed in the schema like those of any
    scorer.

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
    """Register loaders: file formats of datasets, by the suffix of the file.

    Called once, when a session begins, in each process. A loader parses a file's bytes into plain
    data and gives the position of each value; the data is checked as for any dataset. A list is
    read as rows of cases. A file is collected if the command line names it, or if ``evals_files``
    matches it.

    Returns:
        Classes by suffix, with its dot and in lower case (``.toml``), or ``"module:Class"``.

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
    r"""Register reporters: each writes a file about a run at its end.

    Called once, when a session begins; reporters run on the controller, never on an xdist worker. A
    report is written with ``--evals-report NAME=PATH``, or for a stored run with ``pytest-evals
    export --format NAME`` (only plugins with entry points are loaded there). A reporter receives
    redacted values. One that raises fails the session, and the error names its plugin.

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
    """Register stores of responses that people or machines share, by the scheme of their address.

    ``--evals-shared SCHEME:ADDRESS`` uses one in addition to the session's file. A response is
    searched in the file first, then in the store, and a new response is written to both. The store
    is made with the address after the scheme and with ``write`` (False if responses are only
    replayed). It receives redacted values. Several threads use it, and each xdist worker makes
    another instance. An error of a store is reported with its plugin, and no response is lost. Runs
    are saved in the session's file only; `pytest_evals_after_trial` and reporters can send them
    elsewhere.

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
    """Add secrets: they are removed from all that is stored or displayed.

    Called once, when a session begins, in each process: workers redact what they record. Values of
    environment variables named ``*KEY*``, ``*TOKEN*`` and the like are secrets without this hook.

    Returns:
        Texts and compiled patterns. A text is removed as it is and as encoded in JSON, URLs and
        base64; it has at least 6 characters, as shorter ones match by chance.

    Example::

        import re


        def pytest_evals_redact():
            return ["correct horse battery staple", re.compile(r"CUST-[0-9]{6}")]
    """


@hookspec
def pytest_evals_before_trial(trial: "Trial") -> None:
    """Prepare a trial: called before its first call.

    Called in the process that runs the trial, on a thread of the engine, so it may block; trials
    run concurrently, each on a separate thread. If it raises, or exceeds the timeout of the trial,
    no call is made: the trial is an error that names the plugin, and the others continue. Of
    several plugins the one registered last is called first. Every session calls it, with
    ``--evals-from``, with ``--evals-sanity`` and for confirmation samples too. A trial that does
    not start does not call it.

    Args:
        trial: the trial that starts: `case`, `model`, `sample`, `dataset` and `id`.

    Example::

        from pathlib import Path


        def pytest_evals_before_trial(trial):
            sandbox = Path("sandboxes") / trial.name
            sandbox.mkdir(parents=True)
            (sandbox / "question.txt").write_text(str(trial.case.input))
    """


@hookspec
def pytest_evals_after_trial(trial: "Trial", result: "TrialResult") -> None:
    r"""Observe the result of a trial, or clean up after it.

    Called once, after the last score, in the process and on the kind of thread of
    `pytest_evals_before_trial`, in the reverse order of plugins. The result is redacted. The return
    value is ignored, and the result does not change. If it raises, a note at the end of the session
    names the plugin.

    Args:
        trial: the trial that ran.
        result: its outcome, scores, exchanges and cost.

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
    """Add notes to a gate's verdict, such as its owner or what to do.

    Called once per verdict, after the last trial, on the controller (never on an xdist worker),
    before the verdict is reported. It cannot change the verdict. If it raises, the verdict has no
    notes of this plugin, and a note at the end of the session names it.

    Args:
        verdict: the gate, the model, the numbers, and whether it blocks.

    Returns:
        One sentence, several, or None. They are shown with the verdict's notes in the terminal and
        in reports.

    Example::

        def pytest_evals_gate_verdict(verdict):
            if verdict.blocking:
                return f"Ask #team-refunds about {verdict.dataset} before you merge."
            return None
    """


@hookspec
def pytest_evals_report_context(report: "Report") -> "Mapping[str, ContextValue] | None":
    """Add sections to the reports, such as the deployment or a link to a dashboard.

    Called once, before the reports of a session are written, on the controller (never on an xdist
    worker), and before ``pytest-evals export`` writes one. The sections are part of the HTML and
    Markdown reports, and of ``context`` in JSON, escaped and redacted like all texts. If it raises,
    the reports are written without them, and a note at the end names the plugin.

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
