"""Whether an output cites its sources."""

import re
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict
from pytest_evals.scorers.patterns import compile_pattern, find_all
from pytest_evals.scorers.quoting import listed, quoted

BRACKETS = r"\[(?P<source>[^\[\]\n]{1,80})\](?!\()|(?P<url>https?://[^\s<>\"')\]]+)|\]\((?P<link>[^()\s]+)\)"
"""A citation by default: ``[1]``, ``[doc-3]``, ``[1, 2]``, a URL, or a Markdown link."""


class MustCite(Scorer):
    """The output cites its sources; its value is the share of the required sources.

    A citation is ``[1]``, ``[policy.md]``, ``[1, 2]``, a URL or a Markdown link, or a match of
    `pattern`.
    """

    type: ClassVar[str] = "must_cite"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "sources"
    example: ClassVar[str] = "must_cite: [policy.md]"

    sources: tuple[str, ...] | None = None
    """The sources that must all be cited; by default any citation passes."""
    known: tuple[str, ...] | None = None
    """The existing sources; a citation of any other source is invented and fails."""
    pattern: str = BRACKETS
    """The pattern of a citation; its first matching group is the source."""
    min: int = Field(default=1, ge=1)
    """The least number of different sources."""

    @field_validator("sources", "known", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        """Accept a single source, and numbers."""
        if isinstance(value, str | int):
            value = [value]
        if isinstance(value, list | tuple):
            return [str(item) for item in value]
        return value

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        """Reject an invalid regular expression."""
        compile_pattern(value)
        return value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the citations with the sources."""
        cited = self._cited(ctx.answer)
        wrong: list[str] = []
        missing = [s for s in self.sources or () if s.casefold() not in cited]
        if missing:
            wrong.append(f"it does not cite {listed(missing)}")
        if len(cited) < self.min:
            wrong.append(f"it cites {len(cited)} sources, at least {self.min} required")
        if self.known is not None:
            allowed = {text.casefold() for text in (*self.known, *(self.sources or ()))}
            invented = [text for key, text in cited.items() if key not in allowed]
            if invented:
                wrong.append(f"it cites unknown sources: {listed(invented)}")
        required = len(self.sources or ())
        value = (
            (required - len(missing)) / required if required else min(1.0, len(cited) / self.min)
        )
        if wrong:
            return Verdict(
                passed=False,
                value=value,
                reason=f"{'; '.join(wrong)}: {quoted(ctx.answer)}",
                metadata={"cited": list(cited.values())},
            )
        return Verdict(
            passed=True,
            value=value,
            reason=f"it cites {listed(cited.values())}",
            metadata={"cited": list(cited.values())},
        )

    def _cited(self, answer: str) -> dict[str, str]:
        """Return the cited sources by their case-folded names."""
        cited: dict[str, str] = {}
        for match in find_all(compile_pattern(self.pattern), answer):
            whole = next((group for group in match.groups() if group is not None), match.group())
            parts = [whole] if "://" in whole else re.split(r"\s*[,;]\s*", whole)
            for part in parts:
                name = part.strip().strip("^").rstrip(".,;:")
                if name:
                    cited.setdefault(name.casefold(), name)
        return cited

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the assertion cannot fail or cannot pass."""
        if self.sources == ():
            yield (
                "`must_cite` with an empty list of sources; remove `sources` to require any "
                "citation"
            )
        if self.known is not None and self.min > len({*self.known, *(self.sources or ())}):
            yield f"`must_cite` requires {self.min} sources, more than there are: it cannot pass"
