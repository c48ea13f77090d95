"""Evals written in Python: test functions marked with ``evals``, and the fixtures they use.

`marks` reads a mark, `collect` makes the items, `running_test` is the state of a test while it
runs, `handles` and `ask` are what a test uses, `outcome` makes its record, `fixtures` the fixtures.
"""
