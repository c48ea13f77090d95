"""Settings: the table of options, one field each, and the frozen values a session runs with.

A field is the only place where an option is declared. The command line, the environment, the ini
file, ``--help`` and the reference are made from it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.config.locations import (
    address_in,
    existing_in,
    path_in,
    report_in,
    store_in,
)
from pytest_evals.config.option import Option, declared_options, option
from pytest_evals.config.parsers import (
    RESPONSE_MODES,
    number_parser,
    parse_boolean,
    parse_confirmation,
    parse_duration,
    parse_mode,
    parse_report,
    parse_shard,
    parse_shared_store,
    whole_number_parser,
)

if TYPE_CHECKING:
    from pytest_evals.shard import Shard

__all__ = ["FILES_DEFAULT", "OPTIONS", "REPORT_OPTIONS", "RESPONSE_MODES", "Option", "Settings"]

FILES_DEFAULT = ("*.evals.yaml", "*.evals.yml", "*.evals.jsonl")
REPORT_OPTIONS = ("html", "md", "json", "csv")
"""The reports that have an option each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values one session runs with; fields declare their options, except two."""

    rootdir: Path
    """Where relative paths begin."""
    model: tuple[str, ...] = option(
        "Call this model: the id of one in the dataset, or provider:model. Can be repeated; the "
        "dataset's other models are left out.",
        str,
        default=(),
        metavar="MODEL",
        many=True,
    )
    samples: int | None = option(
        "Samples of each case and model; overrides the dataset.",
        whole_number_parser(),
        default=None,
        metavar="N",
    )
    responses: str = option(
        "Stored responses. auto: use a stored response to the same request, else call and store. "
        "replay: never call; a missing response is STALE. refresh: call again and overwrite. off: "
        "call, and store nothing.",
        parse_mode,
        default="auto",
        metavar="{" + ",".join(RESPONSE_MODES) + "}",
    )
    cassette: Path | None = option(
        "Record responses to this committed file and replay them from it; a folder holds one file "
        "per dataset.",
        Path,
        default=None,
        metavar="PATH",
        located=path_in,
    )
    concurrency: int = option(
        "Concurrent calls, over all models.",
        whole_number_parser(),
        default=20,
        metavar="N",
    )
    timeout: float | None = option(
        "Time limit of the whole session in seconds (or 90s, 10m, 1h); trials that have not run "
        "by then are reported as not run.",
        parse_duration,
        default=None,
        metavar="TIME",
    )
    max_cost: float | None = option(
        "Stop calling models when this session has spent this many USD, judges included.",
        number_parser(float, 0, "an amount in USD"),
        default=None,
        metavar="USD",
    )
    max_tokens: int | None = option(
        "Stop calling models when this session has used this many tokens, judges included.",
        whole_number_parser("a whole number of tokens"),
        default=None,
        metavar="N",
    )
    baseline: str | None = option(
        "Compare with this baseline: a file, a folder of them, REVISION:PATH in git, a run id or "
        "latest. Default: baselines/<dataset>.jsonl beside the dataset, where a gate compares.",
        str,
        default=None,
        metavar="SOURCE",
        located=existing_in,
    )
    update_baseline: bool = option(
        "Add this run to baselines/<dataset>.jsonl; entries of cases that did not run are "
        "unchanged.",
        parse_boolean,
        default=False,
        switch=True,
    )
    reset_baseline: bool = option(
        "Replace baselines/<dataset>.jsonl by this run.",
        parse_boolean,
        default=False,
        switch=True,
    )
    strict: bool = option(
        "Fail where a comparison with the baseline is inconclusive.",
        parse_boolean,
        default=False,
        switch=True,
    )
    from_run: str | None = option(
        "Score the responses of this stored run (an id, or latest) without calling the models "
        "under test: new assertions, thresholds and gates on responses you have paid for.",
        str,
        default=None,
        metavar="RUN",
        name="from",
    )
    shard: "Shard | None" = option(
        "Run this part of the cases, such as 2/4; `pytest-evals merge` evaluates all parts "
        "together.",
        parse_shard,
        default=None,
        metavar="PART",
    )
    sanity: bool = option(
        "Null-answer check: give every case an empty response, its own input and another case's "
        "response without calling the models, and fail where a case passes anyway.",
        parse_boolean,
        default=False,
        switch=True,
    )
    confirm: int | str = option(
        "New samples of each newly failing case before the verdict: a number, auto (as few as can "
        "decide), or 0 for none. Only these samples decide it.",
        parse_confirmation,
        default="auto",
        metavar="N",
    )
    html: Path | None = option(
        "Write the HTML report to this file.",
        Path,
        default=None,
        metavar="PATH",
        located=path_in,
    )
    md: Path | None = option(
        "Write the Markdown summary for a pull request to this file.",
        Path,
        default=None,
        metavar="PATH",
        located=path_in,
    )
    json: Path | None = option(
        "Write the full report as JSON to this file.",
        Path,
        default=None,
        metavar="PATH",
        located=path_in,
    )
    csv: Path | None = option(
        "Write one row per trial as CSV to this file.",
        Path,
        default=None,
        metavar="PATH",
        located=path_in,
    )
    report: tuple[str, ...] = option(
        "Write the report of a plugin (or a built-in one by name), such as tally=out/tally.txt. "
        "Can be repeated.",
        parse_report,
        default=(),
        metavar="NAME=PATH",
        many=True,
        located=report_in,
    )
    store: Path = option(
        "The file that stores runs and responses; none stores neither.",
        Path,
        default=Path(".evals/evals.sqlite"),
        metavar="PATH",
        located=store_in,
    )
    shared: str | None = option(
        "A second store of responses, shared by people or machines: sqlite:PATH, or the scheme of "
        "a plugin. Responses are read from the session's own file first and written to both.",
        parse_shared_store,
        default=None,
        metavar="ADDRESS",
        located=address_in,
    )
    window: int | None = option(
        "Trials that may run ahead of the item pytest is at: the most that -x can waste. Default: "
        "twice the concurrency.",
        whole_number_parser(),
        default=None,
        metavar="N",
        command_line=False,
    )
    trial_timeout: float = option(
        "Time limit of one trial in seconds, its calls and its judges together.",
        parse_duration,
        default=300.0,
        metavar="TIME",
        command_line=False,
    )
    attempt_timeout: float = option(
        "Time limit of one call in seconds.",
        parse_duration,
        default=120.0,
        metavar="TIME",
        command_line=False,
    )
    max_retries: int = option(
        "Retries of a call after a transient error.",
        whole_number_parser(least=0),
        default=4,
        metavar="N",
        command_line=False,
    )
    judge: str | None = option(
        "The judge model of Python evals whose dataset names none: provider:model.",
        str,
        default=None,
        metavar="MODEL",
    )
    breaker: int = option(
        "Stop calling a model after this many equal errors in a row.",
        whole_number_parser(),
        default=5,
        metavar="N",
        command_line=False,
    )
    host_concurrency: int | None = option(
        "Concurrent calls to one server, over all of its models.",
        whole_number_parser(),
        default=None,
        metavar="N",
        command_line=False,
    )
    redact: tuple[str, ...] = option(
        "Regular expressions; matching text is redacted from all output.",
        str,
        default=(),
        command_line=False,
        many=True,
    )
    junit_properties: bool = option(
        "Whether trials have properties in JUnit reports (every CI reads them; the strict JUnit "
        "schema rejects them).",
        parse_boolean,
        default=True,
        command_line=False,
    )

    scripted: bool = False
    """Whether a script gave the options, which it spells ``store="none"``."""

    def spelling(self, name: str, value: str) -> str:
        """Return how the user writes an option with a value."""
        entry = next(option for option in OPTIONS if option.name == name)
        return f'{entry.attribute}="{value}"' if self.scripted else f"{entry.flag}={value}"

    @property
    def lookahead(self) -> int:
        """How many trials may run ahead of the host."""
        return self.window or 2 * self.concurrency

    @property
    def stores_nothing(self) -> bool:
        """Whether neither runs nor responses are stored (``--evals-store=none``)."""
        return self.store == Path("none")

    @property
    def store_path(self) -> Path:
        """The store's file, absolute; for ``none`` the usual one, which is not made."""
        return self.rootdir / (Path(".evals/evals.sqlite") if self.stores_nothing else self.store)

    @property
    def confirm_samples(self) -> int | None:
        """New samples of each newly failing case; None where the session plans the number."""
        return self.confirm if isinstance(self.confirm, int) else None

    @property
    def reports(self) -> dict[str, Path]:
        """The reports to write, by the reporter's name, with absolute paths."""
        named = {name: getattr(self, name) for name in REPORT_OPTIONS}
        paths = {name: str(path) for name, path in named.items() if path is not None}
        paths |= {name: path for name, _, path in (item.partition("=") for item in self.report)}
        return {name: self.rootdir / path for name, path in paths.items()}

    def shown(self) -> dict[str, Any]:
        """Return the settings that differ from their defaults, as JSON, for the run's record."""
        changed: dict[str, Any] = {}
        for entry in OPTIONS:
            value = getattr(self, entry.attribute)
            if value != entry.default:
                plain = isinstance(value, bool | int | float | str)
                changed[entry.name] = (
                    list(value) if type(value) is tuple else value if plain else str(value)
                )
        return changed


OPTIONS: tuple[Option, ...] = declared_options(Settings)
