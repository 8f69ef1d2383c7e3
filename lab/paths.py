"""Where a lab keeps what it makes: disks and keys under /var/lib, base roots under /var/cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/tandem-lab")
CACHE = Path("/var/cache/tandem-lab")
NAMESPACES = Path("/run/netns")
PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ServerPaths:
    """Name the files of one server of one lab."""

    top: Path

    @property
    def upper(self) -> Path:
        """The server's disk: what it has written over the base root."""
        return self.top / "upper"

    @property
    def work(self) -> Path:
        return self.top / "work"

    @property
    def root(self) -> Path:
        """Where the wrapper mounts base root and disk, in a mount namespace of its own; empty seen from outside."""
        return self.top / "root"

    @property
    def base(self) -> Path:
        """Holds the key of the base root the disk was made on."""
        return self.top / "base"

    @property
    def host_key(self) -> Path:
        return self.top / "ssh_host_ed25519_key"

    @property
    def console(self) -> Path:
        return self.top / "console.log"

    @property
    def boot(self) -> Path:
        """What the wrapper needs to boot the server, as JSON."""
        return self.top / "boot.json"

    @property
    def power(self) -> Path:
        """What the wrapper tells about power: boots, since when, how it ended."""
        return self.top / "power.json"

    @property
    def lock(self) -> Path:
        """Locked by the wrapper as long as the server has power."""
        return self.top / "power.lock"

    @property
    def unplugged(self) -> Path:
        """Exists while the server's cable is out."""
        return self.top / "unplugged"


@dataclass(frozen=True)
class LabPaths:
    """Name the files of one lab."""

    top: Path

    @classmethod
    def of(cls, lab: str) -> LabPaths:
        return cls(STATE / lab)

    def server(self, name: str) -> ServerPaths:
        return ServerPaths(self.top / "servers" / name)

    def servers(self) -> list[ServerPaths]:
        """Return every server that ever had something here, also one that the installation no longer has."""
        return [ServerPaths(top) for top in sorted((self.top / "servers").glob("*"))]

    @property
    def lock(self) -> Path:
        return self.top / "lock"

    @property
    def key(self) -> Path:
        return self.top / "id_ed25519"

    @property
    def beside(self) -> Path:
        """Names the inventories whose servers stand beside the lab's own, as JSON."""
        return self.top / "beside.json"

    @property
    def known_hosts(self) -> Path:
        return self.top / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.top / "ssh_config"
