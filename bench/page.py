"""Write docs/benchmarks.md and its plots from what was measured: `python -m bench.page [--docs DIRECTORY]`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench import plot
from bench.results import (
    LONG_LINE,
    MEASURED,
    SCENARIOS,
    TANDEM,
    Compiles,
    Results,
    Target,
    compile_targets,
    targets,
)

Json = Mapping[str, Any]
ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs/benchmarks"
NAMES = {
    **TANDEM,
    "pyinfra": "pyinfra",
    "tuned": "role, tuned",
    "hand": "role, as written",
    "rsync": "rsync (files only)",
    "ssh_new": "ssh true, new",
    "ssh_warm": "ssh true, warm",
    "python": "python3 -c pass, new",
}
TITLES = {"cold": "cold", "noop": "no-op", "change": "one option"}
COMPILES = {
    "cold": "compile, no cache",
    "warm": "compile again",
    "one": "plan, one option of one instance changed",
    "wide": "plan, one option of the installation changed (one run)",
}
HEAD = """\
# Benchmarks

`make bench` measures and writes this page (root, Debian 12; about an hour). `python -m bench.delivery --quick` takes a
few minutes and writes only JSON, to `build/bench/quick.json`; `python -m bench.compile` needs neither root nor servers.
`python -m bench.delivery --roles` adds the runs of the hand-written roles that an hour has no room for, and takes an
hour and a half; `python -m bench.page` writes the page again. The figures behind it are in `docs/benchmarks/`. Of
delivering, trust ratios: all contenders of a table but the roles took turns on the same machine, which also played all
the servers.
"""
JOB = """\
## Delivering configurations

The job: 40 files of 1–4 KB, rendered from 40 templates and some 200 options, and a restart of exactly the units
concerned, of five on every server. *Cold*: nothing is there yet. *No-op*: everything is there. *One option*: one option
was changed, which stands in one file of every server. After every run the files are compared byte for byte, with their
modes, with what Jinja alone makes of the templates; but not with 1,000 servers. Those are 100 times sshd, system and
disk, of ten servers each, and ten ssh sessions there are one for each server.

Every server is a real sshd with a root file system (Debian 12), network, process and mount namespace of its own; its
disk is a directory of this machine's disk, so that fsync costs what it costs. For systemd a small program stands in,
the same for all: it writes down what was restarted, and runs what drop-ins want run before a start.

- **tandem apply**, **ansible-playbook** (`playbooks/apply.yml`): Tandem as it is: compiling, the store and the lease on
  a configuration server, waves, and on every server comparing, staging, a validator, journal, fsync, undo, restarts,
  health probes. Each instance is a cluster of its own, so that all servers are in one wave, as the peers take them.
  Connections are new in every run. Compiled templates are in the controller's cache after the cold run.
- **pyinfra**: `files.template` and restarts on change; neither validation, journal nor fsync. It brings its own ssh
  (paramiko), which exchanges keys by curve25519 whatever the servers prefer.
- **role, as written**: a role that loops over `template` and notifies handlers, with Ansible's defaults and facts.
- **role, tuned**: the same with 20 forks, the free strategy, pipelining, persistent connections, and no facts. Both
  roles take minutes for each run, and so have one, not in turns with the others. With one option they restart all five
  units of a server: what a loop notifies, Ansible notifies for all its items when one of them has changed.
- The floor: **ssh true** from one process for all servers, on new and on warm connections; **rsync** of files that
  were rendered before, without restarts.

Interleaved runs: {rounds} with 5 and {number} servers, of which medians are given, {fewer} with 50, {far} over the long
line, one with more servers. Seconds of wall time; CPU seconds are those of controller and servers together, which what
else the machine does changes less.
"""
KEYS = """\
### Key exchange

OpenSSH 9.2 of Debian 12 prefers sntrup761, which is post-quantum and costs several times the CPU of curve25519; from
OpenSSH 9.9 on both ends mlkem768 is post-quantum and cheap. Tandem leaves the choice to ssh and never changes it: the
figures with curve25519 are those of `-o KexAlgorithms=curve25519-sha256` in `ansible_ssh_common_args`. The runs of
pyinfra are those of the table above.
"""
EMPTY = 0.75  # seconds of an `ansible-playbook` whose only task does nothing, on the machine of the published figures
PROFILE = """\
### Where Tandem's time goes

From profiles, which this program does not repeat, in seconds of wall time, on a machine that takes a third longer than
that of the tables. **A no-op** of 20 servers with curve25519 took 4.1 in one of them: 0.15 for the command line to
begin; 1.05 for Ansible to load itself, its plugins and the inventory (1.2 with a task that does nothing, when
`ansible-playbook` is run as it is); 0.2 for it to begin with the first task; 0.3 for loading Tandem's actions and
compiling; 0.6 for planning and the store, while connections to all servers are opened; 1.3 for the servers; 0.4 for the
processes of five more tasks and the store again; 0.1 for the end.
Until it has compiled, one of the two processors has nothing to do, because no server may be told anything yet.
The servers are a matter of processors: for each 45 ms there, of which Python takes 14 to start and 21 to import and
comparing 58 files 5, beside an ssh client and a session of its sshd. An ssh connection costs both ends together 50 ms
of a processor with curve25519, and 200 with sntrup761.

**A change** costs more by making the 20 servers' parts of the configuration anew, and by less than 0.1 of a processor
on each server: journal, a validator in namespaces of its own, a restart and what it records.

**A cold apply** compiles 40 templates of some 200 lines (2.4; Jinja's own work, and once), renders and stores 840 files
(1.2 each), and has a server do what takes it 0.25 of a processor: unpacking and compiling the server program, staging
57 new files on an overlay, validating, five restarts and six probes. Templates and Ansible's start take nearly as long
as a ninth of what pyinfra takes.

Over a long line round trips count: a connection costs 8, and a no-op needs two that follow each other (to the
configuration server, then to all servers), and about 10 more for the store's answers. A server is told nothing before
the source has been compiled without a mistake, so connecting cannot begin while compiling.
"""
MISSED = "What is left of the time that targets give, when those have taken theirs that nobody gets past:\n\n"
GUARD = """\
## The guard

What each start of an instance costs where the installation has a license: Python, and both signatures looked at by
xmlsec1. Medians of {rounds} runs, in turns with Python that does nothing.
"""
COMPILING = """\
## Compiling and planning

The installation is made up by a program, from a seed: {servers} servers, each with one instance of {applications}
applications, {instances} instances in all, in clusters of {cluster}; {options} options for each application, {unions}
of them with `merge: union`; {environments} environments. Every file of the option tree, from the installation down to
each instance, sets {own} of an application's options in Global, and {tenant} for one environment each. An instance has
{files} files, which together read {used} of its options, and of one option its value in each environment too.

Every figure is that of the `tandem` command in a fresh process, with whatever it starts; the installation's files are
in the kernel's page cache. *Compile* reads everything and names the digest of the result; *plan* compares with a stored
configuration (`--store`), which it reads too. Medians of {rounds} runs; memory is that of all processes together, what
they share counted once, and looked at in runs of their own.
"""
COMPILE_PROFILE = """\
### Where the time of compiling goes

From a profile of 100 servers in one process, which this program does not repeat: of what grows with their number,
rendering takes two fifths, reading and checking the option files three tenths, of which libyaml and the nodes with
their lines are two thirds, the values of all instances a fifth, and digests and encoding the rest. No function is more
than a tenth of it.
"""


def delivery(results: Results, plots: Path) -> Iterable[str]:
    """Yield the parts of the page about delivering, and write its plots."""
    rounds, fewer, far = (
        1 + max((each["round"] for each in results.all if each["servers"] == number), default=0)
        for number in (MEASURED, 50, 2)
    )
    yield JOB.format(rounds=rounds, number=MEASURED, fewer=fewer, far=far)
    yield "### Targets\n\n" + verdicts(targets(results))
    for number in sorted({each["servers"] for each in _ordinary(results)}):
        yield f"### {number:,} servers\n\n" + seconds(results, number)
    groups = {TITLES[scenario]: _bars(results, scenario) for scenario in SCENARIOS}
    groups = {title: entries for title, entries in groups.items() if entries}
    if groups:
        (plots / "delivery.svg").write_text(plot.bars(f"Seconds for {MEASURED} servers", groups))
        yield f"![Seconds for {MEASURED} servers, logarithmic](benchmarks/delivery.svg)\n"
    growth = {name: results.sizes(contender, "noop") for contender, name in NAMES.items()}
    growth = {name: points for name, points in growth.items() if len(points) > 1}
    if growth:
        (plots / "growth.svg").write_text(plot.lines("No-op, by number of servers", growth, "servers"))
        yield "### Growth\n\n![Seconds of a no-op by number of servers, logarithmic](benchmarks/growth.svg)\n"
    for number in sorted({each["servers"] for each in results.all if each["round_trip"] == LONG_LINE}):
        yield f"### {number} server{'' if number == 1 else 's'} at 100 ms round trip\n\n" + seconds(
            results, number, line=LONG_LINE
        )
    yield KEYS
    for keys in sorted({each["key_exchange"] for each in results.all} - {"default"}):
        yield f"{MEASURED} servers with {keys}:\n\n" + seconds(results, MEASURED, keys=keys)
    yield PROFILE
    if floors := list(_floors(results)):
        yield MISSED + "".join(f"- {floor}\n" for floor in floors)
    yield _load(results)


def seconds(results: Results, number: int, line: float = 0.0, keys: str = "default") -> str:
    """Return a table of contenders: seconds of every scenario, times Tandem's no-op, sessions and restarts."""
    rows = []
    for contender, name in NAMES.items():
        found = {scenario: results.seconds(contender, scenario, number, line, keys) for scenario in SCENARIOS}
        if not any(found.values()):
            continue
        ratio = results.ratio(contender, "tandem", "noop", number, line, keys)
        ratio = ratio or results.ratio(contender, "tandem_playbook", "noop", number, line, keys)
        runs = [run for scenario in SCENARIOS for run in results.of(contender, scenario, number, line, keys)]
        execs = [str(max(r["execs"] for r in runs if r["scenario"] == s)) for s in SCENARIOS if found[s]]
        exact = "—" if contender in ("rsync", "ssh_new", "ssh_warm", "python") else _yes(all(r["exact"] for r in runs))
        cells = [f"{value:.2f}" if value else "—" for value in found.values()]
        used = [results.cpu(contender, scenario, number, line, keys) for scenario in SCENARIOS]
        cpu = " / ".join(f"{value:.1f}" for value in used if value is not None)
        rows.append([name, *cells, f"{ratio:.3g}" if ratio else "—", cpu, " / ".join(dict.fromkeys(execs)), exact])
    head = ["contender", *TITLES.values(), "no-op ÷ Tandem's", "CPU seconds", "ssh sessions a server", "exact restarts"]
    return table(head, rows)


def verdicts(found: Iterable[Target]) -> str:
    """Return a table of targets."""
    rows = [[target.what, target.wanted, target.found, _yes(target.held)] for target in found]
    return table(["target", "wanted", "found", "held"], rows)


def compiling(found: Json, plots: Path) -> Iterable[str]:
    """Yield the parts about compiling, from what `python -m bench.compile` wrote, and write its plot."""
    results = Compiles(found)
    rows, forms = [], ("{:.2f}", "{:.1f}", "{:.0f}")
    for scenario, name in COMPILES.items():
        values = results.seconds(scenario), results.cpu(scenario), results.memory(scenario)
        if any(value is not None for value in values):
            rows.append([name, *(form.format(v) if v else "—" for form, v in zip(forms, values, strict=True))])
    sizes = {name: f"{value:,}" if isinstance(value, int) else f"{value:.0%}" for name, value in found["sizes"].items()}
    yield COMPILING.format(rounds=results.rounds, **sizes) + _measured_on(found)
    yield "### Targets of compiling\n\n" + verdicts(compile_targets(results))
    yield "### Costs\n\n" + table(["", "seconds", "CPU seconds", "peak memory, MiB"], rows)
    if len(points := results.growth()) > 1:
        title = "Compiling with no cache, by number of servers"
        (plots / "compile.svg").write_text(plot.lines(title, {"compile": points}, "servers"))
        yield "![Seconds of a compile by number of servers, logarithmic](benchmarks/compile.svg)\n"
    yield COMPILE_PROFILE


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def guarding(found: Json) -> Iterable[str]:
    """Yield the part about the guard, from what `python -m bench.guard` wrote."""
    rows = [
        [
            f"{each['servers']:,}, {each['instances']:,} instances",
            f"{each['allocation'] / 1024:.0f}",
            *(f"{1000 * seconds:.0f}" for seconds in (each["guard"], each["python"])),
        ]
        for each in found["guard"]
    ]
    yield GUARD.format(rounds=found["rounds"]) + _measured_on(found)
    yield table(["servers", "allocation, KiB", "guard, ms", "python3 -c pass, ms"], rows)


def _measured_on(found: Json) -> str:
    """Say on which machine, which need not be that of delivering, and when."""
    machine = found.get("machine")
    return f"\nMeasured on {machine['cpus']}, {machine['date']}, at {machine['commit']}.\n" if machine else ""


def page(measured: Json | None, compiled: Json | None, docs: Path, guarded: Json | None = None) -> str:
    """Return the page; plots are written beside it."""
    plots = docs / "benchmarks"
    plots.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    if machine := (measured or compiled or {}).get("machine"):
        parts.append(table(["what", "which"], [[name, value] for name, value in machine.items()]))
    if measured:
        parts += delivery(Results(measured["measurements"]), plots)
    if compiled:
        parts += compiling(compiled, plots)
    if guarded:
        parts += guarding(guarded)
    return "\n".join(parts)


def _ordinary(results: Results) -> list[Json]:
    return [each for each in results.all if not each["round_trip"] and each["key_exchange"] == "default"]


def _bars(results: Results, scenario: str) -> dict[str, float]:
    found = {name: results.seconds(contender, scenario, MEASURED) for contender, name in NAMES.items()}
    return {name: value for name, value in found.items() if value}


def _floors(results: Results) -> Iterable[str]:
    """Yield what `ssh true` and an empty playbook take of the time that the targets of a no-op give."""
    peer = results.seconds("pyinfra", "noop", MEASURED)
    for keys in ("default", "curve25519-sha256"):
        floor = results.seconds("ssh_new", "noop", MEASURED, keys=keys)
        if peer and floor:
            yield (
                f"{MEASURED} servers, {keys} key exchange: a seventh of pyinfra's time is {peer / 7:.1f} s,\n"
                f"  four times `ssh true` {4 * floor:.1f}; `ssh true` takes {floor:.1f}, and an empty playbook {EMPTY}."
            )
    if far := results.seconds("pyinfra", "noop", 2, LONG_LINE):
        yield (
            f"Long line: a twelfth of pyinfra's time is {far / 12:.1f} s; two connections one after the other take\n"
            f"  {16 * LONG_LINE:.1f}, and an empty playbook {EMPTY}."
        )


def _load(results: Results) -> str:
    loads = sorted(each["load"][0] for each in results.all)
    if not loads:
        return ""
    return (
        "### How busy the machine was\n\n"
        f"Load average (one minute) at the start of runs: {loads[0]:.1f} to {loads[-1]:.1f}; {median(loads):.1f} is\n"
        "in the middle. What the benchmark itself ran just before is in it.\n"
    )


def _yes(held: bool | None) -> str:
    return {True: "yes", False: "**no**", None: "—"}[held]


def _read(path: Path) -> Json | None:
    return json.loads(path.read_text()) if path.exists() else None


def main() -> None:
    """Write the page from the files of both halves, as far as they are there."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__.partition(":")[0])
    parser.add_argument("--delivery", type=Path, default=RESULTS / "delivery.json", metavar="FILE")
    parser.add_argument("--compile", type=Path, default=RESULTS / "compile.json", metavar="FILE")
    parser.add_argument("--guard", type=Path, default=RESULTS / "guard.json", metavar="FILE")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", metavar="DIRECTORY")
    arguments = parser.parse_args()
    text = page(_read(arguments.delivery), _read(arguments.compile), arguments.docs, _read(arguments.guard))
    (arguments.docs / "benchmarks.md").write_text(text)


if __name__ == "__main__":
    main()
