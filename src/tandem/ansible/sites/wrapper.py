"""Start ansible-runner on a site's runner, in a directory that goes when the play ends or the controller is gone.

The text of this file is what the controller runs there, by the system's own Python, with two arguments: the folder of
ansible-runner and ansible-playbook, and a number. Standard input brings first so many bytes that `ansible-runner
transmit` wrote, then lines for the play, which finds them at the socket that TANDEM_LINES names. The controller sends a
line every few seconds, also when it has nothing to say.
"""

import contextlib
import fcntl
import glob
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

PLACE = "/dev/shm/tandem-site-"  # noqa: S108  in memory; the directory is made by mkdtemp
SILENCE = 30.0  # seconds without a line after which the controller is gone
GRACE = 10.0  # seconds for the play to end by itself


def main() -> int:
    """Run one play and return its exit status."""
    engine, size = sys.argv[1], int(sys.argv[2])
    for program in ("ansible-runner", "ansible-playbook"):
        if not os.access(f"{engine}/{program}", os.X_OK):
            print(f"{engine}/{program} is missing; docs/guide.md says what a site's runner needs", file=sys.stderr)
            return 1
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    directory = _directory()
    try:
        return _play(directory, engine, size)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _directory() -> str:
    """Make a directory and hold it as long as this process lives."""
    gate = os.open(os.path.dirname(PLACE), os.O_RDONLY)
    fcntl.flock(gate, fcntl.LOCK_EX)  # nobody sweeps between making and holding
    _sweep()
    directory = tempfile.mkdtemp(prefix=PLACE)
    fcntl.flock(os.open(directory, os.O_RDONLY), fcntl.LOCK_EX)
    os.close(gate)
    return directory


def _sweep() -> None:
    """Remove what is left of those that were killed: directories that nobody holds."""
    for directory in glob.glob(PLACE + "*"):
        with contextlib.suppress(OSError):
            lock = os.open(directory, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(lock)


def _play(directory: str, engine: str, size: int) -> int:
    """Let the worker work on what was transmitted; return its exit status."""
    lines = directory + "/lines"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(lines)
    listener.listen(1)
    os.mkdir(directory + "/job", 0o700)
    with open(directory + "/parcel", "w+b") as parcel:
        while parcel.tell() < size:
            chunk = os.read(0, min(65536, size - parcel.tell()))
            if not chunk:
                return 1
            parcel.write(chunk)
        parcel.seek(0)
        worker = subprocess.Popen(
            [engine + "/ansible-runner", "worker", "--private-data-dir", directory + "/job"],
            stdin=parcel,
            env={
                **os.environ,
                "PATH": engine + ":/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": directory + "/job/project/python",
                "ANSIBLE_HOME": directory + "/home",
                "TMPDIR": directory,
                "TANDEM_LINES": lines,
            },
            start_new_session=True,
        )
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _pass_on(listener, os.pidfd_open(worker.pid))
    finally:
        listener.close()
        try:
            worker.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    return worker.returncode


def _pass_on(listener: socket.socket, worker: int) -> None:
    """Give the play what comes from the controller, until the worker has ended or the controller is gone.

    Its end of the line ends with this function, and with this process.
    """
    play: socket.socket | None = None
    pending = b""
    with contextlib.ExitStack() as connection:
        while True:
            reading: list[int | socket.socket] = [
                worker,
                *([] if play else [listener]),
                *([] if play and pending else [0]),
            ]
            writing = [play] if play and pending else []
            readable, writable, _ = select.select(reading, writing, [], SILENCE)
            if worker in readable or not (readable or writable):
                return
            if listener in readable:
                play = connection.enter_context(listener.accept()[0])
            elif play and writable:
                pending = pending[play.send(pending, socket.MSG_DONTWAIT) :]
            else:
                chunk = os.read(0, 65536)
                if not chunk:
                    return
                pending += chunk


if __name__ == "__main__":
    sys.exit(main())
