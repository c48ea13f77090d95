"""The process around the tests: its signals, its captured output, and its end."""
