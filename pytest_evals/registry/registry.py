"""Registry: every provider, scorer, loader, reporter and store by name.

Built-in members and those of plugins are registered by the same hooks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import SettingsError, suggest
from pytest_evals.hooks import OURS, Hooks, Implementation, InstalledPlugins
from pytest_evals.loaders.base import Loader, Loc
from pytest_evals.model import Model
from pytest_evals.providers.base import Provider
from pytest_evals.registry.builtin import Builtin
from pytest_evals.registry.checks import DatasetChecks, model_problems
from pytest_evals.registry.family import FAMILIES, Family
from pytest_evals.registry.observer_hooks import secrets_of
from pytest_evals.scorers.base import Scorer
from pytest_evals.scorers.binding import bind
from pytest_evals.scorers.bound import Bound

if TYPE_CHECKING:
    import re

    from pytest_evals.reporters.base import Reporter
    from pytest_evals.responses.base import AnswerStore

MAX_CACHED_SPECS = 4096
"""Specs cached by identity; further ones are cached by their JSON, which is slower."""


class Registry:
    """Every member of every family by name.

    Args:
        hooks: the plugins.

    Raises:
        PluginError: a plugin fails, or registers an invalid member.
    """

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self._providers: Family[Provider] = Family(FAMILIES["providers"])
        self._scorers: Family[Scorer] = Family(FAMILIES["scorers"])
        self._loaders: Family[Loader] = Family(FAMILIES["loaders"])
        self._reporters: Family[Reporter] = Family(FAMILIES["reporters"])
        self._stores: Family[AnswerStore] = Family(FAMILIES["stores"])
        self._bound: dict[str, Bound] = {}
        self._specs: dict[int, tuple[ScorerSpec, Bound]] = {}
        self._called: set[tuple[str, int]] = set()
        """The plugins whose hooks were called, by hook."""
        self.take()

    @classmethod
    def builtin(cls) -> Self:
        """Make the registry of the built-in members."""
        hooks = Hooks(InstalledPlugins())
        hooks.register(Builtin(), "evals-builtin")
        return cls(hooks)

    @classmethod
    def installed(cls) -> Self:
        """Make the registry of this package and of all plugins with an entry point.

        Raises:
            PluginError: a plugin cannot be imported, fails, or registers an invalid member.
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
        """Register the members of the plugins whose hooks have not been called yet.

        Raises:
            PluginError: a plugin fails, or registers an invalid member.
        """
        for family in self.families:
            hooks = reversed(list(self.hooks.each(family.spec.hook)))
            # Built-in members first: a plugin that uses one of their names is the one to blame.
            for hook in sorted(hooks, key=lambda hook: hook.plugin != OURS):
                if self._is_new(hook):
                    family.add(hook.plugin, hook())

    def redactions(self) -> "tuple[list[str], list[re.Pattern[str]]]":
        """Return the secrets and patterns of the plugins whose hooks have not been called yet.

        Raises:
            PluginError: a plugin fails, or returns something that cannot be searched for.
        """
        secrets: list[str] = []
        patterns: list[re.Pattern[str]] = []
        for hook in self.hooks.each("pytest_evals_redact"):
            if self._is_new(hook):
                texts, compiled = secrets_of(hook)
                secrets += texts
                patterns += compiled
        return secrets, patterns

    def _is_new(self, hook: Implementation) -> bool:
        """Whether a plugin's hook has not been called yet; it counts as called from now on."""
        key = (hook.hook, id(hook.impl.plugin))
        is_new = key not in self._called
        self._called.add(key)
        return is_new

    def members_by_plugin(self, *, ours: bool = False) -> dict[str, dict[str, list[str]]]:
        """Return the registered names: plugin -> noun of the family -> names.

        Args:
            ours: whether the built-in members are included.
        """
        members: dict[str, dict[str, list[str]]] = {}
        for family in self.families:
            for name in family:
                plugin = family.origin(name)
                if ours or plugin != OURS:
                    members.setdefault(plugin, {}).setdefault(family.spec.noun, []).append(name)
        return members

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        return tuple(self._scorers), tuple(self._providers)

    def provider(self, name: str) -> type[Provider] | None:
        """Return a provider's class; None if there is none of that name."""
        return self._providers.find(name)

    def scorer(self, name: str) -> type[Scorer] | None:
        """Return a scorer's class; None if there is none of that name."""
        return self._scorers.find(name)

    def loader(self, suffix: str) -> type[Loader] | None:
        """Return the loader of a file name suffix; None if there is none."""
        return self._loaders.find(suffix)

    def suffixes(self) -> tuple[str, ...]:
        """Return the file name suffixes that can be loaded."""
        return tuple(self._loaders)

    def reporter(self, name: str) -> "type[Reporter] | None":
        """Return a reporter's class; None if there is none of that name."""
        return self._reporters.find(name)

    def reporters(self) -> tuple[str, ...]:
        """Return the names of all reporters."""
        return tuple(self._reporters)

    def store(self, scheme: str) -> "type[AnswerStore] | None":
        """Return the store of a scheme; None if there is none."""
        return self._stores.find(scheme)

    def stores(self) -> tuple[str, ...]:
        """Return the schemes of all stores."""
        return tuple(self._stores)

    def origin_of_store(self, scheme: str) -> str:
        """Return the plugin that registered a store."""
        return self._stores.origin(scheme)

    def origin_of_reporter(self, name: str) -> str:
        """Return the plugin that registered a reporter."""
        return self._reporters.origin(name)

    def bind(self, spec: ScorerSpec) -> Bound:
        """Make the scorer of a spec, once for all equal specs.

        Raises:
            SpecError: the scorer or one of its options is invalid.
        """
        cached = self._specs.get(id(spec))
        if cached is not None and cached[0] is spec:
            return cached[1]
        key = spec.model_dump_json()
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = bind(spec, self.scorer, lambda: self._scorers)
        if len(self._specs) < MAX_CACHED_SPECS:
            self._specs[id(spec)] = spec, bound
        return bound

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Bound, ...]:
        """Return the scorers of a case, in their order in the file."""
        return tuple(self.bind(spec) for spec in dataset.scorers_of(case))

    def parse_model(self, text: str) -> Model:
        """Make a model of ``provider:model``, or of a provider's bare name.

        Raises:
            SettingsError: no such provider, with a suggestion.
        """
        provider, _, name = text.partition(":")
        if provider not in self._providers:
            raise SettingsError(
                f"no model and no provider is called {provider!r} (in {text!r})."
                + suggest(provider, self._providers)
            )
        return Model(id=text, provider=provider, model=name or None)

    def check(self, dataset: Dataset, *, code: bool = False) -> Iterator[tuple[Loc, str]]:
        """Yield every problem that only the registry can see, as its location and a message.

        Args:
            dataset: the dataset.
            code: whether a test function uses it. The function may call, assert and record by
                itself, so cases need no input and no scorer.
        """
        return DatasetChecks(self, dataset, code=code).problems()

    def check_model(self, model: Model) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with a model: its provider, its options."""
        return model_problems(self, model)
