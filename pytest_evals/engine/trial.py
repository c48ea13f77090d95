"""TrialRunner: carries out the plan of a trial, and makes its result."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import time

from pytest_evals.engine.capture import captured, text_of
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.engine.route import Route
from pytest_evals.engine.scorers_digest import scorers_digest
from pytest_evals.engine.scoring import TrialScorer
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.engine.trial_plan import CallStep, TrialPlan
from pytest_evals.exchange import Exchange, Request
from pytest_evals.ground.watchdog import Watchdog
from pytest_evals.matrix import Trial
from pytest_evals.model import Model
from pytest_evals.result import AnyScore, TrialResult, mean_score
from pytest_evals.scorers.bound import Bound

_Ask = Callable[[Request], Awaitable[Exchange]]
"""Answers a request of a trial."""


@dataclass(slots=True)
class TrialRunner:
    """Runs trials."""

    scorer: TrialScorer
    scorers: Callable[[Trial], tuple[Bound, ...]]
    """Returns the scorers of a trial."""
    trial_timeout_s: float
    session_end: float | None = None
    """When the session must end, by `time.monotonic`."""
    replays: Mapping[str, ReplayRun] = field(default_factory=dict)
    """Answers of an earlier run, by the dataset's name."""
    watchdog: Watchdog = field(default_factory=Watchdog)
    """Is told which trials execute user code."""

    _digests: dict[tuple[object, ...], str] = field(default_factory=dict)

    @property
    def caller(self) -> ModelCaller:
        """Makes the calls."""
        return self.scorer.caller

    def route(self, trial: Trial, judge: str | Model | None) -> Route:
        """Return the route to a trial's model, or to a judge's model."""
        return self.scorer.route(trial, judge)

    async def run(self, trial: Trial, route: Route | None = None) -> TrialResult:
        """Run one trial to its end; every error is in its result.

        Args:
            trial: the trial.
            route: the route to user code that answers for the trial's model.
        """
        clock = self.clock()
        replay = self.replays.get(trial.dataset.name)
        ask = self._asking(trial, route, clock) if replay is None else _replaying(trial, replay)
        plan = TrialPlan(trial, self.scorers(trial), can_revise=replay is None)
        judge_exchanges: list[Exchange] = []
        started_at = time()
        with captured() as output, self.watchdog.naming(trial.id):
            while (step := plan.step) is not None:
                if isinstance(step, CallStep):
                    plan.record_exchange(await ask(step.request))
                else:
                    plan.record_scores(
                        await self.scorer.score(
                            trial, step.bounds, step.exchanges, clock, judge_exchanges
                        )
                    )
        outcome, error = plan.outcome()
        return TrialResult(
            id=trial.id,
            dataset=trial.dataset.name,
            case_id=trial.case.id,
            model_id=trial.model.id,
            sample=trial.sample,
            outcome=outcome,
            scores=plan.scores,
            score=mean_score(plan.scores),
            error=error,
            exchanges=(*plan.exchanges, *judge_exchanges),
            tags=trial.case.tags,
            metadata=trial.case.metadata,
            source=trial.case.source,
            started_at=started_at,
            duration_s=clock.used_s,
            case_digest=trial.case.digest,
            output=text_of(output),
            beyond=trial.is_optional,
            scorers_digest=self._scorers_digest(trial),
            revisions=plan.revisions,
            first=plan.first,
        )

    def clock(self) -> TrialClock:
        """Return the clock of a new trial."""
        return TrialClock(self.trial_timeout_s, session_end=self.session_end)

    async def score(
        self,
        trial: Trial,
        bounds: Sequence[Bound],
        exchanges: tuple[Exchange, ...],
        clock: TrialClock,
    ) -> tuple[tuple[AnyScore, ...], tuple[Exchange, ...]]:
        """Score a conversation by some scorers; return their scores, and the calls of judges.

        Args:
            trial: the trial.
            bounds: the scorers, in the order of their scores.
            exchanges: the conversation; at least one exchange.
            clock: the trial's time.
        """
        judge_exchanges: list[Exchange] = []
        with captured():
            scores = await self.scorer.score(
                trial, bounds, exchanges, clock, judge_exchanges, counts_time=False
            )
        return scores, tuple(judge_exchanges)

    def _asking(self, trial: Trial, route: Route | None, clock: TrialClock) -> _Ask:
        """Return what calls the model under test."""
        route = self.route(trial, None) if route is None else route
        return partial(self.caller.call, route, clock=clock)

    def _scorers_digest(self, trial: Trial) -> str:
        """Return the digest of a trial's assertions, computed once for all trials with the same."""
        bounds = self.scorers(trial)
        key = (trial.dataset.name, *map(id, bounds))
        cached = self._digests.get(key)
        if cached is None:
            cached = scorers_digest(trial.dataset, trial.case, bounds, code=trial.function_digest)
            self._digests[key] = cached
        return cached


def _replaying(trial: Trial, replay: ReplayRun) -> _Ask:
    """Return what takes the answers of an earlier run; the model needs no provider here."""

    async def ask(request: Request) -> Exchange:
        return replay.exchange(trial.model.id, request)

    return ask
