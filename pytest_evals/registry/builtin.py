"""The built-in members, registered by the same hooks as those of any plugin.

Each is written as ``module:Class`` and imported on first use, so that the table costs no import.
"""

from collections.abc import Mapping

from pytest_evals.scorers.catalogue import SCORERS

PROVIDERS: Mapping[str, str] = {
    "anthropic": "pytest_evals.providers.anthropic:AnthropicProvider",
    "command": "pytest_evals.providers.command:CommandProvider",
    "embeddings": "pytest_evals.providers.embeddings:EmbeddingsProvider",
    "http": "pytest_evals.providers.http:HttpProvider",
    "litellm": "pytest_evals.providers.litellm:LiteLLMProvider",
    "openai": "pytest_evals.providers.openai:OpenAIProvider",
    "python": "pytest_evals.providers.python:PythonProvider",
    "script": "pytest_evals.providers.script:ScriptProvider",
}
LOADERS: Mapping[str, str] = {
    ".yaml": "pytest_evals.loaders.yaml:YamlLoader",
    ".yml": "pytest_evals.loaders.yaml:YamlLoader",
    ".json": "pytest_evals.loaders.json:JsonLoader",
    ".jsonl": "pytest_evals.loaders.jsonl:JsonlLoader",
    ".ndjson": "pytest_evals.loaders.jsonl:JsonlLoader",
    ".csv": "pytest_evals.loaders.csv:CsvLoader",
    ".tsv": "pytest_evals.loaders.csv:CsvLoader",
}
REPORTERS: Mapping[str, str] = {
    "csv": "pytest_evals.reporters.csv:CsvReporter",
    "html": "pytest_evals.reporters.html:HtmlReporter",
    "json": "pytest_evals.reporters.json:JsonReporter",
    "md": "pytest_evals.reporters.markdown:MarkdownReporter",
    "parquet": "pytest_evals.reporters.parquet:ParquetReporter",
}
STORES: Mapping[str, str] = {
    "sqlite": "pytest_evals.responses.sqlite:SharedSqlite",
}


class Builtin:
    """The plugin that registers the built-in members."""

    def pytest_evals_providers(self) -> Mapping[str, str]:
        """Return the built-in providers."""
        return PROVIDERS

    def pytest_evals_scorers(self) -> Mapping[str, str]:
        """Return the built-in scorers."""
        return SCORERS

    def pytest_evals_loaders(self) -> Mapping[str, str]:
        """Return the built-in loaders."""
        return LOADERS

    def pytest_evals_reporters(self) -> Mapping[str, str]:
        """Return the built-in reporters."""
        return REPORTERS

    def pytest_evals_stores(self) -> Mapping[str, str]:
        """Return the built-in stores of shared answers."""
        return STORES
