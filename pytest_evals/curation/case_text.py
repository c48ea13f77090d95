"""A case written as YAML or as a line of JSON, and put into a dataset file that stays as it is.

The YAML is plain data: texts are quoted wherever a reader of YAML 1.1 or 1.2 could take them for
something else, and a file's comments and order are not touched.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_evals.ground.errors import SettingsError
from pytest_evals.loaders.base import Document
from pytest_evals.loaders.yaml import YamlLoader

_PLAIN = re.compile(r"[A-Za-z][\w ./-]*(?<! )", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"})
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_SHORT = 60
"""Characters of a list or mapping on one line."""


def yaml_lines(value: dict[str, Any], indent: int = 0) -> Iterator[str]:
    """Yield a mapping as lines of YAML."""
    for key, item in value.items():
        head = " " * indent + _scalar(str(key)) + ":"
        if isinstance(item, dict | list) and item and not _fits(item):
            yield head
            yield from _block(item, indent + 2)
        else:
            yield f"{head} {_flow(item)}"


def _block(value: dict[str, Any] | list[Any], indent: int) -> Iterator[str]:
    """Yield a value below its key."""
    if isinstance(value, dict):
        yield from yaml_lines(value, indent)
        return
    for item in value:
        yield from item_lines(item, indent)


def item_lines(item: Any, indent: int) -> Iterator[str]:
    """Yield an item of a list, with its dash."""
    dash = " " * indent + "- "
    if isinstance(item, dict) and item and not _fits(item):
        first, *rest = yaml_lines(item, indent + 2)
        yield dash + first.lstrip(" ")
        yield from rest
    elif isinstance(item, list) and item and not _fits(item):
        yield dash.rstrip()
        yield from _block(item, indent + 2)
    else:
        yield dash + _flow(item)


def _fits(value: Any) -> bool:
    """Whether a list or mapping is short enough for one line."""
    flat = all(not isinstance(item, dict | list) for item in _items(value))
    return flat and len(_flow(value)) <= _SHORT


def _items(value: Any) -> list[Any]:
    """Return the items of a list or mapping."""
    return list(value.values()) if isinstance(value, dict) else list(value)


def _flow(value: Any) -> str:
    """Write a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(str(k))}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _scalar(value)
    text = json.dumps(value)
    # YAML 1.1 knows no 1e5 without a point.
    return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text


def _scalar(text: str) -> str:
    """Write a text, unquoted only if no YAML reader can take it for something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and len(text) < 200:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)


def json_line(case: dict[str, Any]) -> str:
    """Write a case as a row of JSON lines."""
    return _HIDDEN.sub(
        lambda m: f"\\u{ord(m[0]):04x}", json.dumps(case, ensure_ascii=False, allow_nan=False)
    )


def dataset_text(case: dict[str, Any], name: str) -> str:
    """Write a dataset of one case, whose answers are recorded."""
    head = [f"name: {_scalar(name)}", "models:", "  - {id: recorded, provider: script}", "cases:"]
    return "\n".join([*head, *item_lines(case, 2), ""])


def added(path: Path, text: str, case: dict[str, Any]) -> str:
    """Return a dataset file's text with one more case at the end of its cases.

    Raises:
        SettingsError: the file is of a form in which a case cannot be put by appending.
        DatasetError: it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}{json_line(case)}\n"
    if suffix in {".yaml", ".yml"}:
        return _in_yaml(path, text, case)
    raise SettingsError(
        f"a case is added to .yaml and .jsonl files, found {path.name}; leave -o out to print it"
    )


def _in_yaml(path: Path, text: str, case: dict[str, Any]) -> str:
    """Put a case behind the last one of a YAML file."""
    document = YamlLoader().parse(text.encode(), str(path))
    data = document.data
    cases = data.get("cases") if isinstance(data, dict) else None
    lines = text.splitlines(keepends=True)
    dash = _dash(document, lines) if isinstance(cases, list) and cases else None
    if dash is None:
        raise SettingsError(
            f"{path}: its `cases` are no list of the form `- id: …` below the key, so nothing can "
            "be put behind them; leave -o out, and paste what is printed"
        )
    keys = list(data)
    after = keys.index("cases") + 1
    end = len(lines)
    if after < len(keys):
        end = document.where((keys[after],), key=True).line - 1
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    new = [f"{line}\n" for line in item_lines(case, dash)]
    return "".join([*lines[:end], *new, *lines[end:]])


def _dash(document: Document, lines: list[str]) -> int | None:
    """Return how far the dashes of the cases are indented; None where they are none."""
    at = document.where(("cases", 0)).line
    key = document.where(("cases",), key=True).line
    dash = re.match(r"( *)- ", lines[at - 1]) if at > key else None
    return None if dash is None else len(dash[1])
