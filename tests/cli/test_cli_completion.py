"""`pytest-evals completion SHELL`: what Tab offers in real shells is what the parser takes."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest

from pytest_evals.cli import build_parser, main


def shell(name):
    """Return a shell's program, or skip."""
    found = shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


@pytest.fixture
def script(tmp_path, capsys, monkeypatch):
    """Write a shell's script into an empty folder, and stand in it."""
    monkeypatch.chdir(tmp_path)

    def write(name):
        assert main(["completion", name]) == 0
        path = tmp_path / f"script.{name}"
        path.write_text(capsys.readouterr().out)
        return path

    return write


def options(parser):
    """Return all options of a parser."""
    return sorted(name for action in parser._actions for name in action.option_strings)


def in_bash(path, lines):
    """Return what bash offers at the end of each line: the last word is completed."""
    asked = []
    for line in lines:
        words = " ".join(f"'{word}'" for word in line)
        asked.append(
            f"COMP_WORDS=({words}); COMP_CWORD={len(line) - 1}; _pytest_evals; "
            'echo "${COMPREPLY[*]}"'
        )
    code = "\n".join([f"source {path}", *asked])
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [sorted(line.split()) for line in done.stdout.split("\n")[:-1]]


def test_bash_knows_every_command_and_option(script):
    """Of each command all options, and all commands below it, and nothing else."""
    path = script("bash")
    every = list(build_parser().walk())
    found = in_bash(path, [("pytest-evals", *words, "-") for words, _ in every])
    assert [(words, options(parser)) for words, parser in every] == [
        (words, told) for (words, _), told in zip(every, found, strict=True)
    ]
    below: dict[tuple[str, ...], list[str]] = {}
    for words, _ in every[1:]:
        below.setdefault(words[:-1], []).append(words[-1])
    told = in_bash(path, [("pytest-evals", *words, "") for words in below])
    assert [sorted(words) for words in below.values()] == told


LINES = [
    (("ru",), ["runs"]),
    (("runs", "--sta"), ["--status"]),
    (("runs", "--status", ""), ["complete", "interrupted", "narrowed", "running"]),
    (("runs", "--status", "=", "nar"), ["narrowed"]),
    (("baseline", "acc"), ["accept"]),
    (("baseline", "accept", ""), ["latest"]),
    (("show", "la"), ["latest"]),
    (("show", "latest", "--store", "one"), ["one.evals.yaml"]),
    (("lint", "one"), ["one.evals.yaml"]),
    (("runs", "--limit", ""), []),
    (("completion", ""), ["bash", "fish", "tcsh", "zsh"]),
    (("show", "show", "--fai"), ["--failed"]),
    (("nothing", "-"), ["--help", "--version", "-h"]),
    (("runs", "$(touch hacked)", "`touch hacked`", "--js"), ["--json"]),
]


@pytest.mark.parametrize(("words", "expected"), LINES, ids=" ".join)
def test_what_bash_offers(script, tmp_path, words, expected):
    """Commands, options, values, runs and files; nothing that is typed is run."""
    (tmp_path / "one.evals.yaml").write_text("")
    assert [expected] == in_bash(script("bash"), [("pytest-evals", *words)])
    assert not (tmp_path / "hacked").exists()


def test_a_file_with_a_space_in_bash(script, tmp_path):
    """Is one file."""
    (tmp_path / "two words.yaml").write_text("")
    code = (
        f"source {script('bash')}; COMP_WORDS=(pytest-evals lint two); COMP_CWORD=2; "
        'COMPREPLY=(); _pytest_evals; echo "${#COMPREPLY[@]}:${COMPREPLY[0]}"'
    )
    done = subprocess.run([shell("bash"), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1:two words.yaml\n"


def typed(program, typing, until, term="dumb"):
    """Type into an interactive shell on a terminal; return what it shows, up to a text.

    Args:
        program: the shell and its arguments.
        typing: pieces, typed a moment apart.
        until: the text that is waited for, at most ten seconds.
        term: the kind of terminal.
    """
    child, master = pty.fork()
    if not child:
        os.environ.update(TERM=term, PS1="> ", HISTFILE="/dev/null")
        os.execv(program[0], program)
    shown = b""
    try:
        pieces, end = list(typing), time.monotonic() + 10
        while time.monotonic() < end and until not in plain(shown):
            if select.select([master], [], [], 0.3)[0]:
                shown += os.read(master, 4096)
            elif pieces:
                os.write(master, pieces.pop(0).encode())
    finally:
        os.close(master)
        os.kill(child, 9)
        os.waitpid(child, 0)
    return plain(shown)


def plain(shown):
    """Return what a terminal shows of an output: what is overwritten is left out."""
    return shown.decode(errors="replace").replace(" \b", "").replace("\x1b[K", "")


def test_tab_in_an_interactive_bash(script):
    """As a user would: the script is sourced, and Tab completes a command and its value."""
    path = script("bash")
    typing = [f"source {path}\n", "pytest-evals comple\t", "f\t"]
    shown = typed([shell("bash"), "--norc", "--noprofile", "-i"], typing, "completion fish")
    assert "pytest-evals completion fish" in shown


def test_tab_in_an_interactive_zsh(script, tmp_path):
    """As documented: the script is a file on `fpath`, read by `compinit`."""
    script("zsh").rename(tmp_path / "_pytest-evals")
    typing = [
        f"PS1='> '; fpath+=({tmp_path}); autoload -U compinit; compinit -u -D\n",
        "pytest-evals comple\t",
        "f\t",
    ]
    shown = typed([shell("zsh"), "-f", "-i"], typing, "completion fish")
    assert "pytest-evals completion fish" in shown


def test_tab_in_an_interactive_tcsh(script):
    """As documented: the script is sourced."""
    path = script("tcsh")
    typing = [f"source {path}\n", "pytest-evals comple\t", "f\t"]
    shown = typed([shell("tcsh"), "-f"], typing, "completion fish", term="vt100")
    assert "pytest-evals completion fish" in shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [(" ".join(words), expected) for words, expected in LINES if "=" not in words][:9],
)
def test_what_fish_offers(script, tmp_path, line, expected):
    """By fish's own engine."""
    (tmp_path / "one.evals.yaml").write_text("")
    path = script("fish")
    code = f"source {path}; complete -C 'pytest-evals {line}'"
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", code],
        capture_output=True, text=True, check=True, env=environ,
    )  # fmt: skip
    assert done.stderr == ""
    offered = {told.split("\t")[0] for told in done.stdout.splitlines()}
    assert set(expected) <= offered, done.stdout
    assert not any("\t" in told and told.startswith("-") for told in done.stdout.splitlines()
                   if not line.split()[-1].startswith("-"))  # fmt: skip


def test_zsh_reads_it(script):
    """Without a complaint."""
    done = subprocess.run(
        [shell("zsh"), "-f", "-n", script("zsh")], capture_output=True, check=True
    )
    assert done.stderr == b""
