"""Run the playbooks from the command line: the same files that `ansible-playbook` runs, watched as they run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from tandem.ansible.progress import CALLBACK, ENDED, VARIABLE
from tandem.project import INSTALLATION, project_directory

Json = dict[str, Any]
TAIL = 0.1  # seconds between two looks at the progress file


@dataclass
class Run:
    """What came of a playbook: `results` holds each task's result by the action that made it, in order."""

    results: dict[str, list[Json]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    exit_status: int = 1
    interrupted: bool = False

    def result(self, action: str) -> Json | None:
        """Return the last result of an action; None where it did not run."""
        found = self.results.get(f"tandem.platform.{action}")
        return found[-1] if found else None


@dataclass(frozen=True)
class Playbook:
    """What to run: the verb's playbook, its variables, and Ansible's own switches."""

    verb: str
    inventory: Path
    variables: Json = field(default_factory=dict)
    check: bool = False
    diff: bool = False
    limit: str | None = None
    vault_password_file: Path | None = None

    def words(self, variables: Path) -> list[str]:
        """Return the words of a command line; `variables` is the file that the playbook's variables are in."""
        words = ["--inventory", str(self.inventory.resolve() / INSTALLATION), "--extra-vars", f"@{variables}"]
        words += [*(["--check"] if self.check else []), *(["--diff"] if self.diff else [])]
        if self.limit:
            words += ["--limit", self.limit]
        if self.vault_password_file:
            words += ["--vault-password-file", str(self.vault_password_file.resolve())]
        return [*words, str(project_directory() / "playbooks" / f"{self.verb}.yml")]


class Watch(Protocol):
    """Gets the progress events {event, server, step} of a playbook while it works."""

    def hear(self, event: Json) -> None:
        """Take one event."""


def run_playbook(playbook: Playbook, watch: Callable[[], AbstractContextManager[Watch]]) -> Run:
    """Run a playbook to its end; `watch` is called once Ansible has been started, and hears every event from then on.

    What is told of it is in a directory that is private and temporary; the environment holds no secret.
    """
    run = Run()
    with tempfile.TemporaryDirectory(prefix="tandem-") as name:
        directory = Path(name)
        (directory / "variables.json").write_text(json.dumps(playbook.variables))
        output, progress = directory / "output", directory / "progress"
        progress.touch(mode=0o600)
        with output.open("wb") as said, ExitStack() as watched, _interruptible(run) as started:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tandem.ansible.engine", *playbook.words(directory / "variables.json")],
                cwd=project_directory(),
                env={**os.environ, **_environment(playbook), VARIABLE: str(progress)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the command, which passes it on
            )
            started(process)
            try:
                hear = watched.enter_context(watch()).hear
                watched.enter_context(_following(progress, _noting(run, hear)))
                status = process.wait()
            except BaseException:  # nobody watches: it must not go on alone
                process.send_signal(signal.SIGINT)
                process.wait()
                raise
        if status and not run.failures:
            run.failures.append(_last_words(output, status))
    if run.interrupted:
        run.exit_status = 130
    elif not run.failures:
        run.exit_status = 0
    return run


def _noting(run: Run, hear: Callable[[Json], None]) -> Callable[[Json], None]:
    """Return what keeps the results among some events, and passes on the others."""

    def note(event: Json) -> None:
        nonlocal hear
        if event["event"] == ENDED:
            _note(run, event)
            return
        try:
            hear(event)
        except (OSError, SystemExit):
            hear = _deaf  # what is shown has no reader any more; what comes of it matters all the same
        except Exception as error:  # noqa: BLE001  a mistake of ours: results are kept, and it is told at the end
            hear = _deaf
            run.failures.append(f"what was done could not be shown: {error!r}")

    return note


def _deaf(_event: Json) -> None:
    """Hear nothing."""


def _environment(playbook: Playbook) -> dict[str, str]:
    beside = str(Path(sys.executable).parent)  # programs of the same environment, for what Ansible starts here
    path = os.environ.get("PATH", "/usr/bin:/bin")
    return {
        "PATH": path if beside in path.split(":") else f"{beside}:{path}",
        "ANSIBLE_CONFIG": str(project_directory() / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": CALLBACK,
        "ANSIBLE_NOCOLOR": "1",
        # a name in --limit that nothing has must not leave out what was meant
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error" if playbook.limit else "warning",
        "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8",
    }


def _note(run: Run, event: Json) -> None:
    """Keep what a task's result says, as the callback plugin `command_line` has told it."""
    result, action, failed = event["result"], event["action"], event["verdict"] != "ok"
    if "results" in result:
        return  # of a loop, whose items have been told
    if event["verdict"] != "unreachable":
        run.results.setdefault(action, []).append({**result, "host": event["host"]})
    message = str(result.get("msg", "failed"))
    if failed and event["item"] and "failures" not in result:  # of a wave as a whole, and not of a server
        run.failures.append(message)
    if failed and not event["item"] and not event["ignored"]:
        run.failures.append(f"{event['host']}: {message}" if action == "tandem.platform.wave" else message)
        run.exit_status = max(run.exit_status, int(result.get("tandem_exit_status", 1)))


def _last_words(output: Path, status: int) -> str:
    said = output.read_text(errors="replace")
    if unknown := re.search(r"^\[ERROR\]: Could not match supplied host pattern, ignoring: (.+)$", said, re.MULTILINE):
        return f"--limit: no server, cluster, application or site is called {unknown[1]}"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "\n".join(lines[-5:]) or f"ansible-playbook ended with {status}"


@contextmanager
def _interruptible(run: Run) -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Let Ctrl-C end the playbook that has been started, and then the command with the status of an interruption."""
    running: list[subprocess.Popen[bytes]] = []

    def started(process: subprocess.Popen[bytes]) -> None:
        running.append(process)
        if run.interrupted:
            process.send_signal(signal.SIGINT)

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        run.interrupted = True
        for process in running:
            process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield started
    finally:
        for number, handler in reversed(before.items()):
            signal.signal(number, handler)


@contextmanager
def _following(path: Path, hear: Callable[[Json], None]) -> Iterator[None]:
    """Hand every line of a growing file to `hear`."""
    ended = threading.Event()

    def follow() -> None:
        pending = ""
        with path.open() as file:
            while True:
                last = ended.wait(TAIL)
                for line in file:
                    pending += line
                    if pending.endswith("\n"):
                        hear(json.loads(pending))
                        pending = ""
                if last:
                    return

    thread = threading.Thread(target=follow, daemon=True)  # who reads what is shown may never go on
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
