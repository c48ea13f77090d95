"""``pytest-evals schema``: the JSON Schema of a dataset file, or of a JSON report."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_evals.registry import Registry


_EPILOG = """\
examples:
  pytest-evals schema > dataset.schema.json
  pytest-evals schema report

exit status: 0; 4 for usage."""


class SchemaCommand:
    """The command ``pytest-evals schema``."""

    name = "schema"
    help = "print the JSON Schema of a dataset file, or of a report"
    description = (
        "Print a JSON Schema (draft 2020-12). Editors use that of a dataset file if "
        "the file begins with `# yaml-language-server: $schema=dataset.schema.json`; that of a "
        "report describes the file of --evals-json."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "of",
            nargs="?",
            choices=("dataset", "report"),
            default="dataset",
            help="what it is the schema of; by default of a dataset file",
        )

    def run(self, args: argparse.Namespace) -> int:
        """Print the schema."""
        from pytest_evals.registry import Registry

        text = report_schema_text() if args.of == "report" else schema_text(Registry.installed())
        print(text, end="")  # noqa: T201 - the command's output
        return 0


def report_schema_text() -> str:
    """Return the schema of a JSON report as it is shipped."""
    from pytest_evals.reporters.shape import report_schema

    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"


def schema_text(registry: "Registry") -> str:
    """Return the schema as it is shipped."""
    from pytest_evals.loaders.schema import dataset_schema

    scorer_names, provider_names = registry.names()
    scorers: dict[str, Any] = {name: registry.scorer(name) for name in scorer_names}
    providers: dict[str, Any] = {name: registry.provider(name) for name in provider_names}
    schema = dataset_schema(scorers, providers)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
