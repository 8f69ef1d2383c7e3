"""Put the history of a store into order: which configuration was active when, what is marked, what is pending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from tandem.configuration.canonical import Json
from tandem.configuration.places import Place, elsewhere, words

SHORT = 12
"""Digits of a plan's name that are shown."""


def ordered(told: Json) -> Json:
    """Return the history that a store tells, the newest configuration first.

    Each configuration has its `state` (active, was active, candidate, damaged), the spans of time in which it was
    active, who marked it, and the plans that lead to it and may still be applied. `servers` says where those of the
    active configuration are, and of each that is under way; `pending` which of its own servers one still waits for.
    """
    spans, active, servers_of = _spans(told), told["active"], told["servers_of"]
    entries = [_configuration(entry, told, spans) for entry in told["configurations"]]
    numbers = [str(entry["number"]) for entry in entries if _leads_on(entry, active)]
    under_way: dict[str, list[str]] = {number: servers_of[number] for number in numbers if number in servers_of}
    servers = sorted({*told["members"], *chain.from_iterable(under_way.values())})
    places: dict[str, Place] = {server: told["servers"].get(server, [None]) for server in servers}
    return {
        "active": active,
        "configurations": entries[::-1],
        "servers": places,
        "pending": {
            number: [server for server in own if places[server] != int(number)] for number, own in under_way.items()
        },
    }


def _leads_on(entry: Json, active: int | None) -> bool:
    """Tell whether a configuration can be what servers are being brought to, not only what one was left on."""
    return bool(entry["plans"]) or (entry["state"] == "candidate" and entry["number"] > (active or 0))


def _configuration(entry: Json, told: Json, spans: Mapping[int, list[Json]]) -> Json:
    number = entry["number"]
    was = spans.get(number, [])
    state = "active" if number == told["active"] else "was active" if was else "candidate"
    plans = [
        found["name"][:SHORT]
        for found in told["plans"]
        if found["plan"]["number"] == number and found["plan"]["active"] == told["active"] and not found["used"]
    ]
    marked = told["marks"].get(str(number))
    return {
        **entry,
        "state": "damaged" if entry.get("damaged") else state,
        "spans": was,
        "marked": marked,
        "plans": plans,
    }


def _spans(told: Json) -> dict[int, list[Json]]:
    """Return when each configuration was active.

    An entry is written before the pointer. Where the power failed between them the next entry says so: what it comes
    from is not what was entered.
    """
    entries = [entry for entry in told["log"] if entry["what"] == "active"]
    follows = [*(entry["from"] for entry in entries[1:]), told["active"]]
    true = [entry for entry, after in zip(entries, follows, strict=False) if entry["number"] == after]
    spans: dict[int, list[Json]] = {}
    for entry, following in zip(true, [*true[1:], None], strict=False):
        span = {"from": entry["at"], "to": following and following["at"]}
        spans.setdefault(entry["number"], []).append({**span, "author": entry["author"], "comment": entry["comment"]})
    return spans


def lines(history: Json) -> Iterator[str]:
    """Yield the history as lines: a configuration in each, then where servers are and what is pending."""
    if not history["configurations"]:
        yield "No configuration is stored yet."
        return
    for entry in history["configurations"]:
        yield _line(entry)
        if marked := entry["marked"]:
            yield f"{'':<8}marked by {marked['author']}" + (f": {marked['comment']}" if marked["comment"] else "")
    active, places = history["active"], history["servers"]
    yield ""
    away = elsewhere(places, active, places)
    count = len(places) - len(away)
    if active is not None:
        are = "is" if count == 1 else "are"
        yield f"{count} of {len(places)} servers {are} on configuration {active}, which is active"
    yield from words(away)
    for number, servers in history["pending"].items():
        yield f"pending for configuration {number}: {', '.join(servers) or 'only to make it active'}"


def _line(entry: Json) -> str:
    if entry["state"] == "damaged":
        return f"{entry['number']:>6}  its record is damaged; see tandem fsck"
    spans = [f"{_time(span['from'])} – {_time(span['to'])}" for span in entry["spans"] if span["to"]]
    since = [f"since {_time(span['from'])}" for span in entry["spans"] if not span["to"]]
    state = " ".join([entry["state"], *since, ", ".join(spans) if entry["state"] == "was active" else ""])
    plans = f"plan {', '.join(entry['plans'])}" if entry["state"] == "candidate" and entry["plans"] else ""
    made = f"{_time(entry['created'])} {entry['author']}"
    git = f"git {entry['commit']}" if entry["commit"] else ""
    rest = "  ".join(filter(None, [git, entry["comment"], plans]))
    return f"{entry['number']:>6}  {state:<46} {made:<34} {rest}".rstrip()


def _time(text: str) -> str:
    """Shorten a time.

    >>> _time("2026-11-20T21:14:33Z")
    '2026-11-20 21:14'
    """
    return text[:16].replace("T", " ")


def pruned(found: Json, *, check: bool = False) -> Iterator[str]:
    """Yield what pruning removed, and what it kept for a reason: {removed, kept, blobs, bytes}."""
    would = "would be removed" if check else "removed"
    numbers = ", ".join(map(str, found["removed"]))
    yield f"{would}: configuration{'s' if len(found['removed']) > 1 else ''} {numbers}" if numbers else "nothing is old"
    yield from (f"kept: configuration {number} {reason}" for number, reason in found["kept"].items())
    if found["blobs"]:
        yield f"{would}: {found['blobs']} blobs that nothing else names, {found['bytes'] / 2**20:.1f} MiB"
