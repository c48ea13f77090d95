"""Gates: bars on metrics of many trials, their grammar, and their verdicts. Pure."""
