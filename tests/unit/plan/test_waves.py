"""The rules by which servers are put into waves, on installations and changes made at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from tandem.configuration.canonical import Json
from tandem.plan.availability import Interrupted, batches, redundancy
from tandem.plan.waves import Interruption, Step, Wave, Work, waves

SITES = {"Alpha": "here", "Beta": "here", "Gamma": "here", "Delta": "there", "Epsilon": "there"}
SERVERS = list(SITES)
APPLICATIONS = ["database", "engine", "web"]
BEFORE = {"database": frozenset[str](), "engine": frozenset({"database"}), "web": frozenset({"database", "engine"})}


@dataclass(frozen=True)
class Change:
    """What becomes of one instance: where it was and is (None: nowhere), and whether it restarts."""

    name: str
    application: str
    old: str | None
    new: str | None
    restarts: bool

    @property
    def cluster(self) -> str:
        return f"{self.application}s"


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    places = st.sampled_from([None, *SERVERS])
    number = draw(st.integers(0, 8))
    return [
        Change(f"instance-{n}", draw(st.sampled_from(APPLICATIONS)), draw(places), draw(places), draw(st.booleans()))
        for n in range(number)
    ]


def works(found: list[Change], first: str | None = None) -> list[Work]:
    """Return the works of some changes; each instance has an address of its own, which is its name."""
    made = []
    for server in SERVERS:
        here = [change for change in found if server in (change.old, change.new)]
        concerned = [change for change in here if change.old != change.new or change.restarts]
        made.append(
            Work(
                server,
                SITES[server],
                frozenset(change.application for change in here if change.new == server and concerned),
                tuple(interruption(change, server) for change in concerned),
                frozenset(change.name for change in here if change.new == server != change.old),
                frozenset(change.name for change in here if change.old == server != change.new),
                server == first,
            )
        )
    return made


def interruption(change: Change, server: str) -> Interruption:
    origin = change.old if change.new == server != change.old else None
    gain = (change.new is not None) - (change.old is not None)
    return Interruption(change.name, change.application, change.cluster, change.name, origin, gain)


def wave_of(found: list[Wave], server: str) -> int:
    """Return the last wave a server is in: then it is done."""
    return max(index for index, wave in enumerate(found) for step in wave.servers if step.server == server)


@given(changes(), st.sampled_from([None, *SERVERS]))
def test_every_address_is_on_one_server_at_any_time_and_in_the_end_where_it_belongs(
    found: list[Change], first: str | None
) -> None:
    by_server = {work.server: work for work in works(found, first)}
    holders = {change.name: change.old for change in found if change.old}
    for wave in waves(by_server.values(), BEFORE):
        before = dict(holders)
        for step in wave.servers:
            work = by_server[step.server]
            holders = {
                name: server
                for name, server in holders.items()
                if (name, server) not in [(n, step.server) for n in work.leaves]
            }
            for name in sorted(work.takes - set(step.hold)):
                assert before.get(name, step.server) == step.server, f"{name} is still on {before[name]}"
                holders[name] = step.server
    assert holders == {change.name: change.new for change in found if change.new}


allowed = st.dictionaries(st.sampled_from([f"{name}s" for name in APPLICATIONS]), st.integers(1, 4))


@given(changes(), st.sampled_from([None, *SERVERS]), allowed)
def test_no_wave_interrupts_more_of_a_cluster_than_its_batch_unless_one_server_has_them(
    found: list[Change], first: str | None, batches: dict[str, int]
) -> None:
    clusters = {change.name: change.cluster for change in found}
    for wave in waves(works(found, first), BEFORE, batches):
        counts = [Counter(clusters[name] for name in step.instances) for step in wave.servers]
        for cluster in set(clusters.values()):
            servers = [count[cluster] for count in counts if count[cluster]]
            assert len(servers) <= 1 or sum(servers) <= batches.get(cluster, 1)


@given(changes(), st.sampled_from([None, *SERVERS]), allowed)
def test_no_wave_interrupts_an_application_in_two_sites(
    found: list[Change], first: str | None, batches: dict[str, int]
) -> None:
    applications = {change.name: change.application for change in found}
    for wave in waves(works(found, first), BEFORE, batches):
        places = {(applications[name], SITES[step.server]) for step in wave.servers for name in step.instances}
        assert len(places) == len({name for name, _ in places})


@given(changes(), st.sampled_from([None, *SERVERS]), st.integers(1, 9))
def test_a_cluster_on_several_servers_none_of_whose_instances_moves_keeps_one(
    found: list[Change], first: str | None, batch: int
) -> None:
    """However large the batch is that its option allows, and whatever comes or goes beside what stays."""
    old, new = tree(found, "old", batch), tree(found, "new", batch)
    order = waves(works(found, first), BEFORE, batches(new["instances"], old["instances"]))
    steps = [
        [Interrupted(step.server, frozenset(step.instances), frozenset(step.hold)) for step in wave.servers]
        for wave in order
    ]
    left = redundancy(old["instances"], new["instances"], steps)
    for cluster in {change.cluster for change in found}:
        members = [change for change in found if change.cluster == cluster and (change.old or change.new)]
        staying = [change for change in members if change.old == change.new]
        moving = [change for change in members if change.old and change.new and change.old != change.new]
        if not moving and len({change.old for change in staying}) > 1:
            kept = [each for wave in left for each in wave if each.cluster == cluster]
            assert all(each.keeps > 0 for each in kept)
            assert staying != members or all(each.of == len(members) for each in kept)


def tree(found: list[Change], side: str, batch: int) -> Json:
    """Return as much of a resolved tree as waves are made from; the batch is the same everywhere."""
    instances = {
        change.name: {
            "cluster": change.cluster,
            "application": change.application,
            "server": getattr(change, side),
            "address": change.name,
            "batch": batch,
        }
        for change in found
        if getattr(change, side)
    }
    return {"instances": instances}


@given(changes(), st.sampled_from(SERVERS))
def test_the_configuration_server_comes_first_and_alone(found: list[Change], first: str) -> None:
    assert [step.server for step in waves(works(found, first), BEFORE)[0].servers] == [first]


@given(changes())
def test_every_server_is_done_once_and_twice_only_where_it_had_to_hold_an_address(found: list[Change]) -> None:
    steps = [step for wave in waves(works(found), BEFORE) for step in wave.servers]
    assert sorted({step.server for step in steps}) == sorted(SERVERS)
    for server in SERVERS:
        own = [step for step in steps if step.server == server]
        assert [bool(step.hold) for step in own] in ([False], [True, False])


@given(changes())
def test_what_must_be_there_before_is_done_before_unless_in_a_circle(found: list[Change]) -> None:
    made = works(found)
    order = waves(made, BEFORE)
    for early in made:
        for late in made:
            if early.server == late.server or circular(early, late, made):
                continue
            if any(early.hosts & BEFORE[application] for application in late.applications):
                assert wave_of(order, early.server) < wave_of(order, late.server)


def circular(early: Work, late: Work, made: list[Work]) -> bool:
    """Tell whether the earlier one has, by any chain of reasons, to wait for the later one too."""
    seen: set[str] = set()
    pending = [early]
    while pending:
        work = pending.pop()
        if work.server in seen:
            continue
        seen.add(work.server)
        pending += [other for other in made if other.server != work.server and waits(work, other)]
    return late.server in seen


def waits(work: Work, other: Work) -> bool:
    order = any(other.hosts & BEFORE[application] for application in work.applications)
    moving = any(each.cluster in work.clusters and each.origin for each in other.interruptions)
    return bool(order or moving or work.takes & other.leaves)


@given(changes(), st.randoms(use_true_random=False))
def test_the_order_in_which_servers_are_named_does_not_matter(found: list[Change], random: object) -> None:
    made = works(found)
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert waves(shuffled, BEFORE) == waves(made, BEFORE)


def test_servers_that_interrupt_nothing_share_a_wave() -> None:
    assert waves(works([]), BEFORE) == [Wave(tuple(Step(server) for server in sorted(SERVERS)))]


def test_servers_that_a_run_died_on_come_before_what_interrupts_anything_else() -> None:
    restarts = [Change(f"one-{server}", "engine", server, server, True) for server in ("Alpha", "Beta", "Gamma")]
    made = [replace(work, doubtful=work.server == "Gamma") for work in works(restarts, first="Beta")]
    assert [step.server for wave in waves(made, BEFORE) for step in wave.servers if step.instances] == [
        "Beta",
        "Gamma",
        "Alpha",
    ]


def test_a_server_that_a_run_died_on_does_not_wait_for_what_starts_before_it() -> None:
    """The other engine would be interrupted first, while it may be the only one that is left."""
    restarts = [Change(f"one-{server}", "engine", server, server, True) for server in ("Alpha", "Beta")]
    database = Change("database", "database", "Beta", "Beta", True)
    made = [replace(work, doubtful=work.server == "Alpha") for work in works([*restarts, database])]
    assert interrupting(waves(made, BEFORE)) == ["Alpha", "Beta"]
    made = [replace(work, doubtful=work.server in ("Alpha", "Beta")) for work in made]
    assert interrupting(waves(made, BEFORE)) == ["Beta", "Alpha"], "among them the order holds"
    apart = works([Change("one", "engine", "Alpha", "Alpha", True), replace(database, old="Gamma", new="Gamma")])
    made = [replace(work, doubtful=work.server == "Alpha") for work in apart]
    assert interrupting(waves(made, BEFORE)) == ["Gamma", "Alpha"], "what the other one does harms nobody"


@given(changes(), st.sets(st.sampled_from(SERVERS)))
def test_nothing_interrupts_a_cluster_before_a_server_that_a_run_died_on(found: list[Change], died: set[str]) -> None:
    """Unless an address keeps that server waiting."""
    stay = [replace(change, new=change.old) for change in found if change.old]
    made = [replace(work, doubtful=work.server in died) for work in works(stay)]
    order = waves(made, BEFORE)
    for doubtful in (work for work in made if work.doubtful):
        for other in (work for work in made if not work.doubtful and work.clusters.keys() & doubtful.clusters.keys()):
            assert wave_of(order, doubtful.server) < wave_of(order, other.server)


def interrupting(found: list[Wave]) -> list[str]:
    """Return the servers on which something is interrupted, in their order."""
    return [step.server for wave in found for step in wave.servers if step.instances]


def test_what_comes_is_there_before_the_rest_restarts_and_what_goes_stays_until_then() -> None:
    gone = Change("one", "engine", "Alpha", None, False)
    stays = Change("two", "engine", "Beta", "Beta", True)
    comes = Change("three", "engine", None, "Gamma", False)
    assert interrupting(waves(works([gone, stays, comes]), BEFORE)) == ["Gamma", "Beta", "Alpha"]


def test_a_swap_of_addresses_lists_one_server_twice() -> None:
    swap = [Change("one", "engine", "Alpha", "Beta", False), Change("two", "engine", "Beta", "Alpha", False)]
    found = [[step for step in wave.servers if step.server in ("Alpha", "Beta")] for wave in waves(works(swap), BEFORE)]
    assert [steps for steps in found if steps] == [
        [Step("Alpha", ("two",), ("one",))],
        [Step("Beta", (), ("one", "two"))],
        [Step("Alpha", (), ("two",))],
    ]


def test_a_cluster_is_left_alone_while_an_instance_of_it_is_on_its_way() -> None:
    move = [
        Change("one", "engine", "Alpha", "Gamma", False),
        Change("two", "engine", "Beta", "Beta", True),
    ]
    order = [wave_of(waves(works(move), BEFORE), server) for server in ("Alpha", "Gamma", "Beta")]
    assert order == sorted(order)
    assert len(set(order)) == len(order)
