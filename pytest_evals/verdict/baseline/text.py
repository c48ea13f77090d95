"""A baseline as a small, sorted, reviewable text for git, and back.

One line per case and model; the first line names the dataset and the format, the last line marks
the end. The text has no date. A merge that keeps the lines of both sides is correct
(``merge=union`` in git's attributes): lines of one case and model with the same definition are
joined on reading. Every line has a checksum, so a line edited by hand is rejected.
"""

import json
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from pytest_evals.ground.canonical import Frozen, digest
from pytest_evals.ground.errors import StoreError
from pytest_evals.verdict.baseline.lines import Baseline, BaselineLine
from pytest_evals.verdict.baseline.merge import join_lines

FORMAT = 1
"""The version of the text's format."""

_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_MOST_PROBLEMS = 5
_END = '{"end":true}'


def write_baseline(baseline: Baseline) -> str:
    """Return a baseline as text: sorted, and equal for equal baselines."""
    head = _text({"baseline": baseline.dataset, "format": FORMAT})
    return "\n".join([head, *map(_line_text, baseline.lines), _END, ""])


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _line_text(line: BaselineLine) -> str:
    scores = {name: round(line.number(name) or 0.0, 4) for name in line.scorers}
    shown = {
        "case": line.case,
        "model": line.model,
        "passes": line.passes,
        "n": line.n,
        "scores": scores,
        "recorded": line.recorded,
        "right": line.right and _kept(line.right),
        "wrong": line.wrong and _kept(line.wrong),
        "digests": _kept(line.digests),
        "runs": [_kept(run, set() if line.recorded else {"answers"}) for run in line.runs],
    }
    plain = {k: v for k, v in shown.items() if v is not None and v is not False and v != {}}
    return _text({**plain, "check": digest(plain, length=8)})


def _kept(noun: Frozen, left_out: Collection[str] = ()) -> dict[str, Any]:
    """Return a noun as JSON without None and without empty lists and mappings."""
    data = noun.model_dump(mode="json", exclude={"reasons", *left_out}, exclude_none=True)
    return {key: value for key, value in data.items() if value not in ([], {})}


def read_baseline(text: str, where: str, *, dataset: str | None = None) -> Baseline:
    """Parse the text of a baseline.

    Args:
        text: as written by `write_baseline`, or merged by git.
        where: the name of the text in messages: a path, or a revision and a path.
        dataset: the expected dataset; None accepts any.

    Raises:
        StoreError: the text is no baseline, of another dataset, of a newer version, truncated,
            edited by hand, or an unresolved merge; the error lists the first wrong lines.
    """
    rows = [row.removesuffix("\r") for row in text.split("\n")]
    _refuse_conflict(rows, where)
    name = _head(rows, where)
    if dataset is not None and name != dataset:
        raise StoreError(
            f"{where}:1: this is the baseline of dataset {name!r}, and the dataset here is "
            f"{dataset!r}; name the right file"
        )
    if rows[-1] or len(rows) < 3 or rows[-2] != _END:
        raise StoreError(
            f"{where}:{max(1, len(rows) - 1)}: the baseline is truncated: its last line is not "
            f"{_END}. Restore it from git (`git checkout -- FILE`)"
        )
    problems: list[str] = []
    lines: list[BaselineLine] = []
    for number, row in enumerate(rows[1:-2], start=2):
        parsed = _line_of(row)
        if isinstance(parsed, BaselineLine):
            lines.append(parsed)
        else:
            problems.append(f"{where}:{number}: {parsed}")
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        tail = [f"and {more} more lines"] if more > 0 else []
        raise StoreError("\n".join([*problems[:_MOST_PROBLEMS], *tail]))
    try:
        return Baseline(dataset=name, lines=join_lines(lines))
    except StoreError as error:
        raise StoreError(f"{where}: {error}") from None


def _refuse_conflict(rows: list[str], where: str) -> None:
    for number, row in enumerate(rows, start=1):
        if row.startswith(_CONFLICT):
            raise StoreError(
                f"{where}:{number}: an unresolved merge. Keep the lines of both sides and remove "
                "the conflict markers: lines of one case are joined on reading (`merge=union` in "
                ".gitattributes does this automatically)"
            )


def _head(rows: list[str], where: str) -> str:
    """Return the dataset named in the first line."""
    try:
        head = json.loads(rows[0])
    except ValueError:
        head = None
    if not isinstance(head, dict) or not isinstance(head.get("baseline"), str):
        raise StoreError(
            f"{where}:1: this is no baseline: its first line must name the dataset and the format. "
            "Write one with --evals-update-baseline"
        )
    version = head.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise StoreError(
            f"{where}:1: the baseline has format {version!r}, and this version of pytest-evals "
            f"reads up to {FORMAT}; upgrade pytest-evals-matrix"
        )
    return str(head["baseline"])


def _line_of(row: str) -> BaselineLine | str:
    """Return the line of a row, or a message about its problem."""
    try:
        data = json.loads(row)
    except ValueError:
        return f"no JSON, so the line is truncated or edited by hand; {_RESTORE}"
    if not isinstance(data, dict) or "case" not in data:
        return f"no line of a baseline; {_RESTORE}"
    keys = {"case", "model", "digests", "recorded", "runs", "right", "wrong"}
    try:
        line = BaselineLine.model_validate({k: v for k, v in data.items() if k in keys})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        return f"`{at}`: {first['msg']}; {_RESTORE}"
    if _line_text(line) != row:
        return (
            f"the line of case {line.case!r}, model {line.model!r} was edited by hand; {_RESTORE}"
        )
    return line


_RESTORE = "restore it from git, or create it again with --evals-reset-baseline"
