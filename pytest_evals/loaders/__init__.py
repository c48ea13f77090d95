"""Loaders: read a file as a Dataset. `base` has the Protocol; each format is a module."""
