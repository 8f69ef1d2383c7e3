"""Tell where servers are: each on one configuration, or, where a run died while changing it, on one of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

Place = int | list[int | None]
"""The number of a configuration, or those of which it is one; None: what was there before the first."""


def settled(places: Mapping[str, Place]) -> dict[str, int]:
    """Return the servers of which it is known where they are."""
    return {server: place for server, place in places.items() if isinstance(place, int)}


def possible(place: Place | None) -> list[int | None]:
    """Return the configurations that a server may be on, those of the oldest run first."""
    return place if isinstance(place, list) else [place]


def on_the_way(places: Mapping[str, Place], servers: Iterable[str], number: int) -> dict[str, Place]:
    """Return where servers may be from the moment that a run begins to change them."""
    return {server: list(dict.fromkeys([*possible(places.get(server)), number])) for server in servers}


def elsewhere(places: Mapping[str, Place], number: int | None, servers: Iterable[str]) -> dict[str, Place]:
    """Return where those servers are that are not, or not surely, on a configuration."""
    return {server: places[server] for server in sorted(servers) if server in places and places[server] != number}


def assumed(place: Place, target: int | None, known: Iterable[int]) -> int | None:
    """Return what a plan compares a server with: where it may be, and what is not yet what it shall become."""
    numbers = [number for number in possible(place) if number is None or number in known]
    return next((number for number in numbers if number != target), target if target in numbers else None)


def words(places: Mapping[str, Place]) -> Iterator[str]:
    """Say where servers are, those together that are in the same place."""
    groups: dict[tuple[int | None, ...], list[str]] = {}
    for server, place in sorted(places.items()):
        groups.setdefault(tuple(possible(place)), []).append(server)
    for numbers, servers in sorted(groups.items(), key=lambda group: group[1]):
        names, are, were = ", ".join(servers), *(("is", "was") if len(servers) == 1 else ("are", "were"))
        if numbers == (None,):
            yield f"{names} {are} on no configuration yet"
        elif len(numbers) == 1:
            yield f"{names} {are} on configuration {numbers[0]}"
        else:
            *before, last = ("nothing" if number is None else str(number) for number in numbers)
            way = f"from {' or '.join(before)} to {last}"
            yield f"{names} {were} being changed {way} when a run died, and may be on either"
