"""Traces: what a tree of spans says, read from OpenTelemetry's conventions. Pure.

`tree` checks and walks it, `conventions` knows the names that instrumentations use, `content` reads
the messages of model calls, `convert` makes our spans of theirs within bounds, `otlp` reads
OTLP/JSON, `text` draws it. Nothing here imports OpenTelemetry.
"""
