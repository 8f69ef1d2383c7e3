"""Hold what every action works with: the servers Ansible knows, how to reach them, the vault, check and diff."""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import json
import os
import signal
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from tandem.ansible.connection import Connection, Connections, everywhere
from tandem.ansible.conversation import Unreachable
from tandem.ansible.fanout import AT_ONCE
from tandem.ansible.inventory import DIRECTORY, RUNNER
from tandem.ansible.loop import Loop
from tandem.ansible.session import Json, Session
from tandem.ansible.vault import NO_TEXT
from tandem.configuration.canonical import digest
from tandem.errors import Failed, InputRefused, TandemError
from tandem.project import project_directory

CONFIGURATION_SERVER = "configuration_server"
PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


class Context:
    """One run of one action."""

    def __init__(self, action: ActionBase, task_vars: Mapping[str, Any]) -> None:
        self.action = action
        _, self.args = action.validate_argument_spec(**action.ARGUMENTS)
        self.check: bool = action._task.check_mode  # noqa: SLF001
        self.diff: bool = action._task.diff  # noqa: SLF001
        self.host: str = task_vars["inventory_hostname"]
        self.limited_to: set[str] = set(task_vars["ansible_play_hosts_all"])
        self._configuration_server: str | None = task_vars.get("configuration_server_address")
        self.groups: Mapping[str, list[str]] = task_vars["groups"]
        self._installation = str(
            self.args.get("installation") or task_vars.get(DIRECTORY) or task_vars["inventory_dir"]
        )
        self._author: str | None = task_vars.get("awx_user_name")
        self._hostvars = task_vars["hostvars"]
        self.connections = Connections(self._hostvars, everywhere(action._play_context, task_vars), action._loader)  # noqa: SLF001
        self.loop = Loop()

    @property
    def directory(self) -> Path:
        """Return where the option tree is, seen from the project: a job's inventory may be a copy far from it."""
        return project_directory() / self._installation

    @property
    def decrypt(self) -> Callable[[str], str] | None:
        """Return what opens the secrets of option files; None where Ansible was given no vault password."""
        vault = self.action._loader._vault  # noqa: SLF001
        if not vault.secrets:
            return None

        def open_secret(ciphertext: str) -> str:
            try:
                return str(vault.decrypt(ciphertext.strip().encode()).decode())
            except UnicodeDecodeError:
                raise Failed(NO_TEXT) from None
            except AnsibleError as error:
                raise Failed(f"a secret cannot be opened with the vault's password: {error.message}") from None

        return open_secret

    @property
    def holder(self) -> str:
        """Say who is at work, for the lease and the history."""
        author = self._author or os.environ.get("TANDEM_AUTHOR") or getpass.getuser()
        return f"{author}@{socket.gethostname()}"

    def runners(self, servers: Iterable[str]) -> dict[str, str]:
        """Name the runner of its site for each server that one is to reach: none of them without `by_site`."""
        if not self.args.get("by_site"):
            return {}
        found = {server: (self._hostvars.raw_get(server) or {}).get(RUNNER) for server in servers}
        return {server: runner for server, runner in found.items() if runner and runner != server}

    def direct(self, servers: Collection[str]) -> list[Connection]:
        """Return the ways to those servers that no runner is to reach, as many as are talked to at once, by name."""
        runners = self.runners(servers)
        own = [server for server in sorted(servers) if server not in runners]
        return [self.connections.to(server) for server in own[:AT_ONCE]]

    @contextlib.contextmanager
    def store(self, *asked: Json) -> Iterator[Session]:
        """Open the store on the configuration server; raise Failed where it cannot be reached.

        `asked` are requests that go with the opening (see Session).
        """
        servers = self.groups.get(CONFIGURATION_SERVER, [])
        if not servers:
            raise Failed("the inventory has no server in the group configuration_server")
        ways = self.ways(servers[0], [self._configuration_server, *_remembered(self.directory)])
        session = Session(self.loop, ways, asked)
        try:
            session.__enter__()
        except Unreachable as error:
            raise Failed(f"configuration server {servers[0]} cannot be reached: {error}") from None
        try:
            yield session
        finally:
            session.__exit__(None, None, None)

    def ways(self, server: str, addresses: Iterable[str | None]) -> list[Connection]:
        """Return the ways to a server: at the addresses it is believed to have, then at that of the inventory."""
        known = self.connections.to(server)
        wanted = [address for address in addresses if address and address != known.address]
        return [*(known.at(address) for address in dict.fromkeys(wanted)), known]


def run(action: ActionBase, task_vars: Mapping[str, Any], do: Callable[[Context], dict[str, Any]]) -> dict[str, Any]:
    """Run an action's work and turn what Tandem refuses or fails at into Ansible's failure, without a traceback."""
    _end_with_parent()
    context = Context(action, task_vars)
    try:
        return do(context)
    except InputRefused as error:
        count = len(error.problems)
        message = f"{error}\n{count} error{'' if count == 1 else 's'}. No server was contacted."
        raise AnsibleActionFail(message, result={"tandem_exit_status": error.exit_status}) from None
    except TandemError as error:
        result = {"tandem_exit_status": error.exit_status, **error.facts}
        raise AnsibleActionFail(str(error), result=result) from None
    finally:
        context.loop.close()


def _end_with_parent() -> None:
    """Let this worker process end when ansible-playbook is killed: it would go on alone, and keep the lease alive.

    Ansible gives every worker a session of its own, so what is sent to the process group does not reach it.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _cache(directory: Path) -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "tandem" / f"{directory.resolve().name}-{digest(str(directory.resolve()).encode())[:12]}.json"


def _remembered(directory: Path) -> list[str | None]:
    """Return the last address that the configuration server was seen at; it is needed when that address changes."""
    try:
        return [json.loads(_cache(directory).read_text())["configuration_server"]]
    except (OSError, ValueError, KeyError):
        return []


def remember(directory: Path, address: str) -> None:
    """Note where the configuration server was seen. The note may be deleted at any time, and holds no secret."""
    path = _cache(directory)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"configuration_server": address}))
