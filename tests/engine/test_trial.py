"""Trials run to their end: the plan carried out, and a result that says everything."""

import asyncio
from pathlib import Path

from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.engine.scoring import TrialScorer
from pytest_evals.engine.trial import TrialRunner
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model
from pytest_evals.providers.script import ScriptProvider
from pytest_evals.result import Outcome
from tests.engine._fakes import (
    BUILTIN,
    caller_with,
    dataset_of,
    provider_class,
    route_to,
    run,
    trial_of,
    trials_of,
)


def runner_with(provider, model=None, **fields):
    """Make a runner whose only model is a fake."""
    route = route_to(provider, *([model] if model else []))
    scorer = TrialScorer(caller_with(), lambda trial, judge: route, asyncio.to_thread, Path())
    return TrialRunner(
        scorer=scorer,
        scorers=lambda trial: BUILTIN.scorers_of(trial.dataset, trial.case),
        trial_timeout_s=fields.pop("trial_timeout_s", 60.0),
        **fields,
    )


def test_a_passing_trial():
    """Its result has the answer, the scores and what it took."""
    trial = trial_of(tags=["t"], metadata={"k": 1})
    result = run(runner_with(provider_class("oh yes")).run(trial))
    assert (result.id, result.outcome, result.error) == (trial.id, Outcome.PASSED, None)
    assert result.exchanges[0].response.text == "oh yes"
    assert [s.passed for s in result.scores] == [True]
    assert (result.tags, result.metadata, result.case_digest) == (
        ("t",), {"k": 1}, trial.case.digest,
    )  # fmt: skip
    assert len(result.scorers_digest) == 16
    assert 0 < result.duration_s < 10


def test_a_failing_and_an_errored_trial():
    """A wrong answer fails, no answer is an error."""
    failed = run(runner_with(provider_class("no")).run(trial_of()))
    assert (failed.outcome, failed.error) == (Outcome.FAILED, None)

    def answer(request):
        raise AnswerError("invalid_request", "bad")

    errored = run(runner_with(provider_class(answer)).run(trial_of()))
    assert (errored.outcome, errored.error.message, errored.scores) == (
        Outcome.ERRORED, "bad", (),
    )  # fmt: skip


def test_turns_are_played_by_the_script_provider():
    """Each turn sees the thread so far."""
    script = [{"kind": "chat_response", "content": text} for text in ("one", "two yes")]
    model = Model(id="s", provider="script")
    trial = trial_of(model, input=None, turns=["a", "b"], script=script)
    result = run(runner_with(ScriptProvider, model).run(trial))
    assert result.outcome is Outcome.PASSED
    second = result.exchanges[1].request
    assert [m.text for m in second.messages] == ["a", "one", "b"]


def test_an_error_in_the_first_turn_ends_the_conversation():
    """The second turn is not called."""

    def answer(request):
        raise AnswerError("invalid_request", "bad")

    provider = provider_class(answer)
    result = run(runner_with(provider).run(trial_of(input=None, turns=["a", "b"])))
    assert (len(result.exchanges), len(provider.calls)) == (1, 1)


def test_output_of_user_code_belongs_to_its_trial(capsys):
    """Two trials at once do not mix what they print."""
    from pytest_evals.engine import capture

    async def speak(request):
        print(f"about {request.messages[-1].text}")
        await asyncio.sleep(0.01)
        return Response(text="yes")

    async def scenario():
        runner = runner_with(provider_class(speak))
        trials = trials_of(dataset_of({"input": "a"}, {"input": "b"}))
        return await asyncio.gather(*map(runner.run, trials))

    with capsys.disabled():
        capture.install()
        try:
            results = run(scenario())
        finally:
            capture.remove()
    assert [result.output for result in results] == ["about a\n", "about b\n"]


def test_a_replay_calls_nothing():
    """The answers of an earlier run are scored again."""
    provider = provider_class("oh yes")
    trial = trial_of()
    first = run(runner_with(provider).run(trial))
    replayed = run(runner_with(provider, replays={"d": ReplayRun("r", [first])}).run(trial))
    assert (replayed.outcome, replayed.exchanges[0].source) == (Outcome.PASSED, "stored")
    assert len(provider.calls) == 1


def test_user_code_has_a_route_of_its_own():
    """The trial's model is not called."""
    model, code = provider_class("no"), provider_class("yes")
    result = run(runner_with(model).run(trial_of(), route_to(code)))
    assert (result.outcome, model.calls) == (Outcome.PASSED, [])


def test_some_scorers_can_score_a_conversation_by_themselves():
    """A test function does so; the calls of judges come back with the scores."""
    runner, trial = runner_with(provider_class()), trial_of()
    result = run(runner.run(trial))
    scores, judges = run(
        runner.score(trial, runner.scorers(trial), result.exchanges, runner.clock())
    )
    assert ([s.passed for s in scores], judges) == ([True], ())


def test_the_clock_of_a_trial_starts_unused():
    """It ends with the session, if that comes first."""
    from time import monotonic

    runner = runner_with(provider_class(), trial_timeout_s=9.0, session_end=monotonic() + 1)
    time = runner.clock()
    assert (time.limit_s, time.used_s) == (9.0, 0.0)
    assert 0.5 < time.remaining() <= 1
