"""Stores of runs, baselines, labels and calibration certificates; `base` is the Protocol of runs."""
