"""See everything that Tandem could leave on a server, without asking Tandem."""

import json
from typing import Any

from tests.fleet.fleet import Fleet

# Directories that Tandem writes to. What the daemons themselves write is not configuration: data, logs, sockets.
PLACES = ["/etc", "/usr/lib/tandem", "/usr/share/tandem", "/usr/local", "/run/tandem"]
UNPACKED = "/run/tandem/program-"  # a cache: more of it is compiled when more of it has run
# written by the system itself, when it likes
OF_THE_SYSTEM = {"/etc/resolv.conf", "/etc/machine-id", "/etc/.pwd.lock", "/etc/mtab", "/etc/adjtime"}

LOOK = """
import hashlib, json, os, stat, sys
found = {}
for place in sys.argv[1:]:
    for folder, folders, names in os.walk(place):
        for name in folders + names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            what = oct(status.st_mode), status.st_uid, status.st_gid
            if stat.S_ISLNK(status.st_mode):
                what += (os.readlink(path),)
            elif stat.S_ISREG(status.st_mode):
                what += (hashlib.sha256(open(path, "rb").read()).hexdigest(),)
            found[path] = what
json.dump(found, sys.stdout)
"""

Traces = dict[str, list[Any]]


def traces(fleet: Fleet, server: str) -> Traces:
    """Return every file, link and directory where Tandem writes: type and mode, owner, group, digest or target."""
    found: Traces = json.loads(fleet.do(server, "python3", "-c", LOOK, *PLACES))
    return {
        path: what
        for path, what in found.items()
        if path not in OF_THE_SYSTEM and "/ssh_host_" not in path and not path.startswith(UNPACKED)
    }


def all_traces(fleet: Fleet) -> dict[str, Traces]:
    """Return the traces of all servers."""
    return {server: traces(fleet, server) for server in fleet.servers}


def files(found: dict[str, Traces]) -> dict[str, Traces]:
    """Return the traces without what units noted about themselves when they started."""
    return {
        server: {path: what for path, what in one.items() if not path.startswith("/run/")}
        for server, one in found.items()
    }


def stale(fleet: Fleet, server: str) -> list[str]:
    """Return the units whose process did not start, or reload, with the files that are there now."""
    return [
        f"{record}: {line}"
        for record in fleet.do(server, "sh", "-c", "ls -d /run/tandem/units/*").split()
        for line in fleet.lab.exec(server, ["sha256sum", "--check", "--quiet", record]).stdout.splitlines()
    ]
