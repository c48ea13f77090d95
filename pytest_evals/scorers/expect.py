"""Expectations by name: the `expect` mapping of a case, checked whole and reported whole.

Every failure is collected, in one fixed order: phrases missing, phrases excluded, the tool
sequence, forbidden tools, required tool calls, tokens, duration, the judge, the error.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScoringError, Verdict
from pytest_evals.scorers.operations import check_error_type
from pytest_evals.scorers.toolmatch import CallMatcher, names_of
from pytest_evals.scorers.tools import sequence_holds
from pytest_evals.scorers.words import listed, quoted

Fault = tuple[str, str, Mapping[str, Any]]
"""The kind of a failure, its words, and its details."""


class Expect(Scorer):
    """Expectations by name, all checked together; every failure is listed, in a fixed order.

    It is what a case's `expect` becomes. Lists that are empty ask for nothing.
    """

    type: ClassVar[str] = "expect"
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = (
        "expect: {final_answer_contains: [30 days], forbidden_tools: [delete_account]}"
    )

    final_answer_contains: tuple[str, ...] = ()
    """Texts that the final answer must contain, in this case of letters."""
    final_answer_excludes: tuple[str, ...] = ()
    """Texts that the final answer must not contain."""
    tool_sequence: tuple[str, ...] = ()
    """The names of the tools called, in order."""
    tool_sequence_mode: Literal["exact", "ordered_subseq"] = "exact"
    """`exact`: these and no other; `ordered_subseq`: others may stand between them."""
    forbidden_tools: tuple[str, ...] = ()
    """Tools that must not be called."""
    required_tool_calls: tuple[CallMatcher, ...] = ()
    """Calls that must be made: `name`, `args_subset`, `result_subset`, `count`."""
    max_tokens_total: int | None = Field(default=None, ge=0)
    """The greatest number of input and output tokens together."""
    max_duration_ms: int | None = Field(default=None, ge=0)
    """The longest time for the answer, in milliseconds."""
    min_judge_score: float | None = Field(default=None, ge=0, le=1)
    """The least score of a judge; refused, as no judge is named here: write one among `scorers`."""
    expected_error_type: str | None = None
    """The type of the error that there must be instead of an answer."""

    @field_validator("min_judge_score")
    @classmethod
    def _no_judge(cls, value: float | None) -> float | None:
        """Refuse what only a judge can answer."""
        if value is not None:
            raise ValueError(
                "`min_judge_score` needs a judge and a rubric, which `expect` does not name; "
                "write a judge among the case's `scorers`, with its `min_score`"
            )
        return value

    @field_validator("expected_error_type")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        """Refuse a type that no error has."""
        check_error_type(value)
        return value

    @property
    def scores_errors(self) -> bool:  # type: ignore[override] # it depends on what is expected
        """Whether it is asked where there is no answer: where an error is expected."""
        return self.expected_error_type is not None

    def score(self, ctx: ScoreContext) -> Verdict:
        """Collect every failure."""
        found = [*self._answer(ctx), *self._tools(ctx), *self._limits(ctx), *self._error(ctx)]
        if not found:
            return Verdict(passed=True, reason="all expectations hold")
        return Verdict(
            passed=False,
            reason="; ".join(f"{kind}: {words}" for kind, words, _ in found),
            metadata={"failures": [{"kind": kind, **details} for kind, _, details in found]},
        )

    def _answer(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield what is wrong with the text."""
        for text in self.final_answer_contains:
            if text not in ctx.answer:
                words = f"{quoted(text)} is not in {quoted(ctx.answer)}"
                yield "answer_missing_phrase", words, {"phrase": text}
        for text in self.final_answer_excludes:
            if text in ctx.answer:
                words = f"{quoted(text)} is in {quoted(ctx.answer)}"
                yield "answer_contains_excluded_phrase", words, {"phrase": text}

    def _tools(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield what is wrong with the calls."""
        calls = ctx.tool_calls
        names = names_of(calls)
        wanted = self.tool_sequence
        if wanted and not sequence_holds(wanted, names, self.tool_sequence_mode):
            yield (
                "tool_sequence_mismatch",
                (
                    f"called {listed(names) or 'none'}, expected {listed(wanted)} "
                    f"({self.tool_sequence_mode})"
                ),
                {"expected": list(wanted), "actual": names, "mode": self.tool_sequence_mode},
            )
        for name in self.forbidden_tools:
            if name in names:
                yield "forbidden_tool_used", f"`{name}` was called", {"tool": name}
        for call in self.required_tool_calls:
            fault = call.fault(calls)
            if fault is not None:
                matched = sum(call.matches(made) for made in calls)
                details = {"name": call.name, "expected": str(call.count), "actual": matched}
                yield "required_tool_call_not_satisfied", fault, details

    def _limits(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield the limits that are passed."""
        if self.max_tokens_total is not None:
            tokens = ctx.usage.total_tokens
            if tokens is None:
                if ctx.error is None:
                    raise ScoringError(
                        "the model did not report its tokens, so `max_tokens_total` cannot be "
                        "judged"
                    )
                tokens = 0
            if tokens > self.max_tokens_total:
                details = {"budget": self.max_tokens_total, "actual": tokens}
                words = f"{tokens} tokens, at most {self.max_tokens_total}"
                yield "token_budget_exceeded", words, details
        if self.max_duration_ms is not None:
            if ctx.latency_s is None and ctx.error is None:
                raise ScoringError(
                    "how long the answer took is not known, so `max_duration_ms` cannot be judged"
                )
            took = (ctx.latency_s or 0.0) * 1000
            if took > self.max_duration_ms:
                words = f"{took:.0f} ms, at most {self.max_duration_ms} ms"
                kept = {"budget_ms": self.max_duration_ms, "actual_ms": took}
                yield "duration_exceeded", words, kept

    def _error(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield what is wrong with the error."""
        wanted = self.expected_error_type
        if wanted is None:
            return
        if ctx.error is None:
            words = f"expected {wanted}, but there is an answer: {quoted(ctx.answer)}"
            yield "expected_error_missing", words, {"expected": wanted}
        elif ctx.error.type != wanted:
            words = f"expected {wanted}, found {ctx.error.type}: {quoted(ctx.error.message)}"
            yield "error_type_mismatch", words, {"expected": wanted, "actual": ctx.error.type}

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Something must be expected that an answer can fail."""
        asked = (
            self.final_answer_contains,
            self.final_answer_excludes,
            self.tool_sequence,
            self.forbidden_tools,
            self.required_tool_calls,
        )
        limits = (self.max_tokens_total, self.max_duration_ms, self.expected_error_type)
        if not any(asked) and all(limit is None for limit in limits):
            yield "`expect` asks for nothing, so it cannot fail"
        if "" in self.final_answer_contains:
            yield "`expect`: every answer contains the empty text in `final_answer_contains`"
        if "" in self.final_answer_excludes:
            yield "`expect`: no answer is without the empty text in `final_answer_excludes`"
        for call in self.required_tool_calls:
            if call.count.empty:
                yield f"`expect`: at least 0 calls of `{call.name}` cannot fail"
