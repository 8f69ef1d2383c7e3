"""Tell the command line how tasks have ended."""

from __future__ import annotations

DOCUMENTATION = """
name: command_line
type: stdout
short_description: Tell the command line how tasks have ended
description:
  - The command C(tandem) runs a playbook with this plugin instead of the one that writes to the terminal, and shows
    what it is told in its own words. It is of no use to anybody else.
"""

from ansible.plugins.callback import CallbackBase

from tandem.ansible.progress import CALLBACK, ENDED, emit


class CallbackModule(CallbackBase):
    """Hear the results of tasks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = CALLBACK

    def v2_runner_on_ok(self, result):
        self._tell(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._tell(result, "failed", ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self._tell(result, "unreachable")

    def v2_runner_item_on_ok(self, result):
        self._tell(result, "ok", item=True)

    def v2_runner_item_on_failed(self, result):
        self._tell(result, "failed", item=True)

    @staticmethod
    def _tell(result, verdict, *, item=False, ignored=False):
        found = dict(result.result)
        if found.get("_ansible_no_log") and "censored" in found:
            found = {"censored": found["censored"]}  # warnings and exceptions may quote what is secret
        said = {"action": result.task.action, "host": result.host.name, "result": found}
        emit(ENDED, verdict=verdict, item=item, ignored=ignored, **said)
