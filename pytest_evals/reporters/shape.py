"""The shape of JSON reports: the keys of a file of ``--evals-json``. Pure.

The classes are the published contract: they make both the schema and the report. Removing a key, or
changing its meaning, needs a new `VERSION`; adding a key does not.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pytest_evals.case import Source
from pytest_evals.exchange import ErrorInfo, Exchange, Usage
from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Confusion, Metric
from pytest_evals.report import Report
from pytest_evals.result import AnyScore, FirstTry, Outcome, TrialResult
from pytest_evals.run_record import Counts, DatasetInfo, GitInfo, RunStatus, Spending
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.decision import Decision
from pytest_evals.verdict.diff import Diff, DiffEntry, RowTest
from pytest_evals.verdict.gate.spec import GateVerdict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

VERSION = 1
"""The value of ``schema``."""

_GRAVEST = ("regressed", "inconclusive", "passed")


class TrialShape(Frozen):
    """One trial."""

    id: str
    """The node id, as pytest runs it."""
    dataset: str
    """The dataset's name."""
    case: str
    """The case's id."""
    model: str
    """The model's id."""
    sample: int
    """0-based."""
    outcome: Outcome
    """The outcome; for skipped, not run, `error` says why."""
    tolerated: bool
    """Whether it failed, and a gate accounts for that."""
    beyond: bool
    """Whether it is beyond the first `min` samples of its case, and decides only that case."""
    score: float | None
    """The weighted mean of its scores; null without a score."""
    scores: tuple[AnyScore, ...]
    """The scores in the order of the assertions; of kind ``error`` if a scorer could not score."""
    error: ErrorInfo | None
    """Why there is no answer or no score; null if there are both."""
    answer: str | None
    """The final text; null without an answer."""
    usage: Usage
    """Tokens of all calls, judges included."""
    cost_usd: float | None
    """USD of all calls, judges included; null if any is unknown."""
    latency_s: float | None
    """Seconds of the target's calls; null if unknown."""
    duration_s: float
    """Seconds from the first call to the last score."""
    retries: int
    """Failed attempts before the answers."""
    revisions: int
    """How often a judge sent the answer back; outcome, scores and answer are those of the last
    answer."""
    first: FirstTry | None
    """Outcome and scores of the first answer, which metrics count; null if it was not revised."""
    tags: tuple[str, ...]
    """The case's tags."""
    exchanges: tuple[Exchange, ...]
    """The requests and responses of the conversation, in order, followed by those of judges."""
    metadata: dict[str, Any]
    """The case's metadata."""
    source: Source | None
    """The file and line of the case."""
    output: str
    """The output that user code printed during the trial."""
    started_at: float
    """Unix time, seconds."""
    case_digest: str
    """16 hexadecimal digits over the case's input and reference."""
    scorers_digest: str
    """16 hexadecimal digits over its assertions; empty if unknown."""


DETAILS = ("exchanges", "metadata", "source", "output", "started_at", "case_digest",
           "scorers_digest")  # fmt: skip
"""The keys that are left out where trials are listed."""


class RunShape(Frozen):
    """The session."""

    id: str
    """The run's id; ids sort by time."""
    status: RunStatus
    """How far the run got."""
    started_at: float
    """Unix time, seconds."""
    ended_at: float | None
    """Unix time, seconds; null if the run was never sealed."""
    dataset: str | None
    """The dataset's name; null if there are several: see `datasets`."""
    digest: str | None
    """The dataset's digest; null if there are several."""
    datasets: tuple[DatasetInfo, ...]
    """The planned and selected trials, the models and the gates of each dataset."""
    counts: Counts
    """Trials by outcome."""
    tokens: int | None
    """Tokens of all answers; null if none was reported."""
    cost_usd: float | None
    """USD of the answers in this run; null if any price is unknown."""
    spent_usd: float | None
    """USD of the calls made in this session; null if any is unknown."""
    spending: dict[str, Spending]
    """The calls made in this session by role: `answers`, `revisions`, `judges`, `confirmation`."""
    git: GitInfo | None
    """The commit; null outside a checkout."""
    versions: dict[str, str]
    """python, pytest, pytest-evals-matrix and the platform."""
    options: dict[str, Any]
    """The settings that differ from their defaults."""
    exit_status: int | None
    """pytest's, when the run was sealed."""
    notes: tuple[str, ...]
    """Notes for the reader."""


class EntryShape(DiffEntry):
    """The change of one case under one model."""

    dataset: str
    """The dataset's name."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Describe it as written, with ``class`` for `kind`."""
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
    """The case's id; the model follows in brackets if the reason does not hold for all models."""
    reason: str
    """Why it was not compared."""


class DiffShape(Frozen):
    """The changes of all datasets against their baselines."""

    baseline: str | None
    """The baseline; null if the datasets have several: see `baselines`."""
    baselines: dict[str, str]
    """The baseline of each dataset."""
    verdict: Literal["regressed", "passed", "inconclusive"] | None
    """The gravest verdict of the declared comparisons; null if no gate declares one."""
    counts: dict[str, int]
    """Pairs of case and model by class, including those without an entry."""
    entries: tuple[EntryShape, ...]
    """The changed cases, the gravest class first."""
    tests: tuple[ComparisonShape, ...]
    """The declared comparisons, then the exploratory ones."""
    dropped: tuple[DroppedShape, ...]
    """Cases that could not be compared."""


class ReportShape(Frozen):
    """A run of pytest --evals: its trials, metrics, gates, changes, and the decision."""

    version: Literal[1] = Field(alias="schema")
    """The version of this shape."""
    run: RunShape
    """The session."""
    trials: tuple[TrialShape, ...]
    """The recorded trials, in planned order."""
    metrics: tuple[Metric, ...]
    """Metrics over many trials, model by model."""
    confusions: tuple[Confusion, ...]
    """Confusion matrices of scorers with labels beside true ones."""
    gates: tuple[GateVerdict, ...]
    """The verdict of every gate on every model and slice."""
    diff: DiffShape | None
    """The changes; null without a baseline."""
    decision: Decision | None
    """The decision; null without gates."""
    context: dict[str, str | dict[str, str | int | float | bool | None]]
    """Sections of plugins, by title."""


def trial_shape(result: TrialResult) -> TrialShape:
    """Return a trial in its JSON shape."""
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
        whole: whether to include the conversation and the other keys of `DETAILS`.
    """
    left_out = set() if whole else set(DETAILS)
    return trial_shape(result).model_dump(mode="json", exclude=left_out)


def run_shape(report: Report) -> RunShape:
    """Return the session of a report."""
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
    """Return the decision on the run: the session's; before it is sealed, of its evaluations."""
    if report.run.decision is not None:
        return Decision.model_validate(report.run.decision)
    decisions = [it.decision for it in report.evaluations.values() if it.decision is not None]
    if len(decisions) < 2:
        return decisions[0] if decisions else None
    overall = decide(all_verdicts(report))
    failed = any(decision.failed for decision in decisions)
    return overall.model_copy(update={"failed": failed})


def diff_shape(diffs: list[Diff]) -> DiffShape | None:
    """Return the diffs of several datasets as one; None without any."""
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
    """Return the JSON Schema (draft 2020-12) of a report; it allows no other keys."""
    report = ReportShape.model_json_schema(mode="serialization", by_alias=True)
    schemas: list[dict[str, Any]] = [report, *report["$defs"].values()]
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
    return {**head, **{key: value for key, value in report.items() if key != "title"}}
