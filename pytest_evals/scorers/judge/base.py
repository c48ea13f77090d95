"""Judge: the model or panel it calls, repeats, the required score, and whether it counts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from pytest_evals.case import Case
from pytest_evals.certificate import CertificateThresholds, advisory_reason, parse_thresholds
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Frozen, digest
from pytest_evals.ground.errors import TemplateError
from pytest_evals.ground.templates import render
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.parameters import Params
from pytest_evals.score import Score
from pytest_evals.scorers.base import (
    ADVISORY,
    ScoreContext,
    Scorer,
    ScorerGroup,
    ScoringError,
    Verdict,
)
from pytest_evals.scorers.judge.fence import Piece
from pytest_evals.scorers.judge.interview import PROMPTS, Interview, Output
from pytest_evals.scorers.judge.models import check_model, identity_of, model_of
from pytest_evals.scorers.judge.opinion import (
    NoMajorityError,
    Opinion,
    PanelRule,
    Repeats,
    agreement,
    combine_panel,
    combine_repeats,
)
from pytest_evals.scorers.judge.panel import Member, MemberResult, member_record, panel_error
from pytest_evals.scorers.judge.scale import Scale
from pytest_evals.scorers.options import check_templates, template_variables

DEFAULT = "default"
"""The judge that `judge` uses by default; its model is the default of other judges."""


class Revise(Frozen):
    """Revision below `min_score`: the model gets its answer, the score and the reasoning again."""

    max: int = Field(ge=1, le=10)
    """The maximum number of revisions of one output."""


class Judge(Scorer):
    """A scorer that calls a model."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.JUDGE
    cheap: ClassVar[bool] = False
    bar_option: ClassVar[str | None] = "min_score"
    prompt_version: ClassVar[str] = "1"
    """Changes with the prompt of this judge; certificates then become stale."""
    default_min_score: ClassVar[float | None] = None
    """The default of `min_score`; None gives no verdict without one."""
    has_verdict: ClassVar[bool] = False
    """Whether its opinions have a verdict without `min_score`."""
    verbatim: ClassVar[frozenset[str]] = frozenset(
        {
            *("model", "panel", "params", "rubric", "criteria", "steps", "examples", "reference"),
            *("question", "context", "goal", "choices", "against", "expected"),
        }
    )
    """A judge renders these for the prompt only, so that its fingerprint is the same for every
    case."""
    templates: ClassVar[tuple[str, ...]] = ()
    """The options that are templates over the case."""

    model: str | dict[str, Any] | None = None
    """The model that judges: a model id, ``provider:model``, or a model written out; by default
    that of the judge `default` of the dataset."""
    min_score: float | None = Field(default=None, gt=0, le=1)
    """The least score that passes, from 0 to 1; scores on another scale are converted first."""
    params: Params = Field(default_factory=dict)
    """Sampling parameters of the judge (temperature, seed, max_tokens)."""
    repeats: int = Field(default=1, ge=1, le=25)
    """The number of calls with the same request."""
    aggregate: Repeats = "mean"
    """How repeats are combined: the mean of their scores, the (lower) median of their scores, or
    the majority of their verdicts."""
    panel: tuple[Member, ...] = ()
    """Several models that judge instead of `model`. A tie fails the output; members that cannot
    judge are left out and reported."""
    rule: PanelRule = "majority"
    """How a panel passes an output: more than half of it pass, all pass, or the (weighted) mean
    of the scores reaches `min_score`."""
    attempts: int = Field(default=3, ge=1, le=10)
    """The maximum number of replies until one is readable."""
    output: Output = "schema"
    """How the format of the verdict is requested: by JSON Schema, as JSON, or in words only."""
    max_chars: int = Field(default=24_000, ge=200)
    """The maximum length of one piece of material; a note replaces the middle of a longer one."""
    revise: Revise | None = None
    """Lets the model revise an output below `min_score`."""
    requires_certificate: CertificateThresholds | bool | None = None
    """The agreement with human labels required before its verdict counts: ``true``, or thresholds
    for `precision`, `recall`, `kappa`, `max_dangerous` (the share of false passes), `min_labels`.
    Without a certificate that meets them, the score is advisory."""

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any] | None:
        """Reject a value that is not a model."""
        return None if value is None else check_model(value)

    @field_validator("requires_certificate", mode="before")
    @classmethod
    def _bars(cls, value: object) -> CertificateThresholds | None:
        """Accept ``true`` for the default thresholds and ``false`` for none."""
        return parse_thresholds(value)

    @model_validator(mode="after")
    def _check_combinations(self) -> "Judge":
        """Reject options that contradict each other."""
        if self.panel and self.model is not None:
            raise ValueError("give `model` or `panel`, not both")
        if self.rule != "majority" and len(self.panel) < 2:
            raise ValueError(f"`rule: {self.rule}` needs a `panel` of two models or more")
        if self.aggregate != "mean" and self.repeats == 1:
            raise ValueError(f"`aggregate: {self.aggregate}` needs `repeats` above 1")
        return self

    @property
    def votes(self) -> bool:  # type: ignore[override] # it depends on the options
        """Whether it passes or fails an output."""
        return self.required_score is not None or self.has_verdict

    @property
    def required_agreement(self) -> CertificateThresholds | None:
        """The thresholds of its certificate; None if it needs no certificate."""
        return (
            self.requires_certificate
            if isinstance(self.requires_certificate, CertificateThresholds)
            else None
        )

    @property
    def required_score(self) -> float | None:
        """The least score that passes; None without a verdict."""
        return self.default_min_score if self.min_score is None else self.min_score

    def labels(self) -> Mapping[str, float | None]:
        """Return the possible labels of its opinions with their values (0..1)."""
        return {}

    def score_scale(self) -> Scale:
        """Return the scale of its scores."""
        return (0.0, 1.0)

    def verdict_on(self, label: str) -> bool | None:
        """Return whether a label passes an output; None if there is no `min_score`."""
        value = self.labels()[label]
        return Opinion(value=value, label=label).with_verdict(self.required_score).passed

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call one model for its opinion of an output.

        Raises:
            ScoringError: there is no response, or none is readable.
        """
        raise NotImplementedError

    def resolve(self, dataset: Dataset) -> "tuple[str | None, Judge]":
        """Return the name of the judge in the dataset (None if inline) and its definition."""
        return None, self

    async def score(self, ctx: ScoreContext) -> Verdict:
        """Evaluate the panel; mark the verdict as advisory if the judge is not calibrated."""
        try:
            name, judge = self.resolve(ctx.dataset)
        except ValueError as error:
            raise ScoringError(str(error)) from None
        advisory = judge.advisory(name, ctx)
        try:
            verdict = await judge.evaluate(name, ctx)
        except ScoringError as error:
            raise ScoringError(error.message, detail=error.detail, advisory=advisory) from None
        if advisory is None:
            return verdict
        return replace(verdict, metadata={**verdict.metadata, ADVISORY: advisory})

    def advisory(self, name: str | None, ctx: ScoreContext) -> str | None:
        """Return why its score is advisory; None if it counts."""
        bars = self.required_agreement
        return advisory_reason(
            bars,
            fingerprint="" if bars is None else self.fingerprint(ctx.dataset),
            min_score=self.required_score,
            certificate=None if name is None else ctx.certificates.get(name),
        )

    async def evaluate(self, name: str | None, ctx: ScoreContext) -> Verdict:
        """Call every member of the panel and combine the opinions.

        Raises:
            ScoringError: no member could judge.
        """
        if ctx.ask is None:
            raise ScoringError("a judge calls a model, and no call is allowed here")
        members = self._members(ctx.dataset)
        if not members:
            raise ScoringError(_NO_MODEL)
        interviews: list[Interview] = []
        results = [await self._member(member, name, ctx, interviews) for member in members]
        voices = [
            (result.member, result.opinion) for result in results if result.opinion is not None
        ]
        if not voices:
            raise panel_error(results)
        opinion = self._combined(voices)
        return Verdict(
            passed=opinion.passed,
            value=opinion.value,
            label=opinion.label,
            reason=_cut_note(interviews) + (opinion.blocked or opinion.reason),
            bar=None if self.required_score is None else f">= {self.required_score:g}",
            metadata=self._metadata(ctx, opinion, results, interviews),
        )

    async def _member(
        self, member: Member, name: str | None, ctx: ScoreContext, interviews: list[Interview]
    ) -> MemberResult:
        """Call one member, `repeats` times, and combine its opinions."""
        assert ctx.ask is not None
        opinions: list[Opinion] = []
        for repeat in range(self.repeats):
            interview = Interview(
                ask_model=ctx.ask,
                model=model_of(member.model),
                role=f"judge:{name or self.type}",
                params={**self.params, **member.params},
                sample=repeat,
                attempts=self.attempts,
                output=self.output,
                max_chars=self.max_chars,
            )
            interviews.append(interview)
            try:
                opinion = await self.opinion(interview, ctx)
            except ScoringError as error:
                return MemberResult(member, tuple(opinions), error=error)
            opinions.append(opinion.with_verdict(self.required_score))
        try:
            combined = combine_repeats(opinions, self.aggregate, min_score=self.required_score)
        except NoMajorityError as error:
            return MemberResult(member, tuple(opinions), error=ScoringError(str(error)))
        return MemberResult(member, tuple(opinions), combined)

    def _combined(self, voices: Sequence[tuple[Member, Opinion]]) -> Opinion:
        """Combine the opinions of the panel."""
        try:
            return combine_panel(
                [opinion for _, opinion in voices],
                self.rule,
                weights=[member.weight for member, _ in voices],
                min_score=self.required_score,
            )
        except NoMajorityError as error:
            raise ScoringError(str(error)) from None

    def _metadata(
        self,
        ctx: ScoreContext,
        opinion: Opinion,
        results: Sequence[MemberResult],
        interviews: Sequence[Interview],
    ) -> dict[str, Any]:
        """Return the metadata of the score: models, calls, cost, agreement."""
        exchanges = [exchange for interview in interviews for exchange in interview.exchanges]
        costs = [exchange.cost_usd for exchange in exchanges]
        known_costs = [cost for cost in costs if cost is not None]
        metadata: dict[str, Any] = {
            "fingerprint": self.fingerprint(ctx.dataset),
            "models": list(dict.fromkeys(exchange.model_id for exchange in exchanges)),
            "calls": len(exchanges),
            "cost_usd": sum(known_costs) if len(known_costs) == len(costs) else None,
            "keys": [exchange.key for exchange in exchanges if exchange.key],
            **opinion.detail,
        }
        truth = self.truth(ctx.case)
        if truth is not None:
            metadata["expected"] = truth
        unreadable = [why for interview in interviews for why in interview.unreadable]
        if unreadable:
            metadata["unreadable"] = unreadable
        cut = {piece: n for interview in interviews for piece, n in interview.cut.items()}
        if cut:
            metadata["cut"] = cut
        if self.repeats > 1:
            every = [result.opinions for result in results if result.opinion is not None]
            metadata["self_consistency"] = min(agreement(opinions) for opinions in every)
        if self.panel or self.repeats > 1:
            metadata["judgements"] = [member_record(result) for result in results]
        if self.panel:
            metadata["left_out"] = sum(result.error is not None for result in results)
            metadata["agreement"] = agreement([o.opinion for o in results if o.opinion is not None])
        return metadata

    def fingerprint(self, dataset: Dataset) -> str:
        """Return 16 hexadecimal digits that identify the request of this judge.

        They change with the rubric, the model, the prompts, the scale and the examples. They do not
        change with `min_score` and other options that only use the score.
        """
        return digest(
            {
                "kind": self.type,
                "versions": [self.version, self.prompt_version, PROMPTS],
                "options": self.model_dump(mode="json", exclude=set(_NOT_ASKED)),
                "asked": [
                    [identity_of(m.model, dataset), {**self.params, **m.params}, m.weight]
                    for m in self._members(dataset)
                ],
            },
            length=16,
        )

    def _members(self, dataset: Dataset) -> tuple[Member, ...]:
        """Return the members of the panel; empty if no model is configured."""
        if self.panel:
            return self.panel
        if self.model is not None:
            return (Member(model=self.model),)
        usual = dataset.judges.get(DEFAULT, {})
        if "model" not in usual:
            return ()
        params = usual.get("params", {})
        return (Member(model=usual["model"], params={**params, **self.params}),)

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models it calls."""
        try:
            _, judge = self.resolve(dataset)
            return tuple(model_of(m.model) for m in judge._members(dataset))  # noqa: SLF001 - the same class
        except ValueError:
            return ()

    def revisions(self, dataset: Dataset) -> int:
        """Return how many revisions an output below `min_score` may get."""
        _, judge = self.resolve(dataset)
        return 0 if judge.revise is None else judge.revise.max

    def revision(self, score: Score) -> Message | None:
        """Return the message that requests a revision; None for no revision."""
        from pytest_evals.scorers.judge.revision import needs_revision, revision_message

        return revision_message(score) if needs_revision(score) else None

    def reference_piece(self, text: str | None, ctx: ScoreContext) -> tuple[Piece, ...]:
        """Return the reference answer as material; empty without one."""
        return () if text is None else (Piece("reference", self.rendered(text, ctx)),)

    def rendered(self, text: str, ctx: ScoreContext) -> str:
        """Render an option for a case.

        Raises:
            ScoringError: the case lacks a variable.
        """
        try:
            return render(text, template_variables(ctx.case))
        except TemplateError as error:
            raise ScoringError(f"a template of the judge: {error}") from None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield what is wrong with judging this case by an inline judge."""
        if self.required_agreement is not None:
            yield (
                f"`{self.type}` with `requires_certificate` needs a name for its certificate; "
                "define it in the `judges` of the dataset and write `judge: {use: name}`"
            )
        yield from self.problems(dataset, case)

    def problems(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield what is wrong with judging this case."""
        if not self._members(dataset):
            yield _NO_MODEL
        if self.revise is not None and not self.votes:
            yield NO_MIN_SCORE
        if case is None:
            return
        try:
            check_templates(self._template_texts(), case)
        except TemplateError as error:
            yield f"`{self.type}`: {error}{_answer_hint(str(error))}"
        yield from self.check_case(case)

    def check_case(self, case: Case) -> Iterable[str]:
        """Yield what the case lacks for this type of judge."""
        return ()

    def _template_texts(self) -> Iterator[str]:
        """Yield every template among the options."""
        dumped = self.model_dump(mode="json", include=set(self.templates))
        yield from _texts(dumped)


_NOT_ASKED = frozenset(
    {
        *("model", "panel", "params"),
        *("use", "min_score", "attempts", "revise", "requires_certificate"),
    }
)
"""Options that do not change the request, or enter the fingerprint in another form."""

NO_MIN_SCORE = "`revise` needs a `min_score`: answers below it are revised"
_NO_MODEL = (
    "the judge has no `model`; add one (`model: openai:gpt-4.1`), or define a judge "
    f"`{DEFAULT}` with a model in the `judges` of the dataset"
)


def _cut_note(interviews: Sequence[Interview]) -> str:
    """Return a note on material that the judge did not see."""
    cut = {piece: n for interview in interviews for piece, n in interview.cut.items()}
    words = ", ".join(f"{n:,} characters of the {piece}" for piece, n in cut.items())
    return f"(not shown to the judge: {words}) " if words else ""


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _answer_hint(message: str) -> str:
    """Explain where the output is, for a rubric that uses `answer`."""
    if "`answer`" not in message:
        return ""
    return " The judge always gets the answer, fenced; a rubric does not contain it."
