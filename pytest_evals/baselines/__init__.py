"""The committed baselines of a project: found, checked against datasets, added to."""
