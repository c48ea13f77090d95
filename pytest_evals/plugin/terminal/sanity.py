"""The end of a sanity run on the terminal: the cases that pass on a wrong answer."""

import pytest

from pytest_evals.ground.plain_text import neutral
from pytest_evals.session.sanity import WRONG_ANSWERS


class SanitySummary:
    """Lists the cases that pass on a wrong answer."""

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Draw the list."""
        passing: dict[str, list[str]] = {}
        for report in terminalreporter.stats.get("failed", ()):
            for name in WRONG_ANSWERS:
                case, mark, rest = report.nodeid.partition(f"[sanity-{name}]")
                if mark and not rest:
                    passing.setdefault(case, []).append(name)
        if not passing or terminalreporter.config.option.verbose < 0:
            return
        terminalreporter.section("cases that pass on a wrong answer", sep="-")
        for case, names in passing.items():
            answers = ", ".join(text for name, text in WRONG_ANSWERS.items() if name in names)
            terminalreporter.write_line(f"{neutral(case)}: {answers}", yellow=True)
