"""What pytest_evals finds: names alone, so that nothing is imported before a dataset uses it."""


def pytest_evals_providers() -> dict[str, str]:
    """Bring the provider."""
    return {"eliza": "pytest_evals_eliza.provider:Eliza"}


def pytest_evals_scorers() -> dict[str, str]:
    """Bring the scorer."""
    return {"reading_ease": "pytest_evals_eliza.scorer:ReadingEase"}
