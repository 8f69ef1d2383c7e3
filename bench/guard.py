"""Measure what the guard costs each start of an instance: `python -m bench.guard [--json FILE]`; root, on Linux.

It runs as on a server, in a copy of the lab's base root that only this program sees, beside Python that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tandem_guard.license import Allocation, Use

from bench.job import PROJECT
from bench.machine import describe
from lab import cache
from tandem import server_program
from tandem.license import keys
from tandem.license.signature import sign
from tandem.license.vendor import Vendor
from tandem.license.write import allocation_element

RESULTS = PROJECT / "docs/benchmarks/guard.json"
SIZES = (10, 1000)
"""Servers, each with EACH instances."""
EACH, ROUNDS = 5, 11
DESCRIPTION = "installation: bench\nowner: Bench\nserial: 1\nexpires: 2999-12-31\nservers: {servers}\n"
SHELL = """mount --make-rprivate /
mount -t overlay -o "lowerdir=$1/base,upperdir=$1/upper,workdir=$1/work" bench "$1/root"
mount -t proc proc "$1/root/proc"
mount -t tmpfs tmpfs "$1/root/run"
mount --bind /dev "$1/root/dev"
exec chroot "$1/root" "$2" -IS -c "$3" "$4"
"""
TIMES = """import json, subprocess, sys, time
found = {"guard": [], "python": []}
for number in range(int(sys.argv[1])):
    for name, words in (("guard", ["/usr/lib/tandem/server.pyz", "guard", "i-1-1"]), ("python", ["-c", "pass"])):
        start = time.monotonic()
        subprocess.run(["/usr/bin/python3", "-IS", *words], check=True)
        found[name].append(time.monotonic() - start)
print(json.dumps(found))
"""


def use(server: int, number: int) -> Use:
    """Return what one instance is."""
    address = f"10.{server // 250}.{server % 250}.{number}"
    return Use(f"i-{server}-{number}", "web", "server", address, f"s-{server}", {})


ALLOCATION = "var/lib/tandem/license/bench/allocation.xml"


def write(upper: Path, servers: int) -> None:
    """Write what the guard reads on the first server of so many."""
    names = range(1, servers + 1)
    uses = [use(server, number) for server in names for number in range(1, EACH + 1)]
    addresses = {f"s-{server}": f"10.100.{server // 250}.{server % 250}" for server in names}
    with tempfile.TemporaryDirectory() as directory:
        vendor = Vendor(Path(directory) / "vendor")
        vendor.create("Bench", None)
        key = keys.create(Path(directory) / "key")
        licenses = vendor.directory / "licenses"
        (licenses / "bench.yml").write_text(DESCRIPTION.format(servers=servers))
        (licenses / "bench.csr").write_bytes(keys.request("bench", key))
        vendor.certify("bench", None)
        vendor.issue("bench")
        allocation = Allocation(
            "bench", 1, datetime.now(UTC), addresses, dict.fromkeys(addresses, "one"), {use.name: use for use in uses}
        )
        here = {each.name: each for each in uses if each.server == "s-1"}
        instances = {
            name: {"application": each.application, "kind": each.kind, "address": each.address, "options": {}}
            for name, each in here.items()
        }
        place = {"installation": "bench", "site": "one", "server": "s-1", "address": addresses["s-1"]}
        settings = {**place, "name": "bench"}
        files = {
            "usr/lib/tandem/server.pyz": server_program.build(),
            "etc/tandem/license/authority.pem": (vendor.directory / "licenses-ca.pem").read_bytes(),
            "etc/tandem/license/server.json": json.dumps({**settings, "instances": instances}).encode(),
            "var/lib/tandem/license/bench/license.xml": (licenses / "bench.xml").read_bytes(),
            ALLOCATION: sign(allocation_element(allocation), key, None),
        }
    for path, data in files.items():
        (upper / path).parent.mkdir(parents=True, exist_ok=True)
        (upper / path).write_bytes(data)


def measure(work: Path, servers: int) -> dict[str, object]:
    """Return the median seconds of the guard, and of Python that does nothing, for so many servers."""
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("upper", "work", "root"):
        (work / folder).mkdir(parents=True)
    (work / "base").symlink_to(cache.base(print))
    write(work / "upper", servers)
    command = ["unshare", "--mount", "sh", "-ec", SHELL, "sh", str(work), "/usr/bin/python3", TIMES, str(ROUNDS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    size = (work / "upper" / ALLOCATION).stat().st_size
    shutil.rmtree(work)
    seconds = {name: round(median(times), 4) for name, times in json.loads(done.stdout).items()}
    return {"servers": servers, "instances": servers * EACH, "allocation": size, **seconds}


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__.partition(":")[0])
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"instead of {RESULTS.name}")
    arguments = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: mounts need root")
    found = [measure(PROJECT / "build/bench/guard", servers) for servers in SIZES]
    for each in found:
        print(each, flush=True)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"machine": describe(), "rounds": ROUNDS, "guard": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
