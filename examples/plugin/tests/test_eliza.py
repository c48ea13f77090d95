"""The plugin's own tests: the parts by themselves, and a dataset as a user has one."""

from pathlib import Path

import pytest
from pytest_evals_eliza.provider import reflected
from pytest_evals_eliza.scorer import reading_ease, syllables

DATASET = Path(__file__).parents[1] / "evals" / "chat.evals.yaml"


@pytest.mark.parametrize(("word", "count"), [("tea", 1), ("coffee", 2), ("table", 2), ("bike", 1)])
def test_syllables(word: str, count: int) -> None:
    assert count == syllables(word)


def test_reading_ease() -> None:
    easy, hard = "The cat sat.", "Organizational interoperability necessitates standardization."
    assert reading_ease(easy) > 100 > 0 > reading_ease(hard)
    assert reading_ease("42") is None


def test_reflected() -> None:
    assert "your dog" == reflected("my dog!")


@pytest.fixture
def dataset(pytester: pytest.Pytester) -> Path:
    path = pytester.path / DATASET.name
    path.write_text(DATASET.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_the_dataset_passes(pytester: pytest.Pytester, dataset: Path) -> None:
    pytester.runpytest_subprocess("--evals").assert_outcomes(passed=3)


def test_a_rule_that_is_no_pattern_is_told_before_anything_is_asked(
    pytester: pytest.Pytester, dataset: Path
) -> None:
    dataset.write_text(dataset.read_text().replace("i need (.*)", "i need (.*"))
    result = pytester.runpytest_subprocess("--evals")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*model 'doctor': `rules`: 'i need (.[*]'*"])


def test_a_harder_bar_fails_with_the_reason(pytester: pytest.Pytester, dataset: Path) -> None:
    dataset.write_text(dataset.read_text().replace("reading_ease: 70", "reading_ease: 119"))
    result = pytester.runpytest_subprocess("--evals")
    result.stdout.fnmatch_lines(["*reading ease is*"])
    assert result.parseoutcomes()["failed"] >= 1
