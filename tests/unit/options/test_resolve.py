"""The laws of resolution, for trees that hypothesis makes up.

Every law is checked against a resolution written here from the words of the specification, one look-up at a time.
"""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.errors import Problems
from tandem.model import Model
from tandem.options import Layers, Tree
from tandem.source import Source, parse
from tandem.source.read import option_file
from tests.unit.sample import BILLING, BILLING_1, SECRET, SUITE, WHOLE, load

DAYS, EXEMPT, LEVEL = "cards.expiry.notify_days", "cards.expiry.exempt", "billing_engine.log.level"
PLACES = [(), ("cluster_suite",), ("cluster_suite", "billing"), ("cluster_suite", "billing", "billing-1")]
SETS = [None, "pb", "wholesale"]

days = st.one_of(st.none(), st.integers(0, 90))
cards = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["a", "b", "c", "d"])), max_size=4, unique_by=lambda item: item[1]
)
where = st.tuples(st.sampled_from(PLACES), st.sampled_from(SETS))
trees = st.fixed_dictionaries({"days": st.dictionaries(where, days), "cards": st.dictionaries(where, cards)})


def lists_of(items: list[tuple[bool, str]]) -> str:
    """Write the items of a union; the second kind is struck out."""
    return "[" + ", ".join(name if kept else f"{{not: {name}}}" for kept, name in items) + "]"


def files_of(made: dict[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Return, for each place, its file as blocks, whose order must not matter."""
    blocks: dict[tuple[str, ...], list[str]] = {}
    for place in PLACES:
        by_set: dict[str | None, list[str]] = {}
        for (at, name), value in made["days"].items():
            if at == place:
                by_set.setdefault(name, []).append(f"notify_days: {'null' if value is None else value}")
        for (at, name), value in made["cards"].items():
            if at == place:
                by_set.setdefault(name, []).append(f"exempt: {lists_of(value)}")
        environments = [f"{name}: {{cards: {{expiry: {{{', '.join(v)}}}}}}}" for name, v in by_set.items() if name]
        blocks[place] = [f"cards: {{expiry: {{{', '.join(by_set[None])}}}}}"] if None in by_set else []
        blocks[place] += [f"environments: {{{', '.join(environments)}}}"] if environments else []
    return blocks


def tree_of(made: dict[str, Any], *, backwards: bool = False) -> Tree:
    """Return the tree of the sample installation with the options made up."""
    problems = Problems()
    nodes = {}
    for place, blocks in files_of(made).items():
        text = "\n".join(reversed(blocks) if backwards else blocks)
        node = parse(text.encode(), option_file(place), problems)
        assert node is not None
        nodes[place] = node
    if backwards:
        nodes = dict(reversed(nodes.items()))
    found = dict(Layers(nodes, SAMPLE.tree.nodes, problems))
    assert not problems.found
    return Tree(SAMPLE.tree.nodes, found)


def sample() -> Model:
    with tempfile.TemporaryDirectory() as directory:
        return load(Path(directory))


SAMPLE = sample()


def looked_up(environment: str | None) -> list[tuple[tuple[str, ...], str | None]]:
    """Return the sets in the order of the specification: lowest level first, the environment's before Global."""
    names = [None] if environment is None else [environment, None]
    return [(place, name) for place in reversed(PLACES) for name in names]


@given(trees, st.sampled_from(SETS))
def test_the_first_value_found_from_the_instance_upwards_wins(made: dict[str, Any], environment: str | None) -> None:
    found = (made["days"].get(key) for key in looked_up(environment))
    expected = next((value for value in found if value is not None), 7)
    assert tree_of(made).effective("billing-1", environment)[DAYS].value == expected


@given(trees, st.sampled_from(SETS))
def test_a_union_is_what_every_level_contributes_less_what_is_struck_below(
    made: dict[str, Any], environment: str | None
) -> None:
    expected: list[str] = []
    struck: set[str] = set()
    for key in looked_up(environment):
        items = made["cards"].get(key, [])
        expected += [name for kept, name in items if kept and name not in struck and name not in expected]
        struck |= {name for kept, name in items if not kept}
    assert tree_of(made).effective("billing-1", environment)[EXEMPT].value == expected


@given(trees)
def test_the_order_of_files_and_keys_never_matters(made: dict[str, Any]) -> None:
    one, other = tree_of(made), tree_of(made, backwards=True)
    for instance in one.instances:
        for environment in SETS:
            ours, theirs = one.effective(instance, environment), other.effective(instance, environment)
            assert {n: (v.value, v.level) for n, v in ours.items()} == {
                n: (v.value, v.level) for n, v in theirs.items()
            }
            assert list(ours) == list(theirs)


@given(trees, where, st.integers(0, 90))
def test_setting_a_value_changes_nothing_beside_or_above_it(made: dict[str, Any], at: Any, value: int) -> None:
    """What a cluster sets is nothing to another cluster; what an environment sets, nothing to the others."""
    place, name = at
    before, after = tree_of(made), tree_of({**made, "days": {**made["days"], at: value}})
    for environment in SETS:
        if name is not None and environment != name:
            ours, theirs = after.effective("billing-1", environment), before.effective("billing-1", environment)
            assert ours[DAYS].value == theirs[DAYS].value
        if len(place) > 1:
            ours, theirs = after.effective("billing-3", environment), before.effective("billing-3", environment)
            assert ours[DAYS].value == theirs[DAYS].value


@given(trees)
@settings(max_examples=25)
def test_null_is_the_same_as_not_set(made: dict[str, Any]) -> None:
    without = {key: value for key, value in made["days"].items() if value is not None}
    one, other = tree_of(made), tree_of({**made, "days": without})
    for environment in SETS:
        ours, theirs = one.effective("billing-1", environment), other.effective("billing-1", environment)
        assert ours[DAYS].value == theirs[DAYS].value


def test_the_example_of_the_specification(tmp_path: Path) -> None:
    """14 in Global on the installation level and 10 for one environment: 10 there, 14 in every other."""
    text = "cards: {expiry: {notify_days: 14}}\nenvironments: {pb: {cards: {expiry: {notify_days: 10}}}}\n"
    tree = load(tmp_path, {WHOLE: text}).tree
    values = {name: tree.effective("billing-1", name)[DAYS].value for name in SETS}
    assert values == {None: 14, "pb": 10, "wholesale": 14}


def test_a_level_without_a_file_shares_what_holds_above_it(tmp_path: Path) -> None:
    """Instances cost only what they set: there is one mapping, not a copy for each."""
    tree = load(tmp_path, {BILLING: "billing_engine: {log: {level: debug}}\n"}).tree
    assert tree.effective("billing-1") is tree.effective("billing-2")
    assert tree.effective("billing-1") is not tree.effective("billing-3")
    assert tree.effective("billing-1", "pb") is not tree.effective("billing-3", "pb")


def test_a_value_knows_its_level_and_its_line(tmp_path: Path) -> None:
    files = {
        SUITE: f"billing_engine:\n  log: {{level: error}}\n  database:\n    user: u\n    password: {SECRET}\n",
        BILLING_1: "billing_engine:\n  log:\n    level: debug\n",
    }
    tree = load(tmp_path, files).tree
    one, three = tree.effective("billing-1")[LEVEL], tree.effective("billing-3")[LEVEL]
    assert (one.value, one.level, str(one.origin)) == ("debug", "instance", f"{BILLING_1}:3")
    assert (three.value, three.level, str(three.origin)) == ("error", "suite", f"{SUITE}:2")
    file = tree.effective("billing-3")["billing_engine.log.file"]
    assert (file.level, str(file.origin)) == ("default", "roles/billing_engine/meta/options.yml:8")


def test_options_of_the_base_hold_for_servers(tmp_path: Path) -> None:
    tree = load(tmp_path, {WHOLE: "server: {ssh: {port: 2222}}\n"}).tree
    assert tree.base()["server.ssh.port"].value == 2222
    assert "server.ssh.port" not in tree.effective("billing-1")


def test_what_is_read_is_what_is_kept(tmp_path: Path) -> None:
    source = load(tmp_path).source
    assert isinstance(source, Source)
    assert set(source.files) == {"installation.yml", SUITE, "options/database_suite.yml"}
