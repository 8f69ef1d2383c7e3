"""Say why a server could not be changed."""


class Failure(Exception):
    """Stop the transaction: `what` names the file, unit or step, the message says why and what to do."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(f"{what}: {message}")
        self.what = what
        self.message = message
