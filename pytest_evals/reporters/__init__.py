"""Reporters: from a finished run to text. `base` is the Protocol; each format is a file."""
