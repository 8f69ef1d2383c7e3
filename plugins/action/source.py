"""Write the source of a stored configuration as editable files."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import context, source


class ActionModule(ActionBase):
    """Run once for the whole installation."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS = {
        "argument_spec": {
            "installation": {"type": "path"},
            "number": {"type": "int", "required": True},
            "path": {"type": "path", "required": True},
        },
    }

    def run(self, tmp=None, task_vars=None):
        """Return the files written."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, source.run)}
