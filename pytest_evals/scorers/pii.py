"""Personal data in an output: e-mail addresses, phone and card numbers, and similar data."""

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import ClassVar, Literal

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict
from pytest_evals.scorers.boundaries import LETTER, SPACELESS

Kind = Literal["email", "phone", "card", "iban", "us_ssn", "ip"]
KINDS: tuple[Kind, ...] = ("email", "phone", "card", "iban", "us_ssn", "ip")

_EMAIL = re.compile(
    rf"(?<![.+%-])(?<!{LETTER})(?:(?:{LETTER}|[.+%-]){{1,64}}|{SPACELESS}{{1,64}})"
    rf"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,62}})\.){{1,8}}[A-Za-z]{{2,24}}(?!{LETTER}|-)"
)
_DIGITS = re.compile(rf"(?<!\.)(?<!{LETTER})\d(?:[ -]?\d){{11,18}}(?!{LETTER}|[.,]\d)")
_IBAN = re.compile(rf"(?<!{LETTER})[A-Z]{{2}}\d{{2}}(?: ?[A-Z0-9]{{2,4}}){{3,8}}(?!{LETTER})")
_SSN = re.compile(
    rf"(?<!-)(?<!{LETTER})(?!000|666|9\d\d)\d{{3}}-(?!00)\d{{2}}-(?!0000)\d{{4}}(?!{LETTER}|-)"
)
_PHONE = re.compile(
    rf"(?<![.+/-])(?<!{LETTER})"
    r"(?:(?:\+\d{1,3}[ .-]?)?(?:\(0?\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]\d{2,4}){1,4}"
    rf"(?!{LETTER}|-|[.,]\d)|\+\d{{8,15}}(?!{LETTER})"
    rf"|\(\d{{2,4}}\) ?\d{{3,4}}[ .-]?\d{{3,4}}(?!{LETTER}))"
)
_DATE = re.compile(r"\d{4}[-. ]\d{1,2}[-. ]\d{1,2}|\d{1,2}[-. ]\d{1,2}[-. ]\d{2,4}")
_IP4 = re.compile(rf"(?<!\.)(?<!{LETTER})\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!{LETTER}|\.\d)")


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit (ISO/IEC 7812)."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + i % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _cards(text: str) -> Iterator[str]:
    """Yield card numbers: 12 to 19 digits, possibly grouped, with a valid check digit."""
    for match in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if luhn(digits) and len(set(digits)) > 1 and digits[0] in "23456":
            yield match.group()


def _ibans(text: str) -> Iterator[str]:
    """Yield IBANs with valid check digits (ISO 13616)."""
    for match in _IBAN.finditer(text):
        plain = match.group().replace(" ", "")
        turned = plain[4:] + plain[:4]
        if 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1:
            yield match.group()


def _phones(text: str) -> Iterator[str]:
    """Yield phone numbers: 8 to 15 digits, grouped or with a country code."""
    others = [match.span() for match in (*_SSN.finditer(text), *_DIGITS.finditer(text))]
    for match in _PHONE.finditer(text):
        phone = match.group()
        digits = re.sub(r"\D", "", phone)
        inside = any(start <= match.start() and match.end() <= end for start, end in others)
        international = phone.startswith("+")
        if _DATE.fullmatch(phone) or (inside and not international):
            continue
        if re.fullmatch(_IP4, phone):
            continue
        if (8 if international else 9) <= len(digits) <= 15:
            yield phone


def _ips(text: str) -> Iterator[str]:
    """Yield public IPv4 addresses."""
    for match in _IP4.finditer(text):
        try:
            if ip_address(match.group()).is_global:
                yield match.group()
        except ValueError:
            continue


_FINDERS: dict[str, Callable[[str], Iterable[str]]] = {
    "email": lambda text: (match.group() for match in _EMAIL.finditer(text)),
    "phone": _phones,
    "card": _cards,
    "iban": _ibans,
    "us_ssn": lambda text: (match.group() for match in _SSN.finditer(text)),
    "ip": _ips,
}


def find_pii(text: str, categories: Iterable[Kind] = KINDS) -> list[tuple[Kind, str]]:
    """Return the personal data in a text as pairs of category and value, by category."""
    return [(category, value) for category in categories for value in _FINDERS[category](text)]


def _masked(text: str) -> str:
    """Mask a value: reports must not contain it."""
    return f"{text[:2]}…{text[-2:]}"


class _Pii(Scorer):
    """Searches for personal data."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "kinds"

    kinds: tuple[Kind, ...] = Field(default=KINDS)
    """The categories: email, phone, card, iban, us_ssn, ip."""
    allow: tuple[str, ...] = ()
    """Allowed values, such as your support address."""

    def disallowed(self, ctx: ScoreContext) -> list[tuple[Kind, str]]:
        """Return the personal data that is not allowed."""
        allowed = {text.casefold() for text in self.allow}
        return [
            (category, text)
            for category, text in find_pii(ctx.answer, self.kinds)
            if text.casefold() not in allowed
        ]

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there are no categories."""
        if not self.kinds:
            can = "pass" if self.type == "contains_pii" else "fail"
            yield f"`{self.type}` without `kinds` cannot {can}"


class NoPii(_Pii):
    """The output contains no e-mail address, phone, card or account number, or similar data.

    Only card numbers and IBANs with valid check digits count; dates are not phone numbers. The
    reason masks the values.
    """

    type: ClassVar[str] = "no_pii"
    example: ClassVar[str] = "no_pii: [email, phone, card]"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search the output."""
        matches = self.disallowed(ctx)
        if not matches:
            return Verdict(passed=True, reason="the output contains no personal data")
        return Verdict(passed=False, reason=f"the output contains {_masked_list(matches)}")


class ContainsPii(_Pii):
    """The output contains personal data of one of these categories."""

    type: ClassVar[str] = "contains_pii"
    example: ClassVar[str] = "contains_pii: [email]"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search the output."""
        matches = self.disallowed(ctx)
        if matches:
            return Verdict(passed=True, reason=f"the output contains {_masked_list(matches)}")
        return Verdict(passed=False, reason=f"the output contains no {', '.join(self.kinds)}")


def _masked_list(matches: list[tuple[Kind, str]]) -> str:
    """List the categories with masked values."""
    return ", ".join(f"{category} {_masked(text)}" for category, text in matches[:8])
