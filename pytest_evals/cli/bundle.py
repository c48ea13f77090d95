"""Bundle: one run as a file that another machine can take in, line by line and whole.

JSON Lines: a header, the run, every attempt of every trial, what people said, the stored answers
where they are wanted, and an end that counts the lines. Each line carries a digest over itself and
the digest before it, so a line that was changed, lost or put in is found, and named. That is a
guard against damage and mistakes, not a signature: who changes a line can count anew.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_evals.ground.canonical import Frozen, digest
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.redaction import Redactor
from pytest_evals.ground.version import __version__
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.result import TrialResult
from pytest_evals.run import Run, RunStatus
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.sqlite import SqliteRunStore

FORMAT = 1
"""The version of the format; others are refused."""
_DIGITS = 32
_KINDS = ("bundle", "run", "trial", "label", "answer", "end")
"""The kinds of lines, in the order in which they stand."""
_ID_MARKS = frozenset("-_.")


class Label(Frozen):
    """What a person said of a trial, as a line of a bundle."""

    trial: str
    """The node id."""
    score: HumanScore


@dataclass(slots=True)
class Bundle:
    """What a bundle says of itself before its trials are read."""

    path: Path
    run: Run
    trials: int = 0
    """Lines of trials: every attempt is one."""
    labels: int = 0
    answers: int = 0


def lines_of(
    run: Run,
    trials: Iterable[TrialResult],
    labels: Iterable[Label],
    answers: Iterable[StoredAnswer],
) -> Iterator[tuple[str, Any]]:
    """Yield the lines of a bundle, but for the end: the kind of each, and its JSON value."""
    yield "bundle", {"format": FORMAT, "by": __version__}
    yield "run", _plain(run)
    for trial in trials:
        yield "trial", _plain(trial)
    for label in labels:
        yield "label", _plain(label)
    for answer in answers:
        yield "answer", _plain(answer)


def _plain(noun: Frozen) -> Any:
    return json.loads(noun.model_dump_json(exclude_defaults=True))


def encoded(lines: Iterable[tuple[str, Any]], redactor: Redactor) -> Iterator[str]:
    """Yield the text of each line of a bundle, redacted and with its digest; the end comes last.

    Args:
        lines: as `lines_of` yields them.
        redactor: takes out what is secret here and was not when the run was stored.
    """
    chain, count = "", 0
    for kind, value in lines:
        clean = json.loads(redactor.redact_json(json.dumps(value)))
        chain = _next(chain, kind, clean)
        count += 1
        yield _line(kind, clean, chain)
    end = {"lines": count}
    yield _line("end", end, _next(chain, "end", end))


def _line(kind: str, value: Any, chain: str) -> str:
    return json.dumps({"kind": kind, "digest": chain, "value": value}, separators=(",", ":")) + "\n"


def _next(chain: str, kind: str, value: Any) -> str:
    """Return the digest of a line: over the one before it, its kind and its value."""
    return digest([chain, kind, value], length=_DIGITS)


@dataclass(slots=True)
class _Reader:
    """Reads a bundle's lines, and refuses what is not as it was written."""

    path: Path
    number: int = 0
    chain: str = ""
    kind: str = ""
    trials: set[str] = field(default_factory=set)

    def read(self) -> Iterator[tuple[str, Any]]:
        """Yield the kind and the noun of every line between the header and the end.

        Raises:
            StoreError: a line is not right, is missing, or there are more behind the end.
        """
        try:
            with self.path.open("rb") as file:
                for raw in file:
                    self.number += 1
                    yield from self._taken(raw)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read: {error.strerror}") from None
        if self.kind != "end":
            self.number += 1
            raise self._wrong("the bundle ends before its last line: it was not copied whole")

    def _taken(self, raw: bytes) -> Iterator[tuple[str, Any]]:
        """Check one line and yield what it holds."""
        kind, value = self._decoded(raw)
        before, self.kind = self.kind, kind
        if before == "end":
            raise self._wrong("there are lines behind the end")
        first = {"": "bundle", "bundle": "run"}.get(before)
        if kind not in _KINDS or (first and kind != first) or _before(kind, before):
            expected = f"the line `{first}`" if first else "another kind of line"
            raise self._wrong(f"expected {expected}, found {kind!r}")
        if kind == "bundle":
            self._check_format(value)
        elif kind == "end":
            if value != {"lines": self.number - 1}:
                raise self._wrong(f"the end counts other lines than the {self.number - 1} before")
        else:
            noun = self._parsed(_NOUNS[kind], value)
            self._check(noun)
            yield kind, noun

    def _decoded(self, raw: bytes) -> tuple[str, Any]:
        """Return a line's kind and value, its digest checked."""
        try:
            line = json.loads(raw)
            kind, value, found = line["kind"], line["value"], line["digest"]
            expected = _next(self.chain, kind, value)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._wrong(self._what_else(raw)) from None
        if found != expected:
            raise self._wrong(
                "the line is not as it was written, or one before it is missing (its digest is "
                f"{str(found)[:12]}, expected {expected[:12]}); copy the bundle again"
            )
        self.chain = expected
        return str(kind), value

    def _what_else(self, raw: bytes) -> str:
        """Say what a file is that is no bundle."""
        if self.number > 1:
            return "the line is cut off or is no JSON: the bundle was not copied whole"
        if raw.startswith(b"SQLite format 3"):
            return (
                "this is a store, not a bundle; write one with `pytest-evals export RUN --store "
                "FILE -o run.jsonl`"
            )
        return (
            "this is no bundle; `pytest-evals export RUN -o run.jsonl` writes one (reports cannot "
            "be taken in: they leave things out)"
        )

    def _check_format(self, value: Any) -> None:
        found = value.get("format") if isinstance(value, dict) else None
        if found != FORMAT:
            raise self._wrong(
                f"the bundle has format {found!r}, this version reads {FORMAT}; it was written by "
                f"pytest-evals-matrix {value.get('by', '?') if isinstance(value, dict) else '?'}"
            )

    def _parsed(self, noun: type[Frozen], value: Any) -> Frozen:
        try:
            return noun.model_validate_json(json.dumps(value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise self._wrong(
                f"the {self.kind} does not fit: {place}: {first['msg']}; perhaps it was written by "
                "another version of pytest-evals-matrix"
            ) from None

    def _check(self, noun: Frozen) -> None:
        """Refuse what no run of a store can hold."""
        if isinstance(noun, Run):
            if not is_run_id(noun.id):
                raise self._wrong(f"{noun.id!r} is no run's id")
            if noun.status is RunStatus.RUNNING:
                raise self._wrong(f"run {noun.id} was still going when it was written")
        elif isinstance(noun, TrialResult):
            self.trials.add(noun.id)
        elif isinstance(noun, Label) and noun.trial not in self.trials:
            raise self._wrong(f"the label is of trial {noun.trial!r}, which the bundle lacks")

    def _wrong(self, what: str) -> StoreError:
        return StoreError(f"{self.path}:{self.number}: {what}. Nothing was taken in")


_NOUNS: dict[str, type[Frozen]] = {
    "run": Run,
    "trial": TrialResult,
    "label": Label,
    "answer": StoredAnswer,
}


def _before(kind: str, last: str) -> bool:
    """Whether a line of a kind stands where only later kinds may; there is one run."""
    if not last or kind not in _KINDS:
        return False
    if kind in {"bundle", "run"}:
        return _KINDS.index(kind) <= _KINDS.index(last)
    return _KINDS.index(kind) < _KINDS.index(last)


def is_run_id(text: str) -> bool:
    """Whether a text can be a run's id: it names a file, and `latest` is a word of its own."""
    return (
        0 < len(text) <= 100
        and text.isascii()
        and text[0].isalnum()
        and all(c.isalnum() or c in _ID_MARKS for c in text)
        and text != "latest"
    )


def read_bundle(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield what a bundle holds, line by line: its kind (run, trial, label, answer) and the noun.

    Raises:
        StoreError: a line is not right, naming it; what was yielded before is right so far.
    """
    return _Reader(path).read()


def checked(path: Path) -> Bundle:
    """Read a bundle to its end, and say what it holds.

    Raises:
        StoreError: it is not whole, or a line is not right.
    """
    found: Bundle | None = None
    for kind, noun in read_bundle(path):
        if kind == "run":
            found = Bundle(path, noun)
            continue
        assert found is not None  # the reader lets nothing else come first
        found.trials += kind == "trial"
        found.labels += kind == "label"
        found.answers += kind == "answer"
    if found is None:
        raise StoreError(f"{path}: the bundle holds no run")
    return found


def stored_lines(
    store: SqliteRunStore, run: Run, answers: ResponseStore | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the lines of a stored run's bundle.

    Args:
        store: the runs.
        run: the run.
        answers: where its answers are stored; None leaves them out.

    Raises:
        StoreError: a record cannot be read, or the run is still going.
    """
    if run.status is RunStatus.RUNNING:
        raise StoreError(f"run {run.id} is still going; export it when it has ended")
    keys: dict[str, None] = {}

    def trials() -> Iterator[TrialResult]:
        for attempt in attempts_of(store, run.id):
            keys.update((e.key, None) for e in attempt.exchanges if e.key)
            yield attempt

    labels = (Label(trial=trial, score=score) for trial, score in store.labels(run.id))
    # The trials come first, so their keys are known when it comes to the answers.
    return lines_of(run, trials(), labels, _answers(keys, answers))


def attempts_of(store: SqliteRunStore, run_id: str) -> Iterator[TrialResult]:
    """Yield every attempt of every trial; those of one trial together, the one that counts last.

    Raises:
        StoreError: there is no such run, or a record cannot be read.
    """
    for row in store.rows(run_id):
        yield from store.attempts(run_id, row.trial)


def _answers(keys: Iterable[str], answers: ResponseStore | None) -> Iterator[StoredAnswer]:
    if answers is None:
        return
    for key in keys:
        found = answers.get(key)
        if found is not None:
            yield found
