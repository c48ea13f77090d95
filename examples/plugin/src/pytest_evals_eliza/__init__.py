"""ELIZA for pytest_evals, and a scorer that says how easy an answer is to read."""
