"""End a run: make its configuration the active one, or give the lease back."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import activation, context


class ActionModule(ActionBase):
    """Run once for the whole installation."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS = {
        "argument_spec": {
            "installation": {"type": "path"},
            "number": {"type": "int"},
            "plan": {"type": "str"},
            "run": {"type": "int", "required": True},
            "comment": {"type": "str"},
            "without": {"type": "list", "elements": "str"},
            "state": {"type": "str", "required": True, "choices": ["active", "released"]},
        },
        "required_if": [("state", "active", ["number"])],
    }

    def run(self, tmp=None, task_vars=None):
        """Return whether the configuration has become the active one."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, activation.run)}
