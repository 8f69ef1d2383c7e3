"""Speak with the controller in lines of JSON, and go on alone when it is gone."""

import json
import os
import sys

from .disk import TYPE_CHECKING, Json

if TYPE_CHECKING:
    from typing import Protocol

    class Listener(Protocol):
        """Whoever is told of progress and asked for contents."""

        def send(self, event: str, **fields: object) -> None:
            """Hear one message."""

        def receive(self) -> Json | None:
            """Return the next message; None when there is nobody."""

        def refuse_taken_over(self) -> None:
            """Raise Failure where another run has taken over; who undoes does not ask."""
else:
    Listener = object


class Channel:
    """Standard input and output as messages.

    When the controller dies in the middle of a transaction, the transaction goes on: so a message that cannot be
    delivered is dropped, while `receive` returns None.
    """

    def __init__(self) -> None:
        self._output: int | None = os.dup(1)
        os.dup2(2, 1)  # nothing else may write between the messages
        self._input = sys.stdin.buffer

    def send(self, event: str, **fields: object) -> None:
        """Send one message."""
        if self._output is None:
            return
        line = memoryview(json.dumps({"event": event, **fields}, separators=(",", ":")).encode() + b"\n")
        try:
            while line:
                line = line[os.write(self._output, line) :]
        except OSError:
            self.hang_up()

    def receive(self) -> Json | None:
        """Return the next message, or None when the controller is gone."""
        line = self._input.readline()
        return self.parse(line) if line.endswith(b"\n") else None

    def refuse_taken_over(self) -> None:
        """Do nothing: the controller sees to its lease itself."""

    @staticmethod
    def parse(line: bytes) -> Json:
        """Return the message that a line holds."""
        message: Json = json.loads(line)
        return message

    def hang_up(self) -> None:
        """Close the output, so that the controller sees the end before the process ends."""
        if self._output is not None:
            os.close(self._output)
            self._output = None
