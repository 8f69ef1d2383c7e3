"""Stop the server program at an exact moment of a transaction, without a hook in it.

The controller of a test has a `sitecustomize` of the test's, which lets every server's program first read a file under
/run, if the test has put one there. That file wraps the system calls that change something and the commands, counts
them since the journal's last state, and stops the program before the one that was named; what runs is otherwise the
program as it ships. A moment is `<state> <number>`: `placing 4` is before the fifth change after the state was entered.
`undoing` begins when files are put back, and `committed` when the journal says so.
"""

import subprocess
import time
from pathlib import Path
from typing import Any

from tests.fleet.fleet import Fleet

HERE = "/run/tandem-test"
SCRIPT = f"{HERE}/stop.py"
LIMIT = 180.0  # seconds; a stop ends by itself when a test has forgotten it

STOP = """
import os, subprocess, time
from tandem_server import files, health, state
from tandem_server.failure import Failure

phase, count, wanted, refused = "before", -1, {wanted!r}, {refused!r}

def step(what):
    global count
    count += 1
    name = "%s %d" % (phase, count)
    with open("{here}/log", "a") as log:
        log.write(name + " " + what + "\\n")
    if name == wanted and not os.path.exists("{here}/reached"):
        open("{here}/reached", "w").close()
        deadline = time.monotonic() + {limit}
        while os.path.exists("{here}/hold") and time.monotonic() < deadline:
            time.sleep(0.01)

def enter(name):
    global phase, count
    phase, count = name, -1

def counted(module, name, real):
    def call(*args, **keywords):
        if name != "open" or args[1] & os.O_CREAT:
            step("%s %s" % (name, args[0]))
        return real(*args, **keywords)
    setattr(module, name, call)

def write_journal(self, journal, real=state.State.write_journal):
    real(self, journal)
    enter(journal["state"])
    step("")

def put_back(self, operations, real=files.Files.put_back):
    enter("undoing")
    real(self, operations)

def probe(unit, real=health.probe):
    if refused:
        raise Failure(unit["name"], "refused by the test")
    real(unit)

for name in ("rename", "link", "unlink", "symlink", "mkdir", "rmdir", "open"):
    counted(os, name, getattr(os, name))
counted(subprocess, "run", subprocess.run)
state.State.write_journal, files.Files.put_back, health.probe = write_journal, put_back, probe
"""

SITE = """
import asyncio
START = b"from tandem_server.__main__ import main"
READ = b"os.path.exists(bytes(%s)) and exec(open(bytes(%s)).read(), {})"  # no quotes: it stands in quoted words
READ = READ.replace(b"%s", str(list({script!r})).encode())
start = asyncio.create_subprocess_exec

async def patched(*argv, **options):
    words = [word.replace(START, READ + b"\\n" + START) if isinstance(word, bytes) else word for word in argv]
    return await start(*words, **options)

asyncio.create_subprocess_exec = patched
"""

LAUNCH = f"""
import os, sys
sys.path.insert(0, "/usr/lib/tandem/server.pyz")
os.path.exists({SCRIPT!r}) and exec(open({SCRIPT!r}).read(), {{}})
from tandem_server.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""Does on a server what the controller's stub does, or with an argument what the boot does, heeding a stop."""


def site(directory: Path) -> str:
    """Make the directory to put on the controller's PYTHONPATH, and return it."""
    directory.mkdir(exist_ok=True)
    (directory / "sitecustomize.py").write_text(SITE.replace("{script!r}", repr(SCRIPT.encode())))
    return str(directory)


class Stop:
    """A moment at which the program of one server is going to stop; `refused` lets its health probes fail first."""

    def __init__(self, fleet: Fleet, server: str, moment: str = "", *, refused: bool = False) -> None:
        self._lab = fleet.lab
        # looked at from outside: entering the server again and again would cost more than all it does
        self._reached = Path(f"/proc/{fleet.lab.server(server).first_process()}/root{HERE}/reached")
        self._server = server
        self.moment = moment
        command = f"rm -rf {HERE}; mkdir -p {HERE}; touch {HERE}/hold; cat > {SCRIPT}"
        assert self._lab.exec(server, ["sh", "-c", command], stdin=self.text(moment, refused=refused)).returncode == 0

    @staticmethod
    def text(moment: str, *, refused: bool = False) -> str:
        """Return the program that stops at a moment."""
        text = STOP.replace("{wanted!r}", repr(moment)).replace("{refused!r}", repr(refused))
        return text.replace("{here}", HERE).replace("{limit}", str(LIMIT))

    def reached(self, starter: subprocess.Popen[Any], timeout: float = 120) -> bool:
        """Wait until the program has stopped there; return False when what had started it ended without."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = starter.poll() is not None
            if self._reached.exists():
                return True
            if ended:
                return False
            time.sleep(0.05)
        return False

    def let_go(self) -> None:
        """Let the program go on, if it is still there, and let none stop any more."""
        self._lab.exec(self._server, ["rm", "-f", SCRIPT, f"{HERE}/hold"])

    def log(self) -> list[str]:
        """Return every moment the program has passed: `<state> <number> <what was about to be done>`."""
        return self._lab.exec(self._server, ["cat", f"{HERE}/log"]).stdout.splitlines()
