"""The null-answer check (``--evals-sanity``): every case must fail on answers that cannot be right.

The three answers (nothing, the input, another case's answer) become the scripts of three models,
so that no model under test is called and the trials are ordinary trials.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.case import Case
from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine.conversation import first_messages
from pytest_evals.ground.canonical import canonical
from pytest_evals.ground.errors import AnswerError, SettingsError, StoreError, suggest
from pytest_evals.ground.notes import Notes
from pytest_evals.matrix import Matrix, Trial
from pytest_evals.message import Message
from pytest_evals.model import Model, Price
from pytest_evals.script import ChatResponseEvent, ErrorEvent, Events, Script, ToolCallEvent
from pytest_evals.session.state import SessionState

WRONG_ANSWERS = {
    "empty": "an empty answer",
    "echo": "the input as the answer",
    "other": "another case's answer",
}
"""The wrong answers, by the last word of their models' ids."""

MODELS = tuple(
    Model(id=f"sanity-{name}", provider="script", price=Price(input=0, output=0))
    for name in WRONG_ANSWERS
)
"""The models that give these answers."""

OPTION = "sanity"
"""The key in a case's metadata that lists the answers which are wrong for it."""

_NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0}


@dataclass(frozen=True)
class SanityMatrix(Matrix):
    """The trials of a sanity run: one for each wrong answer of a case."""

    def __iter__(self) -> Iterator[Trial]:
        """Yield the trials in their one order."""
        for trial in super().__iter__():
            if _has_answer(trial.case, trial.model):
                yield trial

    def __len__(self) -> int:
        return sum(_has_answer(case, model) for case in self.dataset.cases for model in self.models)


def _has_answer(case: Case, model: Model) -> bool:
    """Whether a model has a wrong answer to a case."""
    return case.script is not None and model.id in case.script.models


def sanity_matrix(state: SessionState, notes: Notes, dataset: Dataset) -> SanityMatrix:
    """Plan a sanity run of a dataset.

    Raises:
        SettingsError: a case's metadata lists an unknown wrong answer.
    """
    answers_by_case = _answers_by_case(state.settings, notes, dataset)
    cases = []
    without = 0
    for place, case in enumerate(dataset.cases):
        names = _applicable(dataset, case)
        answers = _wrong_answers(dataset, place, answers_by_case)
        without += "other" in names and "other" not in answers
        scripts = {f"sanity-{name}": (answers[name],) for name in names if name in answers}
        cases.append(case.model_copy(update={"script": Script(models=scripts)}))
    if without:
        notes.add(
            f"sanity: {dataset.name}: {without} of {len(cases)} cases are not checked with another "
            "case's answer: no case has a different one in `expected`, `script` or a stored run"
        )
    planned = dataset.model_copy(update={"cases": tuple(cases), "gates": (), "max_error_rate": 0.0})
    return SanityMatrix(planned, MODELS, samples=1)


def _applicable(dataset: Dataset, case: Case) -> tuple[str, ...]:
    """Return the wrong answers that apply to a case, by its metadata; by default all.

    Raises:
        SettingsError: the metadata lists an unknown one.
    """
    option = case.metadata.get(OPTION, True)
    if isinstance(option, bool):
        return tuple(WRONG_ANSWERS) if option else ()
    names = option if isinstance(option, list | tuple) else [option]
    for name in names:
        if name not in WRONG_ANSWERS:
            raise SettingsError(
                f"{case.source or dataset.path}: case {case.id!r}: `metadata: {{{OPTION}: ...}}` "
                f"is false, or a list of {', '.join(WRONG_ANSWERS)}; found {name!r}."
                + suggest(str(name), WRONG_ANSWERS)
            )
    return tuple(name for name in WRONG_ANSWERS if name in names)


def _wrong_answers(
    dataset: Dataset, place: int, answers_by_case: Mapping[str, Events]
) -> dict[str, Events]:
    """Return the wrong answers to a case; one equal to its right answer is dropped."""
    case = dataset.cases[place]
    turns = max(1, len(case.turns))
    right = _plain(_text(case.expected)) if case.expected is not None else None
    answers: dict[str, Events] = {"empty": (_response(""),) * turns}
    echoes = tuple(map(_response, case.turns or (_input_text(dataset, case),)))
    if _last_text(echoes).strip():
        answers["echo"] = echoes
    answers = {name: e for name, e in answers.items() if _plain(_last_text(e)) != right}
    recorded = _comparable(answers_by_case.get(case.id, ()))
    after = (*dataset.cases[place + 1 :], *dataset.cases[:place])
    for other in after:
        events = answers_by_case.get(other.id, ())
        text = _comparable(events)
        # `Paris, France` is right if `Paris` is.
        same = text == recorded or (right and (text in right or right in text))
        if events and not same:
            before = (_response(_last_text(events)),) * (turns - 1)
            return {**answers, "other": (*before, *events)}
    return answers


def _answers_by_case(settings: Settings, notes: Notes, dataset: Dataset) -> dict[str, Events]:
    """Return an answer to each case that has one: expected, scripted, else of a stored run."""
    answers: dict[str, Events] = {}
    for case in dataset.cases:
        if case.expected not in (None, "", [], {}):
            answers[case.id] = (_response(_text(case.expected)),)
        elif case.script is not None:
            events = _scripted(case.script)
            if events is not None:
                answers[case.id] = events
    if len(answers) < len(dataset.cases):
        answers = {**_stored(settings, notes, dataset), **answers}
    return answers


def _scripted(script: Script) -> Events | None:
    """Return the last turn of the first recorded conversation that ends in an answer."""
    for events in (*script.samples, *(s for samples in script.models.values() for s in samples)):
        if any(isinstance(event, ErrorEvent) for event in events):
            continue
        calls = tuple(event for event in events if isinstance(event, ToolCallEvent))
        responses = [event for event in events if isinstance(event, ChatResponseEvent)]
        if responses and (calls or responses[-1].content.strip()):
            return (*calls, _response(responses[-1].content))
    return None


def _stored(settings: Settings, notes: Notes, dataset: Dataset) -> dict[str, Events]:
    """Return the answers of the newest stored run of the dataset; a passed one if there is any."""
    from pytest_evals.storage.sqlite import SqliteRunStore

    path = settings.store_path
    if not path.is_file():
        return {}
    answers: dict[str, Events] = {}
    passed: set[str] = set()
    try:
        store = SqliteRunStore(path, write=False)
    except StoreError:
        return {}
    try:
        newest = next((run for run in store.runs(dataset=dataset.name) if run.counts.total), None)
        for trial in store.results(newest.id) if newest is not None else ():
            case, response = trial.case_id, trial.response
            if trial.dataset != dataset.name or response is None or case in passed:
                continue
            has_passed = trial.outcome == "passed"
            if response.text.strip() and (has_passed or case not in answers):
                answers[case] = (_response(response.text),)
            if has_passed:
                passed.add(case)
    except StoreError as error:
        notes.add(f"sanity: stored answers could not be read: {error}")
    finally:
        store.close()
    return answers


def _input_text(dataset: Dataset, case: Case) -> str:
    """Return the text of a case: its input, else the prompt sent for it."""
    value = case.input
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and value and isinstance(value[-1], Message):
        texts = [message.text for message in value if message.role == "user"]
        return texts[-1] if texts else value[-1].text
    if value is not None:
        return canonical(value)
    try:
        sent = first_messages(Trial(dataset, case, MODELS[0], 0, 1))
    except AnswerError:
        return ""
    return sent[-1].text if sent else ""


def _response(text: str) -> ChatResponseEvent:
    """Make a response without latency and tokens."""
    return ChatResponseEvent.model_validate(
        {"kind": "chat_response", "content": text, "tokens": _NO_TOKENS, "latency_s": 0.0}
    )


def _text(expected: Any) -> str:
    """Return a reference answer as text; of several the first."""
    if isinstance(expected, list | tuple) and expected and isinstance(expected[0], str):
        return expected[0]
    return expected if isinstance(expected, str) else canonical(expected)


def _last_text(events: Events) -> str:
    """Return the text at the end of an answer."""
    last = events[-1] if events else None
    return last.content if isinstance(last, ChatResponseEvent) else ""


def _comparable(events: Events) -> str:
    """Return what two answers are compared by: their tool calls, if any, and their text."""
    calls = [[event.name, event.arguments] for event in events if isinstance(event, ToolCallEvent)]
    return _plain((canonical(calls) if calls else "") + _last_text(events))


def _plain(text: str) -> str:
    """Return a text without differences in case, whitespace and final punctuation."""
    return " ".join(text.casefold().split()).strip(" .!?")
