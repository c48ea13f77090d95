"""YAML with the core schema of YAML 1.2: ``Yes``, ``1:30`` and ``2024-01-01`` are texts.

One rule is stricter: a number with leading zeros (``012``, usually a code) is a text too. The data
is built from parser events and not from nodes: libyaml composes nodes recursively in C, where a
deeply nested file crashes the process.
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
from pytest_evals.loaders.yaml_scalars import MAY_BE_OTHER, plain_scalar

MAX_ALIASED = 1_000_000
"""The maximum number of values that all aliases of a file may expand to."""

LIBYAML_DEPTH = "exceeded maximum nesting depth"
"""The error of newer versions of libyaml for a text that is nested more than 1,000 deep."""

_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {f"{_CORE}{name}": name for name in ("null", "bool", "int", "float")}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS_OF_1_1 = "\x85\u2028\u2029"
_HINTS = (
    ("mapping values are not allowed", "quote a text that contains `: `, or check the indentation"),
    ("cannot start any token", "quote a text that begins with this character; indent with spaces"),
    ("tab character", "indent with spaces, not with tabs"),
    (
        "could not find expected ':'",
        "a key needs `: ` after it; a text of several lines needs `|`",
    ),
    ("did not find expected key", "check the indentation of this line and the quotes before it"),
    ("did not find expected '-' indicator", "check the indentation of this line"),
    ("unexpected end of stream", "a quote or bracket is not closed"),
    ("unknown escape character", "use single quotes, where a backslash has no meaning"),
    (
        "invalid Unicode character escape",
        "write the character itself; surrogate pairs are only valid in JSON",
    ),
)


class _Absent:
    """A marker for a missing or unusable key."""


_NO_KEY, _MERGE, _DROP = _Absent(), _Absent(), _Absent()
"""The next event is a key; the value is merged; the value has an invalid key."""
_Mark = tuple[int, int]
_Marks = dict[str | int, tuple[_Mark, _Mark]]
"""The positions (0-based) of the key and the value of each child of a container."""


class YamlLoader:
    """Reads YAML 1.2 files."""

    name: ClassVar[str] = "yaml"
    suffixes: ClassVar[tuple[str, ...]] = (".yaml", ".yml")

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file.

        Raises:
            DatasetError: it is not a single YAML document.
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
    """The message of a problem needs the position of a deeply nested value."""


class _Text:
    """A text for the parser, where only the line breaks of YAML 1.2 are line breaks."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.text = text
        self._back: dict[int, str] = {}
        self.escapes = _FastParser is None and "\\u" in text
        """Whether an escape may create a lone surrogate, which libyaml rejects itself."""
        self.altered = self.escapes
        """Whether scalars from the parser need restoring."""
        if not text.isascii() and any(mark in text for mark in _BREAKS_OF_1_1):
            free = (c for c in map(chr, range(0xE000, 0xF8FF)) if c not in text)
            stand_ins = dict(zip(_BREAKS_OF_1_1, free, strict=False))
            self.text = text.translate({ord(old): new for old, new in stand_ins.items()})
            self._back = {ord(new): old for old, new in stand_ins.items()}
            self.altered = True

    def restored(self, value: str) -> str:
        """Restore in a scalar the characters that the parser would treat as line breaks."""
        return value.translate(self._back) if self._back else value

    def before(self, offset: int) -> "_Text":
        """Return the text before an offset."""
        return _Text(self.restored(self.text[:offset]), self.path)

    def parser(self) -> Any:
        """Return an event parser: that of libyaml if available, else the one in Python."""
        return (_FastParser or _SlowParser)(self.text)

    def position(self, mark: Any) -> Position:
        """Return the position of a parser mark."""
        return Position(self.path, mark.line + 1, mark.column + 1)


class _SlowParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """The Python parser of PyYAML, without object construction."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _fast_parser() -> Callable[[str], Any] | None:
    """Return the parser of libyaml; None if PyYAML was built without it."""
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]
    except ImportError:
        return None
    return CParser


_FastParser = _fast_parser()


class _Frame:
    """A list or mapping that is being built."""

    __slots__ = ("before", "container", "key", "key_mark", "marks", "merges", "start")

    def __init__(self, container: Any, start: Any, before: int, marks: _Marks | None) -> None:
        self.container = container
        self.start = start
        """Its start event; None for the container of the document value."""
        self.before = before
        """The number of values before it."""
        self.marks = marks
        """None if positions are not recorded."""
        self.key: Any = _NO_KEY
        self.key_mark: Any = None
        self.merges: list[tuple[Json, Any]] = []


class _Builder:
    """Builds plain data from events.

    Args:
        text: the text to parse.
        everywhere: whether to record the position of every value; otherwise only those of the two
            levels below the root, which contain the cases.
    """

    def __init__(self, text: _Text, *, everywhere: bool) -> None:
        self._text = text
        self.everywhere = everywhere
        self.problems: list[Problem] = []
        self.start: _Mark = (0, 0)
        """The position of the document value."""
        self.marks: dict[int, _Marks] = {}
        """The positions of children, by the id of the container."""
        self._dropped: list[Json] = []
        """Containers outside of the data: kept alive, so that ids stay unique."""
        self._anchors: dict[str, tuple[Json, int]] = {}
        """Anchored values with the number of values in them, including themselves."""
        self._open_anchors: set[str] = set()
        self._count = 0
        self._aliased = 0

    def build(self) -> Json:
        """Return the data of the document.

        Raises:
            DatasetError: the text is not YAML, or not a single document.
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
        """Build the data of one document with an explicit stack.

        The work for each scalar is inlined in the loop: function calls would double the time.
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
                elif event.implicit[0] and (not value or value[0] in MAY_BE_OTHER):
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
        """Start a list or mapping."""
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
        """Return the value of a scalar with a tag or an anchor, or one that needs restoring."""
        value: Json = self._text.restored(event.value)
        if self._text.escapes and has_lone_surrogate(value):
            self._report(
                event.start_mark,
                "found half a character (a lone surrogate); write the whole character",
            )
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
            "int": isinstance(value, int) and not isinstance(value, bool),
            "float": isinstance(value, int | float) and not isinstance(value, bool),
        }
        if not fits[name]:
            self._report(event.start_mark, f"found {clip(text)}, which is not a valid !!{name}")
        return float(value) if name == "float" and isinstance(value, int) else value

    def _resolved(self, text: str, mark: Any) -> Json:
        """Return the value of a plain scalar; report a number that is not finite."""
        value, problem = plain_scalar(text)
        if problem is not None:
            self._report(mark, problem)
        return value

    def _key(self, event: Any, value: Json, frame: "_Frame") -> "str | _Absent":
        """Return the key of a mapping if it is not simply a new text."""
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
            self._report(mark, f"duplicate key {clip(value)} in this mapping, first in line {line}")
        return str(value)

    def _alias(self, event: Any) -> Json:
        """Return the value of an alias."""
        name = event.anchor
        if name in self._open_anchors:
            self._report(event.start_mark, f"`*{name}` is inside of `&{name}`: it has no end")
            return None
        if name not in self._anchors:
            self._report(event.start_mark, f"found `*{name}`, but there is no `&{name}` before it")
            return None
        value, size = self._anchors[name]
        self._count += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self._report(
                event.start_mark,
                f"the aliases up to `*{name}` expand to more than {MAX_ALIASED:,} values; "
                "use fewer aliases",
            )
            raise DatasetError(self.problems)
        return value

    def _merge(self, frame: "_Frame") -> None:
        """Merge the mappings of ``<<``: own keys win, then those of the first merged mapping."""
        marks = frame.marks
        if marks is not None and not self.everywhere:
            # Merged values have no positions in this pass; a second pass records them.
            del self.marks[id(frame.container)]
            marks = None
        for value, mark in frame.merges:
            for source in value if isinstance(value, list) else [value]:
                if not isinstance(source, dict):
                    self._report(
                        mark,
                        f"`<<` needs a mapping or a list of mappings, found {kind_name(source)}",
                    )
                    continue
                for key, item in source.items():
                    if key not in frame.container:
                        frame.container[key] = item
                        if marks is not None:
                            marks[key] = self.marks[id(source)][key]

    def _bad_tag(self, event: Any) -> None:
        """Report a tag that is not supported."""
        tag = event.tag.replace(_CORE, "!!")
        self._report(event.start_mark, f"found the tag {clip(tag)}; tags are not supported")

    def _report(self, mark: Any, message: str) -> None:
        """Add a problem."""
        where = Position(self._text.path) if mark is None else self._text.position(mark)
        self.problems.append(Problem(where, message))


class _Locations:
    """Finds positions; parses the text again for the first position of a deeply nested value."""

    def __init__(self, text: _Text, data: Json, builder: _Builder) -> None:
        self._text = text
        self._data = data
        self._start = builder.start
        self._marks = builder.marks
        self._whole = builder.everywhere

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return the position of a value or its key."""
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
        """Parse again and record the position of every value."""
        builder = _Builder(self._text, everywhere=True)
        self._data = builder.build()
        self._marks = builder.marks
        self._whole = True


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """Return the message for a syntax error."""
    problem = error.problem or "it cannot be read"
    context = f" {error.context}" if error.context else ""
    if error.context_mark is not None and error.context:
        context += f" that begins in line {error.context_mark.line + 1}"
    hint = next((hint for mark, hint in _HINTS if mark in problem), "")
    return f"not YAML: {problem}{context}" + (f"; {hint}" if hint else "")


def _quoted(text: str) -> str:
    """Return a text as a YAML scalar in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
