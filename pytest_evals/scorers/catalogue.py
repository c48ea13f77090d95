"""The built-in scorers by name, each as ``module:Class``: imported when first used."""

from collections.abc import Mapping

SCORERS: Mapping[str, str] = {}
