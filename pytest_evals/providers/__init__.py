"""Providers: who can answer. `base` is the Protocol; each member is a file."""
