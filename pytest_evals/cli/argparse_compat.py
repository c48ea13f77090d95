"""argparse, where its documented interface is not enough. The one file that uses its private names.

`tests/cli/test_argparse_compat.py` fails if a Python release removes or changes one of them.
"""

import argparse


class HelpFormatter(argparse.HelpFormatter):
    """Fills paragraphs, but keeps lines that begin with two spaces: the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fill a description or an epilog (private in argparse, called by `format_help`)."""
        return "\n\n".join(self._fill_paragraph(part, width) for part in text.split("\n\n"))

    def _fill_paragraph(self, paragraph: str, width: int) -> str:
        """Fill the sentences of a paragraph and keep its examples."""
        lines: list[str] = []
        for line in paragraph.split("\n"):
            previous = lines[-1] if lines else "  "
            if line.startswith("  ") or previous.startswith("  ") or previous == "examples:":
                lines.append(line)
            else:
                lines[-1] += f" {line}"
        return "\n".join(
            line
            if line.startswith("  ")
            else super(HelpFormatter, self)._fill_text(line, width, "")
            for line in lines
        )
