"""Show a plan as Markdown, for a comment on a pull request, from the same JSON as everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tandem.configuration.canonical import Json
from tandem.configuration.history import SHORT
from tandem.configuration.places import words
from tandem.plan.drift import items
from tandem.plan.report import awaited, heading, held, licensed, must_be_off, shown

MOST_ROWS = 100
"""Rows of a table; nobody reads more of them in a comment."""
MOST_NAMES = 8
LONGEST = 60_000
"""Characters of a comment; the common services refuse one of more than 65,536."""

Rows = Sequence[Sequence[str]]


def markdown(planned: Json, diff: Sequence[str] = ()) -> str:
    """Return a plan as Markdown: {number, active, commit, id, places, plan}; `diff` has lines of differences."""
    plan = planned["plan"]
    name = f"Plan {_code(planned['id'][:SHORT])}: " if planned.get("id") else "Plan: "
    blocks = [
        f"### {name}{heading(planned)}",
        _summary(plan),
        *(f"⚠ {text}." for text in (*words(planned.get("places", {})), *awaited(planned), *_left_out(plan))),
    ]
    blocks += [block for block in (*_sections(plan), *_drift(planned)) if block]
    blocks += ["\n".join(f"- {line}" for line in licensed(planned["licenses"]))] if planned.get("licenses") else []
    if planned.get("id"):
        command = f"tandem apply --plan {planned['id'][:SHORT]}"
        blocks.append(f"Apply exactly this with {_code(command)}.")
    text = "\n\n".join(blocks)
    differences = _fenced(diff)
    if diff and len(text) + len(differences) < LONGEST:
        return f"{text}\n\n{_details('Differences', differences)}\n"
    return f"{text}\n\n" + (
        "The differences are too long for a comment: `tandem plan --diff` shows them.\n" if diff else ""
    )


def _summary(plan: Json) -> str:
    if plan["empty"]:
        unread = " as far as could be compared" if plan["unreadable"] else ""
        return f"**Nothing changes**{unread}."
    servers = {step["server"] for wave in plan["waves"] for step in wave["steps"]}
    waves = sum(any(step["server"] in plan["touched"] for step in wave["steps"]) for wave in plan["waves"])
    counts = [(len(plan["options"]), "option"), (len(plan["files"]), "file"), (len(plan["units"]), "unit")]
    what = ", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts)
    return (
        f"**{what}** on {len(plan['touched'])} of {len(servers)} servers, in {waves} wave{'' if waves == 1 else 's'}."
    )


def _left_out(plan: Json) -> Iterator[str]:
    if plan["without"]:
        yield f"Left out: {_names(plan['without'])}"


def _sections(plan: Json) -> Iterator[str]:
    yield _table(("option", "old", "new", "where", "set at"), [_option(change) for change in plan["options"]])
    yield _table(
        ("instance", "application", "from", "to", "set at"), [_instance(change) for change in plan["instances"]]
    )
    yield _table(("address", "leaves", "then answers on"), [_address(plan, change) for change in plan["addresses"]])
    servers = [(each["name"], each["old"] or "–", each["new"] or "–", each["origin"]) for each in plan["servers"]]
    yield _table(("server", "managed at", "then at", "set at"), servers)
    waves = list(_waves(plan))
    yield _table(("wave", "server", "interrupts", "keeps"), waves)
    units = _grouped((unit["unit"], unit["action"], unit["server"]) for unit in plan["units"])
    yield _details(f"Units ({len(plan['units'])})", _table(("unit", "action", "servers"), units))
    files = _grouped(
        (file["path"], file["change"] + (" (secret)" if file["secret"] else ""), file["server"])
        for file in plan["files"]
    )
    yield _details(f"Files ({len(plan['files'])})", _table(("file", "change", "servers"), files))
    edits = [(_name(edit), edit["origin"], "; ".join(edit["reasons"])) for edit in plan["no_effect"]]
    yield _details(f"Edited, without effect ({len(edits)})", _table(("option", "at", "why"), edits))
    unread = [(each["server"], _code(each["path"]), ", ".join(each["options"])) for each in plan["unreadable"]]
    yield _table(("not compared on", "file", "for want of the vault's password for"), unread)


def _drift(planned: Json) -> Iterator[str]:
    drift = planned.get("drift", {"changes": {}, "unseen": {}})
    rows = [(server, ", ".join(items(change))) for server, change in sorted(drift["changes"].items())]
    yield _table(("not as it was applied", "applying puts it back"), rows)
    unseen = [(server, reason.splitlines()[0]) for server, reason in sorted(drift["unseen"].items())]
    yield _table(("could not be looked at", "why"), unseen)


def _option(change: Json) -> Sequence[str]:
    unit = f" {change['unit']}" if change["unit"] else ""
    values = ["*secret*"] * 2 if change["secret"] else [_code(shown(change[each]) + unit) for each in ("old", "new")]
    where = [f"{instance['name']} on {instance['server']}" for instance in change["instances"]] or ["servers"]
    return (_name(change), *values, _names(where), change["origin"])


def _name(change: Json) -> str:
    if change["option"] is None:
        return "–"
    return _code(change["option"]) + (f" ({change['environment']})" if change["environment"] else "")


def _instance(change: Json) -> Sequence[str]:
    places = [f"{each['server']}, {each['address']}" if each else "–" for each in (change["old"], change["new"])]
    return (change["name"], change["application"], *places, change["origin"])


def _address(plan: Json, change: Json) -> Sequence[str]:
    old = f"{change['old']}, which must be off" if must_be_off(plan, change) else change["old"] or "–"
    return (_code(change["address"]), old, change["new"] or "–")


def _waves(plan: Json) -> Iterator[Sequence[str]]:
    number = 0
    for wave in plan["waves"]:
        steps = [step for step in wave["steps"] if step["server"] in plan["touched"]]
        number += bool(steps)
        for index, step in enumerate(steps):
            left = ", ".join(f"{each['cluster']} {each['keeps']} of {each['of']}" for each in wave["clusters"])
            head, keeps = (str(number), left) if index == 0 else ("", "")
            interrupts = ", ".join(step["instances"]) or "nothing"
            yield (head, step["server"], "; ".join([interrupts, *held(step)]), keeps)


def _grouped(entries: Iterable[tuple[str, str, str]]) -> Rows:
    """Return rows of what is the same on several servers, with their names."""
    servers: dict[tuple[str, str], list[str]] = {}
    for name, change, server in entries:
        servers.setdefault((name, change), []).append(server)
    return [(_code(name), change, _names(names)) for (name, change), names in sorted(servers.items())]


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _table(head: Sequence[str], rows: Rows) -> str:
    """Return a table; nothing where there are no rows."""
    if not rows:
        return ""
    kept = [*rows[:MOST_ROWS], *([(f"… {len(rows) - MOST_ROWS} more",)] if len(rows) > MOST_ROWS else [])]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in kept]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells])


def _details(summary: str, inside: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{inside}\n\n</details>" if inside else ""


def _code(text: str) -> str:
    """Return a text as code, whatever backticks are in it.

    >>> _code("a`b")
    '``a`b``'
    """
    ticks = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _fenced(lines: Sequence[str]) -> str:
    fence = "`" * max(3, max(map(_longest_run, lines), default=0) + 1)
    return "\n".join([f"{fence}diff", *lines, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
