"""The scripts in docs/, imported by path: they are no package."""

import importlib.util
import sys
from types import ModuleType

from tests.docs._pages import DOCS


def load_script(name: str) -> ModuleType:
    """Import ``docs/<name>.py``."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
