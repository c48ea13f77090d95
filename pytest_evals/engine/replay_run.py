"""ReplayRun: the answers of an earlier run replace calls of the models under test. Pure."""

from collections.abc import Iterable

from pytest_evals.exchange import ErrorInfo, Exchange, Request
from pytest_evals.ground.errors import AnswerError
from pytest_evals.matrix import Trial
from pytest_evals.result import TrialResult


class ReplayRun:
    """Replays the answers of a run, each for the same request; no call is made.

    Args:
        run_id: the run.
        results: its trials of one dataset.
        confirmations: its confirmation samples of the dataset; None if it could not be confirmed.
    """

    def __init__(
        self,
        run_id: str,
        results: Iterable[TrialResult],
        confirmations: Iterable[TrialResult] | None = None,
    ) -> None:
        self.run_id = run_id
        self.has_confirmations = confirmations is not None
        """Whether cases that look broken are confirmed by the run's samples."""
        self.samples: dict[str, int] = {}
        """The number of samples of each case."""
        self._answers: dict[tuple[str, str, int], tuple[Exchange, ...]] = {}
        for result in results:
            self._answers[_key(result)] = result.answers
            samples = self.samples.get(result.case_id, 0)
            self.samples[result.case_id] = max(samples, result.sample + 1)
        for result in confirmations or ():
            self._answers[_key(result)] = result.answers

    def exchange(self, model_id: str, request: Request) -> Exchange:
        """Return the recorded answer to a request, or an error that says why there is none.

        If the request has changed since, the recorded answer is STALE.
        """
        answers = self._answers.get((request.case_id, model_id, request.sample), ())
        turn = next((e for e in answers if e.request.turn == request.turn), None)
        if turn is None or (turn.error is not None and turn.error.type == "not_run"):
            return self._stale(model_id, request, "holds no answer of")
        changed = _changed_part(turn.request, request)
        if changed:
            return self._stale(model_id, request, f"was asked with another {changed}:", turn)
        source = turn.source if turn.source == "scripted" else "stored"
        return turn.model_copy(update={"request": request, "source": source})

    def exchange_of_test(self, trial: Trial, request: Request) -> Exchange:
        """Return the recorded answer to a call that a test makes to a model of its choice."""
        exchange = self.exchange(trial.model.id, request)
        if exchange.response is None or exchange.model_id == request.model_id:
            return exchange
        return self._stale(request.model_id, request, "asked another model here, not that of")

    def _stale(
        self, model_id: str, request: Request, reason: str, recorded: Exchange | None = None
    ) -> Exchange:
        """Make the exchange of a request without a usable answer."""
        sample = f", sample {request.sample}" if request.sample else ""
        run = f"run {self.run_id} {reason}"
        message = f"STALE: {run} case {request.case_id!r} under {model_id!r}{sample}"
        return Exchange(
            request=request,
            error=ErrorInfo.of(AnswerError("stale", message)),
            model_id=model_id,
            key="" if recorded is None else recorded.key,
            source="stored",
        )


def _key(result: TrialResult) -> tuple[str, str, int]:
    return result.case_id, result.model_id, result.sample


def _changed_part(before: Request, now: Request) -> str:
    """Name the first part of a request that differs; empty if none does."""
    parts = {
        "prompt": (before.messages, now.messages),
        "input": (before.input, now.input),
        "set of variables": (before.variables, now.variables),
        "set of tools": (before.tools, now.tools),
        "response format": (before.response_format, now.response_format),
    }
    return next((name for name, (old, new) in parts.items() if old != new), "")
