"""Why a stored response is stale: which parts of its Key have changed."""

from collections.abc import Mapping

_PARTS = {
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
    "case_id": "the case's id",
    "folder": "the dataset's folder",
    "api_key_env": "the variable with the API key",
    "variables": "the case's variables",
    "url": "the address",
    "again": "the number of equal calls before it",
}


def explain(stored: Mapping[str, str], current: Mapping[str, str]) -> str:
    """Return which parts of a request have changed, as the beginning of a sentence.

    Args:
        stored: digests of the parts of the stored request.
        current: digests of the parts of the current request.

    Returns:
        ``the prompt and the parameters changed``. Parts without a description are in backquotes. If
        no part differs: that something else changed.
    """
    changed = [name for name in current if name in stored and stored[name] != current[name]]
    changed += [name for name in current if name not in stored]
    removed = [name for name in stored if name not in current]
    names = [_PARTS.get(name, f"`{name}`") for name in (*changed, *removed)]
    names = list(dict.fromkeys(names))
    if not names:
        return "something in the question that its parts do not show changed"
    last = names.pop()
    return f"{', '.join(names)} and {last} changed" if names else f"{last} changed"
