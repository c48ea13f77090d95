"""Reporters: from a finished run to a file. `base` is the Protocol; each format is a module."""
