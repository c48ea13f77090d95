"""The table of commands. A new command is a file in this folder and one line in `COMMANDS`."""

from pytest_evals.cli.command import Command, CommandGroup
from pytest_evals.cli.commands.baseline import BASELINE
from pytest_evals.cli.commands.calibrate import CalibrateCommand
from pytest_evals.cli.commands.compare import CompareCommand
from pytest_evals.cli.commands.completion import CompletionCommand
from pytest_evals.cli.commands.curate import CurateCommand
from pytest_evals.cli.commands.diff import DiffCommand
from pytest_evals.cli.commands.estimate import EstimateCommand
from pytest_evals.cli.commands.export import ExportCommand
from pytest_evals.cli.commands.import_ import ImportCommand
from pytest_evals.cli.commands.init import InitCommand
from pytest_evals.cli.commands.leaderboard import LeaderboardCommand
from pytest_evals.cli.commands.lint import LintCommand
from pytest_evals.cli.commands.merge import MergeCommand
from pytest_evals.cli.commands.plugins import PluginsCommand
from pytest_evals.cli.commands.prune import PruneCommand
from pytest_evals.cli.commands.rescore import RescoreCommand
from pytest_evals.cli.commands.runs import RunsCommand
from pytest_evals.cli.commands.schema import SchemaCommand
from pytest_evals.cli.commands.score import ScoreCommand
from pytest_evals.cli.commands.show import ShowCommand

COMMANDS: tuple[Command | CommandGroup, ...] = (
    InitCommand(),
    LintCommand(),
    SchemaCommand(),
    PluginsCommand(),
    CompletionCommand(),
    RunsCommand(),
    ShowCommand(),
    DiffCommand(),
    CompareCommand(),
    LeaderboardCommand(),
    BASELINE,
    ExportCommand(),
    ImportCommand(),
    CurateCommand(),
    ScoreCommand(),
    CalibrateCommand(),
    MergeCommand(),
    RescoreCommand(),
    EstimateCommand(),
    PruneCommand(),
)
"""Every command, in the order of `--help`."""
