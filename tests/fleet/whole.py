"""Tell whether a server is wholly on one configuration: files, links, addresses, units, and what these started with."""

import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.ansible.vault import decryption
from tandem.configuration import compile_model
from tandem.model import load
from tests.fleet.fleet import ROOT, Fleet

Json = dict[str, Any]
PATIENCE = 60.0  # seconds for everything to be up after a boot, or for a transaction to end alone

LOOK = """
import grp, hashlib, json, os, pwd, stat, subprocess, sys
asked = json.load(sys.stdin)
files, records = {}, {}
for path in asked["paths"]:
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        continue
    if stat.S_ISLNK(status.st_mode):
        files[path] = ["link", os.readlink(path)]
    else:
        digest = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
        owner = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
        files[path] = ["file", digest, "%04o" % stat.S_IMODE(status.st_mode), *owner]
folder = "/run/tandem/units"
for name in os.listdir(folder) if os.path.isdir(folder) else []:
    lines = open(folder + "/" + name).read().splitlines()
    records[name] = {path: digest for digest, _, path in (line.partition("  ") for line in lines)}
shown = subprocess.run(["systemctl", "show", "--property=Id,ActiveState", *asked["units"]], stdout=-1, text=True).stdout
states = [dict(line.split("=", 1) for line in block.splitlines() if line) for block in shown.split("\\n\\n")]
links = json.loads(subprocess.run(["ip", "-json", "-4", "address", "show", "scope", "global"], stdout=-1).stdout)
manifest = "/var/lib/tandem/bundle.json"
json.dump({
    "files": files,
    "records": records,
    "states": {state["Id"]: state["ActiveState"] for state in states if state},
    "addresses": sorted(each["local"] for link in links for each in link.get("addr_info", [])),
    "manifest": json.load(open(manifest)) if os.path.exists(manifest) else None,
    "journal": os.path.exists("/var/lib/tandem/journal.json"),
}, sys.stdout)
"""


@dataclass(frozen=True)
class Compiled:
    """A configuration: the bundle of every server, and the contents of files by digest."""

    bundles: dict[str, Json]
    contents: Mapping[str, bytes]


def compiled(fleet: Fleet) -> Compiled:
    """Compile the source as it is now."""
    decrypt = decryption(ROOT / "lab" / "vault-password")
    configuration = compile_model(load(fleet.directory, ROOT / "roles"), decrypt)
    bundles = {server: json.loads(configuration.blob(name)) for server, name in configuration.bundles.items()}
    return Compiled(bundles, configuration.blobs)


class Whole:
    """What a server is compared with: bundles by what they are called, such as `old` and `new`."""

    def __init__(self, fleet: Fleet, candidates: Mapping[str, Mapping[str, Json]]) -> None:
        self.fleet = fleet
        self.candidates = candidates

    def on(self, server: str, patience: float = PATIENCE) -> str:
        """Return which of the candidates a server is wholly on; fail with all that differs if it is on none in time."""
        bundles = {name: each[server] for name, each in self.candidates.items()}
        deadline = time.monotonic() + patience
        while True:
            seen = self._look(server, bundles)
            wrong = {name: self._differences(seen, bundle, bundles) for name, bundle in bundles.items()}
            if good := [name for name, differences in wrong.items() if not differences]:
                assert len(good) == 1 or len({json.dumps(bundles[name]) for name in good}) == 1
                return good[0]
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{server} is on none: " + "; ".join(f"not {name}: {why}" for name, why in wrong.items())
                )
            time.sleep(0.5)

    def all(self, patience: float = PATIENCE) -> dict[str, str]:
        """Return which candidate every server is on; fail also where an address is on two of them."""
        found = {server: self.on(server, patience) for server in self.fleet.servers}
        addresses = [
            address
            for server in self.fleet.servers
            for address in sorted(self.fleet.addresses(server))
            if address != "127.0.0.1"
        ]
        assert len(addresses) == len(set(addresses)), f"an address is on two servers: {addresses}"
        return found

    def _look(self, server: str, bundles: Mapping[str, Json]) -> Json:
        paths = sorted({entry["path"] for bundle in bundles.values() for entry in bundle["files"]})
        units = sorted({unit["name"] for bundle in bundles.values() for unit in bundle["units"]})
        asked = json.dumps({"paths": paths, "units": units})
        seen: Json = json.loads(self.fleet.do(server, "python3", "-ISc", LOOK, stdin=asked))
        seen["private"] = private_names(self.fleet, server)
        return seen

    def _differences(self, seen: Json, bundle: Json, bundles: Mapping[str, Json]) -> list[str]:
        """Return all in which a server is not as a bundle says; nothing of another candidate may be there."""
        wanted = {entry["path"]: _form(entry) for entry in bundle["files"]}
        wrong = [
            f"{path} is {seen['files'].get(path)}"
            for path in {*wanted, *seen["files"]}
            if seen["files"].get(path) != wanted.get(path)
        ]
        manifest = seen["manifest"] or {}
        hold = set(manifest.get("hold", [])) & _moving(bundle, bundles)
        wrong += [f"the manifest has other {key}" for key in bundle if manifest.get(key) != bundle[key]]
        addresses = sorted({bundle["management"]["address"], *(each["address"] for each in bundle["addresses"])} - hold)
        wrong += [f"addresses are {seen['addresses']}"] if seen["addresses"] != addresses else []
        running = {unit["name"]: unit for unit in bundle["units"] if not hold.intersection(unit["addresses"])}
        for name, state in seen["states"].items():
            if (state == "active") != (name in running):
                wrong.append(f"{name} is {state}")
        wrong += _stale(seen["records"], bundle, running)
        wrong += ["there is a journal"] if seen["journal"] else []
        return sorted(wrong) + [f"{path} is left behind" for path in seen["private"]]


def _form(entry: Json) -> list[str]:
    if entry["kind"] == "link":
        return ["link", entry["target"]]
    return ["file", entry["digest"], entry["mode"], entry["owner"], entry["group"]]


def _moving(bundle: Json, bundles: Mapping[str, Json]) -> set[str]:
    """Return the addresses that a server may have been told not to take yet: those it has in one candidate only."""
    sets = [{each["address"] for each in other["addresses"]} for other in bundles.values()]
    return {each["address"] for each in bundle["addresses"]} - set.intersection(*sets)


def _stale(records: Mapping[str, Mapping[str, str]], bundle: Json, running: Mapping[str, Json]) -> list[str]:
    """Return the units that started, or reloaded, with other files than those of a bundle."""
    digests = {entry["path"]: entry.get("digest") for entry in bundle["files"]}
    wanted = {
        f"{name}.{effect}": {path: digests[path] for path in unit[effect]}
        for name, unit in running.items()
        for effect in ("restart", "reload")
    }
    return [
        f"the record {name} is of other files"
        for name in {*wanted, *records}
        if records.get(name, {}) != wanted.get(name, {})  # a timer reads nothing, and records nothing
    ]


def private_names(fleet: Fleet, server: str) -> list[str]:
    """Return Tandem's private names anywhere on a server's disk, whole or half written."""
    top = fleet.lab.path(server)
    found = []
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            path = os.path.join(folder, name)
            if ".tandem-" in name and not stat.S_ISCHR(os.lstat(path).st_mode):  # a whiteout is a name that is gone
                found.append("/" + os.path.relpath(path, top))
    return found
