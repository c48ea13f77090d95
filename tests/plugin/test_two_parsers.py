"""Nothing of ours parses Python in a thread: Python 3.11's parser breaks when two do so at a time."""

import ast
import threading

import pytest

BOT = """
def answer(text):
    if text == "raise":
        return {"a": 1}["b"] + len(text)
    return text
"""

SCORER = """
def score(answer, case):
    return answer["key"] + 1
"""

DATA = """
name: two
models: [{id: bot, provider: python, target: "bot.py:answer"}]
scorers: [{python: {target: "own.py:score"}}]
cases: [{id: target, input: raise}, {id: scorer, input: fine}]
"""


def test_errors_are_shown_without_a_parse(write, evals, monkeypatch):
    """Of a target and of a scorer that raise, with the lines that did."""
    parsed: list[str] = []
    real = ast.parse

    def spy(source, filename="<unknown>", *args, **kwargs):
        by_report = filename == "source"  # not by an import, which rewrites assertions
        if threading.current_thread() is not threading.main_thread() or by_report:
            parsed.append(str(source)[:80])
        return real(source, filename, *args, **kwargs)

    write("bot.py", BOT)
    write("own.py", SCORER)
    name = write("two.yaml", DATA)
    monkeypatch.setattr(ast, "parse", spy)
    result = evals("-p", "no:cacheprovider", name)
    monkeypatch.undo()
    result.assert_outcomes(errors=2)
    assert parsed == []
    result.stdout.fnmatch_lines(["*return {*", "*KeyError: 'b'*"])
    result.stdout.fnmatch_lines(["*return answer*key*"])


def test_the_spy_sees_a_parse_in_a_thread():
    """What the test above counts is what the standard library's traceback does."""
    import sys
    import traceback

    if sys.version_info >= (3, 13):
        pytest.skip("carets are placed otherwise")
    try:
        {"a": 1}["b"] + len("text")
    except KeyError as error:
        caught = error
    seen: list[object] = []
    real = ast.parse
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ast, "parse", lambda *args, **kw: (seen.append(args), real(*args, **kw))[1])
        traceback.format_exception(caught)
    assert seen
