"""Show a playbook as it works: redrawn on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tandem.cli._common import COLOURS

Json = dict[str, Any]
MOST_NAMES = 8


class Display:
    """Hear progress events and show them."""

    def __init__(self, failed: set[str], *, quiet: bool = False) -> None:
        """Show events, and add the servers that have been shown as failed to `failed`."""
        self._console = Console(stderr=False, highlight=False, soft_wrap=True, quiet=quiet)
        self._working: dict[str, tuple[str, float]] = {}
        self._number = 0
        self._touched: set[str] = set()
        self._idle = 0
        self._failed = failed
        self._started = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(console=self._console, get_renderable=self._now, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, SystemExit):  # of which rich makes one where nobody reads any more
            if self._live:
                self._live.stop()
            if self._idle and kind is None:
                servers = "1 server has" if self._idle == 1 else f"{self._idle} servers have"
                self._console.print(Text(f"✓ {servers} nothing to do"))

    def hear(self, event: Json) -> None:
        """Show one event: plan, wave, progress, or ended."""
        getattr(self, f"_{event['event']}")(event)

    def _plan(self, event: Json) -> None:
        self._touched = set(event["plan"]["touched"])
        first, *rest = event["report"]
        self._console.print(Text(first, style="bold"))
        if event.get("took_over"):
            self._console.print(Text(event["took_over"], style="yellow"))
        for line in rest:
            self._console.print(Text(line, style=COLOURS.get(line[:1], "")))

    def _wave(self, event: Json) -> None:
        """Begin a wave; those in which the plan foresees nothing have no number, as in the plan."""
        for server in event["servers"]:
            self._working[server] = ("waiting", time.monotonic())
        touched = [server for server in event["servers"] if server in self._touched]
        if touched:
            self._number += 1
            more = f" and {len(touched) - MOST_NAMES} more" if len(touched) > MOST_NAMES else ""
            self._console.print(Text(f"wave {self._number}: {', '.join(touched[:MOST_NAMES])}{more}", style="bold"))

    def _progress(self, event: Json) -> None:
        server, step = event["server"], event["step"]
        since = self._working.get(server, ("", time.monotonic()))[1]
        self._working[server] = (step, since)
        if not self._live:
            self._console.print(Text(f"  {server}: {step}"))

    def _ended(self, event: Json) -> None:
        self._working.pop(event["server"], None)
        if event["idle"]:
            self._idle += 1
            return
        mark, style = ("✓", "green") if event["good"] else ("✗", "bold red")
        first, *rest = event["step"].splitlines() or [""]
        self._console.print(Text(f"{mark} {event['server']:<12} ", style=style) + Text(first))
        for line in rest:
            self._console.print(Text(f"    {line}"))
        for difference in event["diff"]:
            for line in _unified(difference):
                self._console.print(Text(f"    {line}", style=COLOURS.get(line[:1], "")))
        if not event["good"]:
            self._failed.add(event["server"])

    def _now(self) -> Group:
        """Draw what is being done at this moment."""
        table = Table.grid(padding=(0, 2))
        for server, (step, since) in sorted(self._working.items()):
            table.add_row(
                Spinner("dots"),
                Text(server, style="bold"),
                Text(step),
                Text(f"{time.monotonic() - since:.0f} s", style="dim"),
            )
        elapsed = Text(f"{time.monotonic() - self._started:.0f} s", style="dim")
        return Group(table, elapsed)


def _unified(difference: Json) -> Iterable[str]:
    """Return the lines of one difference as it came from a server."""
    if "prepared" in difference:
        return str(difference["prepared"]).splitlines()
    before, after = difference["before"].splitlines(), difference["after"].splitlines()
    header = difference["before_header"], difference["after_header"]
    return difflib.unified_diff(before, after, *header, lineterm="", n=2)
