"""Say what every server is on, should be on, and what its agent said last."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from tandem.ansible.actions import agent_info, context


class ActionModule(ActionBase):
    """Run once for the whole installation."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False
    ARGUMENTS = {"argument_spec": {"installation": {"type": "path"}}}

    def run(self, tmp=None, task_vars=None):
        """Return what is known of the fleet."""
        return {**super().run(tmp, task_vars), **context.run(self, task_vars, agent_info.run)}
