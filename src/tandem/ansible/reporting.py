"""Report what became of every server of a wave as Ansible reports a task on a host.

A wave is one action, run once, that reaches many servers. Its worker process sends one event per server; the callback
plugin `per_server`, in Ansible's main process, turns each into what any other task on that host would have caused: the
events that callbacks hear (the terminal's, AWX's), the counts of the recap, and the exit status.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ansible import constants
from ansible.executor.play_iterator import PlayIterator
from ansible.executor.task_queue_manager import CallbackSend, TaskQueueManager
from ansible.executor.task_result import CallbackTaskResult, _RawTaskResult, _WireTaskResult
from ansible.inventory.host import Host
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

CALLBACK = "tandem.platform.per_server"
EVENT = "v2_tandem_server_ended"


class Reporter:
    """Send the outcomes of one running action to the main process."""

    def __init__(self, action: ActionBase, host: str) -> None:
        self._task = action._task  # noqa: SLF001
        self._host = host  # the host the action was queued for
        self._queue = Display()._final_q  # noqa: SLF001  how a worker process speaks to the main one
        self.heard = CALLBACK in (constants.CALLBACKS_ENABLED or ())

    def ended(self, server: str, result: dict[str, Any]) -> None:
        """Report a server's result: the usual keys changed, failed, unreachable, msg, diff."""
        verdict = {key: bool(result.get(key)) for key in ("changed", "failed", "unreachable")}
        # what `no_log` censors is the result; whose it is and how it ended must survive that
        fields = {"name": self._task.get_name(), "action": self._task.action, "args": {"server": server, **verdict}}
        wire = _WireTaskResult(
            host_name=self._host,
            task_uuid=self._task._uuid,  # noqa: SLF001
            return_data=result,
            task_fields={**fields, "diff": self._task.diff, "no_log": self._task.no_log},
        )
        self._queue.put(CallbackSend(method_name=EVENT, wire_task_result=wire))


def manager() -> TaskQueueManager:
    """Return the task queue manager that is calling the callback which calls this: Ansible hands it to nobody."""
    return next(
        found for names in _locals(inspect.currentframe()) if isinstance(found := names.get("self"), TaskQueueManager)
    )


def iterator() -> PlayIterator:
    """Return the iterator of the running play, which the main thread is walking: Ansible hands it to nobody either."""
    frame = sys._current_frames()[threading.main_thread().ident or 0]  # noqa: SLF001
    return next(found for names in _locals(frame) if isinstance(found := names.get("iterator"), PlayIterator))


def _locals(frame: FrameType | None) -> Iterator[dict[str, Any]]:
    """Yield the local names of a frame and of all its callers."""
    while frame:
        yield frame.f_locals
        frame = frame.f_back


def report(event: CallbackTaskResult) -> None:
    """Let the main process treat an event as the result of its server."""
    queue = manager()
    verdict = dict(event.task_fields["args"])
    host = queue._inventory.get_host(verdict.pop("server"))  # noqa: SLF001
    result = {**event.result, **{key: value for key, value in verdict.items() if value or key == "changed"}}
    raw = _RawTaskResult(host=host, task=event.task, return_data=result, task_fields=event.task_fields)
    method, counters = _classify(queue, host, verdict)
    for counter in counters:
        queue._stats.increment(counter, host.name)  # noqa: SLF001
    # send_callback holds a lock that we are inside of: call what it wraps
    send = TaskQueueManager.send_callback.__wrapped__
    if event.task.diff and result.get("diff"):
        send(queue, "v2_on_file_diff", raw)
    send(queue, method, raw)


def _classify(queue: TaskQueueManager, host: Host, verdict: dict[str, bool]) -> tuple[str, list[str]]:
    """Return the callback and the counters of a server's outcome; take one that is bad out of the play.

    Being failed decides over the exit status, and what stands under `always` is still done. Ansible does nothing more
    at all on a host that is unreachable, so the last of a play's hosts is not called so: somebody must end the run.
    """
    if not verdict["unreachable"] and not verdict["failed"]:
        return "v2_runner_on_ok", ["ok", "changed"] if verdict["changed"] else ["ok"]
    play = iterator()
    play.mark_host_failed(host)
    queue._failed_hosts[host.name] = True  # noqa: SLF001
    if verdict["failed"]:
        return "v2_runner_on_failed", ["failures"]
    if {*play.host_states} - {*queue._unreachable_hosts, host.name}:  # noqa: SLF001
        queue._unreachable_hosts[host.name] = True  # noqa: SLF001
    return "v2_runner_on_unreachable", ["dark"]
