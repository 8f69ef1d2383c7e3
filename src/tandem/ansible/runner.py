"""Run the playbooks from the command line: the same files that `ansible-playbook` runs, watched as they run."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tandem.ansible.progress import VARIABLE
from tandem.project import project_directory

Json = dict[str, Any]
TAIL = 0.1  # seconds between two looks at the progress file
PAUSE = 0.2  # seconds between two looks whether to go on


@dataclass
class Run:
    """What came of a playbook: `results` holds each task's result by the action that made it, in order."""

    status: str = ""
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

    def switches(self) -> str:
        """Return the switches as a command line."""
        words = [*(["--check"] if self.check else []), *(["--diff"] if self.diff else [])]
        if self.limit:
            words += ["--limit", self.limit]
        if self.vault_password_file:
            words += ["--vault-password-file", str(self.vault_password_file.resolve())]
        return shlex.join(words)


def run_playbook(playbook: Playbook, hear: Callable[[Json], None]) -> Run:
    """Run a playbook to its end; `hear` gets the progress events {event, server, step} while it works.

    The runner's directory is private and temporary, and neither it nor the environment holds a secret.
    """
    import ansible_runner  # noqa: PLC0415  slow to load

    run = Run()
    with tempfile.TemporaryDirectory(prefix="tandem-") as directory, _interruptible(run) as interrupted:
        progress = Path(directory) / "progress"
        with _following(progress, hear):
            done = ansible_runner.run(
                private_data_dir=directory,
                project_dir=str(project_directory()),
                playbook=str(project_directory() / "playbooks" / f"{playbook.verb}.yml"),
                inventory=str(playbook.inventory.resolve() / "installation.yml"),
                extravars=playbook.variables,
                cmdline=playbook.switches(),
                envvars={VARIABLE: str(progress), **_environment()},
                quiet=True,
                event_handler=lambda event: _note(run, event),
                cancel_callback=interrupted,
                settings={"pexpect_timeout": PAUSE},
                timeout=None,
            )
        if done.rc and not run.failures:
            run.failures.append(_last_words(done))
    run.status = str(done.status)
    if run.interrupted:
        run.exit_status = 130
    elif not run.failures:
        run.exit_status = 0
    return run


def _environment() -> dict[str, str]:
    beside = str(Path(sys.executable).parent)  # ansible-playbook of the same environment
    path = os.environ.get("PATH", "/usr/bin:/bin")
    kept = {
        "PATH": path if beside in path.split(":") else f"{beside}:{path}",
        "ANSIBLE_CONFIG": str(project_directory() / "ansible.cfg"),
    }
    # ansible-runner would switch it off; here it is Ansible's default unless the operator says otherwise
    kept["ANSIBLE_HOST_KEY_CHECKING"] = os.environ.get("ANSIBLE_HOST_KEY_CHECKING", "True")
    return {**kept, "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8"}


def _note(run: Run, event: Json) -> bool:
    """Keep what a task's result says; return False: the runner need not write the event to its directory."""
    data = event.get("event_data", {})
    kind = event["event"]
    result = data.get("res")
    if not isinstance(result, dict):
        return False
    if (
        kind in ("runner_on_ok", "runner_item_on_ok", "runner_on_failed", "runner_item_on_failed")
        and "results" not in result
    ):
        run.results.setdefault(data.get("task_action", ""), []).append({**result, "host": data.get("host")})
    if kind == "runner_item_on_failed" and "failures" not in result:  # of a wave as a whole, and not of a server
        run.failures.append(str(result.get("msg", "failed")))
    if (
        kind in ("runner_on_failed", "runner_on_unreachable")
        and "results" not in result
        and not data.get("ignore_errors")
    ):
        message = str(result.get("msg", "failed"))
        is_server = data.get("task_action") == "tandem.platform.wave"
        run.failures.append(f"{data['host']}: {message}" if is_server else message)
        run.exit_status = max(run.exit_status, int(result.get("tandem_exit_status", 1)))
    return False


def _last_words(done: Any) -> str:
    output = Path(done.config.artifact_dir) / "stdout"  # missing where Ansible did not even start
    text = output.read_text(errors="replace") if output.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-5:]) or f"ansible-playbook ended with {done.rc}"


@contextmanager
def _interruptible(run: Run) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end the playbook, and then the command with the status of an interruption."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        run.interrupted = True

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: run.interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _following(path: Path, hear: Callable[[Json], None]) -> Iterator[None]:
    """Hand every line of a growing file to `hear`."""
    path.touch(mode=0o600)
    ended = threading.Event()
    with path.open() as file:

        def follow() -> None:
            pending = ""
            while True:
                last = ended.wait(TAIL)
                for line in file:
                    pending += line
                    if pending.endswith("\n"):
                        hear(json.loads(pending))
                        pending = ""
                if last:
                    return

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
