"""Registry: every provider, scorer and loader by name, built-in or a plugin's.

Built-ins are named as ``module:Class`` and imported when a dataset first uses them, so that knowing
all of them costs nothing. What a Dataset cannot know by itself is checked here.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from pytest_evals.case import ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.errors import suggest
from pytest_evals.loaders.base import Loader, Loc
from pytest_evals.model import Model
from pytest_evals.providers.base import Provider
from pytest_evals.scorers.base import Scorer
from pytest_evals.scorers.bound import Bound, SpecError, bind

PROVIDERS: Mapping[str, str] = {
    "anthropic": "pytest_evals.providers.anthropic:AnthropicProvider",
    "command": "pytest_evals.providers.command:CommandProvider",
    "http": "pytest_evals.providers.http:HttpProvider",
    "openai": "pytest_evals.providers.openai:OpenAIProvider",
    "python": "pytest_evals.providers.python:PythonProvider",
    "script": "pytest_evals.providers.script:ScriptProvider",
}
LOADERS: Mapping[str, str] = {
    "csv": "pytest_evals.loaders.csv:CsvLoader",
    "json": "pytest_evals.loaders.json:JsonLoader",
    "jsonl": "pytest_evals.loaders.jsonl:JsonlLoader",
    "yaml": "pytest_evals.loaders.yaml:YamlLoader",
}
