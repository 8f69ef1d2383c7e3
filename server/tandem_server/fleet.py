"""Keep what concerns servers that were away: which configuration each should be on, and what its agent said last.

A run that leaves a server out records here, when it ends, which configuration the server should be on. The record goes
when the server is on it, or when a later run has brought the server somewhere itself, and stays when that has only put
it back where it was. A server without one should stay as it is: nobody is taken to a configuration that a run under way
has not brought to it.
"""

import os
import time
from contextlib import AbstractContextManager

from .disk import Damaged, Json, canonical, gate, read_json, write_durably


class Fleet:
    """The files of the store that agents and `--without` are about."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._expected = directory + "/expected.json"
        self._contacts = directory + "/agents"

    def _alone(self) -> AbstractContextManager[None]:
        return gate(self._directory + "/fleet.gate")

    def expected(self) -> dict[str, Json]:
        """Return which configuration servers should come to, by name: {number, run that left it out}."""
        return read_json(self._expected) or {}

    def expect(self, servers: list[str], number: int, run: int) -> None:
        """Record that servers should be on a configuration; every earlier expectation gives way to it."""
        with self._alone():
            wanted = {server: {"number": number, "run": run} for server in servers}
            if wanted != self.expected():
                write_durably(self._expected, canonical(wanted))

    def placed(self, servers: list[str]) -> None:
        """Forget what was expected of servers that a run, or their agent, has brought somewhere."""
        with self._alone():
            expected = self.expected()
            left = {server: entry for server, entry in expected.items() if server not in servers}
            if left != expected:
                write_durably(self._expected, canonical(left))

    def hear(self, server: str, said: Json) -> None:
        """Keep what the agent of a server says of it, and when."""
        with self._alone():
            if not os.path.isdir(self._contacts):
                os.mkdir(self._contacts, 0o700)
            write_durably(f"{self._contacts}/{server}.json", canonical({**said, "at": time.time()}))

    def heard(self) -> dict[str, Json]:
        """Return what every agent said last, by server, with the seconds since then as `age`."""
        names = sorted(os.listdir(self._contacts)) if os.path.isdir(self._contacts) else []
        contacts = {name[:-5]: self._said(name) for name in names if name.endswith(".json")}
        now = time.time()
        return {server: {**said, "age": max(0.0, now - said["at"])} for server, said in contacts.items() if said}

    def _said(self, name: str) -> Json | None:
        try:
            return read_json(f"{self._contacts}/{name}")
        except Damaged:  # fsck names it, and the next turn of that agent replaces it
            return None
