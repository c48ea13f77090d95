"""Verdicts: gates, baselines, diffs, and the one decision on a run. Pure."""
