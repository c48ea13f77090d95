"""Hooks called: each plugin's implementation by itself, so that a fault has a name.

Knows pluggy, entry points and the names of hooks; what the hooks bring is the registry's to judge.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from pytest_evals.ground.errors import PluginError, suggest
from pytest_evals.ground.user_code import user_traceback
from pytest_evals.hookspecs import hooks

GROUP = "pytest_evals"
"""The group of entry points that are loaded with ``--evals`` and by the command line."""
OURS = "pytest-evals-matrix itself"
"""What messages call this package."""
PREFIX = "pytest_evals_"


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's function for one hook."""

    plugin: str
    """What messages call the plugin."""
    hook: str
    impl: pluggy.HookImpl = field(repr=False)

    def __str__(self) -> str:
        return f"{self.hook} of the plugin {self.plugin}"

    def __call__(self, **given: Any) -> Any:
        """Call it with those arguments that it takes.

        Raises:
            PluginError: it raised, or is no plain function.
        """
        if self.impl.hookwrapper or self.impl.wrapper:
            raise PluginError(
                f"{self} is a wrapper; each plugin is asked by itself, so write a plain function"
            )
        try:
            found = self.impl.function(*(given[name] for name in self.impl.argnames))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # `pytest.skip()` and `sys.exit()` would stop the engine
            raise PluginError(
                f"{self} raised {type(error).__name__}: {error}", detail=user_traceback(error)
            ) from error
        if inspect.iscoroutine(found):
            found.close()
            raise PluginError(f"{self} is a coroutine function; write a plain one")
        return found


class Hooks:
    """The implementations of all hooks.

    Args:
        manager: knows the plugins; the specifications have been added to it.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._origins: dict[int, str] = {}

    def load_entry_points(self) -> None:
        """Load the plugins of the group ``pytest_evals``, but those that are turned off or here.

        Raises:
            PluginError: one cannot be imported.
        """
        from importlib.metadata import entry_points

        for entry in entry_points(group=GROUP):
            if self._manager.is_blocked(entry.name) or self._manager.has_plugin(entry.name):
                continue
            package = "" if entry.dist is None else f" ({entry.dist.name} {entry.dist.version})"
            try:
                plugin = entry.load()
            except Exception as error:
                raise PluginError(
                    f"the plugin {entry.name}{package} cannot be imported from {entry.value!r}: "
                    f"{type(error).__name__}: {error}; turn it off with -p no:{entry.name}",
                    detail=user_traceback(error),
                ) from error
            self._origins[id(plugin)] = f"{entry.name}{package}"
            self._refuse_unknown(plugin)
            try:
                if not self._manager.is_registered(plugin):
                    self._manager.register(plugin, name=entry.name)
            except pluggy.PluginValidationError as error:
                raise PluginError(f"the plugin {entry.name}{package}: {error}") from error

    def _refuse_unknown(self, plugin: object) -> None:
        """Refuse functions that look like hooks and are none.

        Raises:
            PluginError: there is one, with a suggestion.
        """
        known = hooks()
        for name in dir(plugin):
            if name.startswith(PREFIX) and name not in known and callable(getattr(plugin, name)):
                raise PluginError(
                    f"the plugin {self._origins[id(plugin)]} has {name}, which is no hook."
                    + suggest(name, known)
                )

    def register(self, plugin: object, name: str) -> None:
        """Register a plugin of this package."""
        self._manager.register(plugin, name=name)
        self._origins[id(plugin)] = OURS

    def each(self, hook: str) -> Iterator[Implementation]:
        """Yield a hook's implementations, that of the plugin registered last first."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for impl in reversed(caller.get_hookimpls()):
            yield Implementation(self.name_of(impl), hook, impl)

    def any(self, *hooks: str) -> bool:
        """Whether any plugin implements any of some hooks."""
        return any(getattr(self._manager.hook, hook).get_hookimpls() for hook in hooks)

    def name_of(self, impl: pluggy.HookImpl) -> str:
        """Return what messages call a plugin: its package, its file, its class or its name."""
        known = self._origins.get(id(impl.plugin))
        if known is not None:
            return known
        if inspect.ismodule(impl.plugin):
            path = Path(impl.plugin.__file__ or impl.plugin_name)
            if path.name != "conftest.py":
                return str(impl.plugin.__name__)
            here = Path.cwd()
            return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
        if impl.plugin_name.isdecimal():
            return f"{type(impl.plugin).__module__}.{type(impl.plugin).__qualname__}"
        return impl.plugin_name


class InstalledPlugins(pluggy.PluginManager):
    """The plugins that there are without pytest: those of entry points."""

    def __init__(self) -> None:
        from pytest_evals import hookspecs

        super().__init__("pytest")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """Take functions of our hooks' names, marked or not, as pytest does."""
        if not name.startswith(PREFIX):
            return None
        method = getattr(plugin, name, None)
        if not inspect.isroutine(method):
            return None
        marked = getattr(method, "pytest_impl", None)
        return marked if isinstance(marked, dict) else {}
