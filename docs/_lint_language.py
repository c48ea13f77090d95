"""Check the language of the project: ``python docs/_lint_language.py [PATH ...]``.

The words to avoid come from the glossary, ``docs/reference/glossary.md``. Python files are checked
in their docstrings, comments, messages and names; Markdown pages in their prose. Code in
backticks or in a fenced block is not checked. Without a path, the whole project is.

A line that must use such a word says so, on the same line or on the line above::

    # language: allow 'bar': the progress bar of pytest
    <!-- language: allow 'bar': the progress bar of pytest -->

Long sentences are counted, and listed with ``--sentences``; they fail nothing.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
EVERYTHING = ("pytest_evals", "docs", "README.md", "CONTRIBUTING.md", "tests/README.md")
LONGEST_SENTENCE = 30

_CODE = re.compile(r"`([^`]+)`")
_ALLOW = re.compile(r"language: allow '([^']+)': (?!-->)\S")
_FENCE = re.compile(r"^( *)```.*?^ *```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_QUOTED = re.compile(r"``[^`]+``|`[^`\n]+`|\]\([^)]*\)", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.:;!?])\s+|\n\s*\n|\n\s*[-*|#]")
_RELATIVE = re.compile(r"\b(?:that|which|whose|what)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Term:
    """A phrase to avoid."""

    phrase: str
    replacement: str
    pattern: re.Pattern[str]
    exceptions: tuple[str, ...] = ()
    """Longer phrases that contain it and are right."""


@dataclass(frozen=True)
class Text:
    """A piece of prose in a file."""

    line: int
    """1-based line of its first character."""
    words: str


@dataclass(frozen=True)
class Problem:
    """A word to avoid, and where it was used."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        """Write it as compilers do, so that an editor can jump there."""
        path = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{path}:{self.line}: {self.message}"


@cache
def terms() -> tuple[Term, ...]:
    """Read the phrases to avoid from the tables of the glossary."""
    rows = [_cells(line) for line in GLOSSARY.read_text("utf-8").splitlines() if line[:1] == "|"]
    return tuple(
        term
        for cells in rows
        if cells[-1] != "not" and not cells[-1].startswith("---")
        for term in _terms(cells[0], cells[-1])
    )


def _cells(row: str) -> list[str]:
    """Split a table row."""
    return [cell.strip() for cell in row.strip()[1:-1].split("|")]


def _terms(replacement: str, cell: str) -> Iterator[Term]:
    """Read the last cell of a row: quoted phrases, each with its exceptions in parentheses."""
    for match in re.finditer(r"`([^`]+)`(?: \(except ([^)]*)\))?", cell):
        words = r"\s+".join(re.escape(w).replace(r"\*", r"\w*") for w in match[1].split())
        pattern = re.compile(rf"(?<![\w-]){words}(?![\w-])", _flags(match[1]))
        yield Term(match[1], replacement, pattern, tuple(_CODE.findall(match[2] or "")))


def _flags(phrase: str) -> re.RegexFlag:
    """Match upper-case phrases as written, and others in any case."""
    return re.NOFLAG if phrase.isupper() else re.IGNORECASE


@cache
def banned_names() -> frozenset[str]:
    """Read the local names to avoid: the last paragraph of the glossary."""
    _, _, section = GLOSSARY.read_text("utf-8").partition("## Names in the code")
    return frozenset(_CODE.findall(section))


def check(path: Path) -> list[Problem]:
    """Return the words to avoid in one file."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    python = path.suffix == ".py"
    problems = [p for text in _texts(path, source) for p in _check_text(path, text)]
    if python:
        problems += _check_names(path, ast.parse(source))
    return sorted(
        (p for p in set(problems) if not _is_allowed(p, lines)), key=lambda p: (p.line, p.message)
    )


def _is_allowed(problem: Problem, lines: list[str]) -> bool:
    """Whether the line or the one above it allows the word, with a reason."""
    near = "\n".join(lines[max(0, problem.line - 2) : problem.line])
    return any(f"'{word}'" in problem.message for word in _ALLOW.findall(near))


def _check_text(path: Path, text: Text) -> Iterator[Problem]:
    """Yield the phrases to avoid in one piece of prose."""
    words = _QUOTED.sub(lambda match: re.sub(r"[^\n]", "~", match[0]), text.words)
    matches = [
        (match, term)
        for term in terms()
        for match in term.pattern.finditer(words)
        if not _is_exception(words, match, term.exceptions)
    ]
    for match, term in matches:
        if not any(_is_inside(match, other) for other, _ in matches):
            line = text.line + words.count("\n", 0, match.start())
            yield Problem(path, line, f"'{term.phrase}': use '{term.replacement}'")


def _is_inside(match: re.Match[str], other: re.Match[str]) -> bool:
    """Whether a match is a part of a longer one, which is reported instead."""
    inside = other.start() <= match.start() and match.end() <= other.end()
    return inside and match.span() != other.span()


def _is_exception(words: str, match: re.Match[str], exceptions: tuple[str, ...]) -> bool:
    """Whether a match is part of a longer phrase that is right."""
    near = " ".join(words[max(0, match.start() - 20) : match.end() + 20].casefold().split())
    return any(phrase in near for phrase in exceptions)


def _texts(path: Path, source: str) -> Iterator[Text]:
    """Yield the prose of a file."""
    if path.suffix == ".py":
        yield from _python_texts(source)
    elif path != GLOSSARY:
        yield Text(1, _without_code(source))


def _without_code(page: str) -> str:
    """Blank the fenced blocks and comments of a page; its lines stay where they are."""
    for pattern in (_FENCE, _COMMENT):
        page = pattern.sub(lambda match: "\n" * match[0].count("\n"), page)
    return page


def _python_texts(source: str) -> Iterator[Text]:
    """Yield the docstrings, messages and comments of a module."""
    tree = ast.parse(source)
    parts = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(v.value if isinstance(v, ast.Constant) else "~" for v in node.values)
            yield Text(node.lineno, text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if " " not in node.value or id(node) in parts:
                continue
            yield Text(node.lineno, _blank_examples(node.value))
    yield from _comments(source)


def _blank_examples(docstring: str) -> str:
    """Blank the literal blocks of a docstring: what is indented below a line that ends in `::`."""
    lines, depth = docstring.splitlines(), -1
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if depth >= 0 and line.strip() and indent <= depth:
            depth = -1
        if depth >= 0:
            lines[number] = ""
        elif line.rstrip().endswith("::"):
            depth = indent
    return "\n".join(lines)


def _comments(source: str) -> Iterator[Text]:
    """Yield the comments of a module; those on consecutive lines are one text."""
    start, last, words = 0, -1, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or _ALLOW.search(token.string):
            continue
        line = token.start[0]
        if line != last + 1 and words:
            yield Text(start, "\n".join(words))
            words = []
        start, last = (start if words else line), line
        words.append(token.string.lstrip("# "))
    if words:
        yield Text(start, "\n".join(words))


def _check_names(path: Path, tree: ast.Module) -> Iterator[Problem]:
    """Yield the local names and parameters to avoid."""
    in_class = {
        id(target)
        for owner in ast.walk(tree)
        if isinstance(owner, ast.ClassDef)
        for statement in owner.body
        for target in ast.walk(statement)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id if id(node) not in in_class else None
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name.casefold()
        if name and name.strip("_") in banned_names():
            line = getattr(node, "lineno", 1)
            yield Problem(path, line, f"name '{name}': use a noun that says what it holds")


def long_sentences(path: Path) -> list[Problem]:
    """Return the sentences that are long, or have two relative clauses. They are warnings."""
    problems = []
    for text in _texts(path, path.read_text("utf-8")):
        position = 0
        for sentence in _SENTENCE_END.split(_QUOTED.sub("~", text.words)):
            line = text.line + text.words.count("\n", 0, position)
            position = max(position, text.words.find(sentence[:20], position))
            if sentence.lstrip().startswith("|") or " | " in sentence:
                continue
            count, relative = len(sentence.split()), len(_RELATIVE.findall(sentence))
            if count > LONGEST_SENTENCE:
                problems.append(Problem(path, line, f"{count} words in a sentence"))
            elif relative > 1 and count > LONGEST_SENTENCE // 2:
                problems.append(Problem(path, line, f"{relative} of that/which/whose/what"))
    return problems


def files(paths: list[str]) -> list[Path]:
    """Return the Python files and pages at or below the paths."""
    chosen = []
    for path in (ROOT / name if not Path(name).exists() else Path(name) for name in paths):
        below = path.rglob("*") if path.is_dir() else [path]
        chosen += [p.resolve() for p in below if p.suffix in {".py", ".md"} and p.is_file()]
    return sorted(set(chosen))


def main(arguments: list[str]) -> int:
    """Print what is to be changed; return 1 where there is something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", default=EVERYTHING, metavar="PATH")
    parser.add_argument("--sentences", action="store_true", help="list long sentences too")
    options = parser.parse_args(arguments)
    chosen = files(options.paths)
    problems = [problem for path in chosen for problem in check(path)]
    warnings = [warning for path in chosen for warning in long_sentences(path)]
    for problem in [*problems, *(warnings if options.sentences else [])]:
        print(problem)
    print(f"{len(chosen)} files: {len(problems)} words to avoid; {len(warnings)} long sentences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
