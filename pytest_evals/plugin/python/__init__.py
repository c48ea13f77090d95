"""Evals written in Python: test functions marked with ``evals``, and the fixtures they use.

`plan` reads a mark, `collect` makes the items, `turn` is what is known of an item while it runs,
`handles` what a test is given of it, `outcome` what became of it, `fixtures` the fixtures.
"""
