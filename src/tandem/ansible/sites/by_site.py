"""Split a wave by site: the runner of a site reaches its servers, and the controller all others."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from tandem.ansible.ahead import Ahead
from tandem.ansible.connection import Connection
from tandem.ansible.fanout import AT_ONCE, FanOut, Job, Tell
from tandem.ansible.loop import Loop
from tandem.ansible.sites.part import Hooks, Part
from tandem.ansible.together import Together


def split(jobs: list[Job], runners: Mapping[str, str]) -> dict[str | None, list[Job]]:
    """Return who does what: jobs by runner, those of the controller under None.

    `runners` names for each server the runner of its site. The controller does sites without one and runners
    themselves; and sites whose runner gets another management address in this wave, which ends connections to it.
    """
    moving = {job.server for job in jobs if job.ways[0].address != job.address}
    parts: dict[str | None, list[Job]] = defaultdict(list)
    for job in jobs:
        runner = runners.get(job.server)
        parts[None if runner in (job.server, *moving) else runner].append(job)
    return dict(parts)


class BySite(FanOut):
    """Run the jobs of each site on its runner; what becomes of every server comes out as if it were done here."""

    def __init__(
        self,
        loop: Loop,
        tell: Tell,
        runners: Mapping[str, str],
        ways: Mapping[str, list[Connection]],
        ahead: Ahead | None = None,
    ) -> None:
        """`runners` names for each server the runner of its site; `ways` to a runner are tried in order."""
        super().__init__(loop, tell, ahead)
        self._runners = runners
        self._ways = ways

    def _at_once(self, jobs: list[Job]) -> int:
        return sum(min(len(part), AT_ONCE) for part in split(jobs, self._runners).values())

    async def _run(self, jobs: list[Job], wave: Together | None) -> None:
        parts = split(jobs, self._runners)
        hooks = Hooks(self._tell, lambda outcome: self._end(outcome, wave), self._confirm)
        away = [Part(runner, self._ways[runner], part, wave, hooks).run() for runner, part in parts.items() if runner]
        await asyncio.gather(super()._run(parts.get(None, []), wave), *away)
