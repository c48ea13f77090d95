"""The parts of the HTML report: each makes plain values of a Report, for the templates."""
