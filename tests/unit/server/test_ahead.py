"""Servers are reached, and connections opened, before they are needed; what was not needed is ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tandem.ansible import lines
from tandem.ansible.ahead import Ahead
from tandem.ansible.connection import Connection
from tandem.ansible.fanout import FanOut, Job
from tandem.ansible.lines import opened
from tandem.ansible.loop import Loop

RESULT = '{"event":"result","changed":false}'


class Way:
    """Leads to a server that says hello, notes what is asked of it, and has a result."""

    server, address, become_password = "Alpha", "198.18.1.11", None

    def __init__(self, directory: Path, opening: str = "true") -> None:
        self._directory = directory
        self._opening = opening

    def argv(self, _command: str, *, new: bool = False) -> list[str]:
        assert not new
        script = f"""
            echo $$ > process; echo start >> log; echo '{{"event":"hello"}}'
            read -r request || exit 1
            echo "$request" >> log; echo '{RESULT}'
        """
        return ["/bin/sh", "-c", f"cd {self._directory}; {script}"]

    def opening(self) -> list[str]:
        return ["/bin/sh", "-c", f"cd {self._directory}; {self._opening}"]

    @contextlib.contextmanager
    def started(self) -> Iterator[Any]:
        yield SimpleNamespace(popen={})

    def log(self) -> list[str]:
        file = self._directory / "log"
        return file.read_text().splitlines() if file.exists() else []


def wait_for(way: Way, log: list[str]) -> None:
    deadline = time.monotonic() + 60
    while way.log() != log and time.monotonic() < deadline:
        time.sleep(0.01)
    assert way.log() == log


def ended(process: str) -> bool:
    deadline = time.monotonic() + 60
    while Path("/proc", process).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not Path("/proc", process).exists()


@pytest.fixture
def loop() -> Iterator[Loop]:
    with closing(Loop()) as loop:
        yield loop


def connection(way: Way) -> Connection:
    return cast("Connection", way)


def fan_out(loop: Loop, way: Way, ahead: Ahead) -> list[str]:
    """Ask a server for something and return the lines of its log."""
    job = Job(way.server, [connection(way)], {"verb": "apply"}, cast("Any", None), way.address, cast("Any", None))
    [outcome] = FanOut(loop, lambda _server, _step: None, ahead).run([job])
    assert outcome.result == {"event": "result", "changed": False}
    return way.log()


def test_a_server_that_was_reached_ahead_gets_its_request_by_the_same_exec(loop: Loop, tmp_path: Path) -> None:
    way = Way(tmp_path)
    request = '{"verb":"apply","over":"198.18.1.11"}'
    with closing(Ahead(loop, [connection(way)])) as ahead:
        wait_for(way, ["start"])
        assert fan_out(loop, way, ahead) == ["start", request]
        assert fan_out(loop, way, ahead) == ["start", request] * 2, "only once"


def test_a_server_that_was_reached_in_vain_is_asked_for_nothing(loop: Loop, tmp_path: Path) -> None:
    way = Way(tmp_path)
    with closing(Ahead(loop, [connection(way)])):
        wait_for(way, ["start"])
    assert ended((tmp_path / "process").read_text().strip())
    assert way.log() == ["start"]


def test_connections_are_opened_meanwhile(loop: Loop, tmp_path: Path) -> None:
    way = Way(tmp_path, "echo opened >> log")
    with opened(loop, [connection(way)]):
        wait_for(way, ["opened"])


def test_one_that_does_not_open_is_not_waited_for(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE", 0.1)
    way = Way(tmp_path, "echo $$ >> log; exec sleep 600")
    with opened(loop, [connection(way)]):
        while not way.log():
            time.sleep(0.01)
    assert ended(way.log()[0])
