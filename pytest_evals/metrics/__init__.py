"""Metrics of a run: from trial records to numbers with n and interval. Pure."""
