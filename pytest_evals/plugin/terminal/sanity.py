"""The end of a sanity run on the terminal: the cases that pass on a wrong answer."""

import pytest

from pytest_evals.ground.plain_text import neutral
from pytest_evals.session.sanity import KINDS


class SanitySummary:
    """Lists the cases that pass on a wrong answer."""

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Draw the list."""
        passing: dict[str, list[str]] = {}
        for report in terminalreporter.stats.get("failed", ()):
            for kind in KINDS:
                case, mark, rest = report.nodeid.partition(f"[sanity-{kind}]")
                if mark and not rest:
                    passing.setdefault(case, []).append(kind)
        if not passing or terminalreporter.config.option.verbose < 0:
            return
        terminalreporter.section("cases that pass on a wrong answer", sep="-")
        for case, kinds in passing.items():
            answers = ", ".join(KINDS[kind] for kind in KINDS if kind in kinds)
            terminalreporter.write_line(f"{neutral(case)}: {answers}", yellow=True)
