"""pytest_evals: evals that are tests.

Public names are imported on first use, so that a session without ``--evals`` pays nothing for them.
No module of the package imports this one: it would close a circle through every public name.
"""

from typing import TYPE_CHECKING, Any

from pytest_evals.ground.version import __version__

if TYPE_CHECKING:
    from pytest_evals.case import Case, ScorerSpec
    from pytest_evals.dataset import Dataset, Prompt
    from pytest_evals.exchange import Exchange, Request, Response, Usage
    from pytest_evals.ground.errors import (
        AnswerError,
        DatasetError,
        EvalsError,
        SettingsError,
        StoreError,
        TemplateError,
    )
    from pytest_evals.message import Message, ToolCall
    from pytest_evals.model import Model, Price
    from pytest_evals.plugin.python.ask import EvalAsk
    from pytest_evals.plugin.python.handles import EvalJudge, EvalTrial
    from pytest_evals.providers.base import Provider, ProviderContext
    from pytest_evals.providers.chat import ChatOptions, ChatProvider
    from pytest_evals.providers.python import TargetContext
    from pytest_evals.result import Outcome, TrialResult
    from pytest_evals.run_record import Run
    from pytest_evals.score import Score, ScoreError
    from pytest_evals.scorers.base import ScoreContext, Scorer, ScoringError, Verdict
    from pytest_evals.session.run import RunOptions, arun, load_run, run

_MODULES = {
    "AnswerError": "ground.errors",
    "Case": "case",
    "ChatOptions": "providers.chat",
    "ChatProvider": "providers.chat",
    "Dataset": "dataset",
    "DatasetError": "ground.errors",
    "EvalAsk": "plugin.python.ask",
    "EvalJudge": "plugin.python.handles",
    "EvalTrial": "plugin.python.handles",
    "EvalsError": "ground.errors",
    "Exchange": "exchange",
    "Message": "message",
    "Model": "model",
    "Outcome": "result",
    "Price": "model",
    "Prompt": "dataset",
    "Provider": "providers.base",
    "ProviderContext": "providers.base",
    "Request": "exchange",
    "Response": "exchange",
    "Run": "run_record",
    "RunOptions": "session.run",
    "Score": "score",
    "ScoreContext": "scorers.base",
    "ScoreError": "score",
    "Scorer": "scorers.base",
    "ScorerSpec": "case",
    "ScoringError": "scorers.base",
    "SettingsError": "ground.errors",
    "StoreError": "ground.errors",
    "TargetContext": "providers.python",
    "TemplateError": "ground.errors",
    "ToolCall": "message",
    "TrialResult": "result",
    "Usage": "exchange",
    "Verdict": "scorers.base",
    "arun": "session.run",
    "load_run": "session.run",
    "run": "session.run",
}

__all__ = [
    "AnswerError",
    "Case",
    "ChatOptions",
    "ChatProvider",
    "Dataset",
    "DatasetError",
    "EvalAsk",
    "EvalJudge",
    "EvalTrial",
    "EvalsError",
    "Exchange",
    "Message",
    "Model",
    "Outcome",
    "Price",
    "Prompt",
    "Provider",
    "ProviderContext",
    "Request",
    "Response",
    "Run",
    "RunOptions",
    "Score",
    "ScoreContext",
    "ScoreError",
    "Scorer",
    "ScorerSpec",
    "ScoringError",
    "SettingsError",
    "StoreError",
    "TargetContext",
    "TemplateError",
    "ToolCall",
    "TrialResult",
    "Usage",
    "Verdict",
    "__version__",
    "arun",
    "load_run",
    "run",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{module}"), name)
