"""Apply a configuration to the servers of one wave: all at once, each by one ssh exec."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from tandem.ansible import progress
from tandem.ansible.account import Account
from tandem.ansible.actions.context import CONFIGURATION_SERVER, Context, remember
from tandem.ansible.ahead import Ahead
from tandem.ansible.approval import astray
from tandem.ansible.availability import Guard
from tandem.ansible.connection import Connection
from tandem.ansible.fanout import FanOut, Job, Outcome, Tell, encode
from tandem.ansible.reporting import Reporter
from tandem.ansible.session import Session, content
from tandem.ansible.sites.by_site import BySite
from tandem.configuration import Configuration, compile_model
from tandem.configuration.places import possible
from tandem.configuration.store import StoredConfiguration
from tandem.errors import Failed
from tandem.model import load
from tandem.project import roles_directory

Json = dict[str, Any]


class Wave:
    """One wave of one run."""

    def __init__(self, context: Context, session: Session, ahead: Ahead | None = None) -> None:
        """`ahead` has conversations with its servers that were begun already."""
        self._context = context
        self._session = session
        self._ahead = ahead
        self._run: int = context.args["run"]
        self._documents = {} if context.check else self._licensed_by()
        self._check = context.check
        self._reporter = Reporter(context.action, context.host)
        active = session.active()
        self._active = session.configuration(active) if active is not None else None
        self._wanted = self._configuration()
        self._bundles: dict[str, Json] = {}

    def _licensed_by(self) -> dict[str, dict[str, str]]:
        """Map servers to the digests of the license and the allocation that they need."""
        answer = self._session.ask(**_documents(self._context))
        held = {
            name: {what: self._session.hold(base64.b64decode(told[what])) for what in told.keys() - {"name"}}
            for name, told in answer["documents"].items()
        }
        return {server: held[name] for server, name in answer["of"].items()}

    @cached_property
    def _guard(self) -> Guard:
        numbers = {number for place in self._session.places().values() for number in possible(place) if number}
        there = [
            self._session.configuration(number) for number in sorted(numbers.intersection(self._session.numbers()))
        ]
        trees = [content.tree() for content in (*there, self._active, self._wanted) if content]
        interrupted = [name for step in self.steps() for name in step["instances"] or ()]
        without = self._context.args.get("without") or []
        return Guard(trees, interrupted, {*self._context.groups["all"]}.difference(without))

    def _configuration(self) -> Configuration | StoredConfiguration:
        """Return the stored configuration; in check mode nothing was stored, so compile it again."""
        number, digest = self._context.args.get("number"), self._context.args.get("digest")
        if number is not None:
            stored = self._session.configuration(int(number))
            if digest and stored.digest != digest:
                raise Failed(f"configuration {number} is not the one that was planned; plan again")
            return stored
        return compile_model(load(self._context.directory, roles_directory()), self._context.decrypt)

    def steps(self) -> list[Json]:
        """Return the steps of this wave's servers, as far as `--limit` lets them through."""
        return [step for step in self._context.args["steps"] if step["server"] in self._context.limited_to]

    def jobs(self) -> list[Job]:
        """Return what is asked of every server of this wave."""
        steps = self.steps()
        contents = {} if self._check else {step["server"]: self._contents(step["server"]) for step in steps}
        self._session.fetch([name for names in contents.values() for name in names])
        return [self._job(step, contents.get(step["server"], [])) for step in steps]

    def _contents(self, server: str) -> list[str]:
        """Return the contents that the server's last configuration did not have: it will need them."""
        old = self._bundle(self._active, server) if self._active and server in self._active.bundles else {"files": []}
        known = {entry.get("digest") for entry in old["files"]}
        return [
            entry["digest"]
            for entry in self._bundle(self._wanted, server)["files"]
            if entry.get("digest") not in {*known, None}
        ]

    def _job(self, step: Json, contents: list[str]) -> Job:
        server = step["server"]
        bundle = self._bundle(self._wanted, server)
        request = {
            "verb": "check" if self._check else "apply",
            "run": self._run,
            "number": self._context.args.get("number"),
            "bundle": bundle,
            "hold": step["hold"],
            "foreseen": None if step.get("late") else step["instances"],
            "guarded": self._guarded(step),
            "license": self._documents.get(server, {}),
            "diff": self._context.diff,
            "blobs": encode({name: self._session.blob(name) for name in contents}),
        }
        ways, address = self._ways(server)
        return Job(server, ways, request, self._session.contents, address, self._refusal)

    async def _refusal(self, server: str, healthy: list[str]) -> str | None:
        return await self._guard.refusal(server, healthy, lambda step: progress.tell(server, step))

    def _guarded(self, step: Json) -> list[str]:
        """Name the instances that are interrupted only while another of their cluster serves.

        Where the plan foresaw that a cluster keeps none, as when its instances swap servers, asking would end the run.
        """
        late = step.get("late")
        if step["instances"] == [] and not late:
            return []
        server, guard = step["server"], self._guard
        found = guard.guarded(server)
        if step.get("guarded") is not None:
            unforeseen = {*found}.difference(step["instances"]) if late else ()
            found = sorted({*step["guarded"], *unforeseen}.intersection(found))
        others = guard.others(found, server) - guard.ways.keys()
        self._fetch_bundles(others)
        guard.ways |= {other: self._ways(other)[0] for other in others}
        return found

    def _fetch_bundles(self, servers: Iterable[str]) -> None:
        """Fetch at once what says where some servers answer."""
        here = [configuration for configuration in (self._active, self._wanted) if configuration]
        self._session.fetch([found.bundles[name] for found in here for name in servers if name in found.bundles])

    def _ways(self, server: str) -> tuple[list[Connection], str]:
        """Return the ways to a server, in the order to try them, and the address it should have in the end."""
        known = self._known_addresses(server)
        if server in self._wanted.bundles:
            known.append(self._bundle(self._wanted, server)["management"]["address"])
        return self._context.ways(server, known), known[-1] if known else ""

    def _known_addresses(self, server: str) -> list[str]:
        """Return where the server was last: as the configuration that it is on says, then as the active one does."""
        on = [number for number in possible(self._session.places().get(server)) if number in self._session.numbers()]
        here = [self._session.configuration(number) for number in on if number and number != self._session.active()]
        known = [
            configuration
            for configuration in (*here, self._active)
            if configuration and server in configuration.bundles
        ]
        return [self._bundle(configuration, server)["management"]["address"] for configuration in known]

    def _bundle(self, configuration: Configuration | StoredConfiguration | None, server: str) -> Json:
        assert configuration
        name = configuration.bundles[server]
        if name not in self._bundles:
            self._bundles[name] = json.loads(configuration.blob(name))
        return self._bundles[name]

    def outcomes(self, tell: Tell, jobs: list[Job] | None = None) -> Iterator[Outcome]:
        """Reach all servers and yield what became of each, as soon as that is known."""
        jobs = self.jobs() if jobs is None else jobs
        return self._fan_out(tell, jobs).run(jobs, together=self._changes(jobs))

    def _fan_out(self, tell: Tell, jobs: list[Job]) -> FanOut:
        """Return what reaches the servers: this controller, or where it is asked for the runners of their sites."""
        runners = self._context.runners(job.server for job in jobs)
        if not runners:
            return FanOut(self._context.loop, tell, self._ahead)
        ways = {runner: self._ways(runner)[0] for runner in {*runners.values()}}
        return BySite(self._context.loop, tell, runners, ways, self._ahead)

    def run(self) -> Json:
        """Reach all servers and return how the wave went; every server's own result is reported beside."""
        jobs = self.jobs()
        if jobs and not any(step.get("late") for step in self.steps()):
            progress.emit("wave", servers=[job.server for job in jobs])
        account = None if self._check else Account(self._session, self._run, int(self._context.args["number"]))
        if account:
            account.begin({job.server: self._wanted.bundles[job.server] for job in jobs})
        outcomes = []
        for outcome in self.outcomes(progress.tell, jobs):
            outcomes.append(outcome)
            if outcome.begun:
                self._ended(outcome)
        good = [outcome for outcome in outcomes if outcome.good and not outcome.result.get("postponed")]
        if account and good:
            self._follow_configuration_server(jobs)
        if account:
            account.end(outcomes, {job.server for job in jobs if job.request["hold"]})
        bad = {outcome.server: outcome.failed for outcome in outcomes if outcome.begun and not outcome.good}
        result = {
            "changed": False,  # each server's own result says whether it has changed
            "done": [outcome.server for outcome in good],
            "failures": bad,
            "away": [outcome.server for outcome in outcomes if outcome.unreachable],
            "postponed": [outcome.server for outcome in outcomes if outcome.result.get("postponed")],
            "changes": {outcome.server: brief(outcome.result) for outcome in good if outcome.result.get("changed")},
        }
        if bad and not self._reporter.heard:
            result.update(failed=True, msg="\n".join(f"{server}: {why}" for server, why in bad.items()))
        return result

    def _changes(self, jobs: list[Job]) -> bool:
        """Tell whether the wave changes a server: then a server that is away stops the run before it."""
        return len(jobs) > 1 and not self._check and bool(self.changing([job.server for job in jobs]))

    def changing(self, servers: list[str]) -> list[str]:
        """Return those of some servers that are not surely on the active configuration, or that this one changes."""
        before = self._active.bundles if self._active else {}
        elsewhere = astray(self._session, servers)
        return [name for name in servers if name in elsewhere or before.get(name) != self._wanted.bundles[name]]

    def _follow_configuration_server(self, jobs: list[Job]) -> None:
        """Stay in touch with the store when the configuration server itself got another management address."""
        for job in jobs:
            if job.server in self._context.groups[CONFIGURATION_SERVER]:
                if job.ways[0].address != job.address:
                    self._session.moved(job.ways[0].at(job.address))
                remember(self._context.directory, job.address)

    def _ended(self, outcome: Outcome) -> None:
        result: Json = {"changed": bool(outcome.result.get("changed"))}
        if outcome.unreachable:
            result.update(unreachable=True, msg=outcome.unreachable)
        elif outcome.failed:
            result.update(failed=True, changed=False, msg=outcome.failed + _undone(outcome.result))
        else:
            result.update(brief(outcome.result))
            if self._context.diff:
                result["diff"] = [self._difference(file) for file in outcome.result["files"]]
        step = outcome.failed or _sentence(outcome.result, check=self._check)
        idle = outcome.good and not outcome.result["changed"] and not outcome.result.get("postponed")
        told = {"server": outcome.server, "step": step, "good": outcome.good, "idle": idle}
        progress.emit("ended", **told, diff=result.get("diff", []))
        self._reporter.ended(outcome.server, result)

    def _difference(self, file: Json) -> Json:
        """Return a difference as Ansible's callbacks show it; what is secret or no text is only named."""
        if "before" not in file:
            return {"prepared": f"{file['action']} {file['path']}\n"}
        if file["before"] is None:
            return {"prepared": f"{file['action']} {file['path']} (no text, or too long to show)\n"}
        after = self._wanted.blob(file["digest"]).decode(errors="replace")
        return {"before": file["before"], "after": after, "before_header": file["path"], "after_header": file["path"]}


def run(context: Context) -> Json:
    """Apply one wave (see plugins/modules/wave.py for what goes in and out)."""
    servers = sorted({step["server"] for step in context.args["steps"]}.intersection(context.limited_to))
    with (
        contextlib.closing(Ahead(context.loop, context.direct(servers))) as ahead,
        context.store(*_asked(context, servers)) as session,
    ):
        if context.check:
            return Wave(context, session, ahead).run()
        session.ask("renew", run=context.args["run"])
        with session.renewing(context.args["run"]):
            wave = Wave(context, session, ahead)
            return _with_postponed(context, session, wave, wave.run())


def _with_postponed(context: Context, session: Session, wave: Wave, found: Json) -> Json:
    """Go on, one by one, with servers that postponed themselves and that later waves may count on.

    Such a step is late: it may interrupt anything, and asks before what the plan has not foreseen too.
    """
    for server in [] if found["failures"] else wave.changing(found["postponed"]):
        late = copy.copy(context)
        step = next(step for step in wave.steps() if step["server"] == server)
        late.args = {**context.args, "steps": [{**step, "late": True}]}
        found["postponed"].remove(server)
        found = together([found, Wave(late, session).run()])
        if found["failures"]:
            break
    return found


def together(found: list[Json]) -> Json:
    """Return the results of several waves as one."""
    one: Json = {"changed": False, "done": [], "failures": {}, "away": [], "postponed": [], "changes": {}}
    for other in found:
        one |= {name: one[name] + other[name] for name in ("done", "away", "postponed")}
        one |= {name: one[name] | other[name] for name in ("failures", "changes")}
        one |= {name: other[name] for name in ("failed", "msg") if name in other}
    return one


def _asked(context: Context, servers: list[str]) -> Iterator[Json]:
    """Yield what a wave asks of the store first: whether the lease is still its own, and what it is about."""
    number = context.args.get("number")
    if not context.check:
        yield {"do": "renew", "run": context.args["run"]}
        yield _documents(context)
    guarded = any(step["instances"] != [] for step in context.args["steps"])
    yield content(servers=servers, tree=guarded)
    if number is not None:
        yield content(int(number), servers=servers, tree=guarded, files=not context.check)


def _documents(context: Context) -> Json:
    """Return the request for what the servers of this wave are licensed by."""
    servers = sorted({step["server"] for step in context.args["steps"]}.intersection(context.limited_to))
    return {"do": "documents", "number": int(context.args["number"]), "servers": servers}


def brief(result: Mapping[str, Any]) -> Json:
    """Return what changed on a server, without contents."""
    return {
        "files": [{"path": file["path"], "action": file["action"]} for file in result["files"]],
        "units": result["units"],
        "addresses": result["addresses"],
        "seconds": result["seconds"],
    }


def _undone(result: Mapping[str, Any]) -> str:
    return "; everything on this server is as it was before" if result.get("undone") else ""


def _sentence(result: Mapping[str, Any], *, check: bool) -> str:
    """Say in a line what became of a server."""
    if result.get("postponed"):
        return f"postponed: it would interrupt {', '.join(result['postponed'])}, which the plan did not foresee"
    if not result["changed"]:
        return "nothing to do"
    parts = [f"{len(result['files'])} file{'' if len(result['files']) == 1 else 's'}"] if result["files"] else []
    parts += [f"{unit['action']} {unit['name']}" for unit in result["units"]]
    parts += [f"{address['action']} {address['address']}" for address in result["addresses"]]
    return f"{'would change' if check else 'changed'}: {', '.join(parts)} ({result['seconds']:.1f} s)"
