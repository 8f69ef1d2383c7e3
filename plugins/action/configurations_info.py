"""Tell the history of configurations, compare two of them, or look for corruption of the store."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import configurations_info, context


class ActionModule(ActionBase):
    """Run once for the whole installation."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS = {
        "argument_spec": {
            "installation": {"type": "path"},
            "compare": {"type": "list", "elements": "int", "default": []},
            "verify": {"type": "bool", "default": False},
        },
        "mutually_exclusive": [("compare", "verify")],
    }

    def run(self, tmp=None, task_vars=None):
        """Return what there is to tell."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, configurations_info.run)}
