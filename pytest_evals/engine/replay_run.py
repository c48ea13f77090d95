"""ReplayRun: the answers of an earlier run in the place of the models under test."""

from collections.abc import Iterable

from pytest_evals.exchange import ErrorInfo, Exchange, Request
from pytest_evals.ground.errors import AnswerError
from pytest_evals.matrix import Trial
from pytest_evals.result import TrialResult


class ReplayRun:
    """Gives the answers of a run again, each to the same question; nothing is called.

    Args:
        run_id: the run.
        results: its trials of one dataset.
    """

    def __init__(self, run_id: str, results: Iterable[TrialResult]) -> None:
        self.run_id = run_id
        self.samples: dict[str, int] = {}
        """How often each case was asked of each model."""
        self._answers: dict[tuple[str, str, int], tuple[Exchange, ...]] = {}
        for result in results:
            key = (result.case_id, result.model_id, result.sample)
            self._answers[key] = result.answers
            known = self.samples.get(result.case_id, 0)
            self.samples[result.case_id] = max(known, result.sample + 1)

    def exchange(self, model_id: str, request: Request) -> Exchange:
        """Return the recorded answer to a question, or why there is none.

        A question that is no longer the recorded one has no answer: it is STALE.
        """
        found = self._answers.get((request.case_id, model_id, request.sample), ())
        turn = next((e for e in found if e.request.turn == request.turn), None)
        if turn is None or (turn.error is not None and turn.error.type == "not_run"):
            return self._stale(model_id, request, "holds no answer of")
        changed = _changed(turn.request, request)
        if changed:
            return self._stale(model_id, request, f"was asked with another {changed}:", turn)
        source = turn.source if turn.source == "scripted" else "stored"
        return turn.model_copy(update={"request": request, "source": source})

    def exchange_of_test(self, trial: Trial, request: Request) -> Exchange:
        """Return the recorded answer to what a test asked of a model of its choice, or why not."""
        found = self.exchange(trial.model.id, request)
        if found.response is None or found.model_id == request.model_id:
            return found
        return self._stale(request.model_id, request, "asked another model here, not that of")

    def _stale(
        self, model_id: str, request: Request, why: str, found: Exchange | None = None
    ) -> Exchange:
        sample = f", sample {request.sample}" if request.sample else ""
        told = f"STALE: run {self.run_id} {why} case {request.case_id!r} under {model_id!r}{sample}"
        return Exchange(
            request=request,
            error=ErrorInfo.of(AnswerError("stale", told)),
            model_id=model_id,
            key="" if found is None else found.key,
            source="stored",
        )


def _changed(before: Request, now: Request) -> str:
    """Name the first part of a question that differs; empty where it is the same."""
    parts = {
        "prompt": (before.messages, now.messages),
        "input": (before.input, now.input),
        "set of variables": (before.variables, now.variables),
        "set of tools": (before.tools, now.tools),
        "response format": (before.response_format, now.response_format),
    }
    return next((name for name, (old, new) in parts.items() if old != new), "")
