"""Providers: one file for each kind of model or application; `base` is the Protocol."""
