"""Bring this server to a bundle, as one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Bring a server to a bundle, as one transaction
description:
  - A bundle says which files, service addresses and units a server should have. Everything that differs is staged,
    judged by the validators of the applications concerned, put in place, and undone as a whole when anything fails.
  - This is the program that C(tandem.platform.wave) runs on all servers of a wave at once, as an ordinary module for
    one server. Use it to try a bundle, or from a playbook of your own.
  - A new management address or other firewall rules are taken without waiting for a new connection to come through.
options:
  bundle:
    description: The bundle, as C(tandem compile) writes it.
    type: dict
    required: true
  contents:
    description: The contents of files that the server may lack, in base64, by SHA-256.
    type: dict
    default: {}
  number:
    description: The number of the configuration that the bundle is part of, for the server's record.
    type: int
    default: 0
  run:
    description:
      - The number of the run. A server refuses a run older than the newest it has seen.
      - Without a number, this one is taken for the newest.
    type: int
attributes:
  check_mode:
    support: full
    description: Says what would change and changes nothing.
  diff_mode:
    support: full
    description: Shows the differences inside files; of a secret file only that it changes.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Bring the server to its bundle
  tandem.platform.bundle:
    bundle: "{{ lookup('ansible.builtin.file', 'alpha.json') | from_json }}"
    contents: "{{ lookup('ansible.builtin.file', 'contents.json') | from_json }}"
  become: true
"""

RETURN = r"""
files:
  description: The files that changed, each with path and action (add, change or remove).
  returned: always
  type: list
  elements: dict
units:
  description: The units that were started, stopped, restarted or reloaded, each with name and action.
  returned: always
  type: list
  elements: dict
addresses:
  description: The addresses that were added or removed, each with address and action.
  returned: always
  type: list
  elements: dict
undone:
  description: Whether the server was put back to what it was.
  returned: on failure
  type: bool
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils.tandem_server.failure import Failure
from ansible_collections.tandem.platform.plugins.module_utils.tandem_server.state import State
from ansible_collections.tandem.platform.plugins.module_utils.tandem_server.transaction import Transaction, undo


class Alone:
    """Stand in for the controller: hear progress, and have no more contents than came along."""

    def send(self, event, **fields):
        """Hear one message."""

    def receive(self):
        """Return nothing: there is nobody to ask."""

    def refuse_taken_over(self):
        """Do nothing: a run that takes over has a higher number, which is looked at besides."""


def difference(file, contents):
    """Return a difference as Ansible shows it."""
    if file.get("before") is None:
        return {"prepared": f"{file['action']} {file['path']}\n"}
    after = base64.b64decode(contents.get(file["digest"], "")).decode(errors="replace")
    return {"before": file["before"], "after": after, "before_header": file["path"], "after_header": file["path"]}


def change(module, request):
    """Check, or apply after undoing what was left behind."""
    state, listener = State(), Alone()
    if module.check_mode:
        return Transaction(request, state, listener).check()
    state.prepare()
    if request["run"] is None:
        request["run"] = state.highest_run()
    state.announce(request["run"])
    state.lock(lambda: None)
    undo(state, listener)
    transaction = Transaction(request, state, listener)
    try:
        result = transaction.apply()
    except Failure as failure:
        module.fail_json(msg=str(failure), **{**transaction.result, "changed": False})
    if transaction.retire:
        transaction.retire()
    return result


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "bundle": {"type": "dict", "required": True},
            "contents": {"type": "dict", "default": {}, "no_log": True},
            "number": {"type": "int", "default": 0},
            "run": {"type": "int"},
        },
        supports_check_mode=True,
    )
    contents = module.params["contents"]
    request = {
        "bundle": module.params["bundle"],
        "blobs": contents,
        "run": module.params["run"],
        "number": module.params["number"],
        "diff": module._diff,  # noqa: SLF001  Ansible has no other name for it
        "confirm": False,
    }
    try:
        result = change(module, request)
    except (Failure, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    if request["diff"]:
        result["diff"] = [difference(file, contents) for file in result["files"]]
    result["files"] = [{"path": file["path"], "action": file["action"]} for file in result["files"]]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
