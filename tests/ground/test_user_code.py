"""user_code: callables by name, the search path, and tracebacks without frames of this package."""

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_evals.ground.user_code import (
    UserCodeError,
    full_traceback,
    load_callable,
    split_target,
    user_traceback,
)


@pytest.fixture
def name(monkeypatch):
    """A module name that no other test uses; the search path is restored."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return f"m_{uuid4().hex}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("app:answer", ("app", "answer")),
        ("pkg.app:Bot.answer", ("pkg.app", "Bot.answer")),
        ("sub/app.py:answer", ("sub/app.py", "answer")),
        ("C:/app.py:answer", ("C:/app.py", "answer")),
    ],
)
def test_split_target(target, expected):
    """A module or a file, and a name in it."""
    assert split_target(target) == expected


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("answer", "names no callable; write `package.module:callable`"),
        (":answer", "names no callable"),
        ("app:", "names no callable"),
        ("app:an swer", "names no callable"),
        ("my-app:answer", "neither the name of a module nor a `.py` file"),
    ],
)
def test_split_target_rejects(target, message):
    """The message has the text and the two valid forms."""
    with pytest.raises(UserCodeError, match=message) as caught:
        split_target(target)
    assert repr(target) in caught.value.message


@pytest.mark.parametrize("folder", [".", "src"])
def test_the_first_root_wins(tmp_path: Path, name: str, folder: str):
    """Roots, each with its ``src``, are searched in their order."""
    for root, value in (("a", 1), ("b", 2)):
        file = tmp_path / root / folder / f"{name}.py"
        file.parent.mkdir(parents=True)
        file.write_text(f"class Bot:\n    def answer():\n        return {value}\n")
    function = load_callable(f"{name}:Bot.answer", [tmp_path / "a", tmp_path / "b"])
    assert function() == 1


def test_a_root_comes_before_installed_packages_only_during_the_import(tmp_path: Path, name: str):
    """Afterwards it is the last entry, so it shadows nothing but later imports still work."""
    (tmp_path / f"{name}.py").write_text(
        f"import sys\nfirst = sys.path[0]\ndef late():\n    import {name}_late\n    return 7\n"
    )
    (tmp_path / f"{name}_late.py").touch()
    function = load_callable(f"{name}:late", [tmp_path])
    assert sys.modules[name].first == str(tmp_path.resolve())
    assert sys.path[0] != str(tmp_path.resolve())
    assert sys.path[-1] == str(tmp_path.resolve())
    assert function() == 7


def test_a_file_is_imported_once(tmp_path: Path, name: str):
    """A file and a module name give the same module, in either order."""
    (tmp_path / f"{name}.py").write_text("def answer():\n    return 1\n")
    by_file = load_callable(f"{name}.py:answer", [tmp_path])
    assert load_callable(f"{name}.py:answer", [tmp_path]) is by_file
    (tmp_path / f"{name}_2.py").write_text("def answer():\n    return 1\n")
    by_name = load_callable(f"{name}_2:answer", [tmp_path])
    assert load_callable(f"{name}_2.py:answer", [tmp_path]) is by_name


@pytest.mark.parametrize(
    ("source", "target", "message", "line"),
    [
        ("", "{name}_none:f", "there is no module '{name}_none'", None),
        ("", "{name}_none.py:f", "there is no file '{name}_none.py'", None),
        ("def answer(): ...", "{name}:anwser", "has no 'anwser' .* Did you mean 'answer'", None),
        ("value = 3", "{name}:value", "is int, which cannot be called", None),
        ("1 / 0", "{name}:f", "failed with ZeroDivisionError", "1 / 0"),
        ("1 / 0", "{name}.py:f", "failed with ZeroDivisionError", "1 / 0"),
        ("import no_such_module", "{name}:f", "failed with ModuleNotFoundError", "no_such_module"),
        ("raise SystemExit(3)", "{name}:f", "failed with SystemExit: 3", "SystemExit(3)"),
    ],
)
def test_errors(tmp_path: Path, name: str, source: str, target: str, message: str, line: str):
    """What was searched and where; an import that raised has its traceback as detail."""
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(UserCodeError, match=message.format(name=name)) as caught:
        load_callable(target.format(name=name), [tmp_path])
    detail = caught.value.detail
    assert (detail is None) == (line is None)
    assert line is None or line in detail


def test_a_failed_import_can_be_repeated(tmp_path: Path, name: str):
    """A file whose import raised is not cached as a module."""
    file = tmp_path / f"{name}.py"
    file.write_text("1 / 0")
    with pytest.raises(UserCodeError):
        load_callable(f"{name}.py:f", [tmp_path])
    file.write_text("def f():\n    return 5\n")
    assert load_callable(f"{name}.py:f", [tmp_path])() == 5


def test_a_traceback_has_the_user_s_frames_only():
    """Frames of this package are hidden; an error without any other frame has no traceback."""
    with pytest.raises(UserCodeError) as caught:
        split_target("")
    error = caught.value
    assert "split_target" in full_traceback(error)
    trace = user_traceback(error)
    assert trace is not None
    assert "in split_target" not in trace
    assert "test_a_traceback" in trace
    error.__traceback__ = error.__traceback__.tb_next
    assert user_traceback(error) is None


def test_a_traceback_includes_its_cause():
    """Frames of the cause and of the members of a group are kept."""

    def fail() -> None:
        raise ValueError("inner")

    def fail_in_a_group() -> None:
        try:
            fail()
        except ValueError as error:
            raise ExceptionGroup("outer", [error]) from error

    with pytest.raises(ExceptionGroup) as caught:
        fail_in_a_group()
    trace = user_traceback(caught.value)
    assert trace is not None
    assert trace.count("in fail") >= 2
    assert "outer" in trace
