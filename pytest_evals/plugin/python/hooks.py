"""The plugin object of evals written in Python: what it does at collection, and around a test."""

from collections.abc import Generator

import pytest

from pytest_evals.engine import capture
from pytest_evals.exchange import ErrorInfo
from pytest_evals.ground.errors import AnswerError
from pytest_evals.plugin.collect import TRIAL
from pytest_evals.plugin.python.collect import Collection


class PythonEvals(Collection):
    """Collects and runs marked test functions."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin with a clean slate, also where the test is run again."""
        trial = item.stash.get(TRIAL, None)
        if trial is not None:
            from pytest_evals.plugin.python.turn import TURN, Turn

            capture.install()
            item.stash[TURN] = Turn(self._evals, trial)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count the scores when the body of a test has ended: next to it, as if it asserted them.

        Raises:
            Unmet: a score fails the trial.
            EvalsError: something could not be scored.
        """
        __tracebackhide__ = True
        if TRIAL not in item.stash:
            return (yield)
        from time import monotonic

        from pytest_evals.plugin.python.outcome import close, is_wrong_answer
        from pytest_evals.plugin.python.turn import TURN

        turn = item.stash[TURN]
        turn.began = monotonic()
        try:
            done = yield
        except AnswerError as error:
            if error.type != "not_run":
                raise
            turn.not_run = ErrorInfo(type="not_run", message=error.message)
            pytest.skip(f"not run: {error.message}")
        except BaseException as error:
            if is_wrong_answer(error):
                close(turn, passed=False)
            raise
        close(turn, passed=True)
        return done

    def pytest_unconfigure(self) -> None:
        """Close the event loop of targets, where one was made."""
        import sys

        loops = sys.modules.get("pytest_evals.plugin.python.loops")
        if loops is not None:
            loops.close()
