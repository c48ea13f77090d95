"""Judges: scorers that call a model. `base` is shared; each type of judge has a file."""
