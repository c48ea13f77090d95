"""Writes reference/options.md from the table of options.

python docs/_generate_options.py
"""

from pathlib import Path

from pytest_evals.config import FILES_DEFAULT, OPTIONS

PAGE = Path(__file__).parent / "reference" / "options.md"
HEAD = """# Options

Precedence: command line, then environment, then ini file, then the default. Times are seconds, or
numbers with `s`, `m` or `h`. This page is generated from the code.

| command line | environment | ini | default | what it does |
|---|---|---|---|---|
| `--evals` | | | off | Collect eval datasets and run them. They can cost money, so they are opt in. |
"""


def page() -> str:
    """Return the page."""
    files = " ".join(FILES_DEFAULT)
    rows = [
        f"| | | `evals_files` | `{files}` | File names (globs) that are collected as datasets. |"
    ]
    for option in OPTIONS:
        flag = f"`{option.flag} {option.metavar}`" if option.command_line else ""
        default = "" if option.default in (None, (), "") else f"`{option.default}`"
        help_text = option.help.replace("|", "\\|")
        rows.append(f"| {flag} | `{option.variable}` | `{option.ini}` | {default} | {help_text} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
