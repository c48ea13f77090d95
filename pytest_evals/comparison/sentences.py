"""A comparison in words: one sentence per row, then notes. Pure."""

from collections.abc import Iterator, Sequence

from pytest_evals.comparison.row import Answer


def sentence(one: "Answer") -> str:
    """Say one comparison in words."""
    from pytest_evals.comparison.numbers import points
    from pytest_evals.ground.plain_text import counted

    result, unit = one.result, " points" if one.rate else ""
    who = f"{one.candidate.label} and {one.reference.label}"
    where = "" if one.question.part is None else f" on {one.question.part}"
    where += "" if one.question.of == "pass@1" else f" in {one.question.of}"
    if not result.cases:
        return f"{who}{where}: no case was scored on both sides."
    cases = counted(result.cases, "case")
    if one.word == "same":
        of = "any of " if result.cases > 1 else ""
        return f"{who}{where}: no difference on {of}{cases}.{_few(one)}"
    if one.word != "unclear":
        change = points(abs(result.change or 0), rate=one.rate).removeprefix("+")
        return (
            f"{one.candidate.label} is {one.word} than {one.reference.label}{where} by "
            f"{change}{unit} (95 % interval {points(result.low, rate=one.rate)} to "
            f"{points(result.high, rate=one.rate)}; {_p(one)})."
        )
    said = f"{who}{where} cannot be told apart by {cases}: "
    said += f"{result.better} better, {result.worse} worse, {_p(one)}."
    said += _few(one)
    if result.smallest is not None and (not one.rate or result.smallest <= 1):
        size = points(result.smallest, rate=one.rate).removeprefix("+")
        said += f" The smallest difference these cases could have shown is {size}{unit}."
    return said


def _p(one: "Answer") -> str:
    from pytest_evals.comparison.numbers import p_value

    text = p_value(one.result.p_adjusted)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def _few(one: "Answer") -> str:
    """Say that too few cases differ for any test, where that is so."""
    result = one.result
    if not result.too_few:
        return ""
    differ = result.better + result.worse
    told = (
        "no case differs"
        if not differ
        else "1 case differs"
        if differ == 1
        else (f"{differ} cases differ")
    )
    return (
        f" Too few discordant pairs: {told}, and {result.changes_needed} must, all to one side, "
        "before noise is ruled out."
    )


def notes(found: "Sequence[Answer]") -> Iterator[str]:
    """Yield what else a reader should know: the cases left out, and errors."""
    from pytest_evals.ground.plain_text import counted

    said = set()
    for one in found:
        if one.question.part is not None:
            continue
        reasons: dict[str, list[str]] = {}
        for item in one.dropped:
            reasons.setdefault(item.reason, []).append(item.case)
        for reason, cases in reasons.items():
            shown = ", ".join(cases[:5]) + (f" and {len(cases) - 5} more" if cases[5:] else "")
            said.add(f"not compared: {shown} ({reason})")
        for side in (one.reference, one.candidate):
            trials = side.table.trials(side.model)
            silent = sum(not trial.scored and not trial.unneeded for trial in trials)
            if silent:
                said.add(
                    f"{side.label}: {silent} of {counted(len(trials), 'trial')} have no answer or "
                    "no score and are left out; if these are the hard ones, it looks better than "
                    "it is"
                )
    yield from sorted(said)
