"""A stand-in for a judge model: it does by rules what a model would do by reading.

It gets the same messages as a model and gives the same JSON. It is right about facts and too
trusting about tone, which the calibration shows.
"""

import json
import re


def reply(_, context):
    """Judge what stands in the last message."""
    said = context.messages[-1]["content"]
    answer = piece(said, "answer").lower()
    if "Is the answer polite?" in said:
        rude = any(word in answer for word in ("idiot", "stupid"))
        return verdict("an insult" if rude else "no insult", reply="no" if rude else "yes")
    wanted = words(piece(said, "reference"))
    share = len(wanted & words(answer)) / len(wanted)
    if '"relation"' in said:
        return verdict(f"{share:.0%} of it", relation="same" if share == 1 else "conflict")
    return verdict(f"{share:.0%} of the reference", score=1 + round(4 * share))


def verdict(reasoning, **said):
    """Write a verdict as it was asked for."""
    return json.dumps({"reasoning": reasoning, **said})


def piece(said, name):
    """Return a piece of the material: it stands between tags that end in the same mark."""
    return re.search(rf"<{name}-(\w+)>\n(.*)\n</{name}-\1>", said, re.DOTALL)[2]


def words(text):
    """Return the words and numbers of a text."""
    return set(re.findall(r"[a-z]+|\d+(?:\.\d+)?", text.lower()))
