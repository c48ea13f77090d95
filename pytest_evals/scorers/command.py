"""A program of the user as an assertion."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ClassVar

from pydantic import Field, field_validator

from pytest_evals.ground.process_tree import ProcessTree
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.jsonfind import NotJsonError, read_json
from pytest_evals.scorers.python_function import read_verdict
from pytest_evals.scorers.quoting import quoted

_MAX_BYTES = 1_000_000
"""The maximum size of the output of a program."""


def trial_payload(ctx: ScoreContext) -> dict[str, Any]:
    """Return the JSON object that describes a trial to a program or a service."""
    case = ctx.case.model_dump(mode="json", include={"id", "input", "variables", "tags"})
    return {
        "answer": ctx.answer,
        "expected": ctx.case.expected,
        "case": case,
        "model": ctx.model.id,
        "sample": ctx.sample,
        "tool_calls": None
        if ctx.known_tool_calls is None
        else [call.model_dump(mode="json") for call in ctx.known_tool_calls],
        "usage": ctx.usage.model_dump(mode="json"),
        "latency_s": ctx.latency_s,
        "cost_usd": ctx.cost_usd,
    }


class Command(Scorer):
    """A program decides whether the output is right.

    It runs in the rootdir without a shell and reads one JSON object on standard input (`answer`,
    `expected`, `case`, `model`, `sample`, `tool_calls`, `usage`, `latency_s`, `cost_usd`). It
    prints one JSON value: true or false, a number, a label, or an object with `passed`, `value`,
    `label`, `reason`, `metadata`. With `by_exit_code`, its exit status is the verdict: 0 passes, 1
    fails. Any other status is an error, never a failed assertion.
    """

    type: ClassVar[str] = "command"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CODE
    shorthand: ClassVar[str | None] = "run"
    cheap: ClassVar[bool] = False
    example: ClassVar[str] = "command: [python, check_answer.py]"

    run: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments."""
    by_exit_code: bool = False
    """Whether the exit status is the verdict."""
    timeout_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Timeout in seconds."""

    @field_validator("run", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        """Accept a program without arguments."""
        return (value,) if isinstance(value, str) else value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Run the program and parse its output."""
        status, output, errors = self._run(ctx)
        if self.by_exit_code and status in {0, 1}:
            output_text = output[:400].strip() or errors[:400]
            return Verdict(
                passed=status == 0,
                reason=quoted(output_text)
                if output_text
                else f"{self.run[0]} exited with {status}",
            )
        if status != 0:
            raise ScoringError(f"{self.run[0]} exited with status {status}", detail=errors or None)
        try:
            given = read_json(output)
        except NotJsonError as error:
            raise ScoringError(
                f"{self.run[0]} printed {quoted(output)}, which is not JSON ({error})",
                detail=errors or None,
            ) from None
        return read_verdict(given, self.run[0])

    def _run(self, ctx: ScoreContext) -> tuple[int, str, str]:
        """Run the program; return its status, its output and the end of its standard error."""
        rootdir = ctx.rootdir.resolve()
        question = json.dumps(trial_payload(ctx), default=repr).encode()
        # Files instead of pipes: an orphaned child cannot block the read, and large output uses no
        # memory.
        tree, timeout_s = ProcessTree(), ctx.within(self.timeout_s)
        with TemporaryFile() as output, TemporaryFile() as errors:
            try:
                process = subprocess.Popen(  # noqa: S603 - the dataset names the program; there is no shell
                    [_program(self.run[0], rootdir), *self.run[1:]],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=errors,
                    cwd=rootdir,
                    env=tree.environ(os.environ),
                    start_new_session=os.name == "posix",
                )
            except OSError as error:
                raise ScoringError(
                    f"{self.run[0]!r} cannot be started in {rootdir}: {error.strerror}"
                ) from None
            try:
                process.communicate(question, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise ScoringError(
                    f"{self.run[0]} timed out after {timeout_s:.3g} s and was killed"
                ) from None
            finally:
                if not tree.kill(process.pid):
                    process.kill()
                process.wait()
            output.seek(0)
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4_000))
            return (
                process.returncode,
                output.read(_MAX_BYTES).decode("utf-8", "replace"),
                errors.read().decode("utf-8", "replace").strip(),
            )


def _program(name: str, rootdir: Path) -> str:
    """Return the path of a program; a name with a folder is relative to the rootdir."""
    return str(rootdir / name) if "/" in name or os.sep in name else name
