"""The handles `trial` and `judge` of a marked test.

The classes are public, for annotations; tests get them from the fixtures of these names.
"""

import math
import re
from collections.abc import Mapping
from functools import partial
from time import monotonic
from typing import Any

from pytest_evals.case import COMMON_SCORER_KEYS, Case, ScorerSpec, slug
from pytest_evals.engine.conversation import first_messages, request_of
from pytest_evals.exchange import Exchange, Request, Response
from pytest_evals.ground.errors import AnswerError, EvalsError
from pytest_evals.model import Model
from pytest_evals.plugin.exceptions import WrongAnswer
from pytest_evals.plugin.python.ask import model_problems
from pytest_evals.plugin.python.pending import Handle, Pending, awaiting, waiting
from pytest_evals.plugin.python.running_test import RunningTest, Scored
from pytest_evals.score import Score, ScoreError
from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.binding import SpecError
from pytest_evals.scorers.bound import Bound
from pytest_evals.session.failure_text import headline_of
from pytest_evals.session.source_loader import written_model

_NONE: Any = object()


class EvalTrial(Handle):
    """One sample of one case with one model: the test scores and records it here.

    The fixture `trial`.
    """

    def __repr__(self) -> str:
        return f"EvalTrial({self.id!r})"

    @property
    def id(self) -> str:
        """The node id, by which it is stored and reported."""
        return self._test.trial.id

    @property
    def case(self) -> Case:
        """The case."""
        return self._test.case

    @property
    def model(self) -> Model:
        """The model."""
        return self._test.trial.model

    @property
    def sample(self) -> int:
        """The number of the sample, from 0."""
        return self._test.trial.sample

    @property
    def answer(self) -> str:
        """The text to score: of the last `answered`, else of `response`, else of `ask`.

        Raises:
            EvalsError: there is no answer yet.
        """
        last = _conversation(self._test)[-1]
        return "" if last.response is None else last.response.text

    @property
    def scores(self) -> tuple[Score | ScoreError, ...]:
        """The scores so far: those of the dataset's scorers, then those of the test."""
        return self._test.all_scores

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The calls to score, in order; empty before the first answer."""
        return self._test.answers

    def answered(self, value: object, *, latency_s: float | None = None) -> Response:
        """Set the answer of the test's own code: it is scored and recorded from now on.

        Args:
            value: a text, a mapping (``text``, ``tool_calls``, ``usage``, ``cost_usd``, ...), any
                other JSON value, or a `Response`.
            latency_s: its latency in seconds; by default the time since the test's body began.

        Raises:
            EvalsError: it is not a valid answer.
        """
        from pytest_evals.providers.parsing import response_of

        __tracebackhide__ = True
        test = self._test
        try:
            response = response_of(value)
        except (ValueError, TypeError) as error:
            raise EvalsError(f"trial.answered: {error}") from None
        asked = [e.response for e in test.asked if e.response is not None]
        if response.latency_s is None:
            took = monotonic() - test.began if latency_s is None else latency_s
            # The latency of `ask` is counted with its own exchanges.
            took = max(0.0, took - sum(other.latency_s or 0.0 for other in asked))
            response = response.model_copy(update={"latency_s": took})
        cost = response.usage.cost(test.trial.model.price)
        if response.cost_usd is not None:
            cost = response.cost_usd
        elif asked and response.usage.total_tokens is None:
            cost = 0.0  # as above
        exchange = Exchange(
            request=_request(test),
            response=response,
            model_id=test.trial.model.id,
            cost_usd=cost,
        )
        test.given.append(exchange)
        return response

    def _begin(
        self,
        /,
        name: str | Mapping[str, Any],
        argument: Any = _NONE,
        *,
        answer: object = None,
        check: bool = True,
        advisory: bool = False,
        **options: Any,
    ) -> Pending[Score]:
        """Score the answer by any scorer of datasets, and record the score.

        Args:
            name: the scorer (``contains``), or a whole assertion as a dataset writes it
                (``{"not": {"contains": "sorry"}}``).
            argument: the shorthand's value: ``trial.score("contains", "30 days")``.
            answer: is scored instead: a text, a mapping or a `Response`.
            check: whether a failing score ends the test at once; else the test fails at its end.
            advisory: whether the score is recorded but not counted.
            options: the long form's keys, and `weight`, `threshold`, `metric`, `transform`.

        Returns:
            The score.

        Raises:
            AssertionError: it fails, and `check` is on.
            ScoringError: the scorer could not score, or its judge gave no answer.
            EvalsError: the scorer or an option is unknown, or there is no answer yet.
        """
        __tracebackhide__ = True
        spec = _spec(name, argument, options)
        return _begin_score(self._test, spec, answer=answer, check=check, advisory=advisory)

    score = waiting(_begin)
    score_async = awaiting(_begin)

    def record(self, name: str, value: float, *, reason: str = "") -> None:
        """Record a number or a boolean, for metrics and gates (``mean(steps) <= 5``).

        It fails nothing by itself. Of several records with one name the last one counts.

        Args:
            name: its name in metrics: letters, digits and . _ -
            value: a finite number, or True or False.
            reason: its explanation, for reports.

        Raises:
            EvalsError: the name or the value cannot be recorded.
        """
        __tracebackhide__ = True

        if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
            raise EvalsError(
                f"trial.record: a name is letters, digits and . _ -, and begins with a letter; "
                f"found {name!r}"
            )
        given: object = value
        if not isinstance(given, int | float) or not math.isfinite(given):
            raise EvalsError(
                f"trial.record({name!r}): a value is a finite number, True or False; found "
                f"{value!r}"
            )
        score = Score(name=name, type="record", value=float(value), reason=reason, advisory=True)
        kept = [s for s in self._test.scores if (s.type, s.name) != ("record", name)]
        self._test.scores[:] = [*kept, score]

    def log(self, *values: object) -> None:
        """Add a line to the trial's record, as `print` formats it."""
        self._test.log.append(" ".join(map(str, values)))


class EvalJudge(Handle):
    """Lets a judge score the answer, and records the score.

    The fixture `judge`: ``judge(...)`` waits, ``await judge.run_async(...)`` awaits.
    """

    def _begin(
        self,
        /,
        rubric: str | None = None,
        *,
        min_score: float | None = None,
        model: str | Model | None = None,
        use: str | None = None,
        metric: str | None = None,
        answer: object = None,
        check: bool = True,
        advisory: bool = False,
        **options: Any,
    ) -> Pending[Score]:
        """Let a judge score the answer.

        Args:
            rubric: what a good answer is: ``judge("polite?", min_score=0.8)``.
            min_score: the required score, above 0 and at most 1, whatever the scale.
            model: the judge's model; by default that of the dataset's judge `default`, the mark's
                `judge`, or ``--evals-judge``.
            use: the name of one of the dataset's `judges`, instead of a rubric.
            metric: its name in metrics; by default the rubric as a slug, or `use`.
            answer: is scored instead.
            check: whether a failing score ends the test at once; else the test fails at its end.
            advisory: whether the score is recorded but not counted.
            options: any other option of the `judge` scorer (``scale``, ``repeats``, ``panel``).

        Raises:
            AssertionError: it fails, and `check` is on.
            ScoringError: the judge returned no readable verdict.
            EvalsError: there is no model for the judge, an unknown option, or no answer yet.
        """
        __tracebackhide__ = True
        spec = _spec("judge", _NONE, _judge_options(rubric, min_score, model, use, metric, options))
        return _begin_score(self._test, spec, answer=answer, check=check, advisory=advisory)

    __call__ = waiting(_begin)
    run_async = awaiting(_begin)


def _begin_score(
    test: RunningTest, spec: ScorerSpec, *, answer: object, check: bool, advisory: bool
) -> Pending[Score]:
    """Begin to score an answer, or the conversation so far.

    Raises:
        EvalsError: the scorer is unknown or invalid, or there is no answer.
    """
    __tracebackhide__ = True
    scored = test.score([_bound(test, spec)], _conversation(test, answer))
    return Pending(scored, partial(_keep, test, check=check, advisory=advisory))


def _bound(test: RunningTest, spec: ScorerSpec) -> Bound:
    """Return the scorer of an assertion.

    Raises:
        EvalsError: it is unknown or invalid.
    """
    __tracebackhide__ = True
    try:
        bound = test.session.state.registry.bind(spec)
    except SpecError as error:
        raise EvalsError(f"trial.score: {'; '.join(str(error).splitlines())}") from None
    dataset = test.trial.dataset
    problems = list(bound.check(dataset, test.trial.case))
    for model in () if problems else bound.scorer.models(dataset):
        problems.extend(model_problems(test, model))
    if problems:
        raise EvalsError(f"trial.score: {'; '.join(problems)}")
    return bound


def _spec(name: str | Mapping[str, Any], argument: Any, options: dict[str, Any]) -> ScorerSpec:
    """Return the assertion of the arguments of `trial.score`.

    Raises:
        EvalsError: they contradict each other.
    """
    __tracebackhide__ = True
    options = {key: written_model(v) if isinstance(v, Model) else v for key, v in options.items()}
    spec: Any
    if not isinstance(name, str):
        if argument is not _NONE:
            raise EvalsError("trial.score: a whole assertion takes no second argument")
        spec = {**name, **options}
    elif argument is _NONE:
        spec = {"type": name, **options} if options else name
    elif options.keys() - COMMON_SCORER_KEYS:
        names = ", ".join(sorted(options.keys() - COMMON_SCORER_KEYS))
        raise EvalsError(
            f"trial.score({name!r}, ...): give either the one value of the short form, or options "
            f"by their names; found a value and {names}"
        )
    else:
        spec = {name: argument, **options}
    try:
        return ScorerSpec.model_validate(spec)
    except ValueError as error:
        first = str(error).splitlines()
        raise EvalsError(f"trial.score: {first[-1].strip() if first else error}") from None


def _judge_options(
    rubric: str | None,
    min_score: float | None,
    model: str | Model | None,
    use: str | None,
    metric: str | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the options of the `judge` scorer."""
    name = metric or (slug(rubric) if rubric and use is None else None)
    given = {
        "rubric": rubric,
        "min_score": min_score,
        "model": model,
        "use": use,
        "metric": name,
    }
    return {**{key: value for key, value in given.items() if value is not None}, **options}


def _conversation(test: RunningTest, answer: object = None) -> tuple[Exchange, ...]:
    """Return the conversation to score.

    Raises:
        EvalsError: there is no answer.
    """
    __tracebackhide__ = True
    if answer is not None:
        from pytest_evals.providers.parsing import response_of

        try:
            response = response_of(answer)
        except (ValueError, TypeError) as error:
            raise EvalsError(f"`answer`: {error}") from None
        return (Exchange(request=_request(test), response=response, model_id=test.trial.model.id),)
    if not test.answers:
        raise EvalsError(
            "there is no answer yet: add `response` to the arguments of the test to call the "
            "model, or set the answer of your own code by `trial.answered(...)`"
        )
    return test.answers


def _request(test: RunningTest) -> Request:
    """Return the request of the case, as far as it defines one."""
    try:
        messages = first_messages(test.trial)
    except AnswerError:
        messages = ()
    return request_of(test.trial, messages, 0)


def _keep(
    test: RunningTest,
    scored: Scored,
    *,
    check: bool,
    advisory: bool,
) -> Score:
    """Record a score.

    Raises:
        ScoringError: it could not be scored.
        WrongAnswer: it fails, and `check` is on.
    """
    __tracebackhide__ = True
    (score,), judged = scored
    if advisory and not score.advisory:
        score = score.model_copy(update={"advisory": True})
    test.scores.append(score)
    test.judged.extend(judged)
    if isinstance(score, ScoreError):
        raise ScoringError(f"{score.name} could not score: {score.message}", detail=score.detail)
    if check and score.passed is False and not score.advisory:
        test.failed_by_score = True
        raise WrongAnswer(headline_of([score]))
    return score
