"""The shape of JSON reports: what stands in a file of ``--evals-json``, key by key. Pure.

The classes are the published contract: the schema is made from them, and what is written is made
by them. A key that goes, or changes its meaning, takes a new `VERSION`; a key that is added does
not.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pytest_evals.case import Source
from pytest_evals.exchange import ErrorInfo, Exchange, Usage
from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Confusion, Metric
from pytest_evals.report import Report
from pytest_evals.result import AnyScore, FirstTry, Outcome, TrialResult
from pytest_evals.run_record import Counts, DatasetInfo, GitInfo, RunStatus
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.decision import Decision
from pytest_evals.verdict.diff import Diff, DiffEntry, RowTest
from pytest_evals.verdict.gate.spec import GateVerdict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

VERSION = 1
"""What stands under ``schema``."""

_GRAVEST = ("regressed", "inconclusive", "passed")


class TrialShape(Frozen):
    """One trial."""

    id: str
    """The node id: what pytest runs again."""
    dataset: str
    """The dataset's name."""
    case: str
    """The case's id."""
    model: str
    """The model's id."""
    sample: int
    """0-based."""
    outcome: Outcome
    """What became of it: skipped is not run, and `error` says why."""
    tolerated: bool
    """Whether it failed, and the dataset's gates answer for that."""
    beyond: bool
    """Whether it is beyond the first `min` samples of its case, and decides that case alone."""
    score: float | None
    """The weighted mean of its scores; null where nothing was scored."""
    scores: tuple[AnyScore, ...]
    """What each scorer says, in the order the assertions were written; of kind ``error`` where one
    could not score."""
    error: ErrorInfo | None
    """Why there is no answer or no score; null where there are both."""
    answer: str | None
    """The final text; null where there is no answer."""
    usage: Usage
    """Tokens of all calls, judges included."""
    cost_usd: float | None
    """USD of all calls, judges included; null where any is unknown."""
    latency_s: float | None
    """Seconds the model under test took; null where unknown."""
    duration_s: float
    """Seconds from the first call to the last score."""
    retries: int
    """How many attempts failed before the answers came."""
    revisions: int
    """How often a judge sent the answer back; outcome, scores and answer are of the last one."""
    first: FirstTry | None
    """Verdict and scores of the first answer, which metrics count; null: it was not revised."""
    tags: tuple[str, ...]
    """The case's tags."""
    exchanges: tuple[Exchange, ...]
    """The conversation's questions and answers, in order; the judges' after them."""
    metadata: dict[str, Any]
    """The case's metadata."""
    source: Source | None
    """Where the case was written."""
    output: str
    """What user code printed while the trial ran."""
    started_at: float
    """Unix time, seconds."""
    case_digest: str
    """16 hexadecimal digits over what the case asks."""
    scorers_digest: str
    """16 hexadecimal digits over its assertions; empty where unknown."""


DETAILS = ("exchanges", "metadata", "source", "output", "started_at", "case_digest",
           "scorers_digest")  # fmt: skip
"""What a trial is told without where it stands in a list."""


class RunShape(Frozen):
    """The session."""

    id: str
    """Sorts by time."""
    status: RunStatus
    """How far it got."""
    started_at: float
    """Unix time, seconds."""
    ended_at: float | None
    """Unix time, seconds; null where it was never sealed."""
    dataset: str | None
    """The dataset's name; null where there are several: see `datasets`."""
    digest: str | None
    """The dataset's digest; null where there are several."""
    datasets: tuple[DatasetInfo, ...]
    """What was planned and selected, with the models and the gates."""
    counts: Counts
    """Trials by outcome."""
    tokens: int | None
    """Of all answers; null where none was reported."""
    cost_usd: float | None
    """USD of the answers in this run; null where any price is unknown."""
    spent_usd: float | None
    """USD of what was really asked in this session."""
    git: GitInfo | None
    """The commit; null outside a checkout."""
    versions: dict[str, str]
    """python, pytest, pytest-evals-matrix and the platform."""
    options: dict[str, Any]
    """The settings that differ from their defaults."""
    exit_status: int | None
    """pytest's, when the run was sealed."""
    notes: tuple[str, ...]
    """What a reader must know."""


class EntryShape(DiffEntry):
    """What changed in one case under one model."""

    dataset: str
    """The dataset's name."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Describe it as it is written: with ``class`` for `kind`."""
        plain: Any = {key: value for key, value in schema.items() if key != "serialization"}
        made = super().__get_pydantic_json_schema__(plain, handler)
        properties = handler.resolve_ref_schema(made)["properties"]
        properties["class"] = {**properties.pop("kind"), "title": "Class"}
        return made


class ComparisonShape(RowTest):
    """One comparison with the baseline."""

    dataset: str
    """The dataset's name."""


class DroppedShape(Frozen):
    """A case that could not be compared."""

    dataset: str
    """The dataset's name."""
    case: str
    """The case's id, followed by the model in brackets where it is not so for all models."""
    reason: str
    """What is missing, in words."""


class DiffShape(Frozen):
    """What changed against the baselines, of all datasets together."""

    baseline: str | None
    """What was compared with; null where the datasets have several: see `baselines`."""
    baselines: dict[str, str]
    """What each dataset was compared with."""
    verdict: Literal["regressed", "passed", "inconclusive"] | None
    """The gravest verdict of the declared comparisons; null where no gate declares one."""
    counts: dict[str, int]
    """Pairs of case and model by class, those without an entry included."""
    entries: tuple[EntryShape, ...]
    """What changed, the gravest class first."""
    tests: tuple[ComparisonShape, ...]
    """The declared comparisons, then the exploratory ones."""
    dropped: tuple[DroppedShape, ...]
    """Cases that could not be compared."""


class ReportShape(Frozen):
    """A run of pytest --evals: its trials, metrics, gates, what changed, and the decision."""

    version: Literal[1] = Field(alias="schema")
    """The version of this shape."""
    run: RunShape
    """The session."""
    trials: tuple[TrialShape, ...]
    """The recorded trials, in the order they were planned."""
    metrics: tuple[Metric, ...]
    """Numbers about many trials, model by model."""
    confusions: tuple[Confusion, ...]
    """Which labels are taken for which, of scorers that give labels beside true ones."""
    gates: tuple[GateVerdict, ...]
    """The verdict of every gate on every model and slice."""
    diff: DiffShape | None
    """What changed; null where there is no baseline."""
    decision: Decision | None
    """What the gates come to; null where there are none."""
    context: dict[str, str | dict[str, str | int | float | bool | None]]
    """Sections that plugins add, by their titles."""


def trial_shape(result: TrialResult) -> TrialShape:
    """Return a trial in its one JSON shape."""
    return TrialShape.model_construct(
        id=result.id,
        dataset=result.dataset,
        case=result.case_id,
        model=result.model_id,
        sample=result.sample,
        outcome=result.outcome,
        tolerated=result.tolerated,
        beyond=result.beyond,
        score=result.score,
        scores=result.scores,
        error=result.error,
        answer=result.answer,
        usage=result.usage,
        cost_usd=result.cost_usd,
        latency_s=result.latency_s,
        duration_s=result.duration_s,
        retries=result.retries,
        revisions=result.revisions,
        first=result.first,
        tags=result.tags,
        exchanges=result.exchanges,
        metadata=result.metadata,
        source=result.source,
        output=result.output,
        started_at=result.started_at,
        case_digest=result.case_digest,
        scorers_digest=result.scorers_digest,
    )


def trial_json(result: TrialResult, *, whole: bool = False) -> dict[str, Any]:
    """Return a trial as a JSON value.

    Args:
        result: the trial.
        whole: with its conversation and all that is kept, as it stands in reports.
    """
    left_out = set() if whole else set(DETAILS)
    return trial_shape(result).model_dump(mode="json", exclude=left_out)


def run_shape(report: Report) -> RunShape:
    """Return what a report says of its session."""
    run = report.run
    kept = {name: getattr(run, name) for name in RunShape.model_fields if hasattr(run, name)}
    dataset = run.datasets[0] if len(run.datasets) == 1 else None
    return RunShape.model_construct(
        **kept,
        dataset=dataset.name if dataset else None,
        digest=dataset.digest if dataset else None,
    )


def all_verdicts(report: Report) -> tuple[GateVerdict, ...]:
    """Return the verdicts of all datasets."""
    return tuple(
        verdict for evaluation in report.evaluations.values() for verdict in evaluation.gates
    )


def overall_decision(report: Report) -> Decision | None:
    """Return what the gates of all datasets come to; None where there are none."""
    verdicts = all_verdicts(report)
    return decide(verdicts) if verdicts else None


def diff_shape(diffs: list[Diff]) -> DiffShape | None:
    """Return the diffs of several datasets as one; None where there are none."""
    if not diffs:
        return None
    names = {diff.dataset: diff.baseline for diff in diffs}
    verdicts = [diff.verdict for diff in diffs]
    counts: dict[str, int] = {}
    for diff in diffs:
        for name, number in diff.counts.items():
            counts[name] = counts.get(name, 0) + number
    return DiffShape(
        baseline=next(iter(names.values())) if len(set(names.values())) == 1 else None,
        baselines=names,
        verdict=next((word for word in _GRAVEST if word in verdicts), None),
        counts=counts,
        entries=tuple(
            EntryShape.model_construct(dataset=diff.dataset, **dict(entry))
            for diff in diffs
            for entry in diff.entries
        ),
        tests=tuple(
            ComparisonShape.model_construct(dataset=diff.dataset, **dict(test))
            for diff in diffs
            for test in diff.tests
        ),
        dropped=tuple(
            DroppedShape(dataset=diff.dataset, case=case.case, reason=case.reason)
            for diff in diffs
            for case in diff.dropped
        ),
    )


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a report; no other keys are allowed in it."""
    whole = ReportShape.model_json_schema(mode="serialization", by_alias=True)
    schemas: list[dict[str, Any]] = [whole, *whole["$defs"].values()]
    for schema in schemas:
        if "properties" in schema:
            schema["required"] = list(schema["properties"])
            schema["additionalProperties"] = False
            for member in schema["properties"].values():
                member.pop("default", None)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pytest-evals report, version {VERSION}",
    }
    return {**head, **{key: value for key, value in whole.items() if key != "title"}}
