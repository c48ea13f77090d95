"""Finding a user's callable and telling whose fault an exception is.

User code is imported from the rootdir (and its ``src``), as pytest's own ``pythonpath = .`` would:
they stand first while it is imported, and stay at the end of ``sys.path`` for imports that happen
later, inside the application's functions.
"""

import importlib
import importlib.util
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from pytest_evals.errors import AnswerError, suggest

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_OURS = str(Path(__file__).parent.parent)
_STANDARD = str(Path(importlib.__file__).parent.parent)
_MOST_DETAIL = 8_000
_importing = threading.RLock()


def split_target(written: str) -> tuple[str, str]:
    """Split ``module:callable``.

    Raises:
        ValueError: it is not written so.
    """
    place, colon, name = written.rpartition(":")
    in_file = place.endswith(".py")
    if not colon or not _DOTTED.fullmatch(name) or not (in_file or _DOTTED.fullmatch(place)):
        raise ValueError("a target is `package.module:callable` or `path/to/file.py:callable`")
    return place, name


def load(written: str, rootdir: Path) -> Any:
    """Import what a target names.

    Raises:
        AnswerError: of type ``target``: there is no such module, file or name (with what was
            searched and what there is), or the import itself failed.
    """
    place, name = split_target(written)
    with _importing, _paths(_places(rootdir, place)):
        module = _file(rootdir, place) if place.endswith(".py") else _module(rootdir, place)
        found: Any = module
        path = place
        for part in name.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                known = [n for n in dir(found) if not n.startswith("_")]
                raise AnswerError(
                    "target", f"{path} has no {part!r}.{suggest(part, known)}"
                ) from None
            path = f"{path}:{part}" if path == place else f"{path}.{part}"
    return found


def blamed(error: BaseException, what: str) -> AnswerError:
    """Make the error of an exception in user code: its own frames only, ours left out.

    Args:
        error: what was raised.
        what: who raised it, to stand before the exception's name.
    """
    own = _own_frames(error.__traceback__)
    last = traceback.extract_tb(own)[-1:] if own is not None else []
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    text = "".join(traceback.format_exception(type(error), error, own))
    said = " ".join(str(error).split())
    named = type(error).__name__ + (f": {said[:500]}" if said else "")
    return AnswerError("target", f"{what} {named}{where}", detail=text[-_MOST_DETAIL:])


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the frames before the user's first one: this package's and the interpreter's."""
    while frames is not None:
        name = frames.tb_frame.f_code.co_filename
        standard = name.startswith(_STANDARD) and "-packages" not in name
        if not standard and not name.startswith((_OURS, "<frozen")):
            return frames
        frames = frames.tb_next
    return None


def _places(rootdir: Path, place: str) -> list[str]:
    """Return where a target's code is imported from."""
    places = [rootdir]
    if (rootdir / "src").is_dir():
        places.append(rootdir / "src")
    if place.endswith(".py"):
        places.insert(0, (rootdir / place).parent)
    return [str(path.resolve()) for path in places]


@contextmanager
def _paths(places: list[str]) -> Iterator[None]:
    """Put folders first on the search path; afterwards they stay, behind all others."""
    before = list(sys.path)
    sys.path[:0] = places
    try:
        yield
    finally:
        for place in places:
            sys.path.remove(place)
            if place not in sys.path and place not in before:
                sys.path.append(place)


def _module(rootdir: Path, name: str) -> ModuleType:
    """Import a module by name."""
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise blamed(error, f"importing {name!r} raised") from error
        searched = ", ".join(_places(rootdir, name))
        raise AnswerError(
            "target",
            f"there is no module {missing!r} (for target module {name!r}); searched {searched} and "
            f"the installed packages.{suggest(missing, _modules_in(rootdir))}",
        ) from None
    except (Exception, SystemExit) as error:
        raise blamed(error, f"importing {name!r} raised") from error


def _modules_in(rootdir: Path) -> list[str]:
    """Name the modules that lie in the rootdir."""
    try:
        return [
            path.stem
            for path in rootdir.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").is_file()
        ]
    except OSError:
        return []


def _file(rootdir: Path, place: str) -> ModuleType:
    """Import a file, once; it is the same module if it was imported by its name before."""
    path = (rootdir / place).resolve()
    if not path.is_file():
        near = path.parent.glob("*.py") if path.parent.is_dir() else ()
        hint = suggest(path.name, [other.name for other in near])
        raise AnswerError("target", f"there is no file {path}.{hint}")
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    name = f"_evals_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise blamed(error, f"importing {place!r} raised") from error
    return module
