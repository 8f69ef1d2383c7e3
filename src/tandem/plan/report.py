"""Show a plan to people, from its JSON: the same words whoever made the plan, and wherever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tandem.configuration.canonical import Json
from tandem.configuration.history import SHORT

LONGEST_VALUE = 60
"""Characters of a value that are shown; a certificate is recognised by fewer."""
MOST_NAMES = 6
"""Servers or files named in one line; of more only the number is of interest."""
MOST_REASONS = 3
"""An edit may have another reason on every instance; more than these are not told."""


def heading(planned: Json) -> str:
    """Say which configuration a plan is about: {number or None, active or None, commit}."""
    number, active = planned["number"], planned["active"]
    name = f"configuration {number}" if number is not None else "this source (not stored)"
    commit = f" (git {planned['commit']})" if planned.get("commit") else ""
    against = f"against {active}, which is active" if active is not None else "the first one"
    return f"{name}{commit}, {against if active != number else 'which is active'}"


def compared(old: int, new: int | None) -> str:
    """Say which configurations are compared; None is the source."""
    return f"{f'configuration {new}' if new is not None else 'this source'}, compared with configuration {old}"


def licensed(found: Iterable[Json]) -> Iterator[str]:
    """Say how much of each license is used, and what is to be warned of."""
    for each in found:
        if each["room"]:
            yield f"{each['license']}: {'; '.join(each['room'])}"
        yield from (f"{each['license']}: warning: {warning}" for warning in each["warnings"])


def how_to_apply(name: str) -> str:
    """Say how exactly this plan is applied."""
    return f"Apply exactly this with: tandem apply --plan {name[:SHORT]}   (playbooks/apply.yml -e plan={name[:SHORT]})"


def awaited(planned: Json) -> Iterator[str]:
    """Say which servers an earlier run has left out, that are not back yet and not left out again."""
    for server, expected in sorted(planned.get("expected", {}).items()):
        if server not in planned["plan"]["without"]:
            yield f"{server} is to come to configuration {expected['number']}: run {expected['run']} left it out"


def must_be_off(plan: Json, address: Json) -> bool:
    """Tell whether an address comes from a server that nothing is done on: nobody can take it away there."""
    return bool(address["new"]) and address["old"] in (*plan["removed"], *plan["without"])


def held(step: Json) -> list[str]:
    """Say which addresses a step does not take yet."""
    return [f"without {', '.join(step['hold'])}, which is still in use"] if step["hold"] else []


def lines(plan: Json) -> list[str]:
    """Return the plan as lines of text, without the line that says which configurations it is about."""
    if plan["empty"]:
        same = "as far as could be compared" if plan["unreadable"] else "in effect the two are the same"
        return [f"  Nothing changes: {same}.", *_left_out(plan), *_no_effect(plan), *_unread(plan)]
    changes = (_options(plan), _instances(plan), _servers(plan), _files(plan), _units(plan))
    sections = (*changes, _no_effect(plan), _waves(plan), _end(plan))
    found: list[str] = []
    for section in sections:
        text = list(section)
        found += [*([""] if found and text else []), *text]
    return found


def _options(plan: Json) -> Iterator[str]:
    """Yield each option, then the instances on which it changes and what that does to them."""
    for change in plan["options"]:
        name = change["option"] + (f" ({change['environment']})" if change["environment"] else "")
        yield f"  {name:<40} {_change(change)}     {change['origin']}"
        for instance in change["instances"]:
            units = [unit for unit in plan["units"] if unit["instance"] == instance["name"]]
            files = sorted({PurePosixPath(path).name for unit in units for path in unit["because"]})
            actions = list(dict.fromkeys(unit["action"] for unit in units)) or [_nothing(plan, instance["server"])]
            where = f"{instance['name']} on {instance['server']}"
            yield f"      {where:<36} {', '.join([*files, *actions])}"


def _nothing(plan: Json, server: str) -> str:
    """Say that no unit is concerned, if that can be told."""
    unread = any(entry["server"] == server for entry in plan["unreadable"])
    return "its units: unknown without the vault's password" if unread else "no unit is concerned"


def _change(change: Json) -> str:
    if change["secret"]:
        return "changes (secret)"
    unit = f" {change['unit']}" if change["unit"] else ""
    return f"{shown(change['old'])} → {shown(change['new'])}{unit}"


def shown(value: object) -> str:
    """Return a value in one short line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    text = "not set" if value is None else '""' if value == "" else " ".join(str(value).split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _instances(plan: Json) -> Iterator[str]:
    """Yield each instance that comes, goes, moves or answers elsewhere, then addresses that change servers."""
    for change in plan["instances"]:
        yield f"  {change['application']}: {change['name']} {_place(change)}     {change['origin']}"
    for address in plan["addresses"]:
        old, new = address["old"], address["new"]
        if must_be_off(plan, address):
            yield f"      {address['address']:<16} answers on {old}, which must be off before {new} takes it"
        elif old and new:
            yield f"      {address['address']:<16} leaves {old}, then answers on {new}"


def _place(change: Json) -> str:
    old, new = change["old"], change["new"]
    if old is None:
        return f"is new on {new['server']}, at {new['address']}"
    if new is None:
        return f"is removed from {old['server']}"
    moves = [f"moves {old['server']} → {new['server']}"] if old["server"] != new["server"] else []
    answers = [f"answers on {old['address']} → {new['address']}"] if old["address"] != new["address"] else []
    return " and ".join(moves + answers)


def _servers(plan: Json) -> Iterator[str]:
    """Yield each server that comes, goes or has another management address."""
    for change in plan["servers"]:
        old, new = change["old"], change["new"]
        if old is None:
            files = sum(file["server"] == change["name"] for file in plan["files"])
            units = sum(unit["server"] == change["name"] for unit in plan["units"])
            text = f"is new, at {new}: {_count(files, 'file')}, {_count(units, 'unit')}"
        else:
            gone = "is no longer part of the installation; nothing is done on it"
            text = gone if new is None else f"is managed at {old} → {new}"
        yield f"  {change['name']} {text}     {change['origin']}"


def _files(plan: Json) -> Iterator[str]:
    """Yield each file of servers that were there before, with what happens to it where."""
    changes: dict[str, dict[str, list[str]]] = {}
    for file in _of_known(plan, "files"):
        changes.setdefault(file["path"], {}).setdefault(file["change"], []).append(file["server"])
    for path, places in sorted(changes.items()):
        yield f"  {path:<60} " + ", ".join(f"{change} on {_names(servers)}" for change, servers in places.items())


def _units(plan: Json) -> Iterator[str]:
    """Yield each unit of servers that were there before, with what happens to it where, and because of which files."""
    changes: dict[str, dict[str, list[str]]] = {}
    because: dict[str, set[str]] = {}
    for unit in _of_known(plan, "units"):
        changes.setdefault(unit["unit"], {}).setdefault(unit["action"], []).append(unit["server"])
        because.setdefault(unit["unit"], set()).update(PurePosixPath(path).name for path in unit["because"])
    for name, places in sorted(changes.items()):
        actions = ", ".join(f"{action} on {_names(servers)}" for action, servers in places.items())
        yield f"  {name:<46} {actions:<40} {', '.join(sorted(because[name]))}".rstrip()


def _of_known(plan: Json, what: str) -> list[Json]:
    """Return what concerns servers that were there before; of a new one only the number is of interest."""
    fresh = {change["name"] for change in plan["servers"] if change["old"] is None}
    return [entry for entry in plan[what] if entry["server"] not in fresh]


def _waves(plan: Json) -> Iterator[str]:
    """Yield the waves that change something, numbered, a server in each line."""
    touched, number = set(plan["touched"]), 0
    for wave in plan["waves"]:
        steps = [step for step in wave["steps"] if step["server"] in touched]
        number += bool(steps)
        left = [f"{each['cluster']} keeps {each['keeps']} of {each['of']}" for each in wave["clusters"]]
        for index, step in enumerate(steps):
            interrupts = ", ".join(step["instances"]) or "interrupts nothing"
            head, notes = (f"wave {number}", left) if index == 0 else ("", [])
            yield f"  {head:<8} {step['server']:<12} {interrupts:<30} {', '.join([*notes, *held(step)])}".rstrip()


def _end(plan: Json) -> Iterator[str]:
    """Yield how much is not touched, and what could not be compared."""
    servers = {step["server"] for wave in plan["waves"] for step in wave["steps"]}
    yield f"  not touched: {_count(len(servers - set(plan['touched'])), 'server')}"
    yield from _left_out(plan)
    yield from _unread(plan)


def _left_out(plan: Json) -> Iterator[str]:
    """Yield the servers that are left out, because they are away."""
    if plan["without"]:
        yield f"  left out: {_names(plan['without'])}"


def _unread(plan: Json) -> Iterator[str]:
    """Yield the files that could not be compared, together for each set of secrets they need."""
    files: dict[str, list[str]] = {}
    for entry in plan["unreadable"]:
        files.setdefault(", ".join(entry["options"]), []).append(entry["path"])
    for options, paths in sorted(files.items()):
        yield f"  not compared, for want of the vault's password for {options}: {_names(paths)}"


def _no_effect(plan: Json) -> Iterator[str]:
    """Yield what was edited and changes nothing, with the reason."""
    for index, edit in enumerate(plan["no_effect"]):
        if index == 0:
            yield "  edited, without effect:"
        name = " ".join(filter(None, (edit["option"], edit["environment"] and f"({edit['environment']})")))
        reasons = "; ".join(edit["reasons"][:MOST_REASONS])
        yield f"      {name + '     ' if name else ''}{edit['origin']}: {reasons}"


def _names(all_names: Iterable[str]) -> str:
    names = sorted(set(all_names))
    more = len(names) - MOST_NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_NAMES])} and {more} more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
