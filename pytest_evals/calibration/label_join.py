"""Labelled answers: rows of labels joined with the answers that they are about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_evals.case import Case, slug
from pytest_evals.dataset import Dataset
from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import digest
from pytest_evals.ground.errors import DatasetError, Position, Problem, suggest
from pytest_evals.result import TrialResult
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.human_labels import HumanLabel, read_label
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.labels import LabelRow, latest


@dataclass(slots=True, kw_only=True)
class Labelled:
    """One answer with its labels."""

    case: Case
    cluster: str
    """Groups the answers of one case: its id, else a digest of the input."""
    model: str
    responses: tuple[Response, ...]
    """The recorded answers, turn by turn."""
    people: dict[str, HumanLabel] = field(default_factory=dict)
    high_risk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the answers of labels are looked up."""

    dataset: Dataset
    judge: Judge
    name: str
    """The judge's."""
    results: Mapping[str, TrialResult]
    """Recorded trials by their node ids."""
    file: str
    """The labels' file, for messages."""


def rows_of_store(labels: Iterable[tuple[str, HumanScore]]) -> list[LabelRow]:
    """Return people's scores of a run's trials as rows of labels."""
    return [
        LabelRow(
            trial=trial,
            rater=score.rater,
            name=score.name,
            value=score.value,
            label=score.label,
            note=score.note,
            at=score.at,
        )
        for trial, score in labels
        if score.value is not None or score.label is not None
    ]


def labelled_answers(rows: Sequence[LabelRow], sources: Sources) -> list[Labelled]:
    """Join labels with their answers, in the order of the rows.

    The latest of a rater's labels for one answer counts. Labels for other judges are left out.

    Raises:
        DatasetError: all rows whose answer is missing, or whose label is not valid.
    """
    answers: dict[str, Labelled] = {}
    problems: list[Problem] = []
    meant = [row for row in rows if row.name in {None, sources.name}]
    for row in latest(meant):
        try:
            key, item = _answer_of(row, sources)
            person_label = read_label(sources.judge, row.label, row.value)
        except ValueError as error:
            problems.append(Problem(Position(sources.file, row.line), str(error)))
            continue
        item = answers.setdefault(key, item)
        item.people[row.rater] = person_label
        item.high_risk = item.high_risk or _is_high(row.risk) or _risky(item.case)
    if problems:
        raise DatasetError(sorted(problems))
    return list(answers.values())


def _answer_of(row: LabelRow, sources: Sources) -> tuple[str, Labelled]:
    """Return the answer of a row, with its key.

    Raises:
        ValueError: no answer matches, or several do.
    """
    if row.answer is not None and not _is_recorded(row, sources.results):
        case = _case_of(row, sources.dataset)
        key = digest([row.case, row.model, row.sample, row.answer, _asked(case)])
        cluster = row.case or digest(_asked(case), length=12)
        return key, Labelled(
            case=case,
            cluster=cluster,
            model=row.model or "labelled",
            responses=(Response(text=row.answer),),
        )
    result = _recorded(row, sources.results)
    cases_by_id = {case.id: case for case in sources.dataset.cases}
    if result.case_id not in cases_by_id:
        hint = suggest(result.case_id, cases_by_id)
        raise ValueError(f"trial {result.id} is of case {result.case_id!r}, which is gone.{hint}")
    case = cases_by_id[result.case_id]
    responses = tuple(e.response for e in result.answers if e.response is not None)
    if len(responses) != max(1, len(case.turns)):
        raise ValueError(f"trial {result.id} has no whole answer to judge")
    return result.id, Labelled(
        case=case, cluster=case.id, model=result.model_id, responses=responses
    )


def _is_recorded(row: LabelRow, results: Mapping[str, TrialResult]) -> bool:
    """Whether a row's answer is that of its recorded trial, which holds more than the text."""
    recorded = results.get(row.trial or "")
    return recorded is not None and recorded.answer == row.answer


def _case_of(row: LabelRow, dataset: Dataset) -> Case:
    """Return a row's case: the dataset's, with what the row says otherwise; or one of its own."""
    given = {"input": row.input, "expected": row.expected, "variables": row.variables or None}
    overrides = {key: value for key, value in given.items() if value is not None}
    written = Case.model_validate({"id": slug(row.case or f"row {row.line}"), **overrides})
    for case in dataset.cases:
        if case.id == row.case:
            update = {key: getattr(written, key) for key in overrides}
            if row.variables:
                update["variables"] = {**case.variables, **row.variables}
            if case.turns:
                update = {"input": "\n".join(case.turns), "turns": (), **update}
            return case.model_copy(update=update)
    if row.input is None:
        if row.case is None:
            raise ValueError("the row has an `answer`, but neither a `case` nor an `input`")
        hint = suggest(row.case, (case.id for case in dataset.cases))
        raise ValueError(f"the dataset has no case {row.case!r}, and the row no `input`.{hint}")
    return written


def _asked(case: Case) -> object:
    """Return what a case asks, as JSON."""
    return case.model_dump(mode="json", include={"input", "turns", "variables", "expected"})


def _recorded(row: LabelRow, results: Mapping[str, TrialResult]) -> TrialResult:
    """Return the recorded trial that a row means.

    Raises:
        ValueError: there is none, or there are several.
    """
    if not results:
        raise ValueError("the row has no `answer`; name the run that holds it with --run")
    if row.trial is not None:
        if row.trial not in results:
            raise ValueError(f"the run has no trial {row.trial!r}.{suggest(row.trial, results)}")
        return results[row.trial]
    matches = [
        result
        for result in results.values()
        if result.case_id == row.case
        and row.model in {None, result.model_id}
        and row.sample in {None, result.sample}
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        hint = suggest(str(row.case), {result.case_id for result in results.values()})
        raise ValueError(f"the run has no such trial of case {row.case!r}.{hint}")
    names = ", ".join(result.id for result in matches[:3])
    raise ValueError(
        f"the run has {len(matches)} trials of case {row.case!r} ({names}, …); add `model` and "
        "`sample` to the row"
    )


def _is_high(risk: object) -> bool:
    """Whether a word says high risk."""
    return str(risk).strip().casefold() in {"high", "critical"}


def _risky(case: Case) -> bool:
    """Whether a case is marked as high risk: by its metadata or its tags."""
    return _is_high(case.metadata.get("risk")) or "high-risk" in case.tags
