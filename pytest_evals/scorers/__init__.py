"""Scorers: the assertions. `base` is the Protocol; each member or close kin is a file."""
