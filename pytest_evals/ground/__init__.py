"""Knows nothing of evals: errors, canonical JSON, files, text, redaction, user code."""
