"""Print every circle of imports: ``python docs/_circles.py [PACKAGE ...]``.

All imports count: those inside functions, and those that only typing needs. A circle is a set of
modules that reach each other by imports; one import to cut is suggested for each. With packages
(``plugin``, ``cli.show``) only circles with a module there are printed.
"""

import sys
from collections.abc import Iterator

import grimp

ROOT = "pytest_evals"


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the circles of a graph, the largest first; each is sorted.

    Args:
        imports: for each module, the modules that it imports.
    """
    reachable = {module: _reachable(module, imports) for module in imports}
    left, groups = set(imports), []
    while left:
        module = left.pop()
        group = {other for other in reachable[module] if module in reachable[other]} | {module}
        left -= group
        if len(group) > 1:
            groups.append(sorted(group))
    return sorted(groups, key=lambda group: (-len(group), group))


def _reachable(start: str, imports: dict[str, set[str]]) -> set[str]:
    """Return every module that one reaches by imports."""
    reached, waiting = set[str](), [start]
    while waiting:
        for module in imports.get(waiting.pop(), set()) - reached:
            reached.add(module)
            waiting.append(module)
    return reached


def import_graph() -> dict[str, set[str]]:
    """Return the imports among our modules, lazy and typing ones included."""
    graph = grimp.build_graph(ROOT, exclude_type_checking_imports=False, cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def _describe(circle: list[str], imports: dict[str, set[str]]) -> Iterator[str]:
    """Yield a circle's lines: each module, and which members it imports."""
    yield f"a circle of {len(circle)} modules:"
    for module in circle:
        members = ", ".join(_short(name) for name in sorted(imports[module] & set(circle)))
        yield f"  {_short(module)} imports {members}"


def _short(module: str) -> str:
    """Return a module's name without the package's."""
    return module.removeprefix(f"{ROOT}.")


def main(packages: list[str]) -> int:
    """Print the circles; return 1 where there is one."""
    imports = import_graph()
    prefixes = tuple(f"{ROOT}.{package}" for package in packages)
    shown = [
        circle
        for circle in circles(imports)
        if not packages or any(module.startswith(prefixes) for module in circle)
    ]
    for circle in shown:
        print("\n".join(_describe(circle, imports)))
    print(f"{len(imports)} modules, {len(shown)} circles")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
