"""Claims: split a text into statements, judge each with yes or no, return the share of yes."""

from collections.abc import Mapping
from typing import Any

from pytest_evals.scorers.judge.fence import Piece
from pytest_evals.scorers.judge.interview import Task, object_schema
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import BadReplyError, bool_in, rows_in, text_in

_MAX_LISTED = 3


def count_task(
    words: str, pieces: tuple[Piece, ...], *, yes: str, no: str, empty: str | None
) -> Task[Opinion]:
    """Return the task of a judge that decides yes or no for each statement.

    Args:
        words: the instructions: what a statement is, and what to decide.
        pieces: the material.
        yes: the JSON key of the decision, and the word for yes in the reason.
        no: the word for no in the reason.
        empty: the label without any statement; None rejects such a reply.
    """

    def read_row(row: Mapping[str, Any]) -> tuple[str, bool, str]:
        return text_in(row, "statement"), bool_in(row, yes), text_in(row, "why")

    def read(data: Mapping[str, Any]) -> Opinion:
        rows: list[tuple[str, bool, str]] = rows_in(data, "statements", read_row)
        if not rows and empty is None:
            raise BadReplyError("`statements` is empty, and there are some")
        if not rows:
            return Opinion(label=empty, reason=f"{empty}: nothing to count")
        return _counted(rows, yes, no)

    row_schema = object_schema(
        {"statement": {"type": "string"}, "why": {"type": "string"}, yes: {"type": "boolean"}}
    )
    return Task(
        words=words,
        pieces=pieces,
        form='{"statements": [{"statement": "<one of them, in a sentence>", "why": "<why, in a '
        f'few words>", "{yes}": <true or false>}}, ...]}}',
        schema=object_schema({"statements": {"type": "array", "items": row_schema}}),
        read=read,
    )


def _counted(rows: list[tuple[str, bool, str]], yes: str, no: str) -> Opinion:
    """Return the share of statements with yes."""
    right = sum(is_so for _, is_so, _ in rows)
    wrong = [f"{statement} ({why})" for statement, is_so, why in rows if not is_so]
    more = f" and {len(wrong) - _MAX_LISTED} more" if len(wrong) > _MAX_LISTED else ""
    misses = f"; {no}: {'; '.join(wrong[:_MAX_LISTED])}{more}" if wrong else ""
    return Opinion(
        value=right / len(rows),
        reason=f"{right} of {len(rows)} {yes}{misses}",
        detail={"statements": [{"statement": s, yes: is_so, "why": why} for s, is_so, why in rows]},
    )
