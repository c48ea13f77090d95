"""User code: how a callable named in a dataset is found, and what is shown of its exceptions.

This module knows Python's import system, nothing of evals.
"""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any

from pytest_evals.ground.errors import EvalsError, suggest

_LOCK = RLock()
_OURS = str(Path(__file__).parent.parent)


class UserCodeError(EvalsError):
    """A callable cannot be found or imported.

    Args:
        message: what was searched, where, and what to do.
        detail: the traceback of the user's own code, where it failed while being imported.
    """

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


def split_target(target: str) -> tuple[str, str]:
    """Split ``module:callable`` or ``file.py:callable``.

    Raises:
        UserCodeError: it is neither.
    """
    home, colon, name = target.rpartition(":")
    parts = name.split(".")
    if not colon or not home or not all(part.isidentifier() for part in parts):
        raise UserCodeError(
            f"{target!r} names no callable; write `package.module:callable` or `file.py:callable`"
        )
    if not home.endswith(".py") and not all(part.isidentifier() for part in home.split(".")):
        raise UserCodeError(
            f"{home!r} (in {target!r}) is neither the name of a module nor a `.py` file"
        )
    return home, name


def load_callable(target: str, roots: Sequence[Path]) -> Callable[..., Any]:
    """Import a callable.

    Args:
        target: ``package.module:callable`` or ``file.py:callable``; a method as ``Class.method``.
        roots: the folders that modules are imported from (and their ``src``), before what is
            installed, and that relative files begin in; the first that has it wins.

    Raises:
        UserCodeError: it cannot be found, imported or called.
    """
    home, name = split_target(target)
    with _LOCK:
        module = (
            _file(home, target, roots) if home.endswith(".py") else _module(home, target, roots)
        )
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [n for n in vars(found) if not n.startswith("_")] if found is module else []
            where = getattr(module, "__file__", home)
            raise UserCodeError(f"{where} has no {name!r} (in {target!r}).{suggest(part, names)}")
        found = getattr(found, part)
    if not callable(found):
        raise UserCodeError(f"{target!r} is {type(found).__name__}, which cannot be called")
    called: Callable[..., Any] = found
    return called


def _places(roots: Sequence[Path]) -> list[str]:
    """Return the folders that modules are imported from."""
    folders = [folder for root in roots for folder in (root, root / "src")]
    return list(dict.fromkeys(str(folder.resolve()) for folder in folders if folder.is_dir()))


@contextmanager
def _paths(places: Sequence[str]) -> Iterator[None]:
    """Put folders first on the search path; afterwards they stay, behind all others.

    So the user's modules win while they are imported, and imports inside their functions still
    find their neighbours, without shadowing anything installed for the rest of the session.
    """
    before = list(sys.path)
    sys.path[:0] = places
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for place in places:
            sys.path.remove(place)
            if place not in before and place not in sys.path:
                sys.path.append(place)


def _module(home: str, target: str, roots: Sequence[Path]) -> Any:
    """Import a module, from the roots first."""
    places = _places(roots)
    try:
        with _paths(places):
            return importlib.import_module(home)
    except ModuleNotFoundError as error:
        if error.name is None or not (home == error.name or home.startswith(f"{error.name}.")):
            raise _failed(target, error) from None
        raise UserCodeError(
            f"there is no module {error.name!r} (in {target!r}); searched {', '.join(places)} and "
            "the installed packages"
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code raises what it likes
        raise _failed(target, error) from None


def _file(home: str, target: str, roots: Sequence[Path]) -> Any:
    """Import a file, once; it is the same module if it was imported by its name before."""
    from importlib.util import module_from_spec, spec_from_file_location

    tried = list(dict.fromkeys((root / home).resolve() for root in roots))
    path = next((path for path in tried if path.is_file()), None)
    if path is None:
        places = ", ".join(map(str, tried))
        raise UserCodeError(f"there is no file {home!r} (in {target!r}); tried {places}")
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    name = f"_evals_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        with _paths([str(path.parent), *_places(roots)]):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code raises what it likes
        del sys.modules[name]
        raise _failed(target, error) from None
    return module


def _failed(target: str, error: BaseException) -> UserCodeError:
    """Make the error of a module that raises while it is imported."""
    return UserCodeError(
        f"importing {target!r} failed with {type(error).__name__}: {error}",
        detail=user_traceback(error),
    )


def user_traceback(error: BaseException) -> str | None:
    """Return the traceback of an exception without the frames of this package and the importer.

    None where no frame is left: the exception was not raised in user code.
    """
    whole, left = _traceback(error, _hidden)
    return "".join(whole.format()).rstrip() if left else None


def whole_traceback(error: BaseException) -> str:
    """Return the traceback of an exception, as any thread may write it."""
    return "".join(_traceback(error, lambda _: False)[0].format())


def _traceback(
    error: BaseException, hidden: Callable[[str], bool]
) -> tuple[traceback.TracebackException, int]:
    """Return a traceback, and how many of its frames are not hidden.

    Frames lose their columns: to underline them Python parses the line, and two threads that parse
    at a time can break Python 3.11's parser, in pytest's thread as likely as in this one.
    """
    whole = traceback.TracebackException.from_exception(error)
    parts: list[traceback.TracebackException | None] = [whole]
    left = 0
    while parts:
        part = parts.pop()
        if part is None:
            continue
        kept = [
            (frame.filename, frame.lineno or 0, frame.name, frame.line)
            for frame in part.stack
            if not hidden(frame.filename)
        ]
        part.stack = traceback.StackSummary.from_list(kept)
        left += len(kept)
        context = None if part.__suppress_context__ else part.__context__
        parts += [part.__cause__, context, *(part.exceptions or ())]
    return whole, left


def _hidden(filename: str) -> bool:
    """Whether a frame is ours, the importer's or the pool's and not the user's."""
    if filename.startswith(_OURS):
        return True
    return filename.startswith("<frozen ") or "/concurrent/futures/" in filename
