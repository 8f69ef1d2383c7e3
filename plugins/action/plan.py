"""Compile an installation, store the candidate and say what applying it would do."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import context, plan


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
            "back": {"type": "bool", "default": False},
            "drift": {"type": "bool", "default": False},
            "lease": {"type": "bool", "default": False},
            "take_over": {"type": "bool", "default": False},
            "comment": {"type": "str"},
            "without": {"type": "list", "elements": "str"},
            "by_site": {"type": "bool", "default": False},
        },
        "mutually_exclusive": [("number", "plan")],
    }

    def run(self, tmp=None, task_vars=None):
        """Return the plan."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, plan.run)}
