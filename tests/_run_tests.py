"""Run the tests in parallel, and what failed once more, one after another.

Tests with real processes, servers, clocks and a browser can fail when the machine is busy. A test
that fails twice is wrong, and fails the build. One that passes the second time is *flaky*:

- not in the ledger, ``tests/flaky.toml``: the build passes, and the output ends with the entry to add;
- in the ledger: the build fails. A flaky test may need a second try once; then it has to be fixed.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path

WORKERS = str(2 * (os.cpu_count() or 1))
"""Two per processor: most tests wait for processes and clocks."""
PYTEST = [sys.executable, "-m", "pytest"]
LEDGER = Path(__file__).with_name("flaky.toml")
TESTS_FAILED = 1
"""pytest's exit status when tests ran and some failed."""


@dataclass(frozen=True)
class FlakyTest:
    """An entry of the ledger."""

    id: str
    """The node id, as pytest prints it."""
    date: date
    """When it was seen to be flaky."""
    why: str
    """What it depends on, as far as that is understood."""
    issue: str = ""
    """Where its repair is tracked."""


def read_ledger(path: Path) -> dict[str, FlakyTest]:
    """Return the entries of a ledger by node id.

    Raises:
        ValueError: an entry lacks a key, has an unknown one, or repeats an id.
    """
    entries: dict[str, FlakyTest] = {}
    allowed = {field.name for field in fields(FlakyTest)}
    for table in tomllib.loads(path.read_text("utf-8")).get("flaky", []):
        if not {"id", "date", "why"} <= table.keys() <= allowed:
            raise ValueError(f"{path.name}: {sorted(table)}; expected id, date, why and issue")
        if table["id"] in entries:
            raise ValueError(f"{path.name}: duplicate id {table['id']}")
        entries[table["id"]] = FlakyTest(**table)
    return entries


def describe(flaky: Collection[str], ledger: dict[str, FlakyTest], today: date) -> Iterator[str]:
    """Yield the lines that say what to do about tests that needed a second try."""
    new = [test for test in flaky if test not in ledger]
    repeated = [ledger[test] for test in flaky if test in ledger]
    if new:
        yield f"Flaky, passed on the second try: {len(new)}. Fix it, or add it to tests/flaky.toml:"
    for test in new:
        yield f"\n[[flaky]]\nid = {json.dumps(test, ensure_ascii=False)}\ndate = {today}\nwhy = "
    if repeated:
        yield f"Flaky again: {len(repeated)}. The build fails until these are fixed:"
    for entry in repeated:
        known_since = f"in the ledger since {entry.date}: {entry.why}"
        yield f"  {entry.id}\n    {known_since}{f' ({entry.issue})' if entry.issue else ''}"


def exit_status(second: int, flaky: Collection[str], ledger: Collection[str]) -> int:
    """Return the exit status of a build: the second run's, or 1 where a flaky test is listed."""
    return second or (TESTS_FAILED if any(test in ledger for test in flaky) else 0)


def _failed_tests(cache: Path) -> list[str]:
    """Return the node ids of the failed tests in pytest's cache folder, in order."""
    path = cache / "v" / "cache" / "lastfailed"
    return list(json.loads(path.read_text("utf-8"))) if path.exists() else []


def main(arguments: list[str], ledger_path: Path = LEDGER) -> int:
    """Run pytest with these arguments; return the exit status of the build."""
    ledger = read_ledger(ledger_path)
    with tempfile.TemporaryDirectory() as folder:
        pytest = [*PYTEST, "-o", f"cache_dir={folder}"]
        first = subprocess.run([*pytest, "-n", WORKERS, *arguments], check=False).returncode
        failed = _failed_tests(Path(folder))
        if first != TESTS_FAILED or not failed:
            return first
        print(f"\nFailed: {len(failed)}. These run once more, one after another.\n", flush=True)
        again = [*pytest, "--lf", "--lfnf=none", *arguments]
        second = subprocess.run(again, check=False).returncode
        still_failing = set(_failed_tests(Path(folder)))
    flaky = [test for test in failed if test not in still_failing]
    print("", *describe(flaky, ledger, datetime.now(UTC).date()), sep="\n", flush=True)
    return exit_status(second, flaky, ledger)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
