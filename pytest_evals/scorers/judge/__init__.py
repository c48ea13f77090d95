"""Judges: scorers that ask a model. `base` is what all share; each kind or close kin is a file."""
