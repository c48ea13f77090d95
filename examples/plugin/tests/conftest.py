"""The tests run pytest in pytest."""

pytest_plugins = ["pytester"]
