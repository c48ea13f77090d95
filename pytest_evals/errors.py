"""The errors that users and plugins meet; public names of `ground.errors`."""

from pytest_evals.ground.errors import *  # noqa: F403 - every error is public
