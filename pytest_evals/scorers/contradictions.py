"""Contradictions between the assertions of one case: together they cannot pass. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from glob import escape
from math import inf
from typing import Any

from pytest_evals.case import Case
from pytest_evals.ground.errors import EvalsError
from pytest_evals.scorers.bound import Bound
from pytest_evals.scorers.boundaries import composed
from pytest_evals.scorers.length import CharCount, WordCount
from pytest_evals.scorers.quoting import as_text, quoted


@dataclass(frozen=True, slots=True)
class Claim:
    """What one assertion requires or excludes."""

    by: str
    """The assertion, for messages."""
    text: str
    folded: bool = False
    """Whether case is ignored."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number that one assertion bounds."""

    by: str
    """The assertion, for messages."""
    least: float = 0
    most: float = inf


@dataclass(slots=True)
class Claims:
    """The claims of all assertions of a case."""

    exact: list[Claim] = field(default_factory=list)
    """Texts that are the whole output."""
    texts: list[Claim] = field(default_factory=list)
    no_texts: list[Claim] = field(default_factory=list)
    tools: list[tuple[str, Range]] = field(default_factory=list)
    """Names of tools, which may have wildcards, with the number of calls."""
    lengths: list[tuple[str, Range]] = field(default_factory=list)
    """Units of the output's length, with their number."""
    errors: list[Claim] = field(default_factory=list)


def contradictions(bounds: Iterable[Bound], case: Case) -> Iterator[str]:
    """Yield each pair of assertions that cannot both hold, with both named.

    Only obvious pairs are found: a required text that contains an excluded one, a tool that is
    required and forbidden, an error and an output that are expected at once.

    Args:
        bounds: the assertions of the case.
        case: the case.
    """
    claims = Claims()
    for bound in bounds:
        _collect(bound, case, claims, positive=True)
    for text in (*claims.exact, *claims.texts):
        for excluded in claims.no_texts:
            if _within(excluded, text):
                yield (
                    f"{text.by} and {excluded.by} contradict: an output that contains "
                    f"{quoted(text.text)} contains {quoted(excluded.text)}"
                )
    yield from _exact_problems(claims)
    yield from _tool_problems(claims.tools)
    yield from _length_problems(claims)
    for error in claims.errors:
        for text in claims.texts:
            if text.by.startswith("`expect.") and error.by.startswith("`expect."):
                yield (
                    f"{error.by} and {text.by} contradict: a trial that ends with an error has "
                    "no output"
                )


def _exact_problems(claims: Claims) -> Iterator[str]:
    """Yield the pairs of a whole output and a text that is not in it."""
    for at, whole in enumerate(claims.exact):
        for text in claims.texts:
            folded = whole.folded or text.folded
            if not _within(
                replace(text, text=text.text.strip(), folded=folded), replace(whole, folded=folded)
            ):
                yield (
                    f"{whole.by} and {text.by} contradict: {quoted(whole.text)} does not contain "
                    f"{quoted(text.text)}"
                )
        for other in claims.exact[at + 1 :]:
            folded = whole.folded or other.folded
            texts = {composed(claim.text.strip()) for claim in (whole, other)}
            if len({text.casefold() for text in texts} if folded else texts) > 1:
                yield (
                    f"{whole.by} {quoted(whole.text)} and {other.by} {quoted(other.text)} "
                    "contradict: no output is both"
                )


def _tool_problems(tools: Sequence[tuple[str, Range]]) -> Iterator[str]:
    """Yield the pairs of assertions that allow no number of calls of a tool."""
    for name, required in tools:
        for pattern, limit in tools:
            if required.least <= limit.most or not fnmatchcase(name, pattern):
                continue
            if limit.most == 0:
                words = "required and forbidden"
            else:
                words = f"required {required.least:g} times and allowed {limit.most:g} times"
            what = "tools are" if name == "*" else f"the tool {name!r} is"
            yield f"{required.by} and {limit.by} contradict: {what} {words}"


def _length_problems(claims: Claims) -> Iterator[str]:
    """Yield the pairs of assertions that no length satisfies."""
    for unit, required in claims.lengths:
        for other, limit in claims.lengths:
            if unit == other and required.least > limit.most:
                yield (
                    f"{required.by} and {limit.by} contradict: at least {required.least:g} and at "
                    f"most {limit.most:g} {unit}"
                )
    for text in (*claims.exact, *claims.texts):
        length = len(composed(text.text.strip()))
        for unit, limit in claims.lengths:
            if unit == "characters" and text.text.isascii() and length > limit.most:
                yield (
                    f"{text.by} and {limit.by} contradict: {quoted(text.text)} has {length} "
                    f"characters, at most {limit.most:g} are allowed"
                )


def _within(excluded: Claim, required: Claim) -> bool:
    """Whether every output with the required text has the excluded one."""
    if required.folded and not excluded.folded:
        return False
    inner, outer = composed(excluded.text), composed(required.text)
    if excluded.folded:
        inner, outer = inner.casefold(), outer.casefold()
    return bool(inner) and inner in outer


def _collect(bound: Bound, case: Case, claims: Claims, *, positive: bool) -> None:
    """Add the claims of an assertion; of an inverted one if not `positive`."""
    if bound.transform is not None or bound.threshold is not None:
        return
    if bound.type == "not":
        _collect(bound.parts[0], case, claims, positive=not positive)
    elif bound.type == ("all_of" if positive else "any_of"):
        for part in bound.parts:
            _collect(part, case, claims, positive=positive)
    elif not bound.parts:
        try:
            options = bound.for_case(case)
        except EvalsError:
            return  # reported at the scorer
        if bound.type == "expect":
            _expect(options, claims, positive=positive)
        else:
            _texts(bound.type, options, case, claims, positive=positive)
            _tools(bound.type, options, claims, positive=positive)
            if positive and isinstance(options, WordCount | CharCount):
                highest = inf if options.max is None else options.max
                length = Range(f"`{bound.type}`", options.min or 0, highest)
                claims.lengths.append((_LENGTHS[bound.type], length))


_LENGTHS = {"word_count": "words", "char_count": "characters"}
_WHOLE = frozenset({"equals", "starts_with", "ends_with", "contains", "icontains"})
_ALL = frozenset({"contains_all", "icontains_all"})
_ANY = frozenset({"contains_any", "icontains_any"})


def _texts(name: str, scorer: Any, case: Case, claims: Claims, *, positive: bool) -> None:
    """Add the texts that an assertion requires or excludes."""
    if name not in _WHOLE | _ALL | _ANY:
        return
    given = scorer.value if name in _WHOLE else scorer.values
    given = case.expected if given is None else given
    texts = [as_text(t) for t in (given if isinstance(given, list | tuple) else [given])]
    by = f"`{name}`" if positive else f"`not: {name}`"
    folded = name.startswith("i") or bool(getattr(scorer, "ignore_case", False))
    made = [Claim(by, text, folded) for text in texts if text]
    if positive and name == "equals":
        exact = [text.strip() if scorer.strip else text for text in texts]
        claims.exact += [Claim(by, text, folded) for text in exact]
    elif positive and name in {"starts_with", "ends_with"}:
        claims.texts += [Claim(by, claim.text.strip(), folded) for claim in made]
    elif positive and (name not in _ANY or len(made) == 1):
        claims.texts += made
    excludes = name in {"contains", "icontains", *_ANY} or (name in _ALL and len(made) == 1)
    if not positive and excludes:
        claims.no_texts += made


def _tools(name: str, scorer: Any, claims: Claims, *, positive: bool) -> None:
    """Add the numbers of calls that an assertion allows."""
    by = f"`{name}`" if positive else f"`not: {name}`"
    if name == "tool_called" and positive:
        highest = inf if scorer.max is None else scorer.max
        claims.tools.append((scorer.name, Range(by, scorer.min, highest)))
    elif name == "tool_called" and scorer.max is None:
        claims.tools.append((scorer.name, Range(by, most=max(0, scorer.min - 1))))
    elif not positive:
        return
    elif name == "forbidden_tools":
        claims.tools += [(tool, Range(by, most=0)) for tool in scorer.names]
    elif name == "tool_sequence" and scorer.mode != "subset":
        _sequence(by, scorer.names, claims)
    elif name == "required_tool_calls":
        _required_calls(by, scorer.calls, claims)
    elif name == "max_tool_calls":
        claims.tools.append(("*", Range(by, most=scorer.max)))


def _sequence(by: str, names: Iterable[str], claims: Claims) -> None:
    """Add the tools of a sequence."""
    counts = Counter(names)
    for tool, count in counts.items():
        claims.tools.append((escape(tool), Range(by, count)))
    if len(counts) > 1:
        claims.tools.append(("*", Range(by, counts.total())))


def _required_calls(by: str, calls: Iterable[Any], claims: Claims) -> None:
    """Add the tools of required calls; only calls without a filter are limited."""
    for call in calls:
        count = call.count
        least = count.exactly if count.exactly is not None else count.at_least or 0
        highest = count.exactly if count.exactly is not None else count.at_most
        filtered = call.args_subset is not None or call.result_subset is not None
        limit = inf if filtered or highest is None else highest
        claims.tools.append((escape(call.name), Range(by, least, limit)))


def _expect(scorer: Any, claims: Claims, *, positive: bool) -> None:
    """Add the claims of an `expect`."""
    if not positive:
        return
    for text in scorer.final_answer_contains:
        claims.texts.append(Claim("`expect.final_answer_contains`", text))
    for text in scorer.final_answer_excludes:
        claims.no_texts.append(Claim("`expect.final_answer_excludes`", text))
    _sequence("`expect.tool_sequence`", scorer.tool_sequence, claims)
    for tool in scorer.forbidden_tools:
        claims.tools.append((escape(tool), Range("`expect.forbidden_tools`", most=0)))
    _required_calls("`expect.required_tool_calls`", scorer.required_tool_calls, claims)
    if scorer.expected_error_type is not None:
        claims.errors.append(Claim("`expect.expected_error_type`", scorer.expected_error_type))
