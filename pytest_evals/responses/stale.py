"""Why a stored answer does not fit any more, told from the digests of the parts of two Keys."""

from collections.abc import Mapping

_WORDS = {
    "messages": "the prompt",
    "prompt": "the prompt",
    "input": "the case's input",
    "system": "the system prompt",
    "tools": "the tools",
    "response_format": "the response format",
    "params": "the parameters",
    "sample": "the sample",
    "provider": "the provider",
    "model": "the model",
    "version": "the model's version",
    "case": "the case",
    "variables": "the case's variables",
    "url": "the address",
    "again": "how often it was asked before",
}


def explain(stored: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Say which parts of a question changed, as the beginning of a sentence.

    Args:
        stored: the digests of the parts when the answer was stored.
        wanted: the digests of what is asked now.

    Returns:
        ``the prompt and temperature changed``; parts without a word of their own are named in
        backquotes. Where the parts do not differ: that something that they do not show did.
    """
    changed = [name for name in wanted if name in stored and stored[name] != wanted[name]]
    changed += [name for name in wanted if name not in stored]
    gone = [name for name in stored if name not in wanted]
    words = [_WORDS.get(name, f"`{name}`") for name in (*changed, *gone)]
    words = list(dict.fromkeys(words))
    if not words:
        return "something in the question that its parts do not show changed"
    last = words.pop()
    return f"{', '.join(words)} and {last} changed" if words else f"{last} changed"
