"""Apply a configuration to the servers of one wave."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import context, wave


class ActionModule(ActionBase):
    """Run once for the whole wave; every server's result is reported as that host's."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS = {
        "argument_spec": {
            "installation": {"type": "path"},
            "number": {"type": "int"},
            "digest": {"type": "str"},
            "run": {"type": "int", "required": True},
            "by_site": {"type": "bool", "default": False},
            "without": {"type": "list", "elements": "str"},
            "steps": {"type": "list", "elements": "dict", "required": True},
        },
    }

    def run(self, tmp=None, task_vars=None):
        """Return how the wave went."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, wave.run)}
