"""The line that says what will run of a dataset: cases x models x samples = trials."""

from pytest_evals.run_record import DatasetInfo


def matrix_line(info: DatasetInfo) -> str:
    """Return the line of one dataset."""
    models = ", ".join(model.id for model in info.models)
    per_cell = info.planned / (info.cases * len(info.models)) if info.cases and info.models else 0
    samples = f"{per_cell:g}" if per_cell == int(per_cell) else f"{per_cell:.1f} (mean)"
    samples = "at most 1" if per_cell < 1 else samples
    selected = "" if info.selected == info.planned else f", {info.selected} selected"
    return (
        f"evals: {info.name}: {_count(info.cases, 'case')} x "
        f"{_count(len(info.models), 'model')} ({models}) x {samples} "
        f"{'sample' if per_cell <= 1 else 'samples'} = {_count(info.planned, 'trial')}{selected}"
    )


def _count(number: int, noun: str) -> str:
    """Format a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
