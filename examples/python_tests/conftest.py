import pytest
from desk import Desk


@pytest.fixture
def desk():
    """A desk of its own for each test."""
    return Desk()


@pytest.fixture
def evals_target(desk):
    """Every eval in this folder is answered by the desk."""
    return desk.answer
