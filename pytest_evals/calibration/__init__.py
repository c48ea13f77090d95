"""Calibration of a judge: its verdicts beside people's labels. Knows no command line.

`label_join` joins labels with answers, `judge_calls` asks the judge, `agreement` measures.
"""
