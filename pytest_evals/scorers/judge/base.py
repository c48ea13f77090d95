"""Judge: what every judge shares: whom it asks, how often, by what bar, and with what vote."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from pytest_evals.scorers.judge.scale import Scale
from pytest_evals.scorers.options import check_templates, template_variables

DEFAULT = "default"
"""The judge that `judge` means where it names none, and whose model others ask by default."""


class Member(Frozen):
    """One judge of a panel: a model that is asked the same question."""

    model: str | dict[str, Any]
    """A model's id, ``provider:model``, or a model that is written out."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Sampling parameters, over the judge's own."""
    weight: float = Field(default=1.0, gt=0)
    """Its share under ``rule: weighted``."""

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a model alone."""
        if isinstance(data, str) or (isinstance(data, dict) and "provider" in data):
            return {"model": data}
        return data

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any]:
        """Refuse what is no model."""
        return check_model(value)


class Revise(Frozen):
    """What happens below the bar: the answer, its score and the reasoning go back to the model."""

    max: int = Field(ge=1, le=10)
    """The most revisions of one answer."""


@dataclass(frozen=True, slots=True)
class _MemberResult:
    """What one member of the panel said."""

    member: Member
    opinions: tuple[Opinion, ...] = ()
    opinion: Opinion | None = None
    error: ScoringError | None = None


class Judge(Scorer):
    """A scorer that asks a model."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.JUDGE
    cheap: ClassVar[bool] = False
    bar_option: ClassVar[str | None] = "min_score"
    prompt_version: ClassVar[str] = "1"
    """Changes with the words of this kind's prompt: certificates are then stale."""
    default_min_score: ClassVar[float | None] = None
    """The `min_score` where none is given; None gives no verdict without one."""
    has_verdict: ClassVar[bool] = False
    """Whether its opinions hold a verdict without a bar."""
    verbatim: ClassVar[frozenset[str]] = frozenset(
        {
            *("model", "panel", "params", "rubric", "criteria", "steps", "examples", "reference"),
            *("question", "context", "goal", "choices", "against", "expected"),
        }
    )
    """Never rendered before scoring: a judge renders its own texts for the prompt alone, so that
    its fingerprint is the same for every case."""
    templates: ClassVar[tuple[str, ...]] = ()
    """The options that are templates over the case."""

    model: str | dict[str, Any] | None = None
    """Who judges: a model's id, ``provider:model``, or a model written out; by default that of the
    dataset's judge `default`."""
    min_score: float | None = Field(default=None, gt=0, le=1)
    """The least score that passes, on the scale of 0 to 1 to which every scale is brought."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Sampling parameters of the judge's calls (temperature, seed, max_tokens)."""
    repeats: int = Field(default=1, ge=1, le=25)
    """How often the same question is asked."""
    aggregate: Repeats = "mean"
    """How repeats become one: the mean of their scores; their (lower) median; the majority of
    their verdicts."""
    panel: tuple[Member, ...] = ()
    """Several models that are asked the same, instead of `model`. A tie goes against the answer;
    one that cannot judge is left out and counted."""
    rule: PanelRule = "majority"
    """How a panel decides: more than half pass it, all do, or the (weighted) mean of their scores
    reaches the bar."""
    attempts: int = Field(default=3, ge=1, le=10)
    """The most replies that are asked for until one can be read."""
    output: Output = "schema"
    """How the verdict's form is asked for: by its JSON Schema, as JSON, or in words alone."""
    max_chars: int = Field(default=24_000, ge=200)
    """The most characters of one piece of material; the middle of a longer one is left out,
    visibly."""
    revise: Revise | None = None
    """Let the model revise an answer below the bar."""
    requires_certificate: CertificateThresholds | bool | None = None
    """How well it must agree with people before its verdict counts: ``true``, or bars for
    `precision`, `recall`, `kappa`, `max_dangerous`, `min_labels`. Without such a certificate it is
    shown and does not vote."""

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any] | None:
        """Refuse what is no model."""
        return None if value is None else check_model(value)

    @field_validator("requires_certificate", mode="before")
    @classmethod
    def _bars(cls, value: object) -> CertificateThresholds | None:
        """Let ``true`` be the standard bars, and ``false`` none."""
        return parse_thresholds(value)

    @model_validator(mode="after")
    def _check_combinations(self) -> "Judge":
        """Refuse options that have no meaning together."""
        if self.panel and self.model is not None:
            raise ValueError("give `model` or `panel`, not both")
        if self.rule != "majority" and len(self.panel) < 2:
            raise ValueError(f"`rule: {self.rule}` needs a `panel` of two models or more")
        if self.aggregate != "mean" and self.repeats == 1:
            raise ValueError(f"`aggregate: {self.aggregate}` needs `repeats` above 1")
        return self

    @property
    def votes(self) -> bool:  # type: ignore[override] # it depends on the options
        """Whether it passes or fails an answer."""
        return self.required_score is not None or self.has_verdict

    @property
    def required_agreement(self) -> CertificateThresholds | None:
        """What its certificate must reach; None where it needs none."""
        return (
            self.requires_certificate
            if isinstance(self.requires_certificate, CertificateThresholds)
            else None
        )

    @property
    def required_score(self) -> float | None:
        """The least score that passes; None where there is no bar."""
        return self.default_min_score if self.min_score is None else self.min_score

    def labels(self) -> Mapping[str, float | None]:
        """Return the labels its opinions may have, with what each is worth (0..1)."""
        return {}

    def score_scale(self) -> Scale:
        """Return the scale of the numbers it gives."""
        return (0.0, 1.0)

    def verdict_on(self, label: str) -> bool | None:
        """Return what one of its labels means for an answer; None where there is no bar."""
        value = self.labels()[label]
        return Opinion(value=value, label=label).with_verdict(self.required_score).passed

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Ask one model for its opinion of an answer.

        Raises:
            ScoringError: it cannot be had.
        """
        raise NotImplementedError

    def resolve(self, dataset: Dataset) -> "tuple[str | None, Judge]":
        """Return the judge that will judge, and its name in the dataset; None if it has none."""
        return None, self

    async def score(self, ctx: ScoreContext) -> Verdict:
        """Ask, and make one verdict of what was said."""
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
        """Say why it has no vote here; None where it has one."""
        bars = self.required_agreement
        return advisory_reason(
            bars,
            fingerprint="" if bars is None else self.fingerprint(ctx.dataset),
            min_score=self.required_score,
            certificate=None if name is None else ctx.certificates.get(name),
        )

    async def evaluate(self, name: str | None, ctx: ScoreContext) -> Verdict:
        """Ask every member and combine.

        Raises:
            ScoringError: none of them could judge.
        """
        if ctx.ask is None:
            raise ScoringError("a judge asks a model, and no call may be made here")
        members = self._members(ctx.dataset)
        if not members:
            raise ScoringError(_NO_MODEL)
        interviews: list[Interview] = []
        results = [await self._member(member, name, ctx, interviews) for member in members]
        voices = [
            (result.member, result.opinion) for result in results if result.opinion is not None
        ]
        if not voices:
            raise _panel_error(results)
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
    ) -> _MemberResult:
        """Ask one model as often as it is to be asked."""
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
                return _MemberResult(member, tuple(opinions), error=error)
            opinions.append(opinion.with_verdict(self.required_score))
        try:
            combined = combine_repeats(opinions, self.aggregate, min_score=self.required_score)
        except NoMajorityError as error:
            return _MemberResult(member, tuple(opinions), error=ScoringError(str(error)))
        return _MemberResult(member, tuple(opinions), combined)

    def _combined(self, voices: Sequence[tuple[Member, Opinion]]) -> Opinion:
        """Make one opinion of the panel's."""
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
        results: Sequence[_MemberResult],
        interviews: Sequence[Interview],
    ) -> dict[str, Any]:
        """Return everything that is kept of a judgement besides its verdict."""
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
            metadata["judgements"] = [_member_record(result) for result in results]
        if self.panel:
            metadata["left_out"] = sum(result.error is not None for result in results)
            metadata["agreement"] = agreement([o.opinion for o in results if o.opinion is not None])
        return metadata

    def fingerprint(self, dataset: Dataset) -> str:
        """Return 16 hexadecimal digits that change with everything a judgement depends on.

        The rubric, the model, the prompts, the scale, the examples: not the bar, nor what else is
        done with a judgement.
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
        """Return who judges; nobody where no model is named."""
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
        """Return the models it will ask."""
        try:
            _, judge = self.resolve(dataset)
            return tuple(model_of(m.model) for m in judge._members(dataset))  # noqa: SLF001 - kin
        except ValueError:
            return ()

    def revisions(self, dataset: Dataset) -> int:
        """Return how often an answer below the bar may be revised."""
        _, judge = self.resolve(dataset)
        return 0 if judge.revise is None else judge.revise.max

    def revision(self, score: Score) -> Message | None:
        """Return what asks the model for a better answer; None where the answer stands."""
        from pytest_evals.scorers.judge.revision import needs_revision, revision_message

        return revision_message(score) if needs_revision(score) else None

    def reference_piece(self, text: str | None, ctx: ScoreContext) -> tuple[Piece, ...]:
        """Return a right answer to show, where the judge is given one."""
        return () if text is None else (Piece("reference", self.rendered(text, ctx)),)

    def rendered(self, text: str, ctx: ScoreContext) -> str:
        """Render one of its own texts for a case.

        Raises:
            ScoringError: it does not fit the case.
        """
        try:
            return render(text, template_variables(ctx.case))
        except TemplateError as error:
            raise ScoringError(f"the judge's own text: {error}") from None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Find what is wrong with judging this case by a judge that stands where it is used."""
        if self.required_agreement is not None:
            yield (
                f"`{self.type}` with `requires_certificate` has no name under which a certificate "
                "is kept; define it in the dataset's `judges` and write `judge: {use: name}`"
            )
        yield from self.problems(dataset, case)

    def problems(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Find what is wrong with judging this case, wherever the judge is defined."""
        if not self._members(dataset):
            yield _NO_MODEL
        if self.revise is not None and not self.votes:
            yield NO_BAR
        if case is None:
            return
        try:
            check_templates(self._template_texts(), case)
        except TemplateError as error:
            yield f"`{self.type}`: {error}{_answer_hint(str(error))}"
        yield from self.check_case(case)

    def check_case(self, case: Case) -> Iterable[str]:
        """Find what a case lacks for this kind of judgement."""
        return ()

    def _template_texts(self) -> Iterator[str]:
        """Yield every text that is rendered for a case."""
        dumped = self.model_dump(mode="json", include=set(self.templates))
        yield from _texts(dumped)


_NOT_ASKED = frozenset(
    {
        *("model", "panel", "params"),
        *("use", "min_score", "attempts", "revise", "requires_certificate"),
    }
)
"""Options that change nothing of what is asked, or enter a fingerprint in another form."""

NO_BAR = "`revise` needs a `min_score`, below which an answer is revised"
_NO_MODEL = (
    "the judge names no `model`; give it one (`model: openai:gpt-4.1`), or give the dataset's "
    f"`judges` a `{DEFAULT}` with a model for all"
)


def _panel_error(results: Sequence[_MemberResult]) -> ScoringError:
    """Make the error of a panel of which nobody could judge."""
    errors = [result.error for result in results if result.error is not None]
    if len(errors) == 1:
        return errors[0]
    words = "; ".join(dict.fromkeys(error.message for error in errors))
    details = "\n".join(error.detail for error in errors if error.detail)
    message = f"none of the {len(errors)} judges could judge: {words}"
    return ScoringError(message, detail=details or None)


def _cut_note(interviews: Sequence[Interview]) -> str:
    """Say that a judge did not see everything."""
    cut = {piece: n for interview in interviews for piece, n in interview.cut.items()}
    words = ", ".join(f"{n:,} characters of the {piece}" for piece, n in cut.items())
    return f"(not shown to the judge: {words}) " if words else ""


def _member_record(result: _MemberResult) -> dict[str, Any]:
    """Return what one member said, for the record."""
    model = model_of(result.member.model)
    record: dict[str, Any] = {"model": model.id if isinstance(model, Model) else model}
    if result.member.weight != 1.0:
        record["weight"] = result.member.weight
    if result.opinion is not None:
        record.update(
            value=result.opinion.value, passed=result.opinion.passed, label=result.opinion.label
        )
    if result.error is not None:
        record["error"] = result.error.message
    record["repeats"] = [
        {"value": o.value, "passed": o.passed, "label": o.label, "reason": o.reason, **o.detail}
        for o in result.opinions
    ]
    return record


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _answer_hint(message: str) -> str:
    """Say where the answer stands, to those who look for it in a rubric."""
    if "`answer`" not in message:
        return ""
    return " The answer is always shown to the judge, fenced; a rubric does not hold it."
