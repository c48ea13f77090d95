"""Numbers that remember how they were written: ``3.10`` is 3.1 and the text "3.10". Pure.

A loader makes one only where the number's own text differs. Everything that calculates, compares or
writes JSON sees the plain number; `str()` gives the written text.
"""

from typing import Self


class Written:
    """A number with the text it was written as."""

    _written: str

    def __str__(self) -> str:
        return self._written

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else self._written


class WrittenFloat(Written, float):
    """A float with the text it was written as, such as ``3.10`` or ``1e3``."""

    def __new__(cls, written: str) -> Self:
        """Parse a text.

        Raises:
            ValueError: it is no number.
        """
        number = super().__new__(cls, written)
        number._written = written
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self._written,)


class WrittenInt(Written, int):
    """An int with the text it was written as, such as ``+5`` or ``0x10``."""

    def __new__(cls, number: int, written: str) -> Self:
        """Join a number and its text."""
        made = super().__new__(cls, number)
        made._written = written
        return made

    def __getnewargs__(self) -> tuple[int, str]:  # type: ignore[override]
        return (int(self), self._written)


def written_float(text: str) -> float:
    """Return the number of a text, with the text if the number's own differs.

    Raises:
        ValueError: it is no number.
    """
    number = float(text)
    return number if repr(number) == text else WrittenFloat(text)


def written_int(number: int, text: str) -> int:
    """Return the number, with its text if the number's own differs."""
    return number if repr(number) == text else WrittenInt(number, text)
