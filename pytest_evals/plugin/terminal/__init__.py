"""What the terminal displays: the live line, failures, the table of models, the summary."""
