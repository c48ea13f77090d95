"""A bundle read line by line; a damaged or missing line is named."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_evals.archive.bundle import FORMAT, LINE_KINDS, Bundle, Label, line_digest
from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus


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
        if kind not in LINE_KINDS or (first and kind != first) or _before(kind, before):
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
            expected = line_digest(self.chain, kind, value)
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
                raise self._wrong(f"run {noun.id} was still running when it was written")
        elif isinstance(noun, TrialResult):
            self.trials.add(noun.id)
        elif isinstance(noun, Label) and noun.trial not in self.trials:
            raise self._wrong(f"the label is of trial {noun.trial!r}, which the bundle lacks")

    def _wrong(self, what: str) -> StoreError:
        return StoreError(f"{self.path}:{self.number}: {what}. Nothing was imported")


_NOUNS: dict[str, type[Frozen]] = {
    "run": Run,
    "trial": TrialResult,
    "label": Label,
    "answer": StoredAnswer,
}


def _before(kind: str, last: str) -> bool:
    """Whether a line of a kind stands where only later kinds may; there is one run."""
    if not last or kind not in LINE_KINDS:
        return False
    if kind in {"bundle", "run"}:
        return LINE_KINDS.index(kind) <= LINE_KINDS.index(last)
    return LINE_KINDS.index(kind) < LINE_KINDS.index(last)


def is_run_id(text: str) -> bool:
    """Whether a text can be a run's id: it names a file, and `latest` is a word of its own."""
    return (
        0 < len(text) <= 100
        and text.isascii()
        and text[0].isalnum()
        and all(c.isalnum() or c in _ID_MARKS for c in text)
        and text != "latest"
    )


_ID_MARKS = frozenset("-_.")


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
