"""YAML, by the core schema of YAML 1.2: ``Yes``, ``1:30`` and ``2024-01-01`` are texts.

One thing is stricter: a number with leading zeros (``012``, a code more often than a count) stays a
text too. The data is built from the parser's events and not from its nodes, because the parser
composes nodes recursively in C, where a deeply nested file ends the process.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar

import yaml
from yaml import events

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError, Position, Problem
from pytest_evals.loaders.base import MAX_DEPTH, Document, Loc
from pytest_evals.loaders.text import TOO_DEEP, Lines, clip, decode, has_lone_surrogate, kind_name

MAX_ALIASED = 1_000_000
"""How many values a file's aliases may stand for, all together."""

_CONSTANTS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_BE_OTHER = frozenset("~nNtTfF-+.0123456789")
"""First characters of plain scalars that may be something else than a text."""

LIBYAML_DEPTH = "exceeded maximum nesting depth"
"""How libyaml's error begins for a text that is nested more than 1,000 deep."""

_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {f"{_CORE}{name}": name for name in ("null", "bool", "int", "float")}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS_OF_1_1 = "\x85\u2028\u2029"
_HINTS = (
    ("mapping values are not allowed", "quote a text that holds `: `, or check the indentation"),
    ("cannot start any token", "quote a text that begins with this character; indent with spaces"),
    ("tab character", "indent with spaces, not with tabs"),
    (
        "could not find expected ':'",
        "a key needs `: ` behind it; a text of several lines needs `|`",
    ),
    ("did not find expected key", "check the indentation of this line and the quotes before it"),
    ("did not find expected '-' indicator", "check the indentation of this line"),
    ("unexpected end of stream", "a quote or bracket is not closed"),
    ("unknown escape character", "use single quotes, in which a backslash is just a backslash"),
    (
        "invalid Unicode character escape",
        "write the character itself; surrogate pairs are for JSON",
    ),
)


class _Absent:
    """What stands for a key where there is none."""


_NO_KEY, _MERGE, _DROP = _Absent(), _Absent(), _Absent()
"""The mapping waits for its next key; the value is to be merged; the value has no right key."""
_Mark = tuple[int, int]
_Marks = dict[str | int, tuple[_Mark, _Mark]]
"""Of a container's children: where the key and where the value begins, 0-based."""


class YamlLoader:
    """Reads YAML 1.2 files."""

    name: ClassVar[str] = "yaml"
    suffixes: ClassVar[tuple[str, ...]] = (".yaml", ".yml")

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file.

        Raises:
            DatasetError: it is not one YAML document.
        """
        text = _Text(decode(content, path), path)
        builder = _Builder(text, everywhere=False)
        try:
            data = builder.build()
        except _LocationsNeededError:
            builder = _Builder(text, everywhere=True)
            data = builder.build()
        return Document(data, _Locations(text, data, builder), tuple(builder.problems))


class _LocationsNeededError(Exception):
    """A problem was found whose message needs the place of a deep value."""


class _Text:
    """A text for the parser, in which only the line breaks of YAML 1.2 are line breaks."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.text = text
        self._back: dict[int, str] = {}
        self.escapes = _FastParser is None and "\\u" in text
        """Whether an escape may have made half a character, which libyaml refuses by itself."""
        self.altered = self.escapes
        """Whether a scalar may not be taken as the parser gives it."""
        if not text.isascii() and any(mark in text for mark in _BREAKS_OF_1_1):
            free = (c for c in map(chr, range(0xE000, 0xF8FF)) if c not in text)
            stand_ins = dict(zip(_BREAKS_OF_1_1, free, strict=False))
            self.text = text.translate({ord(old): new for old, new in stand_ins.items()})
            self._back = {ord(new): old for old, new in stand_ins.items()}
            self.altered = True

    def restored(self, value: str) -> str:
        """Put back into a scalar what the parser would have taken for line breaks."""
        return value.translate(self._back) if self._back else value

    def before(self, offset: int) -> "_Text":
        """Return the text that ends before an offset."""
        return _Text(self.restored(self.text[:offset]), self.path)

    def parser(self) -> Any:
        """Make an event parser: libyaml's where it is built in, else the one in Python."""
        return (_FastParser or _SlowParser)(self.text)

    def position(self, mark: Any) -> Position:
        """Return the place of a parser's mark."""
        return Position(self.path, mark.line + 1, mark.column + 1)


class _SlowParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's own parser, without what makes objects."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _fast_parser() -> Callable[[str], Any] | None:
    """Return libyaml's parser; None where PyYAML was built without it."""
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]
    except ImportError:
        return None
    return CParser


_FastParser = _fast_parser()


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = ("before", "container", "key", "key_mark", "marks", "merges", "start")

    def __init__(self, container: Any, start: Any, before: int, marks: _Marks | None) -> None:
        self.container = container
        self.start = start
        """The event that began it; None of what holds the document's value."""
        self.before = before
        """How many values were read before it."""
        self.marks = marks
        """None where places are not kept."""
        self.key: Any = _NO_KEY
        self.key_mark: Any = None
        self.merges: list[tuple[Json, Any]] = []


class _Builder:
    """Builds plain data from events.

    Args:
        text: what is parsed.
        everywhere: whether the place of every value is kept; else only of those one and two steps
            below the root, which is where the cases are.
    """

    def __init__(self, text: _Text, *, everywhere: bool) -> None:
        self._text = text
        self.everywhere = everywhere
        self.problems: list[Problem] = []
        self.start: _Mark = (0, 0)
        """Where the document's value begins."""
        self.marks: dict[int, _Marks] = {}
        """By the identity of the container."""
        self._dropped: list[Json] = []
        """Containers that are not in the data: kept alive, so that identities stay unique."""
        self._anchors: dict[str, tuple[Json, int]] = {}
        """Values and how many values they hold, themselves included."""
        self._open_anchors: set[str] = set()
        self._count = 0
        self._aliased = 0

    def build(self) -> Json:
        """Return the data of the one document.

        Raises:
            DatasetError: the text is not YAML, or holds something other than one document.
        """
        try:
            return self._stream()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            if mark is not None and LIBYAML_DEPTH in (error.problem or ""):
                self._report_nesting(mark)
            else:
                self._report(mark, _syntax(error))
        except yaml.reader.ReaderError:
            text = self._text.text
            match = _UNPRINTABLE.search(text)
            offset = match.start() if match else 0
            self.problems.append(
                Problem(
                    Lines(text, self._text.path).at(offset),
                    f"found the character U+{ord(text[offset]):04X}, which YAML does not allow; "
                    "write it as an escape in double quotes",
                )
            )
        raise DatasetError(self.problems)

    def _report_nesting(self, mark: Any) -> None:
        """Report the list or mapping at level `MAX_DEPTH` + 1 of a text that libyaml rejects.

        Newer versions of libyaml limit the depth to 1,000 and scan ahead of the events, so they
        reject a text before the event of that level. The text before their error has the place.
        """
        builder = _Builder(self._text.before(mark.index), everywhere=self.everywhere)
        try:
            builder.build()
        except DatasetError as error:
            if error.problems[-1].message == TOO_DEEP:
                self.problems[:] = error.problems
                return
        self._report(mark, TOO_DEEP)

    def _stream(self) -> Json:
        """Read the stream: its start, one document, its end."""
        get = self._text.parser().get_event
        get()
        if isinstance(get(), events.StreamEndEvent):
            return None
        data = self._document(get)
        get()
        extra = get()
        if not isinstance(extra, events.StreamEndEvent):
            self._report(
                extra.start_mark, "found a second document, expected one; delete the `---`"
            )
            raise DatasetError(self.problems)
        return data

    def _document(self, get: Callable[[], Any]) -> Json:  # noqa: C901, PLR0912 - see below
        """Build one document's data with a stack of our own.

        What is done for each scalar stands in the one loop: calls would double the time it takes.
        """
        scalar, alias = events.ScalarEvent, events.AliasEvent
        starts = (events.MappingStartEvent, events.SequenceStartEvent)
        restore = self._text.altered
        frame = _Frame([], None, 0, None)
        stack: list[_Frame] = []
        while True:
            event = get()
            kind_of_event = type(event)
            mark = event.start_mark
            if kind_of_event is scalar:
                value = event.value
                if event.anchor or event.tag or restore:
                    value = self._scalar(event)
                elif event.implicit[0] and (not value or value[0] in _MAY_BE_OTHER):
                    value = self._resolved(value, mark)
                self._count += 1
            elif kind_of_event in starts:
                stack.append(frame)
                frame = self._opened(event, len(stack))
                continue
            elif kind_of_event is alias:
                value = self._alias(event)
            else:
                value, mark = frame.container, frame.start.start_mark
                self._closed(frame)
                frame = stack.pop()
            container = frame.container
            if type(container) is list:
                if frame.marks is not None:
                    place = (mark.line, mark.column)
                    frame.marks[len(container)] = (place, place)
                container.append(value)
                if not stack:
                    self.start = (mark.line, mark.column)
                    return value
            elif frame.key is _NO_KEY:
                frame.key, frame.key_mark = value, mark
                if type(value) is not str or value in container or value == "<<":
                    frame.key = self._key(event, value, frame)
            else:
                if type(frame.key) is str:
                    container[frame.key] = value
                    if frame.marks is not None:
                        key_place = (frame.key_mark.line, frame.key_mark.column)
                        frame.marks[frame.key] = (key_place, (mark.line, mark.column))
                else:
                    self._dropped.append(value)
                    if frame.key is _MERGE:
                        frame.merges.append((value, mark))
                frame.key = _NO_KEY

    def _opened(self, event: Any, depth: int) -> "_Frame":
        """Begin a list or mapping."""
        is_map = isinstance(event, events.MappingStartEvent)
        if depth > MAX_DEPTH:
            self._report(event.start_mark, TOO_DEEP)
            raise DatasetError(self.problems)
        tag = event.tag
        if tag is not None and tag not in {"!", f"{_CORE}{'map' if is_map else 'seq'}"}:
            self._bad_tag(event)
        if event.anchor:
            self._open_anchors.add(event.anchor)
        container: Any = {} if is_map else []
        marks: _Marks | None = None
        if self.everywhere or depth <= 2:
            marks = self.marks[id(container)] = {}
        frame = _Frame(container, event, self._count, marks)
        self._count += 1
        return frame

    def _closed(self, frame: "_Frame") -> None:
        """End a list or mapping."""
        if frame.merges:
            self._merge(frame)
        anchor = frame.start.anchor
        if anchor:
            self._open_anchors.discard(anchor)
            self._anchors[anchor] = (frame.container, self._count - frame.before)

    def _scalar(self, event: Any) -> Json:
        """Return the value of a scalar that has a tag or an anchor, or needs restoring."""
        value: Json = self._text.restored(event.value)
        if self._text.escapes and has_lone_surrogate(value):
            self._report(event.start_mark, "found half a character (a surrogate); write it whole")
            value = value.encode(errors="replace").decode()
        if event.tag is None:
            if event.implicit[0]:
                value = self._resolved(value, event.start_mark)
        elif event.tag in _SCALAR_TAGS:
            value = self._tagged(event, value)
        elif event.tag not in {"!", f"{_CORE}str"}:
            self._bad_tag(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        return value

    def _tagged(self, event: Any, text: str) -> Json:
        """Return the value of a scalar with a tag of the core schema."""
        name = _SCALAR_TAGS[event.tag]
        value = self._resolved(text, event.start_mark)
        fits = {
            "null": value is None,
            "bool": isinstance(value, bool),
            "int": type(value) is int,
            "float": type(value) in {int, float},
        }
        if not fits[name]:
            self._report(event.start_mark, f"found {clip(text)}, which is not what !!{name} says")
        return float(value) if name == "float" and type(value) is int else value

    def _resolved(self, text: str, mark: Any) -> Json:
        """Return what a plain scalar means by the core schema."""
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        problem = f"found {clip(text)}, expected a finite number; quote it if it is a text"
        try:
            if _INT.fullmatch(text):
                return int(text)
            if _BASED.fullmatch(text):
                return int(text[2:], 8 if text[1] == "o" else 16)
        except ValueError:
            problem = f"found a number of {len(text)} digits; quote it if it is a text"
        if _FLOAT.fullmatch(text):
            number = float(text)
            if number - number == 0:
                return number
        elif not _NOT_FINITE.fullmatch(text):
            return text
        self._report(mark, problem)
        return text

    def _key(self, event: Any, value: Json, frame: "_Frame") -> "str | _Absent":
        """Return the key of a mapping where it is not simply a new text."""
        mark = frame.key_mark
        if isinstance(value, dict | list):
            self._report(mark, f"a key must be a text, found {kind_name(value)}")
            self._dropped.append(value)
            return _DROP
        if not isinstance(value, str):
            written = self._text.restored(getattr(event, "value", str(value)))
            if not written:
                self._report(mark, "found a `:` without a key before it")
                return _DROP
            self._report(
                mark, f"a key must be a text, found {kind_name(value)}; write {_quoted(written)}"
            )
            value = written
        elif value == "<<" and isinstance(event, events.ScalarEvent) and event.implicit[0]:
            return _MERGE
        if value in frame.container:
            if frame.marks is None:
                raise _LocationsNeededError
            line = frame.marks[value][0][0] + 1
            self._report(
                mark, f"key {clip(value)} stands twice in this mapping, first in line {line}"
            )
        return str(value)

    def _alias(self, event: Any) -> Json:
        """Return the value that an alias stands for."""
        name = event.anchor
        if name in self._open_anchors:
            self._report(event.start_mark, f"`*{name}` stands inside `&{name}`: it has no end")
            return None
        if name not in self._anchors:
            self._report(event.start_mark, f"found `*{name}`, but no `&{name}` stands before it")
            return None
        value, size = self._anchors[name]
        self._count += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self._report(
                event.start_mark,
                f"the aliases up to `*{name}` stand for more than {MAX_ALIASED:,} values; "
                "write less with anchors",
            )
            raise DatasetError(self.problems)
        return value

    def _merge(self, frame: "_Frame") -> None:
        """Add what ``<<`` brings: the mapping's own keys win, then those of the first merged."""
        marks = frame.marks
        if marks is not None and not self.everywhere:
            # The places of what is merged are not known in this reading: have them read again.
            del self.marks[id(frame.container)]
            marks = None
        for value, mark in frame.merges:
            for source in value if isinstance(value, list) else [value]:
                if not isinstance(source, dict):
                    self._report(
                        mark,
                        f"`<<` takes a mapping or a list of mappings, found {kind_name(source)}",
                    )
                    continue
                for key, item in source.items():
                    if key not in frame.container:
                        frame.container[key] = item
                        if marks is not None:
                            marks[key] = self.marks[id(source)][key]

    def _bad_tag(self, event: Any) -> None:
        """Report a tag that means nothing here."""
        tag = event.tag.replace(_CORE, "!!")
        self._report(event.start_mark, f"found the tag {clip(tag)}; tags are not used here")

    def _report(self, mark: Any, message: str) -> None:
        """Add a problem."""
        where = Position(self._text.path) if mark is None else self._text.position(mark)
        self.problems.append(Problem(where, message))


class _Locations:
    """Finds values; reads the text a second time when the place of a deep one is first wanted."""

    def __init__(self, text: _Text, data: Json, builder: _Builder) -> None:
        self._text = text
        self._data = data
        self._start = builder.start
        self._marks = builder.marks
        self._whole = builder.everywhere

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return where a value, or its key, begins."""
        value, place = self._data, self._start
        for i, step in enumerate(loc):
            marks = self._marks.get(id(value))
            if marks is None and not self._whole and isinstance(value, dict | list):
                self._read_again()
                return self(loc, key=key)
            mark = marks.get(step) if marks else None
            if mark is None:
                break
            place = mark[0 if key and i == len(loc) - 1 else 1]
            value = value[step]
        return Position(self._text.path, place[0] + 1, place[1] + 1)

    def _read_again(self) -> None:
        """Note the place of every value."""
        builder = _Builder(self._text, everywhere=True)
        self._data = builder.build()
        self._marks = builder.marks
        self._whole = True


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """Word a syntax error."""
    problem = error.problem or "it cannot be read"
    context = f" {error.context}" if error.context else ""
    if error.context_mark is not None and error.context:
        context += f" that begins in line {error.context_mark.line + 1}"
    hint = next((hint for mark, hint in _HINTS if mark in problem), "")
    return f"not YAML: {problem}{context}" + (f"; {hint}" if hint else "")


def _quoted(text: str) -> str:
    """Quote a scalar as YAML would be written."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
