"""The whole gate on small simulations; the large ones are in the benchmark these come from."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from math import sqrt
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

SIMS = 120
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench():
    """Load the benchmark's script as a module."""
    pytest.importorskip("numpy")
    spec = spec_from_file_location("simulate_gate", ROOT / "benchmarks" / "simulate_gate.py")
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


@pytest.mark.parametrize("correlation", [0.2, 0.4])
def test_small_suites_with_moods_are_rarely_blocked(bench, correlation):
    """20 cases and 3 samples show the least of a mood; 6 and 16 % were blocked once."""
    counts = bench.Cell(bench.Scene(20, 3, correlation=correlation), "flaky", 1000).counts()
    assert counts["regressed"] / 1000 <= {0.2: 0.055, 0.4: 0.1}[correlation]


@pytest.mark.parametrize("correlation", [0.0, 0.2])
def test_five_models_share_the_alpha(bench, correlation):
    """Any of five models blocking is no more likely than one."""
    scene = bench.Scene(20, 3, models=5, correlation=correlation)
    assert most(0.05, "regressed", bench.shares(scene, SIMS))


@pytest.mark.parametrize("correlation", [0.0, 0.2])
@pytest.mark.parametrize("samples", [1, 3])
def test_runs_added_to_the_baseline_are_rarely_blocked(bench, samples, correlation):
    """Five runs, each with a mood of its own; a mood of one sample cannot be seen."""
    scene = bench.Scene(100, samples, runs=5, correlation=correlation)
    assert most(0.05, "regressed", bench.shares(scene, SIMS))


@pytest.mark.parametrize("samples", [1, 3, 5])
@pytest.mark.parametrize("kind", ["steady", "mixed", "flaky"])
def test_a_true_drop_of_the_margin_rarely_passes(bench, kind, samples):
    """At most 5 % and Monte Carlo error."""
    scene = bench.Scene(50, samples, "5 points lost everywhere")
    counts = bench.Cell(scene, kind, 400).counts()
    assert counts["passed"] / 400 <= 0.05 + 3 * sqrt(0.05 * 0.95 / 400)


def test_three_breaks_are_found_with_five_samples_and_not_with_one(bench):
    """80 % or more of them, and next to none."""
    five = bench.shares(bench.Scene(60, 5, "3 cases broken"), SIMS)
    one = bench.shares(bench.Scene(60, 1, "3 cases broken"), SIMS)
    assert all(count["regressed"] / SIMS > 0.8 for count in five)
    assert all(count["regressed"] / SIMS < 0.25 for count in one)


def test_one_break_is_found_with_five_samples(bench):
    """Caution about moods has not cost it."""
    counts = bench.shares(bench.Scene(60, 5, "1 case broken"), SIMS)
    assert all(count["regressed"] / SIMS > 0.6 for count in counts)


def test_answers_that_repeat_must_be_declared(bench):
    """Copies that pass for independent samples block harmless changes; the page warns of it."""
    hidden = bench.shares(bench.Scene(50, 5, correlation=1.0, declared=False), SIMS)
    assert max(count["regressed"] for count in hidden) / SIMS > 0.5


def test_a_moody_run_has_the_correlation_that_is_asked_for(bench):
    """The simulation itself: the correlation of two samples of one case in one run."""
    np = pytest.importorskip("numpy")
    rng = np.random.default_rng(4)
    rates = np.full(40_000, 0.7)
    for rho in (0.2, 1.0):
        pairs = rng.random((2, 40_000)) < bench.of_run(rates, rho, rng)
        assert pytest.approx(0.7, abs=0.01) == pairs.mean()
        assert pytest.approx(rho, abs=0.02) == np.corrcoef(*pairs)[0, 1]
    assert bench.of_run(rates, 0.0, rng) is rates


def test_cells_repeat(bench):
    """The same pull requests, whoever asks and in whatever order."""
    first, second = (bench.Cell(bench.Scene(20, 3), kind, 20) for kind in ("mixed", "flaky"))
    apart = [second.counts(), first.counts()]
    assert [first.counts(), second.counts()] == apart[::-1]


def test_tables_are_written_between_their_marks(bench, monkeypatch, tmp_path, capsys):
    """The script itself, as small as it goes; what was kept is not simulated again."""
    monkeypatch.setattr(bench, "SIZES", (20,))
    page, keep = tmp_path / "power.md", tmp_path / "found.json"
    page.write_text("before\n<!-- simulated: margin -->\nold\n<!-- end -->\nafter\n", "utf-8")
    options = ["--sims", "4", "--jobs", "1", "--keep", str(keep), "--write", str(page)]
    monkeypatch.setattr(sys, "argv", ["simulate_gate.py", "margin", *options])
    bench.main()
    first, told = page.read_text("utf-8"), capsys.readouterr()
    assert first.startswith("before\n<!-- simulated: margin -->\n\n| what changed | samples |")
    assert first.endswith(" |\n\n<!-- end -->\nafter\n")
    assert "| 5 points lost everywhere | 5 |" in told.out
    assert "9/9 " in told.err
    bench.main()
    assert page.read_text("utf-8") == first
    assert "/9 " not in capsys.readouterr().err


def test_a_page_without_marks_is_refused(bench):
    """Nothing is lost in a page that has no place for it."""
    with pytest.raises(ValueError, match="no table margin"):
        bench.put("# A page\n", "margin", [])


def test_the_page_has_every_table(bench):
    """With the rows and columns that the script simulates."""
    page = (ROOT / "docs" / "explanation" / "power.md").read_text("utf-8")
    for name, table in bench.tables(2000).items():
        part = page.partition(f"<!-- simulated: {name} -->\n")[2].partition("<!-- end -->")[0]
        labels = [line.split(" | ")[:2] for line in part.splitlines() if line.startswith("| ")]
        assert [[f"| {what}", str(samples)] for what, samples, _ in table.rows] == labels[2:]
        assert f"{table.sims:,}" in page
