"""``pytest-evals plugins``: who brings what that a dataset can name."""

import argparse
import json

_EPILOG = """\
examples:
  pytest-evals plugins
  pytest-evals plugins --json

exit status: 0, or 1 where a plugin cannot be used; 4 for usage."""


class PluginsCommand:
    """The command ``pytest-evals plugins``."""

    name = "plugins"
    help = "list what is built in and what plugins bring"
    description = (
        "List providers, scorers, loaders, reporters and stores by the plugin that "
        "brings them. Plugins with an entry point in the group `pytest_evals` are known here; what "
        "a conftest.py brings is told at the head of a session."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: argparse.Namespace) -> int:
        """Print the list."""
        from pytest_evals.registry import Registry

        brought = Registry.installed().members_by_plugin(ours=True)
        print(json.dumps(brought, indent=2) if args.json else _text(brought))  # noqa: T201 - the output
        return 0


def _text(brought: dict[str, dict[str, list[str]]]) -> str:
    """Return the list for people: the plugin, and under it a line for each kind."""
    from textwrap import fill

    from pytest_evals.ground.plain_text import neutral

    wide = max(len(family) for families in brought.values() for family in families)
    lines: list[str] = []
    for plugin, families in brought.items():
        lines.append(neutral(plugin))
        for family, names in families.items():
            head = f"  {family:{wide}}  "
            members = ", ".join(sorted(names))
            lines.append(fill(members, 80, initial_indent=head, subsequent_indent=" " * len(head)))
    return "\n".join(lines)
