"""A session with ``--evals`` that ran nothing, as `session.nothing_ran` asks about it."""

import pytest

from pytest_evals.session.nothing_ran import Selection


def selection_of(reporter: "pytest.TerminalReporter") -> Selection:
    """Return what the session could run, and what the user selected."""
    config = reporter.config
    deselected = reporter.stats.get("deselected", ())
    begin = config.invocation_params.dir
    return Selection(
        folders=[begin / argument.partition("::")[0] for argument in config.args],
        globs=config.getini("evals_files"),
        deselected=len(deselected),
        example=deselected[0].nodeid if deselected else "",
        options={"-k": config.option.keyword, "-m": config.option.markexpr},
    )
