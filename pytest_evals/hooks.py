"""Hooks: calls the implementation of each plugin separately, so that an error names its plugin.

Knows pluggy, entry points and the names of hooks. The registry checks what the hooks return.
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
"""The group of the entry points that ``--evals`` and the command line load."""
OURS = "pytest-evals-matrix itself"
"""The name of this package in messages."""
PREFIX = "pytest_evals_"


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's function for one hook."""

    plugin: str
    """The name of the plugin in messages."""
    hook: str
    impl: pluggy.HookImpl = field(repr=False)

    def __str__(self) -> str:
        return f"{self.hook} of the plugin {self.plugin}"

    def __call__(self, **arguments: Any) -> Any:
        """Call it with the arguments that it declares.

        Raises:
            PluginError: it raised an exception, or is no plain function.
        """
        if self.impl.hookwrapper or self.impl.wrapper:
            raise PluginError(
                f"{self} is a wrapper; each plugin is asked by itself, so write a plain function"
            )
        try:
            value = self.impl.function(*(arguments[name] for name in self.impl.argnames))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # `pytest.skip()` and `sys.exit()` would stop the engine
            raise PluginError(
                f"{self} raised {type(error).__name__}: {error}", detail=user_traceback(error)
            ) from error
        if inspect.iscoroutine(value):
            value.close()
            raise PluginError(f"{self} is a coroutine function; write a plain one")
        return value


class Hooks:
    """The implementations of all hooks.

    Args:
        manager: holds the plugins; the specifications have been added to it.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._origins: dict[int, str] = {}

    def load_entry_points(self) -> None:
        """Load the plugins of the group ``pytest_evals`` that are neither blocked nor loaded.

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
        """Reject functions whose names look like hooks.

        Raises:
            PluginError: the function, with a suggestion.
        """
        names = hooks()
        for name in dir(plugin):
            if name.startswith(PREFIX) and name not in names and callable(getattr(plugin, name)):
                raise PluginError(
                    f"the plugin {self._origins[id(plugin)]} has {name}, which is no hook."
                    + suggest(name, names)
                )

    def register(self, plugin: object, name: str) -> None:
        """Register a built-in plugin."""
        self._manager.register(plugin, name=name)
        self._origins[id(plugin)] = OURS

    def each(self, hook: str) -> Iterator[Implementation]:
        """Yield the implementations of a hook, that of the plugin registered last first."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for impl in reversed(caller.get_hookimpls()):
            yield Implementation(self.name_of(impl), hook, impl)

    def any(self, *hooks: str) -> bool:
        """Whether any plugin implements one of the hooks."""
        return any(getattr(self._manager.hook, hook).get_hookimpls() for hook in hooks)

    def name_of(self, impl: pluggy.HookImpl) -> str:
        """Return the name of a plugin in messages: its package, file, class or registered name."""
        origin = self._origins.get(id(impl.plugin))
        if origin is not None:
            return origin
        if inspect.ismodule(impl.plugin):
            path = Path(impl.plugin.__file__ or impl.plugin_name)
            if path.name != "conftest.py":
                return str(impl.plugin.__name__)
            folder = Path.cwd()
            return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()
        if impl.plugin_name.isdecimal():
            return f"{type(impl.plugin).__module__}.{type(impl.plugin).__qualname__}"
        return impl.plugin_name


class InstalledPlugins(pluggy.PluginManager):
    """The plugins without pytest: those of entry points."""

    def __init__(self) -> None:
        from pytest_evals import hookspecs

        super().__init__("pytest")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """Accept functions with the names of hooks, marked or not, as pytest does."""
        if not name.startswith(PREFIX):
            return None
        method = getattr(plugin, name, None)
        if not inspect.isroutine(method):
            return None
        marked = getattr(method, "pytest_impl", None)
        return marked if isinstance(marked, dict) else {}
