"""The error that reaches the user: one line that says what is wrong, with which file, and what to do next."""


class EdgeretrainError(Exception):
    """Something the user can mend: its text is the whole message, printed without a traceback."""


class UnreadablePhoto(EdgeretrainError):
    """A photo that cannot be decoded. `reason` is the short form that stands in `report.json`."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}. Replace or remove this photo.")
