"""Limits of a response: latency, tokens, cost. An unknown value is an error."""

from typing import ClassVar

from pydantic import Field, model_validator

from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict


class MaxLatency(Scorer):
    """The latency of the response is at most this: the sum of all turns, without queueing."""

    type: ClassVar[str] = "max_latency_s"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "seconds"
    example: ClassVar[str] = "max_latency_s: 5"

    seconds: float = Field(gt=0, allow_inf_nan=False)
    """Seconds."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the latency."""
        if ctx.latency_s is None:
            raise ScoringError(
                "the latency of the response is unknown, so the limit cannot be checked"
            )
        return Verdict(
            passed=ctx.latency_s <= self.seconds,
            bar=f"<= {self.seconds:g} s",
            reason=f"the response took {ctx.latency_s:.3g} s",
            metadata={"latency_s": ctx.latency_s},
        )


class MaxTokens(Scorer):
    """The response used at most this many input and output tokens, the sum of all turns."""

    type: ClassVar[str] = "max_tokens"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "total"
    example: ClassVar[str] = "max_tokens: 2000"

    total: int | None = Field(default=None, gt=0)
    """The limit of the sum of input and output tokens."""
    output: int | None = Field(default=None, gt=0)
    """The limit of output tokens, including reasoning."""

    @model_validator(mode="after")
    def _some_limit(self) -> "MaxTokens":
        """Reject a missing limit."""
        if self.total is None and self.output is None:
            raise ValueError("it needs a limit: `max_tokens: 2000`, or `total` or `output`")
        return self

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the usage."""
        parts: list[str] = []
        limits: list[str] = []
        passed = True
        for name, limit, used in (
            ("total", self.total, ctx.usage.total_tokens),
            ("output", self.output, ctx.usage.output_tokens),
        ):
            if limit is None:
                continue
            if used is None:
                raise ScoringError(
                    f"the model did not report its {name} tokens, so the limit cannot be checked"
                )
            passed = passed and used <= limit
            parts.append(f"{used} {name} tokens")
            limits.append(f"<= {limit} {name}")
        return Verdict(
            passed=passed,
            bar=", ".join(limits),
            reason=f"the response took {' and '.join(parts)}",
            metadata={"total_tokens": ctx.usage.total_tokens},
        )


class MaxCost(Scorer):
    """The response cost at most this many US dollars, the sum of all turns, without judges."""

    type: ClassVar[str] = "max_cost_usd"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "usd"
    example: ClassVar[str] = "max_cost_usd: 0.01"

    usd: float = Field(ge=0, allow_inf_nan=False)
    """US dollars."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the cost."""
        if ctx.cost_usd is None:
            raise ScoringError(
                "the cost of the response is unknown, so the limit cannot be checked; "
                + " and ".join(_missing_for_cost(ctx))
            )
        return Verdict(
            passed=ctx.cost_usd <= self.usd,
            bar=f"<= ${self.usd:g}",
            reason=f"the response cost ${ctx.cost_usd:.6g}",
            metadata={"cost_usd": ctx.cost_usd},
        )


def _missing_for_cost(ctx: ScoreContext) -> list[str]:
    """Return what to do about each part of the cost that is unknown."""
    steps = []
    if ctx.model.price is None:
        steps.append("set for the model `price: {input: …, output: …}` in USD per million tokens")
    if ctx.usage.total_tokens is None:
        steps.append(
            "have its tokens reported (return `usage` or `cost_usd`, or use `record_http`)"
        )
    return steps or ["some of its calls report no price"]
