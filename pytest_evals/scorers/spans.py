"""Assertions on the trace of the application."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import ClassVar, Self

from pydantic import Field, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict
from pytest_evals.scorers.quoting import quoted
from pytest_evals.scorers.spanmatch import (
    SpanQuery,
    duration,
    format_spans,
    in_order,
    require_complete_trace,
    spans_of,
)
from pytest_evals.trace.convert import STILL_OPEN
from pytest_evals.trace.validation import problems


class HasSpan(SpanQuery, Scorer):
    """The trace contains a matching span, or `min` to `max` of them; all conditions must hold."""

    type: ClassVar[str] = "span"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TRACE
    graded: ClassVar[bool | None] = False
    cheap: ClassVar[bool] = False
    shorthand: ClassVar[str | None] = "name"
    example: ClassVar[str] = "span: {kind: llm_call, max: 3, has_ancestor: invoke_agent*}"

    min: int = Field(default=1, ge=0)
    """The least number of matching spans; by default 1, or 0 if `max` is 0."""
    max: int | None = Field(default=None, ge=0)
    """The greatest number of matching spans; 0 forbids them."""

    @model_validator(mode="before")
    @classmethod
    def _none(cls, data: object) -> object:
        """Make 0 the default of `min` if `max` is 0."""
        if isinstance(data, dict) and data.get("max") == 0:
            return {"min": 0, **data}
        return data

    @model_validator(mode="after")
    def _order(self) -> Self:
        """Reject a minimum above the maximum."""
        if self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is greater than `max` {self.max}: it cannot pass")
        return self

    def score(self, ctx: ScoreContext) -> Verdict:
        """Count the matching spans."""
        placed = spans_of(ctx)
        count = sum(map(self.matches, placed))
        if count < self.min or (self.max is not None and count <= self.max):
            require_complete_trace(ctx)
        what = {0: "no span matches", 1: "1 span matches"}.get(count, f"{count} spans match")
        return Verdict(
            passed=count >= self.min and (self.max is None or count <= self.max),
            bar=self._bar(),
            reason=f"{what} {SpanQuery.__str__(self)}; the spans: {format_spans(placed)}",
        )

    def _bar(self) -> str:
        """Return the required number in short."""
        if self.min == self.max:
            return f"== {self.min}"
        least = [f">= {self.min}"] if self.min else []
        return ", ".join([*least, *([] if self.max is None else [f"<= {self.max}"])])

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the assertion cannot fail."""
        if self.min == 0 and self.max is None:
            yield "`span` with `min: 0` cannot fail"


class SpanOrder(Scorer):
    """The trace contains these spans in this order, over all turns; others may be between them.

    Its value is the share of the spans before the first one that is missing.
    """

    type: ClassVar[str] = "span_order"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TRACE
    graded: ClassVar[bool | None] = True
    cheap: ClassVar[bool] = False
    shorthand: ClassVar[str | None] = "spans"
    example: ClassVar[str] = 'span_order: [{kind: retrieval}, "chat *", {kind: tool_call}]'

    spans: tuple[SpanQuery, ...] = Field(min_length=2)
    """Names, or queries like those of `span`: `{kind: llm_call, attributes: {…}}`."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Match the spans in order."""
        placed = spans_of(ctx)
        met = in_order(self.spans, placed)
        right = met == len(self.spans)
        if right:
            reason = f"the spans are in this order; all spans: {format_spans(placed)}"
        else:
            require_complete_trace(ctx)
            missing = self.spans[met]
            first = "" if not met else f" after {self.spans[met - 1]}"
            reason = f"no span matches {missing}{first}; the spans: {format_spans(placed)}"
        return Verdict(passed=right, value=met / len(self.spans), reason=reason)


class NoErrorSpans(Scorer):
    """No span of the trace has an error."""

    type: ClassVar[str] = "no_error_spans"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TRACE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "allow"
    example: ClassVar[str] = "no_error_spans"

    allow: tuple[str, ...] = ()
    """Names of spans that may fail; `*` matches any characters."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Look for errors."""
        placed = spans_of(ctx)
        failed = [
            span
            for _, span in placed
            if span.error is not None and not any(fnmatchcase(span.name, n) for n in self.allow)
        ]
        if failed:
            words = "; ".join(f"{quoted(s.name)}: {quoted(s.error or '')}" for s in failed[:5])
            more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
            what = "1 span has an error" if len(failed) == 1 else f"{len(failed)} spans have errors"
            return Verdict(passed=False, reason=f"{what}: {words}{more}")
        require_complete_trace(ctx)
        return Verdict(passed=True, reason=f"none of {len(placed)} spans has an error")

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if every span may fail."""
        if "*" in self.allow:
            yield "`no_error_spans` that allows every span to fail cannot fail"


class MaxSpanDuration(Scorer):
    """Every span, or every matching span, takes at most `max` seconds."""

    type: ClassVar[str] = "max_span_duration_s"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TRACE
    graded: ClassVar[bool | None] = False
    cheap: ClassVar[bool] = False
    shorthand: ClassVar[str | None] = "max"
    example: ClassVar[str] = "max_span_duration_s: {max: 2, span: {kind: retrieval}}"

    max: float = Field(ge=0)
    """The greatest duration in seconds."""
    span: SpanQuery | None = None
    """A name, or a query like that of `span`; by default all spans. At least one must match."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the duration of each span."""
        placed = spans_of(ctx)
        selected = [pair for pair in placed if self.span is None or self.span.matches(pair)]
        took = [(duration(span), span) for _, span in selected]
        still = [span.name for seconds, span in took if seconds is None]
        late = [(seconds, span) for seconds, span in took if seconds and seconds > self.max]
        bar = f"<= {self.max:g} s"
        if late or still:
            words = [f"{quoted(s.name)} took {seconds:.3g} s" for seconds, s in late[:5]]
            words += [f"{quoted(name)} had not ended" for name in still[:5]]
            return Verdict(passed=False, bar=bar, reason="; ".join(words))
        require_complete_trace(ctx)
        if not selected:
            reason = f"no span matches {self.span}; the spans: {format_spans(placed)}"
            return Verdict(passed=False, bar=bar, reason=reason)
        longest = max(seconds or 0.0 for seconds, _ in took)
        return Verdict(
            passed=True,
            bar=bar,
            reason=f"the longest of {len(selected)} spans took {longest:.3g} s",
        )


class ValidTrace(Scorer):
    """The trace is valid: every parent exists, and every span ends after its start.

    A trace with dropped spans, or with spans that were still open at the end, is not valid.
    """

    type: ClassVar[str] = "valid_trace"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TRACE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "allow_open"
    example: ClassVar[str] = "valid_trace"

    allow_open: bool = False
    """Whether spans may still be open at the end of the response."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Collect the problems of the trace."""
        placed = spans_of(ctx)
        wrong: list[str] = []
        for exchange in ctx.exchanges:
            if exchange.response is None:
                continue
            spans = exchange.response.trace
            wrong += problems(spans)
            open_spans = [span.name for span in spans if span.end_s is None]
            if open_spans and not self.allow_open:
                wrong.append(f"{len(open_spans)} spans had not ended: {quoted(open_spans[0])}")
            if not spans:
                wrong.append(f"turn {exchange.request.turn + 1} has no spans")
            reported = (STILL_OPEN, *problems(spans))
            notes = exchange.response.trace_notes
            wrong += [note for note in notes if not any(part in note for part in reported)]
        return Verdict(
            passed=not wrong,
            reason="; ".join(dict.fromkeys(wrong)) or f"{len(placed)} valid spans",
        )
