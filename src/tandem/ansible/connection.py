"""Reach a server as Ansible would: user, key, become and ssh arguments as Ansible resolved them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars

from tandem.errors import Failed

# noticed within half a minute: a server that lost its power or its cable in the middle of a conversation
KEEP_ALIVE = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")
OF_ONE_HOST = ("remote_user", "password", "become", "become_method", "become_pass")
BECOME = ("become_user", "become_exe", "become_flags")
NEW_CONNECTION = ("-o", "ControlMaster=no", "-o", "ControlPath=none")


class Connection:
    """How one server is reached over ssh, at one address."""

    def __init__(self, server: str, plugin: Any, address: str) -> None:
        self.server = server
        self.address = address
        self._plugin = plugin
        self._plugin.host = address

    @property
    def become_password(self) -> str | None:
        """Return the password that sudo will ask for; None where none is configured."""
        password = self._plugin.become.get_option("become_pass") if self._plugin.become else None
        return str(password) if password else None

    def at(self, address: str, server: str | None = None) -> Connection:
        """Return the way to the same server at another of its addresses, or to one that is reached in the same way."""
        return Connection(server or self.server, copy.copy(self._plugin), address)

    def as_user(self) -> Connection:
        """Return the way to the same server with no more rights than the user has who logs in."""
        plugin = copy.copy(self._plugin)
        plugin.become = None
        return Connection(self.server, plugin, self.address)

    def variables(self) -> dict[str, Any]:
        """Return what the inventory of another machine has to say of this server.

        That is address, port, user and become; keys, and what else ssh is told, are that machine's own. Raise Failed
        where a password is needed.
        """
        become = self._plugin.become
        if self.become_password or self._plugin.get_option("password"):
            raise Failed(f"{self.server}: passwords stay on the controller; by site, ssh needs a key and sudo none")
        found = {
            "ansible_host": self.address,
            "ansible_port": self._plugin.get_option("port"),
            "ansible_user": self._plugin.get_option("remote_user"),
            "ansible_become": bool(become),
            **{f"ansible_{name}": become.get_option(name) for name in BECOME if become},
        }
        return {name: value for name, value in found.items() if value is not None}

    def argv(self, command: str, *, new: bool = False) -> list[bytes]:
        """Return the ssh command that runs a command on the server, with the rights that become gives.

        `new` asks for a connection of its own, not one that is shared and already open.
        """
        if become := self._plugin.become:
            command = become.build_become_command(command, self._plugin._shell)  # noqa: SLF001
        argv = self._ssh("-T", self.address, command)
        return [argv[0], *(word.encode() for word in NEW_CONNECTION), *argv[1:]] if new else argv

    def opening(self) -> list[bytes] | None:
        """Return the ssh command that opens the connection which others share, and ends; None where none is shared."""
        argv = self._ssh("-N", self.address)
        return argv if any(b"controlpersist" in word.lower() for word in argv) else None

    def _ssh(self, *words: str) -> list[bytes]:
        executable = self._plugin.get_option("ssh_executable")
        try:
            argv: list[bytes] = self._plugin._build_command(executable, "ssh", *KEEP_ALIVE, *words)  # noqa: SLF001
        except AnsibleError as error:
            raise Failed(f"{self.server}: {error}") from None
        return argv

    def started(self) -> Startup:
        """Return a context whose `popen` has what else the process needs: a way to ask for the password."""
        return Startup(self._plugin)

    def __str__(self) -> str:
        return f"{self.server} ({self.address})"


class Startup(contextlib.ExitStack[bool | None]):
    """Keep the ssh password where ssh's askpass finds it, as long as the process lives."""

    def __init__(self, plugin: Any) -> None:
        super().__init__()
        self.popen: dict[str, Any] = plugin._init_shm()  # noqa: SLF001
        if plugin.shm:
            self.callback(_unlink, plugin.shm)


def _unlink(memory: Any) -> None:
    memory.close()
    with contextlib.suppress(FileNotFoundError):
        memory.unlink()


def everywhere(play_context: PlayContext, variables: Mapping[str, Any]) -> PlayContext:
    """Return what the play and the command line say of every host, without what one host's own variables say of it.

    Ansible has mixed these in, for the host that it runs an action for.
    """
    found = copy.copy(play_context)
    for attribute in OF_ONE_HOST:
        if any(name in variables for name in constants.MAGIC_VARIABLE_MAPPING[attribute]):
            setattr(found, attribute, context.CLIARGS.get(attribute))
    return found


class Connections:
    """The ways to all servers of an inventory, as one action sees them."""

    def __init__(self, hostvars: HostVars, play_context: PlayContext, loader: Any) -> None:
        self._hostvars = hostvars
        self._play_context = play_context
        self._loader = loader
        self._made: dict[str, Connection] = {}  # by what told how: setting up Ansible's plugins takes longest
        self._to: dict[str, Connection] = {}  # by server

    def to(self, server: str) -> Connection:
        """Return the way to one server; raise Failed where its variables do not describe one that Tandem can go."""
        if server not in self._to:
            self._to[server] = self._found(server)
        return self._to[server]

    def _found(self, server: str) -> Connection:
        variables = self._hostvars.raw_get(server)
        if not isinstance(variables, Mapping):
            raise Failed(f"{server}: is not a host of Ansible's inventory")
        told = _told(variables)
        if told in self._made:
            return self._made[told].at(str(variables.get("ansible_host") or variables["inventory_hostname"]), server)
        connection = self._make(server, variables)
        if not _templated(told):
            self._made[told] = connection
        return connection

    def _make(self, server: str, variables: Mapping[str, Any]) -> Connection:
        templar = Templar(loader=self._loader, variables=variables)
        kind = templar.template(variables.get("ansible_connection", "ssh"))
        if kind not in ("ssh", "ansible.builtin.ssh", "smart"):
            raise Failed(f"{server}: ansible_connection is {kind}; servers are reached over ssh")
        play_context = copy.copy(self._play_context)
        plugin, _ = connection_loader.get_with_context("ssh", play_context, new_stdin=None)
        keys = {name: getattr(play_context, name) for name in ("timeout", "remote_user", "password")}
        plugin.set_become_plugin(self._become(server, variables, templar))
        told = plugin._resolve_option_variables(variables, templar)  # noqa: SLF001
        plugin.set_options(task_keys={name: value for name, value in keys.items() if value}, var_options=told)
        plugin._shell.set_options()  # noqa: SLF001
        return Connection(server, plugin, str(plugin.get_option("host") or variables["inventory_hostname"]))

    def _become(self, server: str, variables: Mapping[str, Any], templar: Templar) -> Any:
        wanted = variables.get("ansible_become", self._play_context.become)
        if not boolean(templar.template(wanted) or False):
            return None
        method = templar.template(variables.get("ansible_become_method", self._play_context.become_method or "sudo"))
        if method.removeprefix("ansible.builtin.") != "sudo":
            raise Failed(f"{server}: ansible_become_method is {method}; Tandem uses sudo")
        become = become_loader.get(method)
        names = constants.config.get_plugin_vars("become", become._load_name)  # noqa: SLF001
        options = {name: templar.template(variables[name]) for name in names if name in variables}
        keys = {"become_pass": self._play_context.become_pass} if self._play_context.become_pass else {}
        become.set_options(task_keys=keys, var_options=options)
        return become


def _templated(value: object) -> bool:
    """Tell whether a value may stand for something else on every server."""
    return any(mark in str(value) for mark in ("{{", "{%"))


def _told(variables: Mapping[str, Any]) -> str:
    """Return what variables say of reaching a server, but for where it is."""
    names = [name for name in sorted(variables) if name.startswith("ansible_")]
    if not _templated(variables.get("ansible_host")) and "ansible_ssh_host" not in names:
        names = [name for name in names if name != "ansible_host"]
    return repr([(name, variables[name]) for name in names])
