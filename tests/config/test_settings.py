"""The table of options, and how the settings of a session are read from it."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_evals.config import OPTIONS, Option, Settings, read_settings
from pytest_evals.config.option import declared_options, option
from pytest_evals.ground.errors import SettingsError

ROOT = Path("/project")


def read(command_line=None, environ=None, ini=None):
    """Read settings."""
    return read_settings(
        ROOT, command_line=command_line or {}, environ=environ or {}, ini=ini or {}
    )


def test_every_field_but_the_root_declares_an_option():
    """The dataclass is the table, but for where paths begin and who gave the options."""
    names = [field.name for field in dataclasses.fields(Settings)]
    assert names == ["rootdir", *(o.attribute for o in OPTIONS), "scripted"]


def test_defaults_of_the_table_are_the_defaults_of_the_values():
    """Settings that nobody sets are what the reference says."""
    settings = read()
    assert {o.attribute: o.default for o in OPTIONS} == {
        o.attribute: getattr(settings, o.attribute) for o in OPTIONS
    }
    assert settings.shown() == {}


def test_names_are_unique_and_each_option_has_help():
    """Two options never share a flag, and each help is a sentence."""
    assert len({o.flag for o in OPTIONS}) == len(OPTIONS)
    assert all(o.help.endswith(".") and o.help[0].isupper() for o in OPTIONS)


def test_a_new_option_is_one_field():
    """Its names follow from the field; `name` is for keywords."""

    @dataclasses.dataclass(frozen=True, slots=True)
    class Two:
        dry_run: bool = option("Call nothing.", bool, default=False, switch=True)
        import_: str = option("Import this.", str, default="x", name="import")

    first, second = declared_options(Two)
    assert (first.flag, first.ini, first.variable, first.dest) == (
        "--evals-dry-run",
        "evals_dry_run",
        "PYTEST_EVALS_DRY_RUN",
        "evals_dry_run",
    )
    assert (second.name, second.attribute, second.default) == ("import", "import_", "x")
    assert Two() == Two(dry_run=False, import_="x")


@pytest.mark.parametrize(
    ("given", "samples"),
    [
        ({"command_line": {"samples": "3"}, "environ": {"PYTEST_EVALS_SAMPLES": "4"}}, 3),
        ({"environ": {"PYTEST_EVALS_SAMPLES": "4"}, "ini": {"samples": "5"}}, 4),
        ({"ini": {"samples": "5"}}, 5),
        ({"command_line": {"samples": None}, "ini": {"samples": ""}}, None),
    ],
)
def test_the_first_origin_counts(given, samples):
    """Command line, then environment, then ini file, then the default."""
    assert read(**given).samples == samples


def test_lists_are_split_at_commas_in_the_environment_only():
    """A regular expression in the ini file may contain a comma."""
    assert read(environ={"PYTEST_EVALS_MODEL": "a, b"}).model == ("a", "b")
    assert read(ini={"redact": ["a{2,3}", "b"]}).redact == ("a{2,3}", "b")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command_line": {"samples": "0"}}, "--evals-samples: expected a whole number, at least"),
        ({"environ": {"PYTEST_EVALS_TIMEOUT": "soon"}}, "PYTEST_EVALS_TIMEOUT: expected seconds"),
        ({"ini": {"strict": "maybe"}}, "evals_strict in the ini file: expected true or false"),
        ({"ini": {"max_cost": "inf"}}, "expected an amount in USD"),
        ({"ini": {"responses": "replays"}}, "expected one of auto, replay, refresh, off"),
        ({"ini": {"confirm": "-1"}}, "expected a whole number of at least 0, or auto"),
        ({"ini": {"report": ["=x"]}}, "expected NAME=PATH, found '=x'"),
        ({"ini": {"shared": "/mnt/x"}}, "expected SCHEME:ADDRESS"),
        ({"ini": {"shard": "3/2"}}, "evals_shard in the ini file: "),
    ],
)
def test_an_invalid_value_names_its_origin(given, message):
    """What was found, where, and what was expected."""
    with pytest.raises(SettingsError) as error:
        read(**given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("ini", "flags"),
    [
        ({"from": "latest", "samples": "2"}, ("--evals-from", "--evals-samples")),
        ({"responses": "off", "cassette": "c"}, ("--evals-responses=off", "--evals-cassette")),
        ({"responses": "off", "shared": "sqlite:x"}, ("=off", "--evals-shared")),
        ({"report": ["html=a"], "html": "b"}, ("duplicate report 'html'",)),
        ({"report": ["x=a", "x=b"]}, ("duplicate report 'x'",)),
        ({"sanity": "yes", "update_baseline": "yes"}, ("--evals-sanity", "--evals-update-base")),
        ({"sanity": "yes", "from": "latest"}, ("--evals-sanity", "--evals-from")),
    ],
)
def test_contradictions_are_rejected(ini, flags):
    """The message names both options."""
    with pytest.raises(SettingsError) as error:
        read(ini=ini)
    assert all(flag in str(error.value) for flag in flags)


def test_a_null_answer_check_compares_nothing():
    """It drops the baseline and the cassette, which a project's ini file may set."""
    settings = read(ini={"sanity": "yes", "baseline": "b", "cassette": "c"})
    assert (settings.baseline, settings.cassette) == (None, None)


def test_durations_have_units():
    """Seconds, minutes and hours."""
    texts = ("90", "90s", "1.5m", "2h")
    assert [read(ini={"timeout": text}).timeout for text in texts] == [90, 90, 90, 7200]


def test_derived_values():
    """Reports have absolute paths, the window defaults to twice the concurrency."""
    settings = read(ini={"report": ["tally=out/t.txt"], "md": "s.md", "concurrency": "7"})
    assert settings.reports == {"md": ROOT / "s.md", "tally": ROOT / "out/t.txt"}
    assert (settings.lookahead, read(ini={"window": "3"}).lookahead) == (14, 3)
    assert (settings.confirm_samples, read(ini={"confirm": "0"}).confirm_samples) == (None, 0)
    assert settings.store_path == ROOT / ".evals/evals.sqlite"
    assert settings.shown() == {"report": ["tally=out/t.txt"], "md": "s.md", "concurrency": 7}


def test_the_table_is_light():
    """Pytest reads it in every session, so neither pydantic nor yaml may come with it."""
    code = (
        "import sys, pytest_evals.config as c; "
        "print([m for m in ('pydantic', 'yaml', 'asyncio', 'sqlite3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_option_is_a_value():
    """Equal declarations are equal, so that tables can be compared."""
    assert Option(name="x", help="H.", parse=str) == Option(name="x", help="H.", parse=str)
