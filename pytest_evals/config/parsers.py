"""Parsers: from the text of an option to its value. Each raises ValueError with what it expects."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_evals.ground.errors import suggest

if TYPE_CHECKING:
    from pytest_evals.shard import Shard

RESPONSE_MODES = ("auto", "replay", "refresh", "off")


def number_parser(parse: type[int] | type[float], least: float, unit: str) -> Callable[[str], Any]:
    """Make a parser of a finite number of at least `least`."""

    def parse_number(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError:
            raise ValueError(f"expected {unit}") from None
        if not value >= least or value == float("inf"):
            raise ValueError(f"expected {unit}, at least {least:g}")
        return value

    return parse_number


def whole_number_parser(unit: str = "a whole number", *, least: int = 1) -> Callable[[str], Any]:
    """Make a parser of a whole number of at least `least`."""
    return number_parser(int, least, unit)


def parse_mode(text: str) -> str:
    """Parse ``--evals-responses``."""
    if text not in RESPONSE_MODES:
        raise ValueError(f"expected one of {', '.join(RESPONSE_MODES)}.{suggest(text, ())}")
    return text


def parse_duration(text: str) -> float:
    """Parse seconds, or a number with s, m or h."""
    units = {"s": 1, "m": 60, "h": 3600}
    digits, scale = (text[:-1], units[text[-1:]]) if text[-1:] in units else (text, 1)
    return float(number_parser(float, 0.001, "seconds, or a number with s, m or h")(digits)) * scale


def parse_boolean(text: str) -> bool:
    """Parse true or false."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("expected true or false")


def parse_shard(text: str) -> "Shard":
    """Parse ``--evals-shard``."""
    from pytest_evals import shard

    return shard.parse_shard(text)


def parse_report(text: str) -> str:
    """Parse ``--evals-report``."""
    name, equals, path = text.partition("=")
    if not name.strip() or not equals or not path.strip():
        raise ValueError("expected NAME=PATH")
    return f"{name.strip()}={path.strip()}"


def parse_shared_store(text: str) -> str:
    """Parse ``--evals-shared``."""
    scheme, colon, address = text.partition(":")
    if len(scheme) < 2 or not colon or not address:
        raise ValueError("expected SCHEME:ADDRESS, such as sqlite:/mnt/team/answers.sqlite")
    return text


def parse_confirmation(text: str) -> int | str:
    """Parse ``--evals-confirm``."""
    if text == "auto":
        return text
    try:
        return int(whole_number_parser(least=0)(text))
    except ValueError:
        raise ValueError("expected a whole number of at least 0, or auto") from None
