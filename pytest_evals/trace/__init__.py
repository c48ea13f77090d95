"""Traces: what a tree of spans means, by OpenTelemetry's conventions. Pure.

`tree` orders and walks spans, `validation` names what is wrong with them, and `conventions` knows
the attribute names of instrumentations. `content` reads the messages of model calls,
`known_calls` the tool calls. `raw_span`,
`otlp` and `convert` read OpenTelemetry's spans within size limits. `attach` adds a trace to a
response, `text` draws it. Nothing here imports OpenTelemetry.
"""
