"""What a check of a baseline reports. A noun."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(slots=True)
class StalenessReport:
    """The problems of one baseline, and how it differs from its dataset."""

    STALE: ClassVar[tuple[str, ...]] = ("stale", "not in the dataset", "without a line")

    shown: str
    """The file's name in messages."""
    problems: tuple[str, ...] = ()
    """Why the file cannot be read: ``file:line: message``."""
    lines: int = 0
    compared: bool = False
    """Whether its dataset exists and is valid."""
    edited: dict[str, str] = field(default_factory=dict)
    """Case -> the part of it that changed, so that its lines are stale."""
    removed: list[str] = field(default_factory=list)
    """Cases that are no longer in the dataset."""
    missing: list[str] = field(default_factory=list)
    """Cases without a line, or a case and a model without one."""
    notes: list[str] = field(default_factory=list)
    """Other changes, one sentence each."""

    @property
    def stale(self) -> bool:
        """Whether it differs from its dataset, or has none."""
        return bool(self.edited or self.removed or self.missing) or not self.compared

    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the differences: a title and its cases."""
        edited = [f"{case} (its {part} changed)" for case, part in self.edited.items()]
        for title, items in zip(self.STALE, (edited, self.removed, self.missing), strict=True):
            if items:
                yield title, items

    def json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        fields = asdict(self)
        return {"path": fields.pop("shown"), **fields}
