"""Checks of a dataset that need the registered members: scorers, providers, judges and gates.

Knows the registry only as a Protocol, so that the registry can use this module.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import TemplateError, suggest
from pytest_evals.ground.templates import check as check_template
from pytest_evals.loaders.base import Loc
from pytest_evals.matrix import default_models
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.model import MODEL_FIELDS, Model
from pytest_evals.parameters import number_problems
from pytest_evals.providers.base import Provider
from pytest_evals.scorers.binding import SpecError
from pytest_evals.scorers.bound import Bound
from pytest_evals.scorers.contradictions import contradictions

Problems = Iterator[tuple[Loc, str]]
"""Locations in the dataset, each with a message."""

VALUES_HINT = "; to compare values, list a model for each, with an `id` of its own"
"""How several values of a parameter are written."""


class Members(Protocol):
    """The registered members."""

    def provider(self, name: str) -> type[Provider] | None:
        """Return a provider's class; None if there is none of that name."""
        ...

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        ...

    def bind(self, spec: ScorerSpec) -> Bound:
        """Make the scorer of a spec.

        Raises:
            SpecError: the scorer or one of its options is invalid.
        """
        ...


class DatasetChecks:
    """Checks one dataset.

    Args:
        members: the registered members.
        dataset: the dataset.
        code: whether a test function uses it, which may call, assert and record by itself.
    """

    def __init__(self, members: Members, dataset: Dataset, *, code: bool) -> None:
        self._members = members
        self._dataset = dataset
        self._code = code
        self._checked_models: set[str] = set()
        """Models of judges; each is reported once."""

    def problems(self) -> Problems:
        """Yield every problem."""
        dataset = self._dataset
        for i, model in enumerate(dataset.models):
            for loc, message in model_problems(self._members, model):
                hint = VALUES_HINT if loc[:1] == ("params",) else ""
                yield ("models", i, *loc), message + hint
        if dataset.judges:
            yield from self._judge_problems()
        yield from self._scorer_problems(dataset.scorers, None, ("scorers",))
        for i, case in enumerate(dataset.cases):
            where: Loc = ("cases", i)
            yield from self._scorer_problems(case.scorers, case, (*where, "scorers"))
            yield from self._case_problems(case, where)
        yield from _duplicate_models(dataset)
        if dataset.gates:
            yield from self._gate_problems()

    def _judge_problems(self) -> Problems:
        """Yield what is wrong with the judges that the dataset defines, and with their models."""
        from pytest_evals.scorers.judge.definitions import check_judges, judge_models

        yield from check_judges(self._dataset)
        for loc, model in judge_models(self._dataset):
            for inner, message in self._judge_model_problems(model):
                yield (*loc, *inner), message

    def _judge_model_problems(self, model: str | Model) -> Problems:
        """Yield what is wrong with a model that a scorer calls, unless it was checked before."""
        text = model if isinstance(model, str) else model.model_dump_json()
        if text in self._checked_models:
            return
        self._checked_models.add(text)
        if isinstance(model, Model):
            yield from model_problems(self._members, model)
            return
        ids = [listed.id for listed in self._dataset.models]
        provider = model.partition(":")[0]
        _, providers = self._members.names()
        if model not in ids and provider not in providers:
            hint = suggest(provider, (*ids, *providers))
            yield (), f"no model and no provider is called {provider!r} (in {model!r}).{hint}"

    def _gate_problems(self) -> Problems:
        """Yield what is wrong with the gates: names of metrics, scorers, tags and models."""
        from pytest_evals.verdict.gate.check import check_gates, check_samples

        dataset = self._dataset
        yield from check_samples(dataset)
        names: set[str] = set()
        for case in dataset.cases:
            for spec in dataset.scorers_of(case):
                try:
                    names.add(self._members.bind(spec).name)
                except SpecError:
                    continue  # reported at the scorer
        if self._code:
            names.update(_scorers_of_gates(dataset))
        # --evals-model can select other models than the file's. A name of such a model is checked
        # at the end of the session; here only names that no model of the file has are rejected.
        models = [model.id for model in dataset.models or default_models(dataset)]
        yield from check_gates(dataset, names, models)

    def _scorer_problems(
        self, specs: Iterable[ScorerSpec], case: Case | None, where: Loc
    ) -> Problems:
        """Yield what is wrong with assertions."""
        for i, spec in enumerate(specs):
            try:
                bound = self._members.bind(spec)
            except SpecError as error:
                for loc, message in error.problems:
                    yield (*where, i, *loc), message
                continue
            for message in bound.check(self._dataset, case):
                yield (*where, i), message
            for model in () if bound.cheap else bound.scorer.models(self._dataset):
                for _, message in self._judge_model_problems(model):
                    yield (*where, i), f"`{spec.type}`: {message}"

    def _case_problems(self, case: Case, where: Loc) -> Problems:
        """Yield what is wrong with a case as a whole."""
        dataset = self._dataset
        if not dataset.scorers_of(case) and not self._code:
            message = (
                f"case {case.id!r} has no assertions; give it `scorers`, or give the dataset "
                "`scorers` for every case"
            )
            yield where, message
        for spec in dataset.scorers if case.id else ():
            try:
                bound = self._members.bind(spec)
            except SpecError:
                continue
            # A problem of every case is reported once, at the scorer.
            general = set(bound.check(dataset, None))
            for message in (m for m in bound.check(dataset, case) if m not in general):
                yield where, f"the dataset's scorer `{spec.type}` on this case: {message}"
        if case.expect:
            specs = (ScorerSpec(type="expect", options=case.expect),)
            for loc, message in self._scorer_problems(specs, case, ()):
                yield (*where, "expect", *loc[1:]), message
        yield from ((where, message) for message in self._contradictions(case))
        has_input = (
            case.input is not None or case.turns or case.script or dataset.prompt is not None
        )
        if not has_input and not self._code:
            yield where, f"case {case.id!r} has no input; give it `input` or `turns`"
        yield from _prompt_problems(dataset, case, where)

    def _contradictions(self, case: Case) -> Iterator[str]:
        """Yield the pairs of assertions of a case that cannot both hold."""
        bounds = []
        for spec in self._dataset.scorers_of(case):
            try:
                bounds.append(self._members.bind(spec))
            except SpecError:
                continue  # reported at the scorer
        for message in dict.fromkeys(contradictions(bounds, case)):
            yield f"case {case.id!r}: {message}"


def model_problems(members: Members, model: Model) -> Problems:
    """Yield what is wrong with a model: its parameters, its provider, its options."""
    for name, message in number_problems(model.params):
        yield ("params", name), message
    provider = members.provider(model.provider)
    if provider is None:
        _, providers = members.names()
        hint = suggest(model.provider, providers)
        yield ("provider",), f"no provider is called {model.provider!r}.{hint}"
        return
    try:
        provider.Options.model_validate(model.options)
    except ValidationError as error:
        keys = {*provider.Options.model_fields, *MODEL_FIELDS}
        for detail in error.errors(include_url=False):
            yield detail["loc"], _option_message(model, detail, keys)


def _option_message(model: Model, detail: Mapping[str, Any], keys: Iterable[str]) -> str:
    """Write the message for an invalid option of a provider."""
    if detail["type"] == "extra_forbidden":
        key = str(detail["loc"][-1])
        return f"unknown key {key!r} for provider {model.provider!r}.{suggest(key, keys)}"
    if detail["type"] == "missing":
        key = ".".join(map(str, detail["loc"]))
        return f"provider {model.provider!r} needs `{key}`"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{message}, found {detail['input']!r}"


def _scorers_of_gates(dataset: Dataset) -> Iterator[str]:
    """Yield the scorers that valid gates name."""
    from pytest_evals.verdict.gate.error import GateError
    from pytest_evals.verdict.gate.grammar import parse_gate

    for text in dataset.gates:
        try:
            gate = parse_gate(text)
            scorers = (gate.of, None if gate.compares else parse_metric(gate.metric).scorer)
        except (GateError, ValueError):
            continue  # reported by `check_gates`
        yield from (name for name in scorers if name)


def _duplicate_models(dataset: Dataset) -> Problems:
    """Yield duplicate model ids, and missing scripts."""
    seen: set[str] = set()
    for i, model in enumerate(dataset.models):
        if model.id in seen:
            yield ("models", i), f"duplicate model id {model.id!r}; give one of them an `id`"
        seen.add(model.id)
    for model in dataset.models or default_models(dataset):
        if model.provider == "script":
            yield from _script_problems(dataset, model)


def _script_problems(dataset: Dataset, model: Model) -> Problems:
    """Yield the cases that have no recorded answer for a scripted model."""
    for i, case in enumerate(dataset.cases):
        if case.script is None:
            yield (
                ("cases", i),
                (f"case {case.id!r} has no `script`, which model {model.id!r} plays back"),
            )
            continue
        for sample in range(dataset.samples_of(case)):
            if case.script.events(model.id, sample) is None:
                yield (
                    ("cases", i, "script"),
                    (
                        f"case {case.id!r} has no recorded answer for model {model.id!r}, "
                        f"sample {sample} (of {dataset.samples_of(case)})"
                    ),
                )
                break


def _prompt_problems(dataset: Dataset, case: Case, where: Loc) -> Problems:
    """Yield the variables that the prompt uses and the case does not have."""
    variables = {"input", *case.variables}
    for message in dataset.prompt.messages if dataset.prompt is not None else ():
        try:
            check_template(message.text, variables)
        except TemplateError as error:
            yield where, f"the prompt does not fit case {case.id!r}: {error}"
