"""Which tools were called, in which order, how often, and whether they worked."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import canonical
from pytest_evals.message import ToolCall
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict
from pytest_evals.scorers.quoting import listed, quoted
from pytest_evals.scorers.toolmatch import CallMatcher, format_calls, is_subsequence, names_of

SequenceMode = Literal["exact", "ordered_subseq", "unordered", "subset", "superset"]


class ToolCalled(Scorer):
    """This tool was called; `min` and `max` say how often."""

    type: ClassVar[str] = "tool_called"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "name"
    example: ClassVar[str] = "tool_called: get_weather"

    name: str = Field(min_length=1)
    """The tool's name; `*` stands for any letters."""
    min: int = Field(default=1, ge=0)
    """The least number of calls."""
    max: int | None = Field(default=None, ge=0)
    """The greatest number of calls."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        """The least is not greater than the greatest."""
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
        """Any number of calls is no assertion."""
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
    """Their names; `*` stands for any letters, so `*` alone forbids every call."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Look for them."""
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
    """The tools called are these, in this order or as `mode` says; its value says how nearly.

    The value is the F1 of the longest common subsequence of both (of what both have, where the
    order does not count).
    """

    type: ClassVar[str] = "tool_sequence"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "names"
    example: ClassVar[str] = "tool_sequence: {names: [search, book], mode: ordered_subseq}"

    names: tuple[str, ...]
    """The tools' names."""
    mode: SequenceMode = "exact"
    """`exact`: these and no other, in this order; `ordered_subseq`: in this order, others between
    them; `unordered`: these and no other, in any order; `subset`: no other than these; `superset`:
    all of these, and others."""

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
            reason=f"the tools called are {listed(called) or 'none'}"
            + ("" if right else f", expected {listed(self.names) or 'none'} ({self.mode})"),
            metadata={"called": called[:200]},
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """No names are no assertion in some modes."""
        if not self.names and self.mode in {"ordered_subseq", "superset"}:
            yield f"`tool_sequence` of no names cannot fail in the mode {self.mode}"


def sequence_holds(expected: Sequence[str], actual: Sequence[str], mode: SequenceMode) -> bool:
    """Whether the found names are as wanted."""
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
    """These calls were made: by name, a subset of arguments, a subset of the result, and a count.

    Its value is the share of them that is satisfied.
    """

    type: ClassVar[str] = "required_tool_calls"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "calls"
    example: ClassVar[str] = (
        "required_tool_calls: [{name: search, args_subset: {q: refund}, count: {at_least: 1}}]"
    )

    calls: tuple[CallMatcher, ...] = Field(min_length=1)
    """Each `name` with `args_subset`, `result_subset` and `count` (exactly, at_least, at_most)."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Match each."""
        made = ctx.tool_calls
        wrong = [fault for call in self.calls if (fault := call.fault(made)) is not None]
        return Verdict(
            passed=not wrong,
            value=1 - len(wrong) / len(self.calls),
            reason="; ".join(wrong) or f"all required calls were made: {format_calls(made)}",
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """A count that allows every number asserts nothing."""
        for call in self.calls:
            if call.count.empty:
                yield f"`required_tool_calls`: at least 0 calls of `{call.name}` cannot fail"


class MaxToolCalls(Scorer):
    """At most so many tools were called, all turns together."""

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
    """The model spoke at most so many times: its messages, or its answers where none are kept."""

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
            passed=turns <= self.max, bar=f"<= {self.max}", reason=f"the model spoke {turns} times"
        )


class NoToolError(Scorer):
    """No tool that was called failed."""

    type: ClassVar[str] = "no_tool_error"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "allow"
    example: ClassVar[str] = "no_tool_error"

    allow: tuple[str, ...] = ()
    """Tools that may fail; `*` stands for any letters."""

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
        return Verdict(passed=True, reason="no tool call failed")

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Allowing all asserts nothing."""
        if "*" in self.allow:
            yield "`no_tool_error` that allows every tool to fail cannot fail"


_MAX_BLOCK = 50
"""Calls in a block that is looked for again."""


class NoLoops(Scorer):
    """No call, and no block of calls, with the same arguments was made over and over in a row."""

    type: ClassVar[str] = "no_loops"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "repeats"
    example: ClassVar[str] = "no_loops: 3"

    repeats: int = Field(default=3, ge=2)
    """How many times in a row is a loop."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Look for repeated blocks."""
        calls = ctx.tool_calls
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
    """Return where a block of calls is repeated, its size and how often; None where none is."""
    marks = [f"{call.name} {_mark(call)}" for call in calls]
    for size in range(1, min(_MAX_BLOCK, len(marks) // repeats) + 1):
        run = 0
        for i in range(len(marks) - size):
            run = run + 1 if marks[i] == marks[i + size] else 0
            if run >= size * (repeats - 1):
                start = i - run + 1
                while i + 1 + size < len(marks) and marks[i + 1] == marks[i + 1 + size]:
                    i += 1  # noqa: PLW2901 - the run is followed to its end
                return start, size, (i - start + 1) // size + 1
    return None


def _mark(call: ToolCall) -> str:
    """Return a call's arguments as one text."""
    try:
        return canonical(call.arguments)
    except (TypeError, ValueError):
        return repr(call.arguments)
