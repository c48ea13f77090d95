"""Pages under test: the code blocks of Markdown, and playing them as a reader would."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.dataset import Dataset
from pytest_evals.loaders.base import LoadContext
from pytest_evals.loaders.build import load
from pytest_evals.registry import Registry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<why>.+) -->\n+)?```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
ENDED_BADLY = re.compile(
    r"^(error:|ERROR:|refused:|[= ]*\d+ (failed|errors?)\b.* in .*$|\S+:\d+:\d+: )", re.MULTILINE
)
"""What a reader takes for a failure in an output."""


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    language: str
    name: str
    """The word behind the language: a file's name, or what the text is a part of."""
    text: str
    line: int
    """1-based, where its text begins."""
    not_run: str = ""
    """Why it is not run: what a comment above it says (``<!-- not run: ... -->``)."""

    def __str__(self) -> str:
        return f"line {self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return a page's blocks in order, of some languages or all."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(
            m["language"],
            m["name"] or "",
            m["text"],
            text.count("\n", 0, m.start("text")) + 1,
            m["why"] or "",
        )
        for m in FENCE.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]


def dataset_of(block: Block, folder: Path) -> Dataset:
    """Load a YAML block: a dataset, or the `case` or `model` of one.

    Raises:
        DatasetError: it is not right.
    """
    scorers = "scorers: [{max_latency_s: 60}]\n"
    whole = {
        "case": f"models: [openai:x]\n{scorers}cases:\n{_indented(block.text)}",
        "model": f"models:\n{_indented(block.text)}{scorers}"
        "cases: [{id: a, input: hi, script: [{kind: chat_response, content: hello}]}]",
    }
    named = block.name and block.name not in whole
    path = folder / (block.name if named else f"shown-{block.line}.yaml")
    path.write_text(whole.get(block.name, block.text), encoding="utf-8")
    return load(path, LoadContext(rootdir=folder, checker=Registry.builtin()))


def _indented(text: str) -> str:
    """Indent a list's text, so that it can stand below a key."""
    return "".join(f"  {line}\n" for line in text.splitlines())


QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p evals-matrix"}
"""Starts pytest with our plugin alone: others take half of the time, and may change the order."""


def play(page: Path, folder: Path, settings: Mapping[str, str] = QUICK) -> None:
    """Do what a page tells its reader: write its named files, run its console blocks, in order."""
    for block in blocks(page):
        if block.not_run:
            continue
        if block.language == "console":
            run_console(block, folder, settings)
        elif block.name and "." in block.name:
            path = folder / block.name.removeprefix("+")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a" if block.name.startswith("+") else "w", encoding="utf-8") as file:
                file.write(block.text)


def run_console(block: Block, folder: Path, settings: Mapping[str, str] = QUICK) -> None:
    """Run the commands of a console block and compare each output with the one that is shown."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        done = run(command, folder, settings)
        told = f"{block}: {command}\n{done.stdout}"
        if "$?" not in command:  # else the status is shown, and compared with the output
            assert bool(ENDED_BADLY.search(shown)) == bool(done.returncode), told
        if not shown.strip():  # nothing is shown of it
            continue
        missing = first_missing(normal(shown), normal(done.stdout))
        assert missing is None, f"{told}\nis not in the output, in this place: {missing}"


def run(
    command: str, folder: Path, settings: Mapping[str, str] = QUICK
) -> subprocess.CompletedProcess[str]:
    """Run a command line in a terminal of 80 columns without colours.

    Args:
        command: for bash.
        folder: where.
        settings: environment variables that are added.
    """
    bin_folder = Path(sys.executable).parent
    environ = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",  # else what goes to stderr overtakes
        **settings,
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def normal(text: str) -> list[str]:
    """Return an output's lines without what differs from run to run."""
    for pattern, word in (
        (r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN"),
        (r"\b[0-9a-f]{12}\b", "DIGEST"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN"),
        (r"(<1|\b\d[\d.]*(e-\d+)?) ?m?s\b", "TIME"),
        (r"[=_-]{3,}", "---"),
        (r"(platform|rootdir:|plugins:|configfile:|versions|commit) .*", r"\1"),
    ):
        text = re.sub(pattern, word, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def first_missing(shown: list[str], real: list[str]) -> str | None:
    """Return the first shown line that the real output does not have in its place.

    Lines that are shown follow one another in the output too, but where `...` leaves some out.
    """
    at, skip = 0, False
    for line in shown:
        if line == "...":
            skip = True
            continue
        found = next((i for i in range(at, len(real)) if real[i] == line), None)
        if found is None or (found != at and not skip):
            return line
        at, skip = found + 1, False
    return None if skip or at == len(real) else f"(nothing, but there is more: {real[at]})"
