"""The lab of one installation: all its servers, their network, and every way to break and mend them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from lab import access, answering, cache, disk, host, namespaces, network, prerequisites, topology
from lab.cgroups import Group
from lab.errors import LabError
from lab.paths import LabPaths
from lab.run import Completed, captured
from lab.server import Server, held
from lab.topology import Site, Topology

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,29}"

TOOLS = """mount --bind "$1" "$1"
cd "$1"
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs tmp tmp
mount -o remount,bind,ro "$1"
shift
exec chroot . "$@"
"""


class Lab:
    """Bring up an installation's servers on this machine, under a name of its own.

    `inventory` is an inventory directory or its installation.yml; `name` is the installation's name unless given. `say`
    is called with one line of text for each thing that takes time. `beside` are the inventories of other installations
    whose servers stand in the same lab; `up` remembers them for whoever does not give any. Methods raise LabError for
    what cannot be done.
    """

    def __init__(
        self,
        inventory: str | Path,
        name: str | None = None,
        say: Callable[[str], None] = lambda _: None,
        beside: Sequence[str | Path] | None = None,
    ) -> None:
        self.inventory = Path(inventory)
        self.say = say
        self._name = name
        self._beside = beside

    @cached_property
    def name(self) -> str:
        """The lab's name, part of the name of all it makes."""
        name = self._name or self.own.name
        if not re.fullmatch(NAME, name):
            raise LabError(f"{name}: a lab's name has letters, digits, - and _, at most 30; give one with --name")
        return name

    @property
    def paths(self) -> LabPaths:
        return LabPaths.of(self.name)

    @cached_property
    def beside(self) -> list[Path]:
        """The inventories of the installations beside this one: those given, or else those that `up` remembers."""
        if self._beside is not None:
            return [Path(inventory).absolute() for inventory in self._beside]
        with contextlib.suppress(FileNotFoundError):
            return [Path(inventory) for inventory in json.loads(self.paths.beside.read_text())]
        return []

    @cached_property
    def own(self) -> Topology:
        """What the installation itself consists of, without those beside it."""
        return topology.read(self.inventory)

    @cached_property
    def topology(self) -> Topology:
        return topology.together([self.own, *map(topology.read, self.beside)])

    @cached_property
    def servers(self) -> dict[str, Server]:
        """All servers of the lab by name."""
        return {name: Server(self.name, entry) for name, entry in self.topology.servers.items()}

    @property
    def inventories(self) -> str:
        """The inventories, as people read them."""
        return " and ".join(map(str, (self.inventory, *self.beside)))

    @property
    def ssh_config(self) -> Path:
        """The file that makes `ssh -F` and Ansible reach the servers."""
        return self.paths.ssh_config

    def server(self, name: str) -> Server:
        """Return one server, or raise LabError with the names there are."""
        if name not in self.servers:
            raise LabError(f"{name} is not a server of {self.inventories}; these are: {', '.join(self.servers)}")
        return self.servers[name]

    def site(self, name: str) -> Site:
        """Return one site, or raise LabError with the names there are."""
        if name not in self.topology.sites:
            raise LabError(f"{name} is not a site of {self.inventories}; these are: {', '.join(self.topology.sites)}")
        return self.topology.sites[name]

    def is_up(self) -> bool:
        """Tell whether the lab's network is there, be it half made."""
        return bool(namespaces.of_lab(self.name))

    def up(self, timeout: float = 120) -> None:
        """Bring everything up and together: all servers on, going on and plugged in, no partitions.

        Does only what is not so already. Returns when every sshd answers, at most `timeout` seconds after the last
        server was switched on.
        """
        prerequisites.check()
        wanted = self.topology
        with self._alone():
            base = cache.base(self.say)
            access.prepare(self.paths)
            if self._beside is not None:
                disk.replace(self.paths.beside, json.dumps([str(inventory) for inventory in self.beside]))
            host.raise_limits()
            network.build(self.name, wanted)
            self._remove_strangers()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda server: self._up(server, base), self.servers.values()))
            access.write(self.name, self.paths, wanted)
        self.wait(timeout=timeout)

    def _up(self, server: Server, base: Path) -> None:
        server.resume()
        outdated = server.disk_is_outdated(base)
        if server.on(base):
            self.say(f"{server.name}: switched on{', with a new disk: the packages have changed' if outdated else ''}")
        elif outdated:
            self.say(f"{server.name}: goes on with the packages it was made with; reset it for those declared now")
        server.plug()

    def _remove_strangers(self) -> None:
        """Cut the power of servers that the installation no longer has; their disks stay."""
        for paths in self.paths.servers():
            if paths.top.name not in self.servers:
                Group(self.name, "servers", paths.top.name).kill()

    def down(self, *, purge: bool = False, cut: bool = False) -> None:
        """Take everything away, also of a lab half made: servers, network, control groups, clients still connected.

        Servers are shut down, and what is not off after 30 seconds is cut; at once with `cut`. Disks and keys stay
        unless `purge`. Needs no installation.yml when the lab's name was given.
        """
        prerequisites.check()
        if not self.paths.top.exists() and not self.is_up():
            return
        self.paths.top.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not (cut or purge):
                self._shut_down()
            self._kill()
            namespaces.delete(namespaces.of_lab(self.name))
            Group(self.name).remove()
            Group.remove_top_if_empty()
            for paths in self.paths.servers():
                paths.unplugged.unlink(missing_ok=True)
            host.restore_limits()
            if purge:
                shutil.rmtree(self.paths.top)

    def _kill(self) -> None:
        """Kill everything, also wrappers that a killed `up` has started and that have not come far yet."""
        servers = self.paths.servers()
        end = time.monotonic() + 20
        while True:
            Group(self.name, "wrappers").kill()
            Group(self.name, "servers").kill()
            if not (alive := [paths.top.name for paths in servers if held(paths.lock)]):
                return
            if time.monotonic() > end:
                raise LabError(f"{', '.join(alive)}: cannot be killed (waited 20 s)")
            time.sleep(0.02)

    def _shut_down(self) -> None:
        try:
            servers = self.servers.values()
        except LabError as error:
            self.say(f"{error}; so the servers are cut, not shut down")
            return
        for server in servers:
            with contextlib.suppress(LabError):  # what does not shut down is cut right after
                server.press()
        end = time.monotonic() + 30
        while time.monotonic() < end and any(server.state() == "on" for server in servers):
            time.sleep(0.02)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one `up` or `down` of this lab work at a time."""
        self.paths.top.mkdir(parents=True, exist_ok=True)
        with open(self.paths.lock, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.say(f"another command brings lab {self.name} up or down; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def wait(self, names: Iterable[str] = (), timeout: float = 120) -> None:
        """Wait until the sshd of the named servers, or of all, answers."""
        chosen = [self.server(name) for name in names or self.servers]
        addresses = {server.name: str(server.entry.address) for server in chosen}
        answering.wait(self.name, addresses, timeout, lambda name: self.servers[name].why_silent())

    def on(self, name: str) -> None:
        """Boot a server that is off, with the disk it has; does not wait for it."""
        self.must_be_up()
        server = self.server(name)
        server.on(server.base() or cache.base(self.say))

    def off(self, name: str, timeout: float = 60) -> None:
        """Shut a server down, as its power button does, and wait for it."""
        self.server(name).off(timeout)

    def cut(self, name: str) -> None:
        """Take a server's power away; it stays off until `on`."""
        self.server(name).cut()

    def hang(self, name: str) -> None:
        """Make a server hang: its kernel answers, its processes do not."""
        self.server(name).hang()

    def resume(self, name: str) -> None:
        """Let a hanging server go on."""
        self.server(name).resume()

    def unplug(self, name: str) -> None:
        """Pull a server's cables."""
        self.must_be_up()
        self.server(name).unplug()

    def plug(self, name: str) -> None:
        """Plug a server's cables in."""
        self.must_be_up()
        self.server(name).plug()

    def reset(self, name: str) -> None:
        """Cut a server, throw its disk away, and boot it as built from nothing; does not wait for it."""
        self.must_be_up()
        self.server(name).reset(cache.base(self.say))

    def partition(self, here: str, there: str, *, one_way: bool = False) -> None:
        """Lose silently what goes from one site to another, and back unless `one_way`."""
        self._between(here, there, one_way, on=True)

    def heal(self, here: str, there: str) -> None:
        """End a partition, in both directions."""
        self._between(here, there, False, on=False)

    def _between(self, here: str, there: str, one_way: bool, *, on: bool) -> None:
        self.must_be_up()
        if self.site(here) == self.site(there):
            raise LabError(f"{here}: a partition needs two sites")
        network.partition(self.name, self.site(here), self.site(there), on=on)
        if not one_way:
            network.partition(self.name, self.site(there), self.site(here), on=on)

    def exec(self, name: str, argv: Sequence[str], *, stdin: str = "", timeout: float = 60) -> Completed:
        """Run a command on a server as root, without SSH; its exit status is in what is returned.

        Raises subprocess.TimeoutExpired after `timeout` seconds; the command is killed then.
        """
        return captured(self.server(name).inside(argv), stdin, timeout)

    def controller(
        self, argv: Sequence[str], *, tools: bool = False, stdin: str = "", timeout: float = 60
    ) -> Completed:
        """Run a command where the controller stands; with `tools`, one from the base root instead of this machine's."""
        return captured(self.in_controller(argv, tools=tools), stdin, timeout)

    def in_controller(self, argv: Sequence[str], *, tools: bool = False) -> list[str]:
        """Return the words that run a command in the controller's network."""
        self.must_be_up()
        namespace = namespaces.controller(self.name)
        if not tools:
            return [*namespaces.inside(namespace), *argv]
        return [
            *namespaces.inside(namespace),
            "unshare",
            "-m",
            "sh",
            "-ec",
            TOOLS,
            "sh",
            str(cache.base(self.say)),
            *argv,
        ]

    def path(self, name: str) -> Path:
        """Return the directory of what a server has written over its base root."""
        return self.server(name).paths.upper

    def must_be_up(self) -> None:
        """Raise LabError when the lab is down."""
        if not self.is_up():
            raise LabError(f"lab {self.name} is down; bring it up first")
