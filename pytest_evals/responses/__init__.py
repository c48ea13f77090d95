"""Stored responses by Key. `base` is the Protocol; each store is a file."""
