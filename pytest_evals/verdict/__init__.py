"""Verdicts on a run: gates, baselines, diffs, and the decision. Pure."""
