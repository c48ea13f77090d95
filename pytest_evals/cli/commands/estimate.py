"""``pytest-evals estimate DATASET…``: the calls and the cost of a session, before it runs."""

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
    from pytest_evals.registry import Registry

_EPILOG = """\
examples:
  pytest-evals estimate support.evals.yaml
  pytest-evals estimate *.evals.yaml --model openai:gpt-4.1-mini --samples 10
  pytest-evals estimate support.evals.yaml --max-cost 2 --json

Tokens and cost per trial come from the newest of the last five stored runs that called the model,
judges included. Without such a run prompts are estimated by their length (4 characters a token),
outputs by the model's `max_tokens`, and judges are left out, with a note. An unknown price is
unknown, not zero. Stored answers cost nothing, so a session can cost less. `pytest --evals
--collect-only` estimates what -k and -m select.

exit status: 0; with --max-cost 1 if the cost is above it, or unknown; 4 for usage."""


class EstimateCommand:
    """The command ``pytest-evals estimate``."""

    name = "estimate"
    help = "estimate the calls and the cost of a session"
    description = "Estimate the trials, calls, tokens and cost of datasets. No model is called."
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
            help="as --evals-samples: the samples of each case",
        )
        parser.add_argument(
            "--max-cost", type=usd, metavar="USD", help="exit with 1 if the cost is above this"
        )
        parser.add_argument(
            "--rootdir", type=Path, metavar="DIR", help="included files lie below it"
        )
        add_store(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print the estimates; 1 if the cost is above the limit, or unknown."""
        from pytest_evals.engine.estimate import estimate_models, read_history
        from pytest_evals.registry import Registry

        if args.samples == 0:
            args.usage_error("--samples 0: a case needs at least one sample")
        registry = Registry.installed()
        trials = list(_trials(args, registry))
        names = list(dict.fromkeys(trial.dataset.name for trial in trials))
        history = read_history(store_path(args.store), names)
        estimates = estimate_models(trials, history, registry.scorers_of)
        costs = [estimate.cost_usd for estimate in estimates]
        total = None if None in costs else sum(cost for cost in costs if cost is not None)
        over = args.max_cost is not None and (total is None or total > args.max_cost)
        if args.json:
            rows = [_json(estimate) for estimate in estimates]
            say_json({"schema": 1, "models": rows, "cost_usd": total, "over": over})
        else:
            _print(args, estimates, total)
        return int(over)


def _trials(args: argparse.Namespace, registry: "Registry") -> "Iterator[Trial]":
    """Yield the trials of all datasets.

    Raises:
        DatasetError: a dataset is not valid.
        SettingsError: there is no such model.
    """
    from pytest_evals.matrix import Matrix
    from pytest_evals.registry.datasets import load_dataset
    from pytest_evals.registry.model_selection import select_models

    for path in args.datasets:
        dataset = load_dataset(path, registry, rootdir=args.rootdir)
        models = select_models(registry, dataset, args.model, option="--model")
        yield from Matrix(dataset, models, args.samples)


def _json(estimate: "ModelEstimate") -> dict[str, Any]:
    """Return one model's estimate as a JSON value; null is unknown."""
    history = estimate.history if estimate.is_from_run else None
    return {
        "dataset": estimate.dataset,
        "model": estimate.model.id,
        "trials": estimate.trials,
        "calls": estimate.calls,
        "judge_calls": estimate.judge_calls,
        "tokens": estimate.tokens,
        "prompt_tokens": estimate.prompt_tokens,
        "answer_tokens_at_most": estimate.max_output_tokens if estimate.has_output_limit else None,
        "cost_usd": estimate.cost_usd,
        "by_run": None if history is None else history.run,
    }


def _print(
    args: argparse.Namespace, estimates: "Sequence[ModelEstimate]", total: float | None
) -> None:
    """Print the estimates, and their total."""
    from pytest_evals.engine.estimate import format_estimate
    from pytest_evals.ground.plain_text import counted, format_cost

    paper = Paper.of(args)
    dataset = None
    for estimate in estimates:
        if estimate.dataset != dataset:
            dataset = estimate.dataset
            trials = sum(other.trials for other in estimates if other.dataset == dataset)
            paper.sentence(f"{dataset}: {counted(trials, 'trial')}", "bold")
        paper.sentence(format_estimate(estimate), indent=2)
    if total is not None:
        paper.sentence(f"in total about {format_cost(total)}")
    else:
        models = dict.fromkeys(it.model.id for it in estimates if it.cost_usd is None)
        paper.sentence(f"the total cost is unknown: {', '.join(models)}", "yellow")
    if args.max_cost is not None and (total is None or total > args.max_cost):
        relation = "not known to be below" if total is None else "above"
        paper.sentence(f"that is {relation} {format_cost(args.max_cost)}", "red")
