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
    """Reads a bundle's lines; raises for the first line that was changed or is missing."""

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
            raise self._wrong("the bundle ends before its last line: the copy is not complete")

    def _taken(self, raw: bytes) -> Iterator[tuple[str, Any]]:
        """Check one line and yield its noun."""
        line_kind, value = self._decoded(raw)
        before, self.kind = self.kind, line_kind
        if before == "end":
            raise self._wrong("there are lines after the end")
        first = {"": "bundle", "bundle": "run"}.get(before)
        if (
            line_kind not in LINE_KINDS
            or (first and line_kind != first)
            or _before(line_kind, before)
        ):
            expected = f"the line `{first}`" if first else "another type of line"
            raise self._wrong(f"expected {expected}, found {line_kind!r}")
        if line_kind == "bundle":
            self._check_format(value)
        elif line_kind == "end":
            if value != {"lines": self.number - 1}:
                raise self._wrong("the end counts another number of lines than the ")
        else:
            noun = self._parsed(_NOUNS[line_kind], value)
            self._check(noun)
            yield line_kind, noun

    def _decoded(self, raw: bytes) -> tuple[str, Any]:
        """Return a line's kind and value, its digest checked."""
        try:
            line = json.loads(raw)
            line_kind, value, written = line["kind"], line["value"], line["digest"]
            expected = line_digest(self.chain, line_kind, value)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._wrong(self._what_else(raw)) from None
        if written != expected:
            raise self._wrong(
                "the line was changed, or a line before it is missing (its digest is "
                f"{str(written)[:12]}, expected {expected[:12]}); copy the bundle again"
            )
        self.chain = expected
        return str(line_kind), value

    def _what_else(self, raw: bytes) -> str:
        """Return what a file is that is not a bundle."""
        if self.number > 1:
            return "the line is truncated or is not JSON: the copy of the bundle is not complete"
        if raw.startswith(b"SQLite format 3"):
            return (
                "this is a store, not a bundle; write one with `pytest-evals export RUN --store "
                "FILE -o run.jsonl`"
            )
        return (
            "this is not a bundle; `pytest-evals export RUN -o run.jsonl` writes one "
            "(reports cannot be imported: they are not complete)"
        )

    def _check_format(self, value: Any) -> None:
        version = value.get("format") if isinstance(value, dict) else None
        if version != FORMAT:
            raise self._wrong(
                f"the bundle has format {version!r}, this version reads {FORMAT}; "
                f"pytest-evals-matrix {value.get('by', '?') if isinstance(value, dict) else '?'} "
                "wrote it"
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
        """Raise for what no stored run can hold."""
        if isinstance(noun, Run):
            if not is_run_id(noun.id):
                raise self._wrong(f"{noun.id!r} is not a run id")
            if noun.status is RunStatus.RUNNING:
                raise self._wrong(f"run {noun.id} was still running when it was written")
        elif isinstance(noun, TrialResult):
            self.trials.add(noun.id)
        elif isinstance(noun, Label) and noun.trial not in self.trials:
            raise self._wrong(f"the label is of trial {noun.trial!r}, which is not in the bundle")

    def _wrong(self, what: str) -> StoreError:
        return StoreError(f"{self.path}:{self.number}: {what}. Nothing was imported")


_NOUNS: dict[str, type[Frozen]] = {
    "run": Run,
    "trial": TrialResult,
    "label": Label,
    "answer": StoredAnswer,
}


def _before(line_kind: str, last: str) -> bool:
    """Whether a line comes after lines of a later kind; there is one run."""
    if not last or line_kind not in LINE_KINDS:
        return False
    if line_kind in {"bundle", "run"}:
        return LINE_KINDS.index(line_kind) <= LINE_KINDS.index(last)
    return LINE_KINDS.index(line_kind) < LINE_KINDS.index(last)


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


def check_bundle(path: Path) -> Bundle:
    """Read a bundle to its end, and return what it holds.

    Raises:
        StoreError: it is not whole, or a line is not right.
    """
    bundle: Bundle | None = None
    for line_kind, noun in read_bundle(path):
        if line_kind == "run":
            bundle = Bundle(path, noun)
            continue
        assert bundle is not None  # the reader lets nothing else come first
        bundle.trials += line_kind == "trial"
        bundle.labels += line_kind == "label"
        bundle.answers += line_kind == "answer"
    if bundle is None:
        raise StoreError(f"{path}: the bundle holds no run")
    return bundle
