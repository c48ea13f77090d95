"""User code: importing a callable by its name, and the traceback of its exceptions.

This module knows Python's import system. It knows nothing of evals.
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
_PACKAGE_FOLDER = str(Path(__file__).parent.parent)


class UserCodeError(EvalsError):
    """A callable cannot be found or imported.

    Args:
        message: what was searched, where, and what to do.
        detail: traceback of the user's code if its import raised; else None.
    """

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


def split_target(target: str) -> tuple[str, str]:
    """Split ``module:callable`` or ``file.py:callable``.

    Raises:
        UserCodeError: the text has neither form.
    """
    module, colon, name = target.rpartition(":")
    parts = name.split(".")
    if not colon or not module or not all(part.isidentifier() for part in parts):
        raise UserCodeError(
            f"{target!r} names no callable; write `package.module:callable` or `file.py:callable`"
        )
    if not module.endswith(".py") and not all(part.isidentifier() for part in module.split(".")):
        raise UserCodeError(
            f"{module!r} (in {target!r}) is neither the name of a module nor a `.py` file"
        )
    return module, name


def load_callable(target: str, roots: Sequence[Path]) -> Callable[..., Any]:
    """Import a callable.

    Args:
        target: ``package.module:callable`` or ``file.py:callable``; a method as ``Class.method``.
        roots: folders to search, each with its ``src``, before the installed packages. The first
            that has the module or file wins.

    Raises:
        UserCodeError: the target cannot be found or imported, or is not callable.
    """
    home, name = split_target(target)
    with _LOCK:
        module = (
            _import_file(home, target, roots)
            if home.endswith(".py")
            else _import_module(home, target, roots)
        )
    member: Any = module
    for part in name.split("."):
        if not hasattr(member, part):
            names = [n for n in vars(member) if not n.startswith("_")] if member is module else []
            where = getattr(module, "__file__", home)
            raise UserCodeError(f"{where} has no {name!r} (in {target!r}).{suggest(part, names)}")
        member = getattr(member, part)
    if not callable(member):
        raise UserCodeError(f"{target!r} is {type(member).__name__}, which cannot be called")
    function: Callable[..., Any] = member
    return function


def _search_folders(roots: Sequence[Path]) -> list[str]:
    """Return the folders that modules are imported from: each root and its ``src``."""
    folders = [folder for root in roots for folder in (root, root / "src")]
    return list(dict.fromkeys(str(folder.resolve()) for folder in folders if folder.is_dir()))


@contextmanager
def _search_first(folders: Sequence[str]) -> Iterator[None]:
    """Put folders first in ``sys.path``; on exit, move them to its end.

    The user's modules win while they are imported. Imports inside their functions still find
    modules beside them later, and nothing installed is shadowed for the rest of the session.
    """
    before = list(sys.path)
    sys.path[:0] = folders
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)
            if folder not in before and folder not in sys.path:
                sys.path.append(folder)


def _import_module(home: str, target: str, roots: Sequence[Path]) -> Any:
    """Import a module; the roots come before the installed packages."""
    folders = _search_folders(roots)
    try:
        with _search_first(folders):
            return importlib.import_module(home)
    except ModuleNotFoundError as error:
        if error.name is None or not (home == error.name or home.startswith(f"{error.name}.")):
            raise _import_failed(target, error) from None
        raise UserCodeError(
            f"there is no module {error.name!r} (in {target!r}); searched {', '.join(folders)} and "
            "the installed packages"
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code can raise anything
        raise _import_failed(target, error) from None


def _import_file(home: str, target: str, roots: Sequence[Path]) -> Any:
    """Import a file once. If it is already imported under its name, return that module."""
    from importlib.util import module_from_spec, spec_from_file_location

    tried = list(dict.fromkeys((root / home).resolve() for root in roots))
    path = next((path for path in tried if path.is_file()), None)
    if path is None:
        paths = ", ".join(map(str, tried))
        raise UserCodeError(f"there is no file {home!r} (in {target!r}); tried {paths}")
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    name = f"_evals_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        with _search_first([str(path.parent), *_search_folders(roots)]):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code can raise anything
        del sys.modules[name]
        raise _import_failed(target, error) from None
    return module


def _import_failed(target: str, error: BaseException) -> UserCodeError:
    """Return the error for a module whose import raised."""
    return UserCodeError(
        f"importing {target!r} failed with {type(error).__name__}: {error}",
        detail=user_traceback(error),
    )


def user_traceback(error: BaseException) -> str | None:
    """Return an exception's traceback without the frames of this package and the importer.

    None if no frame is left: the exception was not raised in user code.
    """
    trace, frames = _traceback(error, _is_internal)
    return "".join(trace.format()).rstrip() if frames else None


def full_traceback(error: BaseException) -> str:
    """Return an exception's traceback with all frames; safe to call in any thread."""
    return "".join(_traceback(error, lambda _: False)[0].format())


def _traceback(
    error: BaseException, is_hidden: Callable[[str], bool]
) -> tuple[traceback.TracebackException, int]:
    """Return a traceback without hidden frames, and the number of frames left.

    Column positions are dropped. Python parses the source line to underline them, and the parser of
    Python 3.11 can crash when two threads parse at once.
    """
    trace = traceback.TracebackException.from_exception(error)
    parts: list[traceback.TracebackException | None] = [trace]
    frames = 0
    while parts:
        part = parts.pop()
        if part is None:
            continue
        kept = [
            (frame.filename, frame.lineno or 0, frame.name, frame.line)
            for frame in part.stack
            if not is_hidden(frame.filename)
        ]
        part.stack = traceback.StackSummary.from_list(kept)
        frames += len(kept)
        context = None if part.__suppress_context__ else part.__context__
        parts += [part.__cause__, context, *(part.exceptions or ())]
    return trace, frames


def _is_internal(filename: str) -> bool:
    """Whether a frame is of this package, the importer or the thread pool."""
    if filename.startswith(_PACKAGE_FOLDER):
        return True
    return filename.startswith("<frozen ") or "/concurrent/futures/" in filename
