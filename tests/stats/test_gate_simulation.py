"""The whole gate on small simulations; the large ones are in the benchmark these come from."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from math import sqrt
from pathlib import Path

import pytest

SIMS = 120


@pytest.fixture(scope="module")
def bench():
    """Load the benchmark's script as a module."""
    path = Path(__file__).parents[2] / "benchmarks" / "simulate_gate.py"
    spec = spec_from_file_location("simulate_gate", path)
    module = module_from_spec(spec)
    sys.modules["simulate_gate"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["simulate_gate"]


def most(share, word, counts):
    """Whether no kind of suite has more of a verdict than this share and 3 standard errors."""
    bar = share + 3 * sqrt(share * (1 - share) / SIMS)
    return all(count[word] / sum(count.values()) <= bar for count in counts)


@pytest.mark.parametrize("correlation", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("samples", [1, 3, 5])
def test_harmless_changes_are_rarely_blocked(bench, samples, correlation):
    """At most 5 % and Monte Carlo error: independent, correlated, and temperature 0."""
    scene = bench.Scene(50, samples, correlation=correlation)
    assert most(0.05, "regressed", bench.shares(scene, SIMS))


def test_five_models_share_the_alpha(bench):
    """Any of five models blocking is no more likely than one."""
    assert most(0.05, "regressed", bench.shares(bench.Scene(20, 3, models=5), SIMS))


@pytest.mark.parametrize("samples", [1, 3, 5])
def test_a_true_drop_of_the_margin_rarely_passes(bench, samples):
    """At most 5 % and Monte Carlo error."""
    scene = bench.Scene(50, samples, bench.DROP_5)
    assert most(0.05, "passed", bench.shares(scene, SIMS))


def test_three_breaks_are_found_with_five_samples_and_not_with_one(bench):
    """80 % or more of them, and next to none."""
    five = bench.shares(bench.Scene(60, 5, bench.breaks(3)), SIMS)
    one = bench.shares(bench.Scene(60, 1, bench.breaks(3)), SIMS)
    assert all(count["regressed"] / SIMS > 0.8 for count in five)
    assert all(count["regressed"] / SIMS < 0.25 for count in one)


def test_a_table_can_be_written(bench, monkeypatch, tmp_path, capsys):
    """The script itself, as small as it goes."""
    monkeypatch.setattr(bench, "SIZES", (20,))
    monkeypatch.setattr(bench, "NULL_SETTINGS", bench.NULL_SETTINGS[:1])
    page = tmp_path / "power.md"
    monkeypatch.setattr(
        sys, "argv", ["simulate_gate.py", "--null", "4", "--power", "2", "--write", str(page)]
    )
    bench.main()
    assert page.read_text(encoding="utf-8").startswith("# What the regression gate can")
    assert "| 3 cases broken | 5 |" in capsys.readouterr().out
