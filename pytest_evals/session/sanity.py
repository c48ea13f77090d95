"""A sanity run: every case is answered with what cannot be right, and must fail.

The three answers (nothing, the question, another case's answer) are written into the cases as
scripts of three models, so that no model under test is asked and items are items as ever.
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

KINDS = {
    "empty": "an empty answer",
    "echo": "the question as the answer",
    "other": "another case's answer",
}
"""The wrong answers, by the last word of their models' ids."""

MODELS = tuple(
    Model(id=f"sanity-{kind}", provider="script", price=Price(input=0, output=0)) for kind in KINDS
)
"""The models that give them."""

OPTION = "sanity"
"""The key in a case's metadata that says which of them are wrong answers to it."""

_NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0}


@dataclass(frozen=True)
class SanityMatrix(Matrix):
    """The trials of a sanity run: one for each wrong answer that there is to a case."""

    def __iter__(self) -> Iterator[Trial]:
        """Yield the trials in their one order."""
        for trial in super().__iter__():
            if _asked(trial.case, trial.model):
                yield trial

    def __len__(self) -> int:
        return sum(_asked(case, model) for case in self.dataset.cases for model in self.models)


def _asked(case: Case, model: Model) -> bool:
    """Whether there is such an answer to a case."""
    return case.script is not None and model.id in case.script.models


def sanity_matrix(state: SessionState, notes: Notes, dataset: Dataset) -> SanityMatrix:
    """Plan a sanity run of a dataset.

    Raises:
        SettingsError: a case says wrongly which answers are wrong for it.
    """
    known = _known_answers(state.settings, notes, dataset)
    cases = []
    without = 0
    for place, case in enumerate(dataset.cases):
        wanted = _wanted(dataset, case)
        answers = _answers(dataset, place, known)
        without += "other" in wanted and "other" not in answers
        scripts = {f"sanity-{kind}": (answers[kind],) for kind in wanted if kind in answers}
        cases.append(case.model_copy(update={"script": Script(models=scripts)}))
    if without:
        notes.add(
            f"sanity: {dataset.name}: for {without} of {len(cases)} cases no other case's answer "
            "is known that differs (from `expected`, `script`, or a stored run)"
        )
    planned = dataset.model_copy(update={"cases": tuple(cases), "gates": (), "max_error_rate": 0.0})
    return SanityMatrix(planned, MODELS, samples=1)


def _wanted(dataset: Dataset, case: Case) -> tuple[str, ...]:
    """Return which answers are wrong for a case, as its metadata say; by default all.

    Raises:
        SettingsError: they say what means nothing.
    """
    said = case.metadata.get(OPTION, True)
    if isinstance(said, bool):
        return tuple(KINDS) if said else ()
    kinds = said if isinstance(said, list | tuple) else [said]
    for kind in kinds:
        if kind not in KINDS:
            raise SettingsError(
                f"{case.source or dataset.path}: case {case.id!r}: `metadata: {{{OPTION}: ...}}` "
                f"is false, or a list of {', '.join(KINDS)}; found {kind!r}."
                + suggest(str(kind), KINDS)
            )
    return tuple(kind for kind in KINDS if kind in kinds)


def _answers(dataset: Dataset, place: int, known: Mapping[str, Events]) -> dict[str, Events]:
    """Return the wrong answers to a case; what is its right answer is left out."""
    case = dataset.cases[place]
    turns = max(1, len(case.turns))
    right = _plain(_text(case.expected)) if case.expected is not None else None
    found: dict[str, Events] = {"empty": (_said(""),) * turns}
    echoes = tuple(map(_said, case.turns or (_question(dataset, case),)))
    if _spoken(echoes).strip():
        found["echo"] = echoes
    found = {kind: told for kind, told in found.items() if _plain(_spoken(told)) != right}
    own = _final(known.get(case.id, ()))
    after = (*dataset.cases[place + 1 :], *dataset.cases[:place])
    for other in after:
        events = known.get(other.id, ())
        text = _final(events)
        # `Paris, France` is right where `Paris` is; what was said of old may hold anything.
        same = text == own or (right and (text in right or right in text))
        if events and not same:
            before = (_said(_spoken(events)),) * (turns - 1)
            return {**found, "other": (*before, *events)}
    return found


def _known_answers(settings: Settings, notes: Notes, dataset: Dataset) -> dict[str, Events]:
    """Return an answer to each case that has one: expected, scripted, else of a stored run."""
    found: dict[str, Events] = {}
    for case in dataset.cases:
        if case.expected not in (None, "", [], {}):
            found[case.id] = (_said(_text(case.expected)),)
        elif case.script is not None:
            events = _scripted(case.script)
            if events is not None:
                found[case.id] = events
    if len(found) < len(dataset.cases):
        found = {**_stored(settings, notes, dataset), **found}
    return found


def _scripted(script: Script) -> Events | None:
    """Return the last turn of the first recorded conversation that ends in an answer."""
    for events in (*script.samples, *(s for samples in script.models.values() for s in samples)):
        if any(isinstance(event, ErrorEvent) for event in events):
            continue
        calls = tuple(event for event in events if isinstance(event, ToolCallEvent))
        said = [event for event in events if isinstance(event, ChatResponseEvent)]
        if said and (calls or said[-1].content.strip()):
            return (*calls, _said(said[-1].content))
    return None


def _stored(settings: Settings, notes: Notes, dataset: Dataset) -> dict[str, Events]:
    """Return the answers of the newest stored run of the dataset; a right one where there is."""
    from pytest_evals.storage.sqlite import SqliteRunStore

    path = settings.store_path
    if not path.is_file():
        return {}
    found: dict[str, Events] = {}
    right: set[str] = set()
    try:
        store = SqliteRunStore(path, write=False)
    except StoreError:
        return {}
    try:
        newest = next((run for run in store.runs(dataset=dataset.name) if run.counts.total), None)
        for one in store.results(newest.id) if newest is not None else ():
            if one.dataset != dataset.name or one.response is None or one.case_id in right:
                continue
            if one.response.text.strip() and (one.outcome == "passed" or one.case_id not in found):
                found[one.case_id] = (_said(one.response.text),)
            if one.outcome == "passed":
                right.add(one.case_id)
    except StoreError as error:
        notes.add(f"sanity: stored answers could not be read: {error}")
    finally:
        store.close()
    return found


def _question(dataset: Dataset, case: Case) -> str:
    """Return what the case asks: its input, else the prompt that is sent for it."""
    asked = case.input
    if isinstance(asked, str):
        return asked
    if isinstance(asked, tuple) and asked and isinstance(asked[-1], Message):
        said = [message.text for message in asked if message.role == "user"]
        return said[-1] if said else asked[-1].text
    if asked is not None:
        return canonical(asked)
    try:
        sent = first_messages(Trial(dataset, case, MODELS[0], 0, 1))
    except AnswerError:
        return ""
    return sent[-1].text if sent else ""


def _said(text: str) -> ChatResponseEvent:
    """Make an answer that took no time and no token."""
    return ChatResponseEvent.model_validate(
        {"kind": "chat_response", "content": text, "tokens": _NO_TOKENS, "latency_s": 0.0}
    )


def _text(expected: Any) -> str:
    """Return a reference answer as an answer: of several the first."""
    if isinstance(expected, list | tuple) and expected and isinstance(expected[0], str):
        return expected[0]
    return expected if isinstance(expected, str) else canonical(expected)


def _spoken(events: Events) -> str:
    """Return the text an answer ends with."""
    last = events[-1] if events else None
    return last.content if isinstance(last, ChatResponseEvent) else ""


def _final(events: Events) -> str:
    """Return what two answers are compared by: the calls where there are any, and the text."""
    calls = [[event.name, event.arguments] for event in events if isinstance(event, ToolCallEvent)]
    return _plain((canonical(calls) if calls else "") + _spoken(events))


def _plain(text: str) -> str:
    """Return a text without what makes no difference."""
    return " ".join(text.casefold().split()).strip(" .!?")
