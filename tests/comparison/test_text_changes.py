"""How a text changed, by words and by lines."""

from pytest_evals.comparison.text_changes import lines_changed, words_changed


def test_words_that_changed():
    """Only what changed is marked; long stretches are cut; other texts stand side by side."""
    assert [(" ", "a "), ("-", "b"), ("+", "x"), (" ", " c")] == words_changed("a b c", "a x c")
    long = " ".join(["same"] * 50)
    parts = words_changed(f"{long} b", f"{long} x")
    assert parts[0][1].startswith("...")
    assert len(parts[0][1]) < 50
    assert [("-", "yes of course"), (" ", " "), ("+", "never")] == words_changed(
        "yes of course", "never"
    )
    assert [] == words_changed("", "")
    assert [("+", "new")] == [part for part in words_changed("", "new") if part[1].strip()]


def test_words_are_made_harmless():
    """What could command a terminal is shown in its place."""
    shown = "".join(text for _, text in words_changed("a \x1b[31m b", "a \u202e b"))
    assert not {"\x1b", "\u202e"} & set(shown)


def test_lines_that_changed():
    """Changed lines with a line around them; at most so many."""
    assert [(" ", "a"), ("-", "b"), ("+", "x"), (" ", "c")] == list(
        lines_changed("0\na\nb\nc\nd", "0\na\nx\nc\nd")
    )
    many = list(lines_changed("\n".join("ab" * 20), "\n".join("cd" * 20)))
    assert many[-1][1].endswith("more changed lines")
