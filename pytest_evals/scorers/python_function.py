"""A Python function of the user as an assertion."""

import atexit
import inspect
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from pytest_evals.ground.user_code import UserCodeError, load_callable, split_target, user_traceback
from pytest_evals.ground.user_process import Job, ProcessError, ProcessPool
from pytest_evals.score import Score, ScoreError
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import shown

_PARAMETER_NAMES = ("answer", "case", "expected", "input", "response", "ctx", "context")
_KEYS = frozenset({"passed", "value", "score", "label", "reason", "metadata"})


class Python(Scorer):
    """A Python function decides whether the output is right.

    Arguments are passed by name: `answer` (the text), `case`, `expected`, `input`, `response`,
    `ctx` or `context` (the whole ScoreContext), and the keys of `args`. Of the other required
    parameters, the first gets the output and the second the case. The function may be a coroutine
    function; it never runs on the event loop of the engine.

    It returns a bool (the verdict), a number (the value; add a `threshold` for a verdict), a string
    (the label), a mapping with `passed`, `value` (or `score`), `label`, `reason`, `metadata`, a
    `Verdict` or a `Score`. None, any other type and an exception are errors.
    """

    type: ClassVar[str] = "python"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CODE
    shorthand: ClassVar[str | None] = "target"
    cheap: ClassVar[bool] = False
    example: ClassVar[str] = 'python: "my_scorers.py:polite"'

    target: str
    """``package.module:function`` or ``file.py:function``, searched from the rootdir, then beside
    the dataset."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Additional arguments, by name."""
    process: bool = False
    """Whether it runs in a process instead of a thread, for CPU-bound code. There is one process
    for each CPU. The function cannot take `ctx`, and its result must be picklable."""
    timeout_s: float = Field(default=60, gt=0)
    """Timeout of a process in seconds; a thread has the timeout of its trial."""

    @field_validator("target")
    @classmethod
    def _named(cls, value: str) -> str:
        """Reject an invalid target."""
        try:
            split_target(value)
        except UserCodeError as error:
            raise ValueError(error.message) from None
        return value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Call the function and convert its result."""
        function = self._function(ctx)
        if self.process:
            return read_verdict(self._in_process(function, ctx), self.target)
        try:
            given = function(**self._arguments(function, ctx))
            if inspect.isawaitable(given):
                given = _run(given)
        except ScoringError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
            raise ScoringError(
                f"{self.target} raised {type(error).__name__}: {error}",
                detail=user_traceback(error),
            ) from None
        return read_verdict(given, self.target)

    def _in_process(self, function: Any, ctx: ScoreContext) -> Any:
        """Call the function in a process; its output is captured for the trial.

        Raises:
            ScoringError: an argument cannot be sent, or the call raised, timed out or crashed.
        """
        arguments = self._arguments(function, ctx)
        if any(value is ctx for value in arguments.values()):
            raise ScoringError(
                f"{self.target} takes the whole context, which cannot be sent to a process; with "
                "`process: true` it may take answer, case, expected, input or response"
            )
        job = Job(_call, (self.target, _roots(ctx), arguments), ctx.within(self.timeout_s))
        try:
            given, printed = _processes().call(job)
        except ProcessError as error:
            message = f"{self.target} has no result: {error.message}"
            raise ScoringError(message, detail=error.detail) from None
        sys.stdout.write(printed)
        return given

    def _function(self, ctx: ScoreContext) -> Any:
        """Import the function."""
        try:
            return load_callable(self.target, _roots(ctx))
        except UserCodeError as error:
            raise ScoringError(error.message, detail=error.detail) from None

    def _arguments(self, function: Any, ctx: ScoreContext) -> dict[str, Any]:
        """Return the arguments for its parameters."""
        values = {
            "answer": ctx.answer,
            "case": ctx.case,
            "expected": ctx.case.expected,
            "input": ctx.case.input,
            "response": ctx.response,
            "ctx": ctx,
            "context": ctx,
        }
        names, spread = _parameters(function, self.target, frozenset(self.args))
        unknown = [] if spread else [name for name in self.args if name not in names.values()]
        if unknown:
            raise ScoringError(f"{self.target} has no parameter {unknown[0]!r}, which `args` names")
        filled = {
            parameter: values[source] for parameter, source in names.items() if source in values
        }
        return {**filled, **self.args}


def _roots(ctx: ScoreContext) -> tuple[Path, Path]:
    return ctx.rootdir, ctx.rootdir / Path(ctx.dataset.path).parent


def _call(target: str, roots: tuple[Path, Path], arguments: dict[str, Any]) -> Any:
    """Import and call a function in this process."""
    given = load_callable(target, roots)(**arguments)
    return _run(given) if inspect.isawaitable(given) else given


@cache
def _processes() -> ProcessPool:
    """Return the pool of all scorers with `process: true`; closed at exit."""
    made = ProcessPool(os.cpu_count() or 1)
    atexit.register(made.close)
    return made


def _parameters(
    function: Any, target: str, given: frozenset[str]
) -> tuple[Mapping[str, str], bool]:
    """Return the source of each parameter, and whether there are `**kwargs`."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ScoringError(f"{target} has no signature, so its parameters are unknown") from None
    names: dict[str, str] = {}
    others = iter(("answer", "case"))
    spread = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            spread = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise ScoringError(f"{target}: parameter {name!r} cannot be passed by name")
        elif name in given or name in _PARAMETER_NAMES:
            names[name] = name
        elif parameter.annotation is ScoreContext or parameter.annotation == "ScoreContext":
            names[name] = "ctx"
        elif parameter.default is parameter.empty:
            source = next(others, None)
            if source is None or source in names.values():
                raise ScoringError(
                    f"{target}: no value for parameter {name!r}; available are "
                    f"{', '.join(_PARAMETER_NAMES)}, and the keys of `args`"
                )
            names[name] = source
    return names, spread


def _run(awaitable: Any) -> Any:
    """Await in a new event loop; runs in a worker thread."""
    import asyncio

    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())


def read_verdict(given: object, source: str) -> Verdict:
    """Convert the result of user code to a verdict.

    Args:
        given: a bool, a number, a string, a mapping, a Verdict or a Score.
        source: the name of the code, for messages.

    Raises:
        ScoringError: the result is None or of another type.
    """
    if isinstance(given, Verdict):
        return given
    if isinstance(given, Score):
        return Verdict(
            passed=given.passed,
            value=given.value,
            label=given.label,
            reason=given.reason,
            bar=given.bar,
            metadata=given.metadata,
        )
    if isinstance(given, ScoreError):
        raise ScoringError(given.message, detail=given.detail)
    if isinstance(given, str):
        return Verdict(label=given, reason=f"{source} returned the label {given!r}")
    if isinstance(given, Mapping):
        return _read_mapping(given, source)
    number = _scalar(given)
    if isinstance(number, bool):
        return Verdict(passed=number, reason=f"{source} returned {number}")
    if number is not None:
        return Verdict(value=number, reason=f"{source} returned {number:g}")
    what = "nothing (None)" if given is None else f"{type(given).__name__}"
    raise ScoringError(
        f"{source} returned {what}; expected a bool, a number, a label, a mapping or a Score"
    )


def _scalar(given: object) -> bool | float | None:
    """Return a bool or a number, including numpy scalars; None for anything else."""
    if isinstance(given, bool):
        return given
    if isinstance(given, int | float):
        return float(given)
    item = getattr(given, "item", None)
    if callable(item) and getattr(given, "shape", None) == ():
        return _scalar(item())
    return None


def _read_mapping(given: Mapping[Any, Any], source: str) -> Verdict:
    """Convert a mapping to a verdict."""
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise ScoringError(
            f"{source} returned a mapping with {shown(unknown[0])}; allowed keys are "
            f"{', '.join(sorted(_KEYS))}"
        )
    if "value" in given and "score" in given:
        raise ScoringError(f"{source} returned both `value` and `score`, which are synonyms")
    passed = given.get("passed")
    value = given.get("value", given.get("score"))
    number = None if value is None else _scalar(value)
    if value is not None and number is None:
        raise ScoringError(f"{source} returned the value {shown(value)}, expected a number")
    verdict = None if passed is None else _scalar(passed)
    if passed is not None and not isinstance(verdict, bool):
        raise ScoringError(f"{source} returned `passed`: {shown(passed)}, expected true or false")
    label, metadata = given.get("label"), given.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise ScoringError(f"{source} returned `metadata`: {shown(metadata)}, expected a mapping")
    return Verdict(
        passed=verdict if isinstance(verdict, bool) else None,
        value=None if number is None else float(number),
        label=None if label is None else str(label),
        reason=str(given.get("reason") or ""),
        metadata=metadata,
    )
