"""The version of this package: a module below all others, so that none imports the root for it."""

__version__ = "0.1.0"
