"""Metrics of a run: from trial records to numbers with their n and interval. Pure."""
