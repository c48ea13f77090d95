"""Choices in an output: a letter, a label, or a set of items."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.score import NO_LABEL
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.boundaries import mentions, without
from pytest_evals.scorers.chosen import choice_letter
from pytest_evals.scorers.extract import normalised
from pytest_evals.scorers.jsonfind import NotJsonError, find_json
from pytest_evals.scorers.quoting import listed, quoted, shown
from pytest_evals.scorers.references import texts_of

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class MultipleChoice(Scorer):
    """The output names the right choice, by its letter or by its text.

    The transform `choice_letter` finds the letter.
    """

    type: ClassVar[str] = "multiple_choice"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "letter"
    example: ClassVar[str] = "multiple_choice: {letter: B, choices: [Rome, Paris, Oslo]}"

    letter: str | None = Field(default=None, pattern=r"^[A-Za-z]$|\{\{")
    """The letter of the right choice; by default the `expected` of the case, a letter or a text."""
    choices: tuple[str, ...] | None = None
    """The texts of the choices, in order; by default the variable `choices` of the case."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Find the choice in the output."""
        choices = self._choices(ctx.case)
        expected = self._expected_letter(ctx.case, choices)
        if expected is None:
            raise ScoringError(
                "no right choice: set `letter`, or a letter or choice as `expected` of the case"
            )
        letters = _LETTERS[: len(choices)] if len(choices) > 1 else _LETTERS[:10]
        chosen = choice_letter(ctx.answer, letters) or _by_text(ctx.answer, choices)
        if chosen is None:
            return Verdict(passed=False, reason=f"the output names no choice: {quoted(ctx.answer)}")
        return Verdict(
            passed=chosen == expected,
            label=chosen,
            reason=f"the output chooses {chosen}"
            + ("" if chosen == expected else f", not {expected}: {quoted(ctx.answer)}"),
        )

    def _choices(self, case: Case) -> Sequence[str]:
        """Return the texts of the choices."""
        if self.choices is not None:
            return self.choices
        return texts_of(case.variables.get("choices"))

    def _expected_letter(self, case: Case, choices: Sequence[str]) -> str | None:
        """Return the right letter; None if there is none."""
        if self.letter is not None:
            return self.letter.upper()
        expected = case.expected
        if not isinstance(expected, str):
            return None
        plain = [normalised(choice) for choice in choices]
        if normalised(expected) in plain:
            return _LETTERS[plain.index(normalised(expected))]
        letter = expected.strip().strip("().").upper()
        return letter if len(letter) == 1 and letter in _LETTERS else None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no right choice among the choices."""
        if case is None:
            return
        choices = self._choices(case)
        expected = self._expected_letter(case, choices)
        if expected is None:
            yield (
                "`multiple_choice` has no `letter`, and the `expected` of the case is neither a "
                f"letter nor one of the choices: {shown(case.expected)}"
            )
        elif choices and _LETTERS.index(expected) >= len(choices):
            yield f"`multiple_choice` expects {expected}, but there are only {len(choices)} choices"


def _by_text(answer: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the only choice whose text is in the output."""
    plain = normalised(answer)
    letters = [
        _LETTERS[i] for i, choice in enumerate(choices) if mentions(plain, normalised(choice))
    ]
    return letters[0] if len(letters) == 1 else None


class Label(Scorer):
    """The output is the right label of a classification, and names no other label.

    The actual and the expected label are stored for the confusion matrix over the dataset.
    """

    type: ClassVar[str] = "label"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = "label: {labels: [refund, complaint, other], expected: refund}"

    labels: tuple[str, ...] = Field(min_length=2)
    """All labels."""
    expected: str | None = None
    """The right label; by default the `expected` of the case."""
    aliases: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Synonyms of a label."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Find the label in the output."""
        expected = self._expected_label(ctx.case)
        if expected is None:
            raise ScoringError(f"the expected label is none of {listed(self.labels)}")
        label = self._label_in(ctx.answer)
        metadata = {"expected": expected, "found": label}
        if label is None:
            return Verdict(
                passed=False,
                label=NO_LABEL,
                reason=f"the output names none, or several, of {listed(self.labels)}: "
                f"{quoted(ctx.answer)}",
                metadata=metadata,
            )
        same = label == expected
        return Verdict(
            passed=same,
            label=label,
            reason=f"the label is {label!r}{'' if same else f', not {expected!r}'}",
            metadata=metadata,
        )

    def truth(self, case: Case) -> str | None:
        """Return the right label of a case."""
        return self._expected_label(case)

    def _expected_label(self, case: Case) -> str | None:
        """Return the right label in the spelling of `labels`; None if it is none of them."""
        expected = self.expected if self.expected is not None else case.expected
        plain = {normalised(label): label for label in self.labels}
        return plain.get(normalised(str(expected))) if expected is not None else None

    def _label_in(self, answer: str) -> str | None:
        """Return the only label in an output; None if there is none, or several."""
        plain = normalised(answer).strip(" .!\"'`*:")
        words = {
            normalised(word): label
            for label in self.labels
            for word in (label, *self.aliases.get(label, ()))
        }
        if plain in words:
            return words[plain]
        # The longest first: "not spam" must not match the label "spam".
        named: set[str] = set()
        rest = plain
        for word in sorted(words, key=len, reverse=True):
            changed = without(rest, word)
            if changed != rest:
                named.add(words[word])
                rest = changed
        return named.pop() if len(named) == 1 else None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the right label is not one of the labels."""
        unknown = [name for name in self.aliases if name not in self.labels]
        if unknown:
            yield f"`label` has aliases for {unknown[0]!r}, which is not one of its labels"
        if case is not None and self._expected_label(case) is None:
            expected = self.expected if self.expected is not None else case.expected
            yield f"`label`: the expected label {shown(expected)} is none of {listed(self.labels)}"


class SetMatch(Scorer):
    """The items in the output are the expected items, in any order; its value is the F1.

    Items come from a JSON array (bare, fenced or in prose), else from lines, bullets or numbers,
    else from a list with commas, semicolons and "and". Without a `threshold`, the sets must be
    equal.
    """

    type: ClassVar[str] = "set_match"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "items"
    example: ClassVar[str] = "set_match: [red, green, blue]"

    items: tuple[str, ...] | None = None
    """The expected items; by default the `expected` of the case."""
    aliases: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Synonyms of an item."""
    measured: str = Field(default="f1", pattern=r"^(f1|precision|recall)$")
    """The value: f1, precision or recall."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the sets."""
        expected = self._expected_items(ctx.case)
        if not expected:
            raise ScoringError(
                "no expected items: set `items`, or a list as `expected` of the case"
            )
        items = items_in(ctx.answer)
        words = {normalised(item): item for item in expected}
        for item, others in self.aliases.items():
            words.update({normalised(other): item for other in others})
        named = {words.get(normalised(item), normalised(item)) for item in items}
        hits = named & set(expected)
        precision = len(hits) / len(named) if named else 0.0
        recall = len(hits) / len(set(expected))
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        value = {"f1": f1, "precision": precision, "recall": recall}[self.measured]
        missing = [item for item in expected if item not in hits]
        extra = [item for item in items if words.get(normalised(item)) not in hits]
        parts = [f"it lacks {listed(missing)}"] if missing else []
        parts += [f"it has {listed(extra)} too many"] if extra else []
        return Verdict(
            passed=value == 1.0,
            value=value,
            reason="; ".join(parts) or f"the items are {listed(expected)}",
            metadata={"precision": precision, "recall": recall, "f1": f1},
        )

    def _expected_items(self, case: Case) -> list[str]:
        """Return the expected items without duplicates."""
        items: Any = texts_of(case.expected) if self.items is None else self.items
        return list({normalised(item): item for item in items}.values())

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there are no expected items."""
        if self.items == ():
            yield "`set_match` without items cannot pass; list the items"
        elif case is not None:
            expected = self._expected_items(case)
            if not expected:
                yield "`set_match` has no `items` and the case has no list as `expected`"
            unknown = [item for item in self.aliases if expected and item not in expected]
            if unknown:
                yield f"`set_match` has aliases for {unknown[0]!r}, which is not one of its items"


def items_in(answer: str) -> list[str]:
    """Return the items in an output."""
    try:
        value = find_json(answer, want=list)
    except NotJsonError:
        value = None
    if isinstance(value, Mapping):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 else None
    if isinstance(value, list):
        return [item if isinstance(item, str) else shown(item) for item in value]
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    bullets = [re.sub(r"^(?:[-*\u2022]|\d+[.)])\s+", "", line) for line in lines]
    listed_lines = [b for b, line in zip(bullets, lines, strict=True) if b != line]
    if listed_lines:
        return [_item(line) for line in listed_lines]
    if len(lines) > 1 and not any(c in answer for c in ",;\u3001\uff0c\uff1b"):
        return [_item(line) for line in lines]
    text = lines[-1] if lines else ""
    head, colon, tail = text.rpartition(": ")
    text = tail if colon and head else text
    parts = re.split(r"\s*[,;\u3001\uff0c\uff1b]\s*(?:and\s+)?|\s+and\s+", text)
    return [_item(part) for part in parts if _item(part)]


def _item(text: str) -> str:
    """Strip bullets, quotes and whitespace from a list item."""
    return text.strip().strip("*_`\"'").rstrip(".\u3002").strip()
