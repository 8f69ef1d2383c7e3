"""Report every server of a wave as the host that it is."""

from __future__ import annotations

DOCUMENTATION = """
name: per_server
type: notification
short_description: Report every server of a wave as the host that it is
description:
  - C(tandem.platform.wave) reaches all servers of a wave in one action. This plugin turns what became of each into the
    result of that host, so that the terminal, AWX, the recap and the exit status show it as that of any other task.
requirements:
  - enabled in ansible.cfg (C(callbacks_enabled))
"""

import gc

from ansible.plugins.callback import CallbackBase

from tandem.ansible.progress import end_with_command
from tandem.ansible.reporting import CALLBACK, EVENT, report


class CallbackModule(CallbackBase):
    """Hear the events that waves send."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = CALLBACK
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        end_with_command()

    def _init_callback_methods(self):
        super()._init_callback_methods()
        self._implemented_callback_methods |= {EVENT}

    def v2_playbook_on_task_start(self, _task, is_conditional):  # noqa: ARG002  Ansible names it
        """Keep the collector of garbage from what is loaded by now: the task's process has a copy of all of it."""
        gc.freeze()

    def v2_playbook_on_stats(self, _stats):
        """Keep it from the same at the end, where everything goes anyway."""
        gc.freeze()

    def v2_tandem_server_ended(self, result):
        """Pass a server's outcome on to everybody who listens."""
        report(result)
