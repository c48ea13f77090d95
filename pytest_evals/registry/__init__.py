"""Registry: every provider, scorer, loader, reporter and store by name, and all other hooks.

Built-ins and plugins come in by the same hooks. What a Dataset cannot know by itself is checked
here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import TemplateError, suggest
from pytest_evals.ground.templates import check as check_template
from pytest_evals.hooks import OURS, Hooks, InstalledPlugins
from pytest_evals.loaders.base import Loader, Loc
from pytest_evals.matrix import default_models
from pytest_evals.message import Message
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.model import MODEL_FIELDS, Model
from pytest_evals.providers.base import Provider
from pytest_evals.registry.builtin import LOADERS, PROVIDERS, REPORTERS, STORES, Builtin
from pytest_evals.registry.family import KINDS, Family
from pytest_evals.registry.observer_hooks import secrets_of
from pytest_evals.scorers.base import Scorer
from pytest_evals.scorers.binding import SpecError, bind
from pytest_evals.scorers.bound import Bound

if TYPE_CHECKING:
    import re

    from pytest_evals.reporters.base import Reporter
    from pytest_evals.responses.base import AnswerStore

__all__ = ["LOADERS", "PROVIDERS", "REPORTERS", "STORES", "Registry"]


MOST_SPECS = 4096
"""Specs that are known by themselves; more are known by what they say, which takes longer."""


class Registry:
    """Every member of every family by name.

    Args:
        hooks: the plugins.

    Raises:
        PluginError: a plugin fails, or brings what it must not.
    """

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self._providers: Family[Provider] = Family(KINDS["providers"])
        self._scorers: Family[Scorer] = Family(KINDS["scorers"])
        self._loaders: Family[Loader] = Family(KINDS["loaders"])
        self._reporters: Family[Reporter] = Family(KINDS["reporters"])
        self._stores: Family[AnswerStore] = Family(KINDS["stores"])
        self._bound: dict[str, Bound] = {}
        self._specs: dict[int, tuple[ScorerSpec, Bound]] = {}
        self._seen: set[str] = set()
        """The models of judges that were looked at, each once a dataset."""
        self._asked: set[tuple[str, int]] = set()
        """The plugins that were asked, by hook."""
        self.take()

    @classmethod
    def builtin(cls) -> Self:
        """Make the registry of what this package brings."""
        hooks = Hooks(InstalledPlugins())
        hooks.register(Builtin(), "evals-builtin")
        return cls(hooks)

    @classmethod
    def installed(cls) -> Self:
        """Make the registry of this package and of all plugins with an entry point.

        Raises:
            PluginError: a plugin cannot be imported, fails, or brings what it must not.
        """
        hooks = Hooks(InstalledPlugins())
        hooks.register(Builtin(), "evals-builtin")
        hooks.load_entry_points()
        return cls(hooks)

    @property
    def families(self) -> "tuple[Family[Any], ...]":
        """All families."""
        return self._providers, self._scorers, self._loaders, self._reporters, self._stores

    def take(self) -> None:
        """Take in what plugins bring that have not been asked yet.

        Raises:
            PluginError: a plugin fails, or brings what it must not.
        """
        for family in self.families:
            found = reversed(list(self.hooks.each(family.kind.hook)))
            for one in sorted(found, key=lambda one: one.plugin != OURS):  # a name is first ours
                mark = (one.hook, id(one.impl.plugin))
                if mark not in self._asked:
                    self._asked.add(mark)
                    family.take(one.plugin, one())

    def redactions(self) -> "tuple[list[str], list[re.Pattern[str]]]":
        """Return the secrets and patterns of the plugins that have not been asked yet.

        Raises:
            PluginError: a plugin fails, or says what cannot be looked for.
        """
        secrets: list[str] = []
        patterns: list[re.Pattern[str]] = []
        for one in self.hooks.each("pytest_evals_redact"):
            mark = (one.hook, id(one.impl.plugin))
            if mark not in self._asked:
                self._asked.add(mark)
                texts, compiled = secrets_of(one)
                secrets += texts
                patterns += compiled
        return secrets, patterns

    def brought(self, *, ours: bool = False) -> dict[str, dict[str, list[str]]]:
        """Return what plugins bring: plugin -> kind -> names.

        Args:
            ours: whether what this package brings is among it.
        """
        found: dict[str, dict[str, list[str]]] = {}
        for family in self.families:
            for name in family:
                plugin = family.origin(name)
                if ours or plugin != OURS:
                    found.setdefault(plugin, {}).setdefault(family.kind.noun, []).append(name)
        return found

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        return tuple(self._scorers), tuple(self._providers)

    def provider(self, name: str) -> type[Provider] | None:
        """Return a provider's class; None where there is none of that name."""
        return self._providers.find(name)

    def scorer(self, name: str) -> type[Scorer] | None:
        """Return a scorer's class; None where there is none of that name."""
        return self._scorers.find(name)

    def loader(self, suffix: str) -> type[Loader] | None:
        """Return the loader of files whose names end so; None where there is none."""
        return self._loaders.find(suffix)

    def suffixes(self) -> tuple[str, ...]:
        """Return the endings of the names of files that can be loaded."""
        return tuple(self._loaders)

    def reporter(self, name: str) -> "type[Reporter] | None":
        """Return a reporter's class; None where there is none of that name."""
        return self._reporters.find(name)

    def reporters(self) -> tuple[str, ...]:
        """Return the names of all reporters."""
        return tuple(self._reporters)

    def store(self, scheme: str) -> "type[AnswerStore] | None":
        """Return the store of a scheme; None where there is none."""
        return self._stores.find(scheme)

    def stores(self) -> tuple[str, ...]:
        """Return the schemes of all stores."""
        return tuple(self._stores)

    def origin_of_store(self, scheme: str) -> str:
        """Return which plugin brought a store."""
        return self._stores.origin(scheme)

    def origin_of_reporter(self, name: str) -> str:
        """Return which plugin brought a reporter."""
        return self._reporters.origin(name)

    def bind(self, spec: ScorerSpec) -> Bound:
        """Make the scorer of a spec, once for all equal specs.

        Raises:
            SpecError: the scorer or one of its options is not right.
        """
        known = self._specs.get(id(spec))
        if known is not None and known[0] is spec:
            return known[1]
        key = spec.model_dump_json()
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = bind(spec, self.scorer, lambda: self._scorers)
        if len(self._specs) < MOST_SPECS:
            self._specs[id(spec)] = spec, bound
        return bound

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Bound, ...]:
        """Return the scorers of a case, in the order they were written."""
        return tuple(self.bind(spec) for spec in dataset.scorers_of(case))

    def parse_model(self, written: str) -> Model:
        """Make a model of ``provider:model``, or of a provider's bare name.

        Raises:
            SettingsError: no such provider, with a suggestion.
        """
        from pytest_evals.ground.errors import SettingsError

        provider, _, name = written.partition(":")
        if provider not in self._providers:
            raise SettingsError(
                f"no model and no provider is called {provider!r} (in {written!r})."
                + suggest(provider, self._providers)
            )
        return Model(id=written, provider=provider, model=name or None)

    def check(self, dataset: Dataset, *, code: bool = False) -> Iterator[tuple[Loc, str]]:
        """Yield every problem that only the registry can see, as the way to it and a message.

        Args:
            dataset: the dataset.
            code: whether a test function uses it: that may ask, assert and record on its own, so
                cases need no question and no scorer, and gates may name what only it records.
        """
        for i, model in enumerate(dataset.models):
            for loc, message in self.check_model(model):
                yield ("models", i, *loc), message
        self._seen.clear()
        if dataset.judges:
            yield from self._check_judges(dataset)
        yield from self._check_scorers(dataset, dataset.scorers, None, ("scorers",))
        for i, case in enumerate(dataset.cases):
            where: Loc = ("cases", i)
            yield from self._check_scorers(dataset, case.scorers, case, (*where, "scorers"))
            yield from self._check_case(dataset, case, where, code=code)
        yield from _check_models(dataset)
        if dataset.gates:
            yield from self._check_gates(dataset, code=code)

    def _check_judges(self, dataset: Dataset) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with the judges that a dataset defines, and with their models."""
        from pytest_evals.scorers.judge.definitions import check_judges, judge_models

        yield from check_judges(dataset)
        for loc, model in judge_models(dataset):
            for inner, message in self._check_asked(dataset, model):
                yield (*loc, *inner), message

    def _check_asked(self, dataset: Dataset, model: str | Model) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with a model that a scorer asks, where it was not told before."""
        text = model if isinstance(model, str) else model.model_dump_json()
        if text in self._seen:
            return
        self._seen.add(text)
        if isinstance(model, Model):
            yield from self.check_model(model)
            return
        known = [one.id for one in dataset.models]
        provider = model.partition(":")[0]
        if model not in known and provider not in self._providers:
            hint = suggest(provider, (*known, *self._providers))
            yield (), f"no model and no provider is called {provider!r} (in {model!r}).{hint}"

    def _check_gates(self, dataset: Dataset, *, code: bool) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with the gates: names of metrics, scorers, tags, models."""
        from pytest_evals.verdict.gate.check import check_gates, check_samples

        yield from check_samples(dataset)

        names: set[str] = set()
        for case in dataset.cases:
            for spec in dataset.scorers_of(case):
                try:
                    names.add(self.bind(spec).name)
                except SpecError:
                    continue  # told where the scorer stands
        if code:
            names.update(_scorers_of_gates(dataset))
        # With --evals-model the models asked need not be the file's: a name there is told at the
        # end of the session, so only names that no model in the file has are refused.
        models = [model.id for model in dataset.models or default_models(dataset)]
        yield from check_gates(dataset, names, models)

    def check_model(self, model: Model) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with a model: its provider, its options."""
        provider = self.provider(model.provider)
        if provider is None:
            hint = suggest(model.provider, self._providers)
            yield ("provider",), f"no provider is called {model.provider!r}.{hint}"
            return
        try:
            provider.Options.model_validate(model.options)
        except ValidationError as error:
            known = {*provider.Options.model_fields, *MODEL_FIELDS}
            for detail in error.errors(include_url=False):
                yield detail["loc"], _option_message(model, detail, known)

    def _check_scorers(
        self, dataset: Dataset, specs: Iterable[ScorerSpec], case: Case | None, where: Loc
    ) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with assertions."""
        for i, spec in enumerate(specs):
            try:
                bound = self.bind(spec)
            except SpecError as error:
                for loc, message in error.problems:
                    yield (*where, i, *loc), message
                continue
            for message in bound.check(dataset, case):
                yield (*where, i), message
            for model in () if bound.cheap else bound.scorer.models(dataset):
                for _, message in self._check_asked(dataset, model):
                    yield (*where, i), f"`{spec.type}`: {message}"

    def _check_case(
        self, dataset: Dataset, case: Case, where: Loc, *, code: bool
    ) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with a case as a whole."""
        if not dataset.scorers_of(case) and not code:
            yield (
                where,
                (
                    f"case {case.id!r} asserts nothing, so it would pass whatever is answered; "
                    "give it `scorers`, or give the dataset `scorers` for every case"
                ),
            )
        for spec in dataset.scorers if case.id else ():
            try:
                bound = self.bind(spec)
            except SpecError:
                continue
            # What is wrong on every case was said once, where the scorer stands.
            said = set(bound.check(dataset, None))
            for message in (m for m in bound.check(dataset, case) if m not in said):
                yield where, f"the dataset's scorer `{spec.type}` on this case: {message}"
        if case.expect:
            specs = (ScorerSpec(type="expect", options=case.expect),)
            for loc, message in self._check_scorers(dataset, specs, case, ()):
                yield (*where, "expect", *loc[1:]), message
        asks = case.input is not None or case.turns or case.script or dataset.prompt is not None
        if not asks and not code:
            yield where, f"case {case.id!r} asks nothing; give it `input` or `turns`"
        yield from _check_prompt(dataset, case, where)


def _option_message(model: Model, detail: Mapping[str, Any], known: Iterable[str]) -> str:
    """Word a problem with a provider's own option."""
    if detail["type"] == "extra_forbidden":
        key = str(detail["loc"][-1])
        return f"unknown key {key!r} for provider {model.provider!r}.{suggest(key, known)}"
    if detail["type"] == "missing":
        key = ".".join(map(str, detail["loc"]))
        return f"provider {model.provider!r} needs `{key}`"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{message}, found {detail['input']!r}"


def _scorers_of_gates(dataset: Dataset) -> Iterator[str]:
    """Yield the scorers that gates name, where these can be read."""
    from pytest_evals.verdict.gate.error import GateError
    from pytest_evals.verdict.gate.grammar import parse_gate

    for written in dataset.gates:
        try:
            gate = parse_gate(written)
            scorers = (gate.of, None if gate.compares else parse_metric(gate.metric).scorer)
        except (GateError, ValueError):
            continue  # `check_gates` says what is wrong
        yield from (name for name in scorers if name)


def _check_models(dataset: Dataset) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with the models together: doubles, missing scripts."""
    seen: dict[str, int] = {}
    for i, model in enumerate(dataset.models):
        if model.id in seen:
            yield ("models", i), f"model id {model.id!r} stands twice; give one of them an `id`"
        seen[model.id] = i
    for model in dataset.models or default_models(dataset):
        if model.provider == "script":
            yield from _check_scripts(dataset, model)


def _check_scripts(dataset: Dataset, model: Model) -> Iterator[tuple[Loc, str]]:
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


def _check_prompt(dataset: Dataset, case: Case, where: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield the variables that the prompt or the case's messages use and the case lacks."""
    known = {"input", *case.variables}
    messages: list[tuple[Loc, Message]] = []
    if dataset.prompt is not None:
        messages += [(where, message) for message in dataset.prompt.messages]
    for loc, message in messages:
        try:
            check_template(message.text, known)
        except TemplateError as error:
            yield loc, f"the prompt does not fit case {case.id!r}: {error}"
