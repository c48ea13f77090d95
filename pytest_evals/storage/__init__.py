"""Stores of runs, baselines, labels and certificates; `base` is the Protocol of run stores."""
