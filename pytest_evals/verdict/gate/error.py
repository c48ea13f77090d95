"""GateError: what is wrong with a gate, and where."""


class GateError(ValueError):
    """A gate that is not right.

    Args:
        message: what was found, what was expected, and what to do.
        text: the gate as it was written; empty in the long form.
        column: 1-based, where in the text; 0 where the whole is meant.
        key: in the long form, the key that is wrong; None where the whole is meant.
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
