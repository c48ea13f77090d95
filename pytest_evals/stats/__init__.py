"""Statistics of evals: numbers in, numbers out.

Nothing here knows of pytest, models or files. A value that does not exist is `Absent` with its
reason; what a caller must not do is a ValueError.
"""
