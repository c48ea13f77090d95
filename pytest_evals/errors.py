"""The public errors, for users and plugins."""

from pytest_evals.ground.errors import *  # noqa: F403 - every error is public
