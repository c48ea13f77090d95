"""``pytest-evals estimate DATASET…``: what a session would ask and cost, before it is spent."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.options import add_output, add_store, number, usd
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.stores import store_path

if TYPE_CHECKING:
    from pytest_evals.engine.model_estimate import ModelEstimate
    from pytest_evals.matrix import Trial

_EPILOG = """\
examples:
  pytest-evals estimate support.evals.yaml
  pytest-evals estimate *.evals.yaml --model openai:gpt-4.1-mini --samples 10
  pytest-evals estimate support.evals.yaml --max-cost 2 --json

Tokens and cost are those of a trial in the newest of the last five stored runs that asked the
model, judges included, times the trials. Where no run tells, prompts are counted by their length
(4 characters a token), answers by the model's own `max_tokens`, and judges not at all, which is
said. A price that is not known is unknown, never nothing. Stored answers cost nothing again, so a
session may cost less. `pytest --evals --collect-only` says the same of what -k and -m select.

exit status: 0; with --max-cost 1 where the cost is above it, or not known; 4 for usage."""


class EstimateCommand:
    """The command ``pytest-evals estimate``."""

    name = "estimate"
    help = "say what a session would ask and cost"
    description = (
        "Say how many trials and calls datasets come to, and about how many tokens and "
        "what cost. Nothing is asked."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "datasets", nargs="+", type=Path, metavar="DATASET", help="a dataset's file"
        )
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="MODEL",
            help="as --evals-model: the id of one in the dataset, or provider:model; repeatable",
        )
        parser.add_argument(
            "--samples",
            type=number,
            metavar="N",
            help="as --evals-samples: how often a case is asked",
        )
        parser.add_argument(
            "--max-cost", type=usd, metavar="USD", help="exit with 1 where it would cost more"
        )
        parser.add_argument(
            "--rootdir", type=Path, metavar="DIR", help="included files lie below it"
        )
        add_store(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print what is expected; 1 where it is above the limit."""
        from pytest_evals.engine.estimate import estimate_models, read_history
        from pytest_evals.registry import Registry

        if args.samples == 0:
            args.usage_error("--samples 0: a case is asked at least once")
        known = Registry.installed()
        trials = list(_trials(args, known))
        names = list(dict.fromkeys(trial.dataset.name for trial in trials))
        past = read_history(store_path(args.store), names)
        found = estimate_models(trials, past, known.scorers_of)
        costs = [one.cost_usd for one in found]
        total = None if None in costs else sum(cost for cost in costs if cost is not None)
        over = args.max_cost is not None and (total is None or total > args.max_cost)
        if args.json:
            rows = [_json(one) for one in found]
            say_json({"schema": 1, "models": rows, "cost_usd": total, "over": over})
        else:
            _tell(args, found, total)
        return int(over)


def _trials(args: argparse.Namespace, registry: Any) -> "Iterator[Trial]":
    """Yield the trials of all datasets.

    Raises:
        DatasetError: a dataset is not right.
        SettingsError: no such model.
    """
    from pytest_evals.loaders.base import LoadContext
    from pytest_evals.loaders.build import load
    from pytest_evals.matrix import Matrix
    from pytest_evals.registry.datasets import find_root
    from pytest_evals.registry.model_selection import chosen_models

    for path in args.datasets:
        root = (args.rootdir or find_root(path)).absolute()
        dataset = load(path, LoadContext(rootdir=root, checker=registry))
        models = chosen_models(registry, dataset, args.model, option="--model")
        yield from Matrix(dataset, models, args.samples)


def _json(one: "ModelEstimate") -> dict[str, Any]:
    """Return one model's row as a JSON value; null is unknown."""
    return {
        "dataset": one.dataset,
        "model": one.model.id,
        "trials": one.trials,
        "calls": one.calls,
        "judge_calls": one.judge_calls,
        "tokens": one.tokens,
        "prompt_tokens": one.prompt_tokens,
        "answer_tokens_at_most": one.max_output_tokens if one.has_output_limit else None,
        "cost_usd": one.cost_usd,
        "by_run": one.history.run if one.is_from_run and one.history is not None else None,
    }


def _tell(args: argparse.Namespace, found: "Sequence[ModelEstimate]", total: float | None) -> None:
    """Print what is expected."""
    from pytest_evals.engine.estimate import format_estimate
    from pytest_evals.ground.plain_text import counted, format_cost

    paper = Paper.of(args)
    dataset = None
    for one in found:
        if one.dataset != dataset:
            dataset = one.dataset
            trials = sum(other.trials for other in found if other.dataset == dataset)
            paper.sentence(f"{dataset}: {counted(trials, 'trial')}", "bold")
        paper.sentence(format_estimate(one), indent=2)
    if total is not None:
        paper.sentence(f"all in all about {format_cost(total)}")
    else:
        unknown = [one.model.id for one in found if one.cost_usd is None]
        paper.sentence(
            f"what all of it costs is unknown: {', '.join(dict.fromkeys(unknown))}", "yellow"
        )
    if args.max_cost is not None and (total is None or total > args.max_cost):
        why = "not known to be below" if total is None else "above"
        paper.sentence(f"that is {why} {format_cost(args.max_cost)}", "red")
