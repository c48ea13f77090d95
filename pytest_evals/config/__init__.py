"""Settings: each option once, and the frozen values a session runs with.

`settings` is the table of options, `option` is the noun of one entry, `parsers` makes values of
texts, `locations` says where a path begins, and `read` makes the settings of a session. Nothing
heavy is imported here: pytest reads the table in every session.
"""

from pytest_evals.config.locations import detached_values
from pytest_evals.config.read import read_settings
from pytest_evals.config.settings import FILES_DEFAULT, OPTIONS, RESPONSE_MODES, Option, Settings

__all__ = [
    "FILES_DEFAULT",
    "OPTIONS",
    "RESPONSE_MODES",
    "Option",
    "Settings",
    "detached_values",
    "read_settings",
]
