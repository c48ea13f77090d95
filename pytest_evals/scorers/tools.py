"""Assertions on tool calls: names, order, number, errors, loops."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import canonical
from pytest_evals.message import ToolCall
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import listed, quoted
from pytest_evals.scorers.toolmatch import (
    CallMatcher,
    format_calls,
    is_subsequence,
    names_of,
    require_arguments,
)

SequenceMode = Literal["exact", "ordered_subseq", "unordered", "subset", "superset"]


class ToolCalled(Scorer):
    """This tool was called at least `min` and at most `max` times."""

    type: ClassVar[str] = "tool_called"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "name"
    example: ClassVar[str] = "tool_called: get_weather"

    name: str = Field(min_length=1)
    """The name of the tool; `*` matches any characters."""
    min: int = Field(default=1, ge=0)
    """The least number of calls."""
    max: int | None = Field(default=None, ge=0)
    """The greatest number of calls."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        """Reject a minimum above the maximum."""
        if self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is greater than `max` {self.max}: it cannot pass")
        return self

    def score(self, ctx: ScoreContext) -> Verdict:
        """Count the calls."""
        calls = ctx.tool_calls
        count = sum(fnmatchcase(call.name, self.name) for call in calls)
        upper = "" if self.max is None else f", <= {self.max}"
        return Verdict(
            passed=count >= self.min and (self.max is None or count <= self.max),
            bar=f">= {self.min}{upper}",
            reason=f"`{self.name}` was called {count} times; the calls: {format_calls(calls)}",
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the assertion cannot fail."""
        if self.min == 0 and self.max is None:
            yield "`tool_called` with `min: 0` cannot fail"


class ForbiddenTools(Scorer):
    """None of these tools was called."""

    type: ClassVar[str] = "forbidden_tools"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "names"
    example: ClassVar[str] = 'forbidden_tools: [delete_account, "admin_*"]'

    names: tuple[str, ...] = Field(min_length=1)
    """The names of the tools; `*` matches any characters, so `*` alone forbids every call."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Look for forbidden calls."""
        used = [
            call
            for call in ctx.tool_calls
            if any(fnmatchcase(call.name, name) for name in self.names)
        ]
        if used:
            return Verdict(
                passed=False, reason=f"forbidden tools were called: {format_calls(used)}"
            )
        return Verdict(passed=True, reason=f"none of {listed(self.names)} was called")


class ToolSequence(Scorer):
    """The called tools are these, in this order or by `mode`; its value is the similarity.

    The value is the F1 of the longest common subsequence, or of the common calls if the order does
    not count.
    """

    type: ClassVar[str] = "tool_sequence"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "names"
    example: ClassVar[str] = "tool_sequence: {names: [search, book], mode: ordered_subseq}"

    names: tuple[str, ...]
    """The names of the tools."""
    mode: SequenceMode = "exact"
    """`exact`: only these, in this order; `ordered_subseq`: in this order, with other calls between
    them; `unordered`: only these, in any order; `subset`: no others; `superset`: all of these, and
    possibly others."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the names."""
        called = names_of(ctx.tool_calls)
        right = sequence_holds(self.names, called, self.mode)
        ordered = self.mode in {"exact", "ordered_subseq"}
        same = (
            _common(self.names, called)
            if ordered
            else sum((Counter(self.names) & Counter(called)).values())
        )
        total = len(self.names) + len(called)
        return Verdict(
            passed=right,
            value=1.0 if right else 2 * same / total if total else 1.0,
            bar=self.mode,
            reason=f"the called tools are {listed(called) or 'none'}"
            + ("" if right else f", expected {listed(self.names) or 'none'} ({self.mode})"),
            metadata={"called": called[:200]},
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the assertion cannot fail."""
        if not self.names and self.mode in {"ordered_subseq", "superset"}:
            yield f"`tool_sequence` without names cannot fail in the mode {self.mode}"


def sequence_holds(expected: Sequence[str], actual: Sequence[str], mode: SequenceMode) -> bool:
    """Whether the actual names match the expected names by a mode."""
    if mode == "exact":
        return list(expected) == list(actual)
    if mode == "ordered_subseq":
        return is_subsequence(expected, actual)
    want, have = Counter(expected), Counter(actual)
    if mode == "unordered":
        return want == have
    if mode == "subset":
        return set(have) <= set(want)
    return want <= have


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for name in left:
        before = 0
        for j, item in enumerate(right, start=1):
            before, row[j] = row[j], before + 1 if name == item else max(row[j], row[j - 1])
    return row[-1]


class RequiredToolCalls(Scorer):
    """These calls were made: by name, subset of the arguments, subset of the result, and count.

    Its value is the share of satisfied requirements.
    """

    type: ClassVar[str] = "required_tool_calls"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "calls"
    example: ClassVar[str] = (
        "required_tool_calls: [{name: search, args_subset: {q: refund}, count: {at_least: 1}}]"
    )

    calls: tuple[CallMatcher, ...] = Field(min_length=1)
    """Calls: `name`, `args_subset`, `result_subset` and `count` (exactly, at_least, at_most)."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Match each requirement."""
        made = ctx.tool_calls
        wrong = [fault for call in self.calls if (fault := call.fault(made)) is not None]
        return Verdict(
            passed=not wrong,
            value=1 - len(wrong) / len(self.calls),
            reason="; ".join(wrong) or f"all required calls were made: {format_calls(made)}",
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for each count that cannot fail."""
        for call in self.calls:
            if call.count.empty:
                yield f"`required_tool_calls`: at least 0 calls of `{call.name}` cannot fail"


class MaxToolCalls(Scorer):
    """At most `max` tools were called, over all turns."""

    type: ClassVar[str] = "max_tool_calls"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "max"
    example: ClassVar[str] = "max_tool_calls: 5"

    max: int = Field(ge=0)
    """The greatest number of calls."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Count the calls."""
        count = len(ctx.tool_calls)
        return Verdict(
            passed=count <= self.max,
            bar=f"<= {self.max}",
            reason=f"{count} tool calls were made: {format_calls(ctx.tool_calls)}",
        )


class MaxTurns(Scorer):
    """The model sent at most `max` messages, or responses if its messages are not recorded."""

    type: ClassVar[str] = "max_turns"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "max"
    example: ClassVar[str] = "max_turns: 4"

    max: int = Field(ge=1)
    """The greatest number of turns."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Count the turns."""
        turns = 0
        for exchange in ctx.exchanges:
            if exchange.response is not None:
                spoken = sum(m.role == "assistant" for m in exchange.response.messages)
                turns += spoken or 1
        return Verdict(
            passed=turns <= self.max,
            bar=f"<= {self.max}",
            reason=f"the model sent {turns} messages",
        )


class NoToolError(Scorer):
    """No tool call failed."""

    type: ClassVar[str] = "no_tool_error"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "allow"
    example: ClassVar[str] = "no_tool_error"

    allow: tuple[str, ...] = ()
    """Names of tools that may fail; `*` matches any characters."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Look for errors."""
        failed = [
            call
            for call in ctx.tool_calls
            if call.error is not None and not any(fnmatchcase(call.name, n) for n in self.allow)
        ]
        if failed:
            words = "; ".join(f"`{call.name}`: {quoted(call.error or '')}" for call in failed[:5])
            return Verdict(passed=False, reason=f"{len(failed)} tool calls failed: {words}")
        unknown = [
            call.name
            for call in ctx.tool_calls
            if not call.captured and not any(fnmatchcase(call.name, n) for n in self.allow)
        ]
        if unknown:
            names = ", ".join(f"`{name}`" for name in dict.fromkeys(unknown))
            raise ScoringError(
                f"the results of {names} are unknown, so whether a call failed is unknown; return "
                "`result` or `error` with each tool call"
            )
        return Verdict(passed=True, reason="no tool call failed")

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if every tool may fail."""
        if "*" in self.allow:
            yield "`no_tool_error` that allows every tool to fail cannot fail"


_MAX_BLOCK = 50
"""The maximum number of calls in a repeated block."""


class NoLoops(Scorer):
    """No call or block of calls was repeated consecutively with the same arguments."""

    type: ClassVar[str] = "no_loops"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "repeats"
    example: ClassVar[str] = "no_loops: 3"

    repeats: int = Field(default=3, ge=2)
    """The number of consecutive repeats that is a loop."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Look for repeated blocks."""
        calls = ctx.tool_calls
        names = Counter(names_of(calls))
        require_arguments(call for call in calls if names[call.name] >= self.repeats)
        loop = _loop(calls, self.repeats)
        if loop is None:
            return Verdict(passed=True, reason=f"no loop in {len(calls)} tool calls")
        start, size, times = loop
        block = format_calls(calls[start : start + size])
        return Verdict(
            passed=False,
            bar=f"< {self.repeats} times in a row",
            reason=f"{block} was called {times} times in a row",
        )


def _loop(calls: Sequence[ToolCall], repeats: int) -> tuple[int, int, int] | None:
    """Return the start, the size and the repeats of a repeated block; None without one."""
    marks = [f"{call.name} {_mark(call)}" for call in calls]
    for size in range(1, min(_MAX_BLOCK, len(marks) // repeats) + 1):
        run = 0
        for i in range(len(marks) - size):
            run = run + 1 if marks[i] == marks[i + size] else 0
            if run >= size * (repeats - 1):
                start = i - run + 1
                while i + 1 + size < len(marks) and marks[i + 1] == marks[i + 1 + size]:
                    i += 1  # noqa: PLW2901 - advance to the end of the run
                return start, size, (i - start + 1) // size + 1
    return None


def _mark(call: ToolCall) -> str:
    """Return the arguments of a call as one string."""
    try:
        return canonical(call.arguments)
    except (TypeError, ValueError):
        return repr(call.arguments)
