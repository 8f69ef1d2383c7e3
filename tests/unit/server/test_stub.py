"""Starting the server program: it is asked for once, and kept where the next start finds it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tandem import server_program
from tandem.ansible.stub import command

Json = dict[str, Any]
REQUEST = b'{"verb":"sing"}\n'


def start(directory: Path) -> list[Json]:
    """Start the program with a request it refuses, give it itself where it asks, and return its messages."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command(f"{directory}/program-")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"a password that sudo did not want\n" + REQUEST)
        process.stdin.flush()
        heard = []
        for line in process.stdout:
            heard.append(json.loads(line))
            if heard[-1]["event"] == "program":
                process.stdin.write(server_program.build())
                process.stdin.flush()
    return heard


def events(heard: list[Json]) -> list[str]:
    assert "sing is not a verb of this program" in heard[-1]["failed"]["message"]
    return [message["event"] for message in heard]


def test_it_is_asked_for_once_and_kept_with_its_bytecode(tmp_path: Path) -> None:
    assert events(start(tmp_path)) == ["hello", "program", "result"]
    assert events(start(tmp_path)) == ["hello", "result"]
    [kept] = tmp_path.iterdir()
    assert len(list(kept.glob("tandem_server/__pycache__/channel.*.pyc"))) == 1


def test_what_was_not_unpacked_to_its_end_is_not_started(tmp_path: Path) -> None:
    start(tmp_path)
    [kept] = tmp_path.iterdir()
    kept.rename(tmp_path / f"{kept.name}.4711")
    assert events(start(tmp_path)) == ["hello", "program", "result"]


def test_it_runs_where_it_cannot_be_kept(tmp_path: Path) -> None:
    there = tmp_path / "no-directory"
    there.touch()
    assert events(start(there)) == ["hello", "program", "result"]
    assert events(start(there)) == ["hello", "program", "result"]
