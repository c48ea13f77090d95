"""``pytest-evals baseline``: the group of commands over the committed baselines."""

from pytest_evals.cli.command import CommandGroup
from pytest_evals.cli.commands.baseline_accept import BaselineAcceptCommand
from pytest_evals.cli.commands.baseline_check import BaselineCheckCommand
from pytest_evals.cli.commands.baseline_show import BaselineShowCommand

_EPILOG = """\
examples:
  pytest-evals baseline show            every baseline below this folder
  pytest-evals baseline check --strict  in CI: whole, and none is stale
  pytest-evals baseline accept latest   add the newest run to the baselines

A baseline is baselines/<dataset>.jsonl beside the dataset: for every case and model how often it
passed, run by run. It is committed, and `no regressions` compares with it."""


BASELINE = CommandGroup(
    name="baseline",
    help="show, check or add to the committed baselines",
    description="Show and check the committed baselines, or add a stored run to them.",
    epilog=_EPILOG,
    commands=(BaselineShowCommand(), BaselineCheckCommand(), BaselineAcceptCommand()),
)
