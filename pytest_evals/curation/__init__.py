"""Cases made from stored trials and from traces. Knows no command line.

`draft` is the noun, `from_trial` and `from_trace` make it, `case_text` writes it as YAML or JSON,
`replay` checks that the case plays back what was recorded.
"""
