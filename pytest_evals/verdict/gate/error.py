"""GateError: what is wrong with a gate, and where."""


class GateError(ValueError):
    """A gate that is wrong.

    Args:
        message: what was found, what was expected, and what to do.
        text: the gate as written; empty in the long form.
        column: the 1-based column in the text; 0 if the whole gate is wrong.
        key: in the long form, the key that is wrong; None if the whole gate is wrong.
    """

    def __init__(
        self, message: str, *, text: str = "", column: int = 0, key: str | None = None
    ) -> None:
        where = f"gate `{text}`, column {column}: " if column else f"gate `{text}`: "
        super().__init__((where if text else "") + message)
        self.message = message
        self.text = text
        self.column = column
        self.key = key
