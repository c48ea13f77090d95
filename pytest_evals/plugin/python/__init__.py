"""Evals written in Python: test functions marked with ``evals``, and the fixtures they use.

`marks` reads a mark; `collect` makes the items; `running_test` is the state of a test while it
runs. A test uses `handles` and `ask`, by the fixtures of `fixtures`. `outcome` makes its record.
"""
