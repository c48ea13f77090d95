"""Private names of argparse that the command line uses: each test fails if a Python changes one."""

import argparse
import inspect

from pytest_evals.cli.argparse_compat import HelpFormatter

TEXT = "One sentence that\ngoes on.\n\nexamples:\n  first  line\n  second line\n\nexit status: 0"


def test_argparse_fills_texts_by_the_private_method():
    """`_fill_text(text, width, indent)` exists with these parameters."""
    signature = inspect.signature(argparse.HelpFormatter._fill_text)
    assert ["self", "text", "width", "indent"] == list(signature.parameters)


def test_format_help_calls_the_override():
    """Descriptions and epilogs keep the lines of examples; argparse alone joins them."""
    parser = argparse.ArgumentParser(epilog=TEXT, formatter_class=HelpFormatter)
    plain = argparse.ArgumentParser(epilog=TEXT)
    assert "\nexamples:\n  first  line\n  second line\n" in parser.format_help()
    assert "One sentence that goes on.\n" in parser.format_help()
    assert "first line second line" in plain.format_help()
