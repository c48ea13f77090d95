"""What an item raises when its trial does not pass: a wrong answer, or no answer."""


class WrongAnswer(AssertionError):  # noqa: N818 - a verdict on an answer, not an error
    """An assertion on an answer does not hold."""

    __module__ = "builtins"  # pytest then displays the bare name, as of its own assertions


class NoAnswer(Exception):  # noqa: N818 - the same
    """There is no answer, or it could not be scored."""
