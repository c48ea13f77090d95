"""Registry: the members of every family by name, and the hooks of plugins.

A new provider, scorer, loader, reporter or store is a file of its own and a line in `builtin`.
"""

from pytest_evals.registry.builtin import LOADERS, PROVIDERS, REPORTERS, STORES
from pytest_evals.registry.registry import Registry

__all__ = ["LOADERS", "PROVIDERS", "REPORTERS", "STORES", "Registry"]
