"""Compare the servers with the active configuration, and change nothing."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import context, drift_info


class ActionModule(ActionBase):
    """Run once for the whole installation."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS = {"argument_spec": {"installation": {"type": "path"}}}

    def run(self, tmp=None, task_vars=None):
        """Return what differs."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, drift_info.run)}
