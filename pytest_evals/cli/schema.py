"""``pytest-evals schema``: the JSON Schema of a dataset file, with every registered scorer."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_evals.registry import Registry


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a dataset file",
        description="Print the JSON Schema (draft 2020-12) of a dataset file. Editors use it where "
        "the file begins with `# yaml-language-server: $schema=dataset.schema.json`.",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 - it takes no options
    """Print the schema."""
    from pytest_evals.registry import Registry

    print(schema_text(Registry.builtin()), end="")  # noqa: T201 - the command's output
    return 0


def schema_text(registry: "Registry") -> str:
    """Return the schema as it is shipped."""
    from pytest_evals.loaders.schema import dataset_schema

    scorer_names, provider_names = registry.names()
    scorers: dict[str, Any] = {name: registry.scorer(name) for name in scorer_names}
    providers: dict[str, Any] = {name: registry.provider(name) for name in provider_names}
    schema = dataset_schema(scorers, providers)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
