"""TrialStats and TrialTable: the part of each trial that aggregation needs, small in memory.

A `TrialStats` takes less than a kilobyte when answers are plain text. A `TrialTable` holds one per
trial of a dataset, grouped by model, case and slice. No metric is computed here.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from sys import intern
from typing import Any, Literal

from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import canonical, digest
from pytest_evals.message import ToolCall
from pytest_evals.metrics.spec import Slice
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import Score, ScoreError

Origin = Literal["asked", "stored", "cassette", "scripted", ""]
"""Where a trial's answers came from: the freshest of them; empty where none was asked for."""

EXCERPT = 120
"""Characters kept of an answer and of a reason."""

_SHOWN_REASONS = 3
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStats:
    """What is kept of one trial."""

    id: str
    """The node id."""
    case: str
    """The case's id."""
    model: str
    """The model's id."""
    sample: int
    """0-based."""
    outcome: Outcome
    error: str | None = None
    """The error's type; None where there is none."""
    score: float | None = None
    """The weighted mean of its scores."""
    names: tuple[str, ...] = ()
    """The scorers that spoke, by metric name, each once: same names are taken together."""
    values: tuple[float | None, ...] = ()
    """Their values, one a name; None where a scorer gives no number."""
    verdicts: tuple[bool | None, ...] = ()
    """Their verdicts, one a name; None where a scorer does not vote."""
    failing: tuple[str, ...] = ()
    """The scorers whose vote failed the trial."""
    unscored: tuple[str, ...] = ()
    """The scorers that could not score."""
    labels: tuple[tuple[str, str, str], ...] = ()
    """(scorer, true label, label given), for scorers that put the true label into their score's
    metadata as ``expected``."""
    reasons: tuple[str, ...] = ()
    """Why it failed or errored: ``scorer: reason``, the first few, cut."""
    tokens: int | None = None
    """Of all calls; None where none was reported."""
    cost_usd: float | None = None
    """USD of all calls; None where any is unknown or nothing was called."""
    latency_s: float | None = None
    """Seconds the model under test took; None where unknown."""
    answered: bool = False
    """Whether any call was answered."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    case_digest: str = ""
    scorers_digest: str = ""
    answer: str | None = None
    """The beginning of the final text, on one line; None where there is no answer."""
    answer_digest: str = ""
    """12 hexadecimal digits over the final text and the tool calls; empty where there is none."""
    tools: tuple[str, ...] = ()
    """The names of the tools called, in order."""
    draw: str = ""
    """8 hexadecimal digits over the answers and how long they took: the same draw, used again, has
    the same."""
    origin: Origin = ""
    revised: bool = False
    """Whether it passed after its answer was revised; its outcome is the first answer's."""
    beyond: bool = False
    """Whether it decides its case alone: no fair draw, so no metric of several cases uses it."""

    @property
    def scored(self) -> bool:
        """Whether there is a verdict on an answer."""
        return self.outcome in {Outcome.PASSED, Outcome.FAILED}

    @property
    def passed(self) -> bool:
        """Whether the answer was right."""
        return self.outcome is Outcome.PASSED

    @property
    def unneeded(self) -> bool:
        """Whether it was left out because nothing could depend on it any more."""
        return self.outcome is Outcome.SKIPPED and self.error == "not_needed"

    def number(self, name: str) -> float | None:
        """Return what a scorer says as a number: its value, else 1 or 0 for its verdict."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        value, verdict = self.values[place], self.verdicts[place]
        return value if value is not None else None if verdict is None else float(verdict)

    def verdict(self, name: str) -> bool | None:
        """Return a scorer's verdict; None where it gave none."""
        return self.verdicts[self.names.index(name)] if name in self.names else None

    def within(self, part: Slice | None) -> bool:
        """Whether the trial's case is in a slice; None is all cases."""
        return part is None or part.value in self.slice_values(part.key)

    def slice_values(self, key: str) -> tuple[str, ...]:
        """Return the slices of a key that the case is in; none where it lacks the key."""
        if key == "tag":
            return self.tags
        if key == "case":
            return (self.case,)
        if key not in self.metadata:
            key = key.removeprefix("metadata.")
        return slice_texts(self.metadata[key]) if key in self.metadata else ()


def slice_texts(value: Any) -> tuple[str, ...]:
    """Return a metadata value as slices are called: a text as it is, each member of a list."""
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(text for item in value for text in slice_texts(item)))
    if isinstance(value, str):
        return (value,)
    try:
        return (canonical(value),)
    except (TypeError, ValueError):  # not a number, or keys that are no texts
        return (str(value),)


def summarize_trial(result: TrialResult, *, compared: bool = True) -> TrialStats:
    """Take from a trial's record what aggregation, baselines and diffs need.

    Of a trial whose answer was revised it is the first answer's verdict and scores that count.

    Args:
        result: the trial's record.
        compared: whether anybody will compare its answer with another run's; where nobody does,
            `answer_digest` and `draw` stay empty.
    """
    mended = result.revised
    if result.first is not None and result.outcome is not Outcome.ERRORED:
        first = result.first
        said = {"outcome": first.outcome, "scores": first.scores, "score": first.score}
        result = result.model_copy(update=said)
    responses = [e.response for e in result.answers if e.response is not None]
    calls = [call for response in responses for call in response.tool_calls]
    names, values, verdicts = _spoken(result.scores)
    answered = any(exchange.response is not None for exchange in result.exchanges)
    answer = result.answer if responses else None
    return TrialStats(
        id=result.id,
        case=intern(result.case_id),
        model=intern(result.model_id),
        sample=result.sample,
        outcome=result.outcome,
        error=result.error.type if result.error else None,
        score=result.score,
        names=names,
        values=values,
        verdicts=verdicts,
        failing=_same(_failing(result)),
        unscored=_same(tuple(s.name for s in result.scores if isinstance(s, ScoreError))),
        labels=_labels(result),
        reasons=_reasons(result),
        tokens=result.usage.total_tokens if answered else None,
        cost_usd=result.cost_usd,
        latency_s=result.latency_s,
        answered=answered,
        tags=_same(result.tags),
        metadata=result.metadata or _NOTHING,
        case_digest=intern(result.case_digest),
        scorers_digest=intern(result.scorers_digest or _scorers_seen(result)),
        answer=None if answer is None else excerpt(answer),
        answer_digest=_answer_digest(answer, calls) if responses and compared else "",
        tools=_same(tuple(excerpt(call.name, 60) for call in calls)),
        draw=_drawn(result, responses) if compared else "",
        origin=_origin([e.source for e in result.answers]),
        beyond=result.beyond,
        revised=mended,
    )


def excerpt(text: str, length: int = EXCERPT) -> str:
    """Return the beginning of a text on one line, without characters that cannot be seen.

    Args:
        text: anything, such as a model's answer.
        length: characters; a longer text is cut, and ends in three dots.
    """
    flat = " ".join(text[: 4 * length].split())
    if not flat.isascii() or not flat.isprintable():
        flat = "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in flat)
    return flat if len(flat) <= length else flat[: length - 3] + "..."


@lru_cache(maxsize=4096)
def _same(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the one tuple kept for equal tuples: trials share most of them."""
    return tuple(map(intern, words))


@lru_cache(maxsize=4096)
def _same_verdicts(verdicts: tuple[bool | None, ...]) -> tuple[bool | None, ...]:
    """Return the one tuple kept for equal tuples."""
    return verdicts


def _spoken(
    scores: Iterable[Score | ScoreError],
) -> tuple[tuple[str, ...], tuple[float | None, ...], tuple[bool | None, ...]]:
    """Take scores of one name together: the mean of the values, and whether all verdicts hold."""
    values: dict[str, list[float]] = {}
    verdicts: dict[str, list[bool]] = {}
    for score in scores:
        if isinstance(score, ScoreError):
            continue
        of_name = values.setdefault(score.name, [])
        if score.value is not None:
            of_name.append(score.value)
        if score.passed is not None:
            verdicts.setdefault(score.name, []).append(score.passed)
    return (
        _same(tuple(values)),
        tuple(sum(of) / len(of) if of else None for of in values.values()),
        _same_verdicts(tuple(all(verdicts[n]) if n in verdicts else None for n in values)),
    )


def _failing(result: TrialResult) -> tuple[str, ...]:
    if result.outcome is not Outcome.FAILED:
        return ()
    failing = (
        score.name
        for score in result.scores
        if isinstance(score, Score) and score.passed is False and not score.advisory
    )
    return tuple(dict.fromkeys(failing))


def _labels(result: TrialResult) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (intern(score.name), intern(str(score.metadata["expected"])), intern(score.label))
        for score in result.scores
        if isinstance(score, Score) and score.label is not None and "expected" in score.metadata
    )


def _reasons(result: TrialResult) -> tuple[str, ...]:
    if result.outcome is Outcome.PASSED:
        return ()
    found = [] if result.error is None else [f"{result.error.type}: {result.error.message}"]
    for score in result.scores:
        if score.advisory:
            continue
        if isinstance(score, ScoreError):
            found.append(f"{score.name}: {score.message}")
        elif score.passed is False:
            found.append(f"{score.name}: {score.reason}" if score.reason else score.name)
    return tuple(excerpt(reason) for reason in found[:_SHOWN_REASONS])


def _scorers_seen(result: TrialResult) -> str:
    """Return a digest of the assertions as far as the scores show them."""
    seen = [[s.name, s.type, s.version, s.weight, s.advisory] for s in result.scores]
    return digest(seen, length=16) if seen else ""


def _answer_digest(answer: str | None, calls: Iterable[ToolCall]) -> str:
    made = [call.model_dump_json(include={"name", "arguments"}) for call in calls]
    return digest([answer, made], length=12)


def _drawn(result: TrialResult, responses: Sequence[Response]) -> str:
    if not responses:
        return _draw_of_error(result)
    return digest([r.model_dump_json(exclude={"output"}) for r in responses], length=8)


def _draw_of_error(result: TrialResult) -> str:
    """Tell errors apart by when they came, as they are never stored; but not scripted ones."""
    if result.error is None:
        return ""
    scripted = _origin([e.source for e in result.answers]) == "scripted"
    return digest([result.error.type, 0 if scripted else result.started_at], length=8)


def _origin(sources: list[str]) -> Origin:
    freshest: tuple[Origin, ...] = ("asked", "stored", "cassette", "scripted")
    return next((origin for origin in freshest if origin in sources), "")


class TrialTable:
    """The tallies of one dataset, by model, case and sample.

    Args:
        dataset: the dataset's name.
    """

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self._cells: dict[str, dict[str, list[TrialStats]]] = {}
        self._metadata: dict[str, Mapping[str, Any]] = {}
        self._sorted: dict[str, dict[str, list[TrialStats]]] = {}
        self._fair: dict[str, dict[str, list[TrialStats]]] = {}
        self._beyond = False
        self._parts: dict[tuple[str, str], dict[str, dict[str, list[TrialStats]]]] = {}
        self._count = 0

    @classmethod
    def of(cls, dataset: str, results: Iterable[TrialResult]) -> "TrialTable":
        """Make the table of a dataset from the records of a run; other datasets' are left out."""
        table = cls(dataset)
        for result in results:
            if result.dataset == dataset:
                table.add(summarize_trial(result))
        return table

    def add(self, one: TrialStats) -> None:
        """Add a trial; a trial that was recorded before is replaced."""
        known = self._metadata.setdefault(one.case, one.metadata) if one.metadata else one.metadata
        if known is not one.metadata and known == one.metadata:
            object.__setattr__(one, "metadata", known)
        self._sorted.clear()
        self._fair.clear()
        self._parts.clear()
        self._beyond = self._beyond or one.beyond
        cell = self._cells.setdefault(one.model, {}).setdefault(one.case, [])
        for place, before in enumerate(cell):
            if before.sample == one.sample:
                cell[place] = one
                return
        cell.append(one)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[TrialStats]:
        """Yield all tallies, model by model, then by case and sample."""
        for model in self._cells:
            yield from self.trials(model)

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order in which they first appeared."""
        return tuple(self._cells)

    def trials(self, model: str, part: Slice | None = None) -> list[TrialStats]:
        """Return a model's tallies in a slice, in order of case and sample.

        All of them where there is no slice, also those that decide their case alone.
        """
        cells = self._whole(model) if part is None else self.cases(model, part)
        return [one for cell in cells.values() for one in cell]

    def cases(self, model: str, part: Slice | None = None) -> Mapping[str, list[TrialStats]]:
        """Return a model's tallies in a slice, by case; cases and samples in their order.

        Samples that decide their case alone are there only where the slice is that case.
        """
        if part is not None:
            return self.parts(model, part.key).get(part.value, {})
        whole = self._whole(model)
        if not self._beyond:
            return whole
        if model not in self._fair:
            self._fair[model] = {
                case: [one for one in cell if not one.beyond] for case, cell in whole.items()
            }
        return self._fair[model]

    def _whole(self, model: str) -> Mapping[str, list[TrialStats]]:
        """Return all of a model's tallies by case."""
        if model not in self._sorted:
            cells = self._cells.get(model, {})
            in_order = attrgetter("sample")
            self._sorted[model] = {
                case: sorted(cells[case], key=in_order) for case in sorted(cells)
            }
        return self._sorted[model]

    def parts(self, model: str, key: str) -> Mapping[str, Mapping[str, list[TrialStats]]]:
        """Return a model's tallies by the value of a slice's key, then by case."""
        if (model, key) not in self._parts:
            found: dict[str, dict[str, list[TrialStats]]] = {}
            cells = self._whole(model) if key == "case" else self.cases(model)
            for case, cell in cells.items():
                for value in cell[0].slice_values(key):
                    found.setdefault(value, {})[case] = cell
            self._parts[model, key] = found
        return self._parts[model, key]

    def slices(self, key: str) -> tuple[Slice, ...]:
        """Return the slices of a key (``tag``, ``case``, a metadata key), by name."""
        values = {value for model in self._cells for value in self.parts(model, key)}
        return tuple(Slice(key=key, value=value) for value in sorted(values))

    @property
    def scorers(self) -> tuple[str, ...]:
        """The names of all scorers that spoke or failed to, sorted."""
        return tuple(sorted({name for one in self for name in (*one.names, *one.unscored)}))
