"""Loaders: from a file to a Dataset. `base` is the Protocol; each format is a file."""
