"""Keep the installation's lease alive from a process of its own, as long as the one that changes the server lives."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from .failure import Failure

PAUSE = 3.0  # seconds between two renewals; the lease's term is five of them


class Renewal:
    """While this is entered, the lease is renewed; what cannot be reached for a moment is tried again.

    A process, not a thread: the transaction forks for its validators, and a fork copies no other thread.
    """

    def __init__(self, renew: Callable[[], Any]) -> None:
        self._renew = renew

    def __enter__(self) -> Self:
        self._alive, theirs = os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            try:
                self._keep_alive(parent)
            finally:
                os._exit(0)  # whatever happened: this is not the process that changes the server
        os.close(theirs)
        return self

    def _keep_alive(self, parent: int) -> None:
        """Renew for as long as the parent lives and the lease is its own."""
        with contextlib.suppress(Failure):
            while os.getppid() == parent:
                with contextlib.suppress(OSError):
                    self._renew()
                time.sleep(PAUSE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._alive)

    def lost(self) -> bool:
        """Tell whether the lease is another run's: the process that renews it has ended."""
        return bool(select.select([self._alive], [], [], 0)[0])
