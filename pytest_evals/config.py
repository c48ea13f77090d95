"""Settings: every option in one table, and the frozen values a session runs with.

The table drives the command line, the environment, the ini file, ``--help`` and the docs.
Precedence is command line, then environment, then ini, then the default. Nothing heavy is imported
here: the table is read in every pytest session.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.ground.errors import SettingsError, suggest

if TYPE_CHECKING:
    from pytest_evals.shard import Shard

RESPONSE_MODES = ("auto", "replay", "refresh", "off")


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its names, its help, and how its text becomes a value."""

    name: str
    """The ini name without ``evals_``, and the command line's without ``--evals-``."""
    help: str
    """One sentence or two, as shown by ``--help``."""
    parse: Callable[[str], Any]
    """Makes the value of a text; raises ValueError with what was expected."""
    default: Any = None
    metavar: str | None = None
    command_line: bool = True
    """Whether it is an option of the command line too (else ini and environment only)."""
    switch: bool = False
    """Whether it stands on the command line without a value, and means yes."""
    many: bool = False
    """Whether it can be given several times (ini: one a line; environment: commas)."""
    field: str = ""
    """Its name in `Settings`, where that is not `name`."""

    @property
    def attribute(self) -> str:
        """Its name in `Settings`."""
        return self.field or self.name

    @property
    def flag(self) -> str:
        """The command line's name."""
        return f"--evals-{self.name.replace('_', '-')}"

    @property
    def dest(self) -> str:
        """The attribute on pytest's ``config.option``."""
        return f"evals_{self.name}"

    @property
    def ini(self) -> str:
        """The ini file's name."""
        return f"evals_{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return f"PYTEST_EVALS_{self.name.upper()}"


def _number(kind: type[int] | type[float], least: float, unit: str) -> Callable[[str], Any]:
    """Make a parser of a number that is at least `least`."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"expected {unit}") from None
        if not value >= least or value == float("inf"):
            raise ValueError(f"expected {unit}, at least {least:g}")
        return value

    return parse


def _mode(text: str) -> str:
    """Parse ``--evals-responses``."""
    if text not in RESPONSE_MODES:
        raise ValueError(f"expected one of {', '.join(RESPONSE_MODES)}.{suggest(text, ())}")
    return text


def _duration(text: str) -> float:
    """Parse seconds, or a number with s, m or h."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, scale = (text[:-1], units[text[-1:]]) if text[-1:] in units else (text, 1)
    return float(_number(float, 0.001, "seconds, or a number with s, m or h")(number)) * scale


def _flag(text: str) -> bool:
    """Parse yes or no."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("expected true or false")


def _shard(text: str) -> "Shard":
    """Parse ``--evals-shard``."""
    from pytest_evals.shard import parse_shard

    return parse_shard(text)


def _report(text: str) -> str:
    """Parse ``--evals-report``."""
    name, equals, path = text.partition("=")
    if not name.strip() or not equals or not path.strip():
        raise ValueError("expected NAME=PATH")
    return f"{name.strip()}={path.strip()}"


def _shared(text: str) -> str:
    """Parse ``--evals-shared``."""
    scheme, colon, address = text.partition(":")
    if len(scheme) < 2 or not colon or not address:
        raise ValueError("expected SCHEME:ADDRESS, such as sqlite:/mnt/team/answers.sqlite")
    return text


def _confirm(text: str) -> int | str:
    """Parse ``--evals-confirm``."""
    if text == "auto":
        return text
    try:
        return int(_number(int, 0, "a whole number, or auto")(text))
    except ValueError:
        raise ValueError("expected a whole number of at least 0, or auto") from None


OPTIONS: tuple[Option, ...] = (
    Option(
        "model",
        "Ask this model: the id of one in the dataset, or provider:model. Can be given several "
        "times; the dataset's other models are then left out.",
        str,
        default=(),
        metavar="MODEL",
        many=True,
    ),
    Option(
        "samples",
        "How often each case is asked of each model, whatever the dataset says.",
        _number(int, 1, "a whole number"),
        metavar="N",
    ),
    Option(
        "responses",
        "Stored answers. auto: use one whose question is the same, else ask and store. replay: "
        "never call; a missing answer is STALE. refresh: ask again and overwrite. off: ask, and "
        "keep nothing.",
        _mode,
        default="auto",
        metavar="{" + ",".join(RESPONSE_MODES) + "}",
    ),
    Option(
        "cassette",
        "Record answers to this committed file and replay them from it; a folder holds one file "
        "a dataset.",
        Path,
        metavar="PATH",
    ),
    Option(
        "concurrency",
        "Calls at once, over all models.",
        _number(int, 1, "a whole number"),
        default=20,
        metavar="N",
    ),
    Option(
        "timeout",
        "Seconds (or 90s, 10m, 1h) for the whole session; what was not run by then is reported "
        "as not run.",
        _duration,
        metavar="TIME",
    ),
    Option(
        "max_cost",
        "Stop asking when this session has spent so many USD, judges included.",
        _number(float, 0, "an amount in USD"),
        metavar="USD",
    ),
    Option(
        "max_tokens",
        "Stop asking when this session has used so many tokens, judges included.",
        _number(int, 1, "a whole number of tokens"),
        metavar="N",
    ),
    Option(
        "baseline",
        "Compare with this baseline: a file, a folder of them, REVISION:PATH of git, a run's id or "
        "latest. By default baselines/<dataset>.jsonl beside the dataset, where a gate compares.",
        str,
        metavar="SOURCE",
    ),
    Option(
        "update_baseline",
        "Add this run to baselines/<dataset>.jsonl; only what ran is touched.",
        _flag,
        default=False,
        switch=True,
    ),
    Option(
        "reset_baseline",
        "Write what ran into baselines/<dataset>.jsonl in the place of what stood there.",
        _flag,
        default=False,
        switch=True,
    ),
    Option(
        "strict",
        "Fail where a comparison with the baseline is inconclusive.",
        _flag,
        default=False,
        switch=True,
    ),
    Option(
        "from",
        "Score the answers of this stored run (an id, or latest) instead of asking the models "
        "under test: new assertions, bars and gates on answers that are paid for.",
        str,
        metavar="RUN",
        field="from_run",
    ),
    Option(
        "shard",
        "Run this part of the cases, such as 2/4; `pytest-evals merge` judges all parts together.",
        _shard,
        metavar="PART",
    ),
    Option(
        "sanity",
        "Answer every case with nothing, with its question and with another case's answer instead "
        "of asking the models, and fail where a case passes anyway.",
        _flag,
        default=False,
        switch=True,
    ),
    Option(
        "confirm",
        "How often cases that look broken beside the baseline are asked again before the verdict: "
        "a number, auto (as few as can decide), or 0 for never. These answers decide that alone.",
        _confirm,
        default="auto",
        metavar="N",
    ),
    Option(
        "html",
        "Write the report for people to this file.",
        Path,
        metavar="PATH",
    ),
    Option(
        "md",
        "Write the summary for a pull request to this file.",
        Path,
        metavar="PATH",
    ),
    Option(
        "json",
        "Write everything, for programs, to this file.",
        Path,
        metavar="PATH",
    ),
    Option(
        "csv",
        "Write one row a trial to this file.",
        Path,
        metavar="PATH",
    ),
    Option(
        "report",
        "Write a report of a plugin's (or of ours by its name), such as tally=out/tally.txt. Can "
        "be given several times.",
        _report,
        default=(),
        metavar="NAME=PATH",
        many=True,
    ),
    Option(
        "store",
        "The file that keeps runs and answers.",
        Path,
        default=Path(".evals/evals.sqlite"),
        metavar="PATH",
    ),
    Option(
        "shared",
        "A further store of answers, which people or machines share: sqlite:PATH, or the scheme "
        "of a plugin's. It is asked after the session's own file, and answers go into both.",
        _shared,
        metavar="ADDRESS",
    ),
    Option(
        "window",
        "How many trials may be under way ahead of the one pytest is at: what -x can waste. By "
        "default twice the concurrency.",
        _number(int, 1, "a whole number"),
        metavar="N",
        command_line=False,
    ),
    Option(
        "trial_timeout",
        "Seconds one trial may take, its answer and its judges together.",
        _duration,
        default=300.0,
        metavar="TIME",
        command_line=False,
    ),
    Option(
        "attempt_timeout",
        "Seconds one call may take.",
        _duration,
        default=120.0,
        metavar="TIME",
        command_line=False,
    ),
    Option(
        "max_retries",
        "Attempts after the first, for transient faults only.",
        _number(int, 0, "a whole number"),
        default=4,
        metavar="N",
        command_line=False,
    ),
    Option(
        "judge",
        "The model that judges in Python evals whose dataset names none: provider:model.",
        str,
        metavar="MODEL",
    ),
    Option(
        "breaker",
        "Stop asking a model after so many equal errors in a row.",
        _number(int, 1, "a whole number"),
        default=5,
        metavar="N",
        command_line=False,
    ),
    Option(
        "host_concurrency",
        "Calls at once to one server, over all models on it.",
        _number(int, 1, "a whole number"),
        metavar="N",
        command_line=False,
    ),
    Option(
        "redact",
        "Regular expressions; what they match is never written.",
        str,
        default=(),
        command_line=False,
        many=True,
    ),
    Option(
        "junit_properties",
        "Whether trials carry properties in JUnit reports (every CI reads them; the strict JUnit "
        "schema does not know them).",
        _flag,
        default=True,
        command_line=False,
    ),
)
FILES_DEFAULT = ("*.evals.yaml", "*.evals.yml", "*.evals.jsonl")


_REPORTS = ("html", "md", "json", "csv")
"""The reports that have an option of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one session runs with. Field by field the option of the same name."""

    rootdir: Path
    model: tuple[str, ...] = ()
    samples: int | None = None
    responses: str = "auto"
    cassette: Path | None = None
    concurrency: int = 20
    timeout: float | None = None
    """Seconds."""
    max_cost: float | None = None
    """USD."""
    max_tokens: int | None = None
    baseline: str | None = None
    update_baseline: bool = False
    reset_baseline: bool = False
    strict: bool = False
    from_run: str | None = None
    shard: "Shard | None" = None
    sanity: bool = False
    confirm: int | str = "auto"
    html: Path | None = None
    md: Path | None = None
    json: Path | None = None
    csv: Path | None = None
    report: tuple[str, ...] = ()
    store: Path = Path(".evals/evals.sqlite")
    shared: str | None = None
    window: int | None = None
    trial_timeout: float = 300.0
    """Seconds."""
    attempt_timeout: float = 120.0
    """Seconds."""
    max_retries: int = 4
    judge: str | None = None
    breaker: int = 5
    host_concurrency: int | None = None
    redact: tuple[str, ...] = ()
    junit_properties: bool = True

    @property
    def lookahead(self) -> int:
        """How many trials may be under way ahead of the one pytest is at."""
        return self.window or 2 * self.concurrency

    @property
    def store_path(self) -> Path:
        """The store's file, absolute."""
        return self.rootdir / self.store

    @property
    def confirm_samples(self) -> int | None:
        """How often flagged cases are asked again; None where that is to be planned."""
        return self.confirm if isinstance(self.confirm, int) else None

    @property
    def reports(self) -> dict[str, Path]:
        """The reports to write, by the reporter's name, with absolute paths."""
        wanted = {name: getattr(self, name) for name in _REPORTS}
        paths = {name: str(path) for name, path in wanted.items() if path is not None}
        paths |= {name: path for name, _, path in (one.partition("=") for one in self.report)}
        return {name: self.rootdir / path for name, path in paths.items()}

    def shown(self) -> dict[str, Any]:
        """Return the settings that differ from their defaults, as JSON, for the run's record."""
        defaults = Settings(rootdir=self.rootdir)
        changed: dict[str, Any] = {}
        for option in OPTIONS:
            value = getattr(self, option.attribute)
            if value != getattr(defaults, option.attribute):
                plain = isinstance(value, bool | int | float | str)
                changed[option.name] = (
                    list(value) if type(value) is tuple else value if plain else str(value)
                )
        return changed


def read_settings(
    rootdir: Path,
    *,
    command_line: Mapping[str, Any],
    environ: Mapping[str, str],
    ini: Mapping[str, Any],
) -> Settings:
    """Make the settings of a session.

    Args:
        rootdir: where relative paths begin.
        command_line: texts by option name; None or an empty list where an option was not given.
        environ: the environment.
        ini: texts (or lists of texts) by option name; empty where not given.

    Raises:
        SettingsError: a value that is not right, saying where it came from, or options that
            contradict each other.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        for origin, given in (
            (option.flag, command_line.get(option.name)),
            (option.variable, environ.get(option.variable)),
            (f"{option.ini} in the ini file", ini.get(option.name)),
        ):
            if given is None or given in ("", [], ()):
                continue
            values[option.attribute] = _parsed(option, origin, given)
            break
    settings = Settings(rootdir=rootdir, **values)
    _refuse_contradictions(settings)
    return _for_sanity(settings) if settings.sanity else settings


def _parsed(option: Option, origin: str, given: Any) -> Any:
    """Parse what was given, naming its origin where it is not right."""
    texts = [str(text) for text in (given if isinstance(given, list | tuple) else [given])]
    if option.many:
        parts = [part for text in texts for part in _listed(text, origin) if part]
    else:
        parts = [texts[-1].strip()]
    values = []
    for part in parts:
        try:
            values.append(option.parse(part))
        except ValueError as error:
            raise SettingsError(f"{origin}: {error}, found {part!r}") from None
    return tuple(values) if option.many else values[0]


def _listed(text: str, origin: str) -> list[str]:
    """Split a list in an environment variable at its commas; elsewhere a text is one entry."""
    return [part.strip() for part in text.split(",")] if origin.startswith("PYTEST_") else [text]


def _for_sanity(settings: Settings) -> Settings:
    """Leave out what a sanity run has no use for: it compares nothing and is no run to keep.

    Raises:
        SettingsError: it is asked for what would keep it as a run of the models.
    """
    wanted = ("update_baseline", "reset_baseline", "from_run")
    for option in OPTIONS:
        if option.attribute in wanted and getattr(settings, option.attribute):
            raise SettingsError(
                f"--evals-sanity asks no model under test, so {option.flag} has no meaning beside "
                "it; drop one of the two"
            )
    return replace(settings, baseline=None, cassette=None)


def _refuse_contradictions(settings: Settings) -> None:
    """Refuse options that cannot both be meant."""
    if settings.from_run is not None and settings.samples is not None:
        raise SettingsError(
            "--evals-from takes the samples that were recorded, so --evals-samples has no meaning "
            "beside it; drop one of the two"
        )
    for flag, given in (("cassette", settings.cassette), ("shared", settings.shared)):
        if settings.responses == "off" and given is not None:
            raise SettingsError(
                f"--evals-responses=off keeps no answers, but --evals-{flag} records them; "
                "drop one of the two"
            )
    names = [one.partition("=")[0] for one in settings.report]
    for name in names:
        if names.count(name) > 1 or (name in _REPORTS and getattr(settings, name) is not None):
            raise SettingsError(f"the report {name!r} is asked for twice; name one file for it")
