"""Sentences of ours in HTML: what is between backticks is code. Pure."""

import re

from markupsafe import Markup, escape

from pytest_evals.ground.plain_text import neutral

_CODE = re.compile(r"`([^`\n]+)`")


def coded(text: str) -> Markup:
    """Return a sentence as HTML, escaped, with code where it has backticks."""
    parts = _CODE.split(neutral(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )
