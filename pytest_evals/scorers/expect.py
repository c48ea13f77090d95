"""Expectations by name: the `expect` mapping of a case.

All failures are reported, in a fixed order: missing phrases, excluded phrases, tool sequence,
forbidden tools, required tool calls, tokens, duration, judge, error.
"""

from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.score import Score
from pytest_evals.scorers.base import (
    ADVISORY,
    ScoreContext,
    Scorer,
    ScorerGroup,
    ScoringError,
    Verdict,
)
from pytest_evals.scorers.quoting import listed, quoted
from pytest_evals.scorers.response_status import check_error_type
from pytest_evals.scorers.toolmatch import CallMatcher, names_of
from pytest_evals.scorers.tools import sequence_holds

if TYPE_CHECKING:
    from pytest_evals.scorers.judge.base import Judge

DEFAULT = "default"
"""The judge that `min_judge_score` calls."""

_NO_JUDGE = (
    "`expect`: `min_judge_score` needs a judge `default` with a `model` and a `rubric` in the "
    "`judges` of the dataset"
)

Fault = tuple[str, str, Mapping[str, Any]]
"""The name of a failure, its message, and its details."""


class Expect(Scorer):
    """Several expectations by name; all failures are listed, in a fixed order.

    The `expect` of a case becomes this scorer. Empty lists are ignored.
    """

    type: ClassVar[str] = "expect"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.COMBINED
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = (
        "expect: {final_answer_contains: [30 days], forbidden_tools: [delete_account]}"
    )

    final_answer_contains: tuple[str, ...] = ()
    """Texts that the final output must contain, case-sensitively."""
    final_answer_excludes: tuple[str, ...] = ()
    """Texts that the final output must not contain."""
    tool_sequence: tuple[str, ...] = ()
    """The names of the called tools, in order."""
    tool_sequence_mode: Literal["exact", "ordered_subseq"] = "exact"
    """`exact`: only these; `ordered_subseq`: with other calls between them."""
    forbidden_tools: tuple[str, ...] = ()
    """Tools that must not be called."""
    required_tool_calls: tuple[CallMatcher, ...] = ()
    """Required calls: `name`, `args_subset`, `result_subset`, `count`."""
    max_tokens_total: int | None = Field(default=None, ge=0)
    """The greatest sum of input and output tokens."""
    max_duration_ms: int | None = Field(default=None, ge=0)
    """The greatest latency, in milliseconds."""
    min_judge_score: float | None = Field(default=None, ge=0, le=1)
    """The least score, 0 to 1, of the judge `default` of the dataset."""
    expected_error_type: str | None = None
    """The type of the error that is expected instead of an output."""

    @field_validator("expected_error_type")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        """Reject unknown error types."""
        check_error_type(value)
        return value

    @property
    def scores_errors(self) -> bool:  # type: ignore[override] # depends on the options
        """Whether it also scores trials without an output: if an error is expected."""
        return self.expected_error_type is not None

    @property
    def cheap(self) -> bool:  # type: ignore[override] # depends on the options
        """Whether it calls no judge."""
        return self.min_judge_score is None

    def score(self, ctx: ScoreContext) -> Verdict | Awaitable[Verdict]:
        """Collect every failure."""
        if self.min_judge_score is None or ctx.error is not None:
            return self._verdict(ctx, [], {})
        return self._with_judge(ctx, self.min_judge_score)

    async def _with_judge(self, ctx: ScoreContext, required: float) -> Verdict:
        """Collect every failure, with the score of the judge.

        Raises:
            ScoringError: the judge could not score, and its score counts.
        """
        judge = self._judge(ctx.dataset)
        if judge is None:
            raise ScoringError(_NO_JUDGE)
        advisory = judge.advisory(DEFAULT, ctx)
        try:
            verdict = await judge.evaluate(DEFAULT, ctx)
        except ScoringError as error:
            if advisory is None:
                raise
            return self._verdict(ctx, [], {"judge": {"error": error.message, ADVISORY: advisory}})
        if verdict.value is None:
            raise ScoringError(
                f"the judge `{DEFAULT}` returned no score to compare with {required:g}"
            )
        judge_metadata = {**verdict.metadata, "value": verdict.value, "reason": verdict.reason}
        if advisory is not None:
            return self._verdict(ctx, [], {"judge": {**judge_metadata, ADVISORY: advisory}})
        faults: list[Fault] = []
        low = verdict.value < required - 1e-12 if verdict.passed is None else not verdict.passed
        if required and low:
            words = f"{verdict.value:.2f}, at least {required:g}: {verdict.reason}"
            details = {"threshold": required, "actual": verdict.value}
            faults.append(("judge_below_threshold", words, details))
        return self._verdict(ctx, faults, {"judge": judge_metadata})

    def _verdict(
        self, ctx: ScoreContext, judge_faults: list[Fault], metadata: Mapping[str, Any]
    ) -> Verdict:
        """Combine all failures in their fixed order."""
        answer_faults = [*self._answer(ctx), *self._tools(ctx), *self._limits(ctx)]
        faults = [*answer_faults, *judge_faults, *self._error(ctx)]
        if not faults:
            return Verdict(passed=True, reason="all expectations hold", metadata=metadata)
        return Verdict(
            passed=False,
            reason="; ".join(f"{name}: {words}" for name, words, _ in faults),
            metadata={
                "failures": [{"kind": name, **details} for name, _, details in faults],
                **metadata,
            },
        )

    def _judge(self, dataset: Dataset) -> "Judge | None":
        """Return the default judge with `min_judge_score`; None without one."""
        from pytest_evals.scorers.judge.definitions import default_judge

        if self.min_judge_score is None:
            return None
        try:
            judge = default_judge(dataset)
        except ValueError as error:
            raise ScoringError(str(error)) from None
        # 0 requires nothing: every score reaches it.
        bar = self.min_judge_score or None
        return None if judge is None else judge.model_copy(update={"min_score": bar})

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models of the judge."""
        try:
            judge = self._judge(dataset)
        except ScoringError:
            return ()
        return () if judge is None else judge.models(dataset)

    def revisions(self, dataset: Dataset) -> int:
        """Return how many revisions the judge allows."""
        judge = self._judge(dataset)
        return 0 if judge is None else judge.revisions(dataset)

    def revision(self, score: Score) -> Message | None:
        """Return the message that requests a revision if the score of the judge is too low."""
        names = {fault["kind"] for fault in score.metadata.get("failures", ())}
        if "judge_below_threshold" not in names:
            return None
        from pytest_evals.scorers.judge.revision import revision_message

        judged = score.metadata["judge"]
        bar = f">= {self.min_judge_score:g}"
        update = {"value": judged["value"], "reason": judged["reason"], "bar": bar}
        return revision_message(score.model_copy(update=update))

    def _answer(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield the failures of the text."""
        for text in self.final_answer_contains:
            if text not in ctx.answer:
                words = f"{quoted(text)} is not in {quoted(ctx.answer)}"
                yield "answer_missing_phrase", words, {"phrase": text}
        for text in self.final_answer_excludes:
            if text in ctx.answer:
                words = f"{quoted(text)} is in {quoted(ctx.answer)}"
                yield "answer_contains_excluded_phrase", words, {"phrase": text}

    def _tools(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield the failures of the tool calls."""
        if not (self.tool_sequence or self.forbidden_tools or self.required_tool_calls):
            return
        calls = ctx.tool_calls
        names = names_of(calls)
        expected = self.tool_sequence
        if expected and not sequence_holds(expected, names, self.tool_sequence_mode):
            yield (
                "tool_sequence_mismatch",
                (
                    f"called {listed(names) or 'none'}, expected {listed(expected)} "
                    f"({self.tool_sequence_mode})"
                ),
                {"expected": list(expected), "actual": names, "mode": self.tool_sequence_mode},
            )
        for name in self.forbidden_tools:
            if name in names:
                yield "forbidden_tool_used", f"`{name}` was called", {"tool": name}
        for call in self.required_tool_calls:
            fault = call.fault(calls)
            if fault is not None:
                matched = sum(bool(call.matches(made)) for made in calls)
                details = {"name": call.name, "expected": str(call.count), "actual": matched}
                yield "required_tool_call_not_satisfied", fault, details

    def _limits(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield the exceeded limits."""
        if self.max_tokens_total is not None:
            tokens = ctx.usage.total_tokens
            if tokens is None:
                if ctx.error is None:
                    raise ScoringError(
                        "the model did not report its tokens, which `max_tokens_total` needs"
                    )
                tokens = 0
            if tokens > self.max_tokens_total:
                details = {"budget": self.max_tokens_total, "actual": tokens}
                words = f"{tokens} tokens, at most {self.max_tokens_total}"
                yield "token_budget_exceeded", words, details
        if self.max_duration_ms is not None:
            if ctx.latency_s is None and ctx.error is None:
                raise ScoringError("the latency is unknown, which `max_duration_ms` needs")
            took = (ctx.latency_s or 0.0) * 1000
            if took > self.max_duration_ms:
                words = f"{took:.0f} ms, at most {self.max_duration_ms} ms"
                kept = {"budget_ms": self.max_duration_ms, "actual_ms": took}
                yield "duration_exceeded", words, kept

    def _error(self, ctx: ScoreContext) -> Iterator[Fault]:
        """Yield the failures of the error."""
        expected = self.expected_error_type
        if expected is None:
            return
        if ctx.error is None:
            words = f"expected {expected}, but there is an output: {quoted(ctx.answer)}"
            yield "expected_error_missing", words, {"expected": expected}
        elif ctx.error.type != expected:
            words = f"expected {expected}, found {ctx.error.type}: {quoted(ctx.error.message)}"
            yield "error_type_mismatch", words, {"expected": expected, "actual": ctx.error.type}

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for each expectation that cannot fail or cannot pass."""
        expectations = (
            self.final_answer_contains,
            self.final_answer_excludes,
            self.tool_sequence,
            self.forbidden_tools,
            self.required_tool_calls,
        )
        limits = (self.max_tokens_total, self.max_duration_ms, self.expected_error_type)
        if self.min_judge_score is not None:
            yield from self._judge_problems(dataset, case)
        elif not any(expectations) and all(limit is None for limit in limits):
            yield "`expect` is empty: it cannot fail"
        if "" in self.final_answer_contains:
            yield "`expect`: every output contains the empty text in `final_answer_contains`"
        if "" in self.final_answer_excludes:
            yield "`expect`: every output contains the empty text in `final_answer_excludes`"
        for call in self.required_tool_calls:
            if call.count.empty:
                yield f"`expect`: at least 0 calls of `{call.name}` cannot fail"

    def _judge_problems(self, dataset: Dataset, case: Case | None) -> Iterator[str]:
        """Yield what is wrong with the use of the judge; `check_judges` reports its definition."""
        try:
            judge = self._judge(dataset)
        except ScoringError:
            return
        if judge is None:
            yield _NO_JUDGE
            return
        for message in judge.problems(dataset, case):
            yield f"`expect`: judge {DEFAULT!r}: {message}"
