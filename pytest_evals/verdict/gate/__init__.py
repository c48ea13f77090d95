"""Gates: required values of metrics over many trials, their grammar, their verdicts. Pure."""
