"""Tell how many instances of each cluster go on serving while a wave is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tandem.configuration.canonical import Json


@dataclass(frozen=True, slots=True)
class Redundancy:
    """What a wave leaves of a cluster: `keeps` of the `of` instances it had serve throughout."""

    cluster: str
    keeps: int
    of: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The instances that one step interrupts, those of which it must not yet take the address included in `held`."""

    server: str
    instances: frozenset[str]
    held: frozenset[str]


def redundancy(
    old: Json, new: Json, waves: Sequence[Sequence[Interrupted]], doubtful: Collection[str] = ()
) -> list[list[Redundancy]]:
    """Return for each wave what it leaves of every cluster it takes a serving instance of, by name.

    `old` and `new` are the instances of two resolved trees. Nothing on `doubtful` servers, which a run died on, is
    counted as serving before their step.
    """
    doubtful = set(doubtful)
    cluster = {name: str(entry["cluster"]) for name, entry in {**new, **old}.items()}
    places: dict[str, str | None] = {name: entry["server"] for name, entry in old.items()}  # None: on its way
    found = []
    for wave in waves:
        down = {name for step in wave for name in step.instances}
        lost = {cluster[name] for name in down if places.get(name)}
        found.append(
            [
                _left(each, [name for name in places if cluster[name] == each], places, down, doubtful)
                for each in sorted(lost)
            ]
        )
        for step in wave:
            _follow(places, new, step)
            doubtful.discard(step.server)
    return found


def _left(
    cluster: str, members: list[str], places: Mapping[str, str | None], down: set[str], doubtful: set[str]
) -> Redundancy:
    serving = [name for name in members if name not in down and places[name] not in {None, *doubtful}]
    return Redundancy(cluster, len(serving), len(members))


def _follow(places: dict[str, str | None], new: Json, step: Interrupted) -> None:
    """Note where the instances of a step serve after it."""
    for name in step.instances:
        if name in new and new[name]["server"] == step.server and name not in step.held:
            places[name] = step.server
        elif places.get(name) == step.server:
            places[name] = None
            if name not in new:
                del places[name]


def batches(instances: Json, serving: Collection[str]) -> Mapping[str, int]:
    """Return how many instances of each cluster may be interrupted at once: never all that serve, of several.

    `instances` are those of the new resolved tree; `serving` names those that serve now. Where none does, as in a new
    cluster, it is never all there are.
    """
    sizes = Counter(entry["cluster"] for entry in instances.values())
    up = Counter(entry["cluster"] for name, entry in instances.items() if name in serving)
    allowed: dict[str, int] = {}
    for entry in instances.values():
        cluster, batch = entry["cluster"], entry["batch"]
        if batch is not None:
            allowed[cluster] = min(batch, allowed.get(cluster, batch))
    return {cluster: max(1, min(number, (up[cluster] or sizes[cluster]) - 1)) for cluster, number in allowed.items()}
