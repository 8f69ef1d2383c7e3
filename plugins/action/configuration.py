"""Mark a stored configuration, discard a candidate, or prune what is old."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import configuration, context


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
            "state": {"type": "str", "required": True, "choices": ["absent", "marked", "pruned"]},
            "remove": {"type": "bool", "default": False},
            "keep": {"type": "int"},
            "comment": {"type": "str"},
        },
        "required_if": [
            ("state", "absent", ["number"]),
            ("state", "marked", ["number"]),
            ("state", "pruned", ["keep"]),
        ],
    }

    def run(self, tmp=None, task_vars=None):
        """Return what has changed."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, configuration.run)}
