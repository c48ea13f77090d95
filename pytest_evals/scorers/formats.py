"""Whether an output is well-formed: YAML, XML, HTML, SQL, Python, or valid for a pydantic model."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.user_code import UserCodeError, load_callable, split_target
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.extract import fenced
from pytest_evals.scorers.jsonfind import NotJsonError, find_json, read_json
from pytest_evals.scorers.optional_deps import import_library, missing_libraries
from pytest_evals.scorers.quoting import listed, quoted, shown

_MAX_DEPTH = 500
"""The maximum nesting of a YAML document."""


class _Format(Scorer):
    """Parses the output in a format."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.FORMAT
    graded: ClassVar[bool | None] = False
    called: ClassVar[str]

    inside: bool = False
    """Whether it may be in a code fence."""

    def fault(self, text: str) -> str | None:
        """Return what is wrong with a text; None if it is well-formed."""
        raise NotImplementedError

    def score(self, ctx: ScoreContext) -> Verdict:
        """Parse the output."""
        text = ctx.answer
        if self.inside:
            text = fenced(text) or text
        wrong = "it is empty" if not text.strip() else self.fault(text)
        if wrong is None:
            return Verdict(passed=True, reason=f"the output is {self.called}")
        return Verdict(
            passed=False, reason=f"the output is not {self.called} ({wrong}): {quoted(ctx.answer)}"
        )


class IsYaml(_Format):
    """The output is a YAML document whose root is a mapping or a sequence, and not prose."""

    type: ClassVar[str] = "is_yaml"
    called: ClassVar[str] = "a YAML document"
    example: ClassVar[str] = "is_yaml: {inside: true}"

    kind: Literal["mapping", "sequence", "either"] = "either"
    """The required type of the root."""

    def fault(self, text: str) -> str | None:
        """Read events only: without objects, aliases cannot exhaust the memory."""
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        names: dict[type, str] = {
            yaml.MappingStartEvent: "mapping",
            yaml.SequenceStartEvent: "sequence",
        }
        too_deep = f"it is nested more than {_MAX_DEPTH} deep"
        roots: list[str] = []
        anchors: set[str] = set()
        depth = 0
        try:
            for event in yaml.parse(text, Loader=loader):
                if isinstance(event, yaml.NodeEvent):
                    if depth == 0:
                        roots.append(names.get(type(event), "text"))
                    if isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
                        return f"its alias *{event.anchor} has no anchor"
                    anchors.add(event.anchor or "")
                depth += isinstance(event, yaml.CollectionStartEvent)
                depth -= isinstance(event, yaml.CollectionEndEvent)
                if depth > _MAX_DEPTH:
                    return too_deep
        except (yaml.YAMLError, UnicodeError) as error:
            words = " ".join(str(error).split())
            # Newer versions of libyaml limit the depth to 1,000 and scan ahead of the events.
            return too_deep if "maximum nesting depth" in words else words
        if len(roots) != 1:
            return f"it has {len(roots)} documents, not one"
        if roots[0] == "text" or self.kind not in {roots[0], "either"}:
            expected = "a mapping or a sequence" if self.kind == "either" else f"a {self.kind}"
            return f"its root is a {roots[0]}, not {expected}"
        return None


class IsXml(_Format):
    """The output is a well-formed XML document without a document type declaration."""

    type: ClassVar[str] = "is_xml"
    shorthand: ClassVar[str | None] = "root"
    called: ClassVar[str] = "an XML document"
    example: ClassVar[str] = "is_xml: order"

    root: str | None = None
    """The required name of the root element."""
    has: tuple[str, ...] = ()
    """Names of required elements."""

    def fault(self, text: str) -> str | None:
        """Parse the document; entities are rejected, as they can exhaust the memory."""
        from xml.parsers import expat

        names: list[str] = []
        parser = expat.ParserCreate()

        def refuse(*_: Any) -> None:
            raise _DoctypeError

        parser.StartDoctypeDeclHandler = refuse
        parser.StartElementHandler = lambda name, _: names.append(name)
        try:
            parser.Parse(text.strip(), True)
        except (expat.ExpatError, UnicodeError) as error:
            return str(error)
        except _DoctypeError:
            return "it has a document type declaration, which is not allowed"
        if self.root is not None and names[0] != self.root:
            return f"its root is <{names[0]}>, not <{self.root}>"
        lost = [name for name in self.has if name not in names]
        return f"it has no {', '.join(f'<{name}>' for name in lost)}" if lost else None


class _DoctypeError(Exception):
    """A document has a document type declaration."""


_VOID = frozenset(
    "area base br col embed hr img input link meta source track wbr".split()  # noqa: SIM905
)
_OPTIONAL_END = frozenset(
    "html head body li dt dd p rt rp optgroup option colgroup thead tbody tfoot tr td th".split()  # noqa: SIM905
)
_KNOWN = (
    _VOID
    | _OPTIONAL_END
    | frozenset(
        "a abbr address article aside audio b bdi bdo blockquote button canvas caption cite code "  # noqa: SIM905
        "data datalist del details dfn dialog div dl em fieldset figcaption figure footer form h1 "
        "h2 h3 h4 h5 h6 header hgroup i iframe ins kbd label legend main map mark math menu meter "
        "nav noscript object ol output picture pre progress q ruby s samp script search section "
        "select slot small span strong style sub summary sup svg table template textarea time "
        "title u ul var video".split()
    )
)


class IsHtml(_Format):
    """The output is HTML: it has known elements, and required end tags."""

    type: ClassVar[str] = "is_html"
    shorthand: ClassVar[str | None] = "has"
    called: ClassVar[str] = "HTML"
    example: ClassVar[str] = "is_html: [table]"

    has: tuple[str, ...] = ()
    """Names of required elements."""

    def fault(self, text: str) -> str | None:
        """Follow the tags."""
        tags = _Tags()
        wrong = next(filter(None, map(tags.follow, _tags_of(text))), None)
        if wrong is None and (left := [t for t in tags.open if t not in _OPTIONAL_END]):
            wrong = f"<{left[-1]}> is not closed"
        if wrong is not None:
            return wrong
        if not tags.seen & _KNOWN:
            return "it has no HTML element"
        lost = [name for name in self.has if name.lower() not in tags.seen]
        return f"it has no {', '.join(f'<{name}>' for name in lost)}" if lost else None


_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>"'<]*)((?:[^"'<>]|"[^"]*"|'[^']*')*)>""")
_RAW = frozenset({"script", "style", "textarea", "title"})


def _tags_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the tags of a text as slash, name and rest, in linear time.

    An unterminated tag or comment is the last one, with an empty name.
    """
    at = text.find("<")
    while at >= 0:
        follows = text[at + 1 : at + 2]
        if follows == "!":
            mark = "-->" if text.startswith("<!--", at) else ">"
            end = text.find(mark, at + 2)
            if end < 0:
                yield "", "", text[at : at + 20]
                return
            at = text.find("<", end + len(mark))
            continue
        if not (follows.isalpha() or follows == "/"):
            at = text.find("<", at + 1)
            continue
        match = _TAG.match(text, at)
        if match is None:
            yield "", "", text[at : at + 20]
            return
        slash, name, rest = match.groups()
        name = name.lower()
        yield slash, name, rest
        after = match.end()
        if name in _RAW and not slash:
            close = re.compile(rf"</{name}\b", re.IGNORECASE).search(text, after)
            after = close.start() if close else len(text)
        at = text.find("<", after)


class _Tags:
    """Tracks open elements."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.seen: set[str] = set()
        self._foreign = 0

    def follow(self, tag: tuple[str, str, str]) -> str | None:
        """Open or close an element; return what is wrong."""
        slash, name, rest = tag
        if not name:
            return f"{rest!r} does not end"
        if slash:
            return self._close(name)
        self.seen.add(name)
        if name not in _KNOWN and "-" not in name and not self._foreign:
            return f"<{name}> is not an HTML element"
        if name not in _VOID and not rest.endswith("/"):
            self._foreign += name in {"svg", "math"}
            self.open.append(name)
        return None

    def _close(self, name: str) -> str | None:
        """Close an element, and open elements inside with an optional end tag."""
        if name in _VOID:
            return None
        while self.open and self.open[-1] != name and self.open[-1] in _OPTIONAL_END:
            self.open.pop()
        if not self.open:
            return f"</{name}> closes nothing"
        if self.open[-1] != name:
            return f"</{name}> closes <{self.open[-1]}>"
        self._foreign -= name in {"svg", "math"}
        self.open.pop()
        return None


class IsSql(_Format):
    """The output is SQL that `sqlglot` can parse in a dialect; it is not executed."""

    type: ClassVar[str] = "is_sql"
    shorthand: ClassVar[str | None] = "dialect"
    cheap: ClassVar[bool] = False
    called: ClassVar[str] = "SQL"
    example: ClassVar[str] = "is_sql: {dialect: postgres, only: [select]}"

    dialect: str | None = None
    """The sqlglot dialect (postgres, mysql, sqlite, bigquery, …); None is generic SQL."""
    only: tuple[str, ...] = ()
    """The allowed statements, such as `select` or `insert`."""
    inside: bool = True
    """Whether it may be in a code fence."""

    def fault(self, text: str) -> str | None:
        """Parse the statements."""
        sqlglot = import_library("sqlglot")
        try:
            trees = sqlglot.parse(text, dialect=self.dialect)
        except sqlglot.errors.SqlglotError as error:
            return re.sub(r"\x1b\[[0-9;]*m", "", " ".join(str(error).split()))
        except RecursionError:
            return "it is nested too deep to be parsed"
        except ValueError as error:
            raise ScoringError(f"sqlglot: {error}") from None
        statements = [tree.key for tree in trees if tree is not None]
        if not statements:
            return "it has no statement"
        if not all(_is_statement(tree) for tree in trees if tree is not None):
            return "it has no SQL statement"
        allowed = {name.lower() for name in self.only}
        other = [statement for statement in statements if allowed and statement not in allowed]
        return f"it has a {other[0]} statement, not {listed(self.only)}" if other else None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the library is missing or the dialect is unknown."""
        lacking = list(missing_libraries("is_sql", "sqlglot"))
        yield from lacking
        if self.dialect is not None and not lacking:
            try:
                import_library("sqlglot").Dialect.get_or_raise(self.dialect)
            except ValueError as error:
                yield f"`is_sql`: {error}"


_STATEMENTS = frozenset(
    "select union except intersect subquery values insert update delete merge create drop alter "  # noqa: SIM905
    "truncatetable describe show pragma set use transaction commit rollback copy loaddata analyze "
    "cache uncache refresh comment kill grant revoke attach detach summarize pivot".split()
)
"""The keys of the statements of sqlglot. It also parses prose: as expressions and commands."""


def _is_statement(tree: Any) -> bool:
    """Whether a parsed text is a statement, and not prose that begins like one.

    "Select a book" selects a column of no table, and "use the force" gives a database an alias.
    """
    if tree.key not in _STATEMENTS:
        return False
    if tree.key in {"use", "insert", "delete", "copy", "analyze", "transaction", "commit"}:
        return _has_parts(tree)
    if tree.key == "select" and not tree.args.get("from_") and not tree.args.get("from"):
        columns = (c for item in tree.expressions for c in item.find_all(*_column_types()))
        return not any(column.parent_select is tree for column in columns)
    return True


def _has_parts(tree: Any) -> bool:
    """Whether a statement has what its keyword needs."""
    if tree.key == "use":
        return tree.this is None or not tree.this.args.get("alias")
    if tree.key == "insert":
        return tree.expression is not None or bool(tree.args.get("default"))
    if tree.key == "delete":
        return bool(tree.this)
    if tree.key == "copy":
        return bool(tree.args.get("files"))
    if tree.key == "transaction":
        return not tree.args.get("modes") or len(tree.args["modes"][0].split()) > 1
    return True


def _column_types() -> tuple[type, ...]:
    """Return sqlglot's class of columns."""
    return (import_library("sqlglot").exp.Column,)


_COMPILE = "import ast, sys; ast.parse(sys.stdin.buffer.read())"


class IsPython(_Format):
    """The output is valid Python; it is parsed in a separate process and never executed."""

    type: ClassVar[str] = "is_python"
    cheap: ClassVar[bool] = False
    called: ClassVar[str] = "Python"
    example: ClassVar[str] = "is_python"

    inside: bool = True
    """Whether it may be in a code fence."""
    timeout_s: float = Field(default=10.0, gt=0)
    """Timeout of the parser in seconds."""

    def fault(self, text: str) -> str | None:
        """Parse in another process: an output can crash the parser or exhaust its memory."""
        command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _COMPILE]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command; the output is its input
                command,
                input=text.encode("utf-8", "surrogatepass"),
                capture_output=True,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"its parser timed out after {self.timeout_s:g} s"
        if done.returncode == 0:
            return None
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        place = re.search(rb'File "<unknown>", line (\d+)', done.stderr)
        line = f" at line {int(place.group(1))}" if place else ""
        return (last[0] if last else f"the parser crashed with status {done.returncode}") + line


class MatchesModel(Scorer):
    """The JSON in the output is valid for your pydantic model."""

    type: ClassVar[str] = "matches_model"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.FORMAT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "model"
    cheap: ClassVar[bool] = False
    example: ClassVar[str] = 'matches_model: "my_scorers.py:Order"'

    model: str
    """``package.module:Model`` or ``file.py:Model``, searched from the rootdir, then beside the
    dataset."""
    inside: bool = True
    """Whether the JSON may be fenced or surrounded by prose."""

    @field_validator("model")
    @classmethod
    def _named(cls, value: str) -> str:
        """Reject an invalid target."""
        try:
            split_target(value)
        except UserCodeError as error:
            raise ValueError(error.message) from None
        return value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Validate the JSON with the model."""
        roots = (ctx.rootdir, ctx.rootdir / Path(ctx.dataset.path).parent)
        try:
            model = load_callable(self.model, roots)
        except UserCodeError as error:
            raise ScoringError(error.message, detail=error.detail) from None
        validate = getattr(model, "model_validate", None)
        if validate is None:
            raise ScoringError(f"{self.model} is not a pydantic model")
        try:
            value = (
                find_json(ctx.answer, fits=partial(_accepts, validate))
                if self.inside
                else read_json(ctx.answer)
            )
            validate(value)
        except NotJsonError as error:
            return Verdict(
                passed=False, reason=f"the output contains no JSON ({error}): {quoted(ctx.answer)}"
            )
        except ValidationError as error:
            wrong = list(_messages(error))
            return Verdict(
                passed=False, reason="; ".join(wrong[:5]), metadata={"problems": wrong[:50]}
            )
        return Verdict(passed=True, reason=f"{self.model} accepts {shown(value)}")


def _accepts(validate: Callable[[Json], object], value: Json) -> bool:
    """Whether a model accepts a value."""
    try:
        validate(value)
    except ValidationError:
        return False
    return True


def _messages(error: ValidationError) -> Iterator[str]:
    """Yield the errors of a model as messages."""
    for detail in error.errors(include_url=False):
        where = ".".join(map(str, detail["loc"]))
        yield f"{f'`{where}`: ' if where else ''}{detail['msg']}, found {shown(detail['input'])}"
