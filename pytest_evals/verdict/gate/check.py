"""Problems of a dataset's gates, found at collection, before any call."""

from collections.abc import Iterable, Iterator, Mapping

from pytest_evals.case import Samples
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import suggest
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.spec import QUANTITIES
from pytest_evals.metrics.trial_stats import slice_texts
from pytest_evals.verdict.gate.error import GateError
from pytest_evals.verdict.gate.grammar import parse_gate
from pytest_evals.verdict.gate.spec import GateSpec
from pytest_evals.verdict.gate.stopping_rule import is_per_case

Loc = tuple[str | int, ...]
"""The path of a value from the root of the file."""

_KEYED = {"scorer": "of", "model": "on", "per": "per", "where": "where"}


def check_gates(
    dataset: Dataset, scorers: Iterable[str], models: Iterable[str]
) -> Iterator[tuple[Loc, str]]:
    """Yield every problem of a dataset's gates, as a path and a message.

    Args:
        dataset: the dataset.
        scorers: the metric names of all its scorers, those of single cases included.
        models: the ids of the available models; empty while they are unknown.
    """
    names, ids = sorted(set(scorers)), sorted(set(models))
    slices = _slices(dataset)
    seen: dict[str, int] = {}
    for i, written in enumerate(dataset.gates):
        where: Loc = ("gates", i)
        try:
            spec = parse_gate(written)
        except GateError as error:
            loc = where if error.text or error.key is None else (*where, error.key)
            yield loc, str(error) + _of_scorer(error, names)
            continue
        if spec.text in seen:
            yield where, f"duplicate gate `{spec.text}`, first as number {seen[spec.text] + 1}"
        seen.setdefault(spec.text, i)
        for part, word, message in _unknown(spec, names, ids, slices):
            yield _problem(where, written, spec, part, word, message)


def check_samples(dataset: Dataset) -> Iterator[tuple[Loc, str]]:
    """Yield the samples that would stop early without a gate on single cases."""
    if not dataset.gates:
        return
    try:
        has_case_gate = any(is_per_case(parse_gate(written)) for written in dataset.gates)
    except GateError:
        return  # `check_gates` reports it
    if has_case_gate:
        return
    places: list[tuple[Loc, object]] = [(("samples",), dataset.samples)]
    places += [(("cases", i, "samples"), case.samples) for i, case in enumerate(dataset.cases)]
    for where, written in places:
        if isinstance(written, Samples):
            message = (
                "samples beyond `min` need a gate on single cases, such as "
                "`pass@1 >= 0.9 per case`, because metrics of several cases use the first `min` of "
                f"each; write such a gate, or a number such as `samples: {written.max}`"
            )
            yield where, message


def _of_scorer(error: GateError, scorers: list[str]) -> str:
    """Return a hint if a gate has the bare name of a scorer in place of a metric."""
    first = error.text.split(" ", 1)[0]
    if first not in scorers or "no metric is called" not in error.message:
        return ""
    return f" {first} is a scorer: write `mean({first})` or `pass@1 of {first}`."


def _problem(
    where: Loc, written: object, spec: GateSpec, part: str, word: str, message: str
) -> tuple[Loc, str]:
    """Return the problem with its place: a column of the text, or a key of the long form."""
    if isinstance(written, Mapping):
        key = _KEYED[part] if _KEYED[part] in written else "metric"
        return (*where, key), message
    column = spec.text.rfind(word) + 1
    return where, str(GateError(message, text=spec.text, column=column))


def _unknown(
    spec: GateSpec,
    scorers: list[str],
    models: list[str],
    slices: Mapping[str, frozenset[str]],
) -> Iterator[tuple[str, str, str]]:
    """Yield (part, word, message) of every name in a gate that the dataset does not have."""
    scorer = spec.of if spec.compares else parse_metric(spec.metric).scorer
    if scorer is not None and scorer not in scorers:
        names = [*scorers, *QUANTITIES] if "(" in spec.metric else scorers
        yield "scorer", scorer, f"no scorer is called {scorer!r}.{suggest(scorer, names)}"
    for model in spec.on:
        if models and model not in models:
            yield "model", model, f"no model is called {model!r}.{suggest(model, models)}"
    if spec.per is not None and _values(slices, spec.per) is None:
        yield "per", spec.per, _no_key(spec.per, slices)
    if spec.where is not None:
        key, value = spec.where.key, spec.where.value
        values = _values(slices, key)
        if values is None:
            yield "where", key, _no_key(key, slices)
        elif value not in values:
            hint = suggest(value, values)
            yield "where", value, f"no case has {key} = {value!r}.{hint}"


def _no_key(key: str, slices: Mapping[str, frozenset[str]]) -> str:
    if key == "tag":
        return "no case has a tag"
    return f"no case has the metadata key {key!r}.{suggest(key, slices)}"


def _values(slices: Mapping[str, frozenset[str]], key: str) -> frozenset[str] | None:
    """Return the values of a slice's key; None if no case has the key."""
    return slices.get(key) or slices.get(key.removeprefix("metadata."))


def _slices(dataset: Dataset) -> dict[str, frozenset[str]]:
    """Return all values of tags, cases and metadata keys."""
    values: dict[str, set[str]] = {}
    for case in dataset.cases:
        for key, value in case.metadata.items():
            values.setdefault(key, set()).update(slice_texts(value))
    for case in dataset.cases:
        values.setdefault("case", set()).add(case.id)
        values.setdefault("tag", set()).update(case.tags)
    return {key: frozenset(values) for key, values in values.items() if values}
