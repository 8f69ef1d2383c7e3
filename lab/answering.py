"""Find out, from where the lab's controller stands, which servers' sshd answers."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from lab import namespaces
from lab.errors import LabError

PATIENCE = 1.0  # seconds for one try; an sshd that works greets within a few milliseconds


def answers(address: str) -> bool:
    """Tell whether an SSH server greets; to be called in the controller's namespace."""
    with contextlib.suppress(OSError), socket.create_connection((address, 22), PATIENCE) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def answering(lab: str, addresses: Mapping[str, str]) -> set[str]:
    """Return the servers, given with their addresses, whose sshd answers now."""
    with _in_controller(lab, len(addresses)) as pool:
        return {name for name, yes in zip(addresses, pool.map(answers, addresses.values()), strict=True) if yes}


def wait(lab: str, addresses: Mapping[str, str], timeout: float, trouble: Callable[[str], str | None]) -> None:
    """Wait until the sshd of every server answers.

    `trouble` tells why a server will never answer, or None. Raises LabError with one line per server that has such a
    trouble, or that does not answer within `timeout` seconds; the others are waited for all the same.
    """

    def one(name: str) -> str | None:
        while not answers(addresses[name]):
            if why := trouble(name):
                return f"{name}: {why}"
            if time.monotonic() > end:
                return f"{name}: sshd does not answer at {addresses[name]} (waited {timeout:g} s)"
            if given_up.wait(0.05):
                break
        return None

    end, given_up = time.monotonic() + timeout, Event()
    with _in_controller(lab, len(addresses)) as pool:
        try:
            troubles = [line for line in pool.map(one, addresses) if line]
        finally:
            given_up.set()  # else who interrupts this would wait for the threads
    if troubles:
        raise LabError("\n".join(troubles))


def _in_controller(lab: str, threads: int) -> ThreadPoolExecutor:
    namespace = namespaces.controller(lab)
    if not namespaces.alive(namespace):
        raise LabError(f"lab {lab} is down; bring it up first")
    return ThreadPoolExecutor(max(1, threads), initializer=namespaces.enter, initargs=(namespace,))
