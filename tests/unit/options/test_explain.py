"""Explain and reach tell the truth: what they show is what compile uses."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InputRefused
from tandem.options.explain import explain, explain_base, record, written
from tandem.options.reach import reach
from tests.unit.options.test_resolve import DAYS, EXEMPT, SETS, tree_of, trees
from tests.unit.sample import BILLING, BILLING_1, SUITE, WHOLE, load

FILES = {
    WHOLE: "cards:\n  expiry:\n    notify_days: 14\n    exempt: [a, b]\n"
    "environments:\n  pb:\n    cards:\n      expiry:\n        notify_days: 10\n        exempt: [{not: b}, c]\n",
    BILLING: "cards:\n  expiry:\n    exempt: [d, {not: a}]\nbilling_engine:\n  log:\n    level: debug\n",
}


def test_every_level_is_shown_and_which_one_won(tmp_path: Path) -> None:
    explanation = explain(load(tmp_path, FILES).tree, "billing-1", DAYS, "pb")
    steps = [(s.level, s.environment, str(s.origin), s.value and s.value.value, s.counts) for s in explanation.steps]
    assert steps == [
        ("instance", "pb", BILLING_1, None, False),
        ("instance", None, BILLING_1, None, False),
        ("cluster", "pb", BILLING, None, False),
        ("cluster", None, BILLING, None, False),
        ("suite", "pb", SUITE, None, False),
        ("suite", None, SUITE, None, False),
        ("installation", "pb", f"{WHOLE}:9", 10, True),
        ("installation", None, f"{WHOLE}:3", 14, False),
        ("default", None, "roles/billing_engine/meta/options.yml:26", 7, False),
    ]
    assert (explanation.value.value, explanation.reason) == (10, "on its level pb goes before Global")


def test_every_contribution_to_a_union_is_shown(tmp_path: Path) -> None:
    explanation = explain(load(tmp_path, FILES).tree, "billing-1", EXEMPT, "pb")
    assert explanation.value.value == ["d", "c"]
    used = [
        (s.level, s.environment, written(explanation.option, s.value))
        for s in explanation.steps
        if s.value and s.counts
    ]
    assert used == [
        ("cluster", None, "[d], not a"),
        ("installation", "pb", "[c], not b"),
        ("installation", None, "[a, b]"),
        ("default", None, "[]"),
    ]


@given(trees, st.sampled_from(SETS), st.sampled_from([DAYS, EXEMPT]))
def test_what_is_explained_is_what_holds(made: dict[str, object], environment: str | None, dotted: str) -> None:
    """The steps that count are exactly the sources of the effective value, in their order."""
    tree = tree_of(made)
    explanation = explain(tree, "billing-1", dotted, environment)
    value = tree.effective("billing-1", environment)[dotted]
    assert explanation.value.value == value.value
    counted = [step.value for step in explanation.steps if step.counts]
    assert len(counted) == len(value.sources)
    assert all(ours is theirs for ours, theirs in zip(counted, value.sources, strict=True))


def test_an_option_of_an_instance_has_no_environments(tmp_path: Path) -> None:
    explanation = explain(load(tmp_path, FILES).tree, "billing-1", "billing_engine.log.level", "pb")
    assert [step.environment for step in explanation.steps] == [None] * 5
    assert explanation.value.value == "debug"


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    explanation = explain(load(tmp_path).tree, "billing-1", "billing_engine.database.password")
    shown = [written(explanation.option, step.value) for step in explanation.steps if step.value]
    assert shown == ["(secret)"]
    assert record(explanation)["value"] == "(secret)"
    assert "6265656600" not in str(record(explanation)) + repr(explanation)


def test_a_secret_is_masked_also_once_it_is_decrypted(tmp_path: Path) -> None:
    tree = load(tmp_path).tree
    option = tree.options("database-main")["database.billing.password"]
    clear = option.reveal(tree.effective("database-main")[option.dotted].value, lambda _: "hunter2-hunter2")
    assert (clear, option.show(clear), option.plain(clear)) == ("hunter2-hunter2", "(secret)", "(secret)")


def test_a_secret_that_is_not_as_declared_is_refused_without_showing_it(tmp_path: Path) -> None:
    tree = load(tmp_path).tree
    option = tree.options("database-main")["database.billing.password"]
    secret = tree.effective("database-main")[option.dotted].value
    with pytest.raises(ValueError, match=r"^the secret does not match \[!-~\]\{8,\}$"):
        option.reveal(secret, lambda _: "short")


def test_options_of_servers_are_explained_too(tmp_path: Path) -> None:
    explanation = explain_base(load(tmp_path, {WHOLE: "server: {ssh: {port: 2222}}\n"}).tree, "server.ssh.port")
    assert [(s.level, s.counts) for s in explanation.steps] == [("installation", True), ("default", False)]


@pytest.mark.parametrize(
    ("name", "dotted", "environment", "message"),
    [
        ("biling-1", DAYS, None, "explain: biling-1 is not an instance; did you mean billing-1?"),
        ("billing-1", "cards.expiry.days", None,
         "explain: cards.expiry.days is not an option of billing_engine; did you mean cards.expiry.notify_days?"),
        ("billing-1", "expiry.notify_days", None,
         "explain: expiry.notify_days is not an option of billing_engine; did you mean cards.expiry.notify_days?"),
        ("billing-1", DAYS, "bp", "explain: bp is not an environment; did you mean pb?"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_answered_with_the_nearest(
    tmp_path: Path, name: str, dotted: str, environment: str | None, message: str
) -> None:
    with pytest.raises(InputRefused) as refused:
        explain(load(tmp_path).tree, name, dotted, environment)
    assert str(refused.value) == message


def reached(tmp_path: Path, what: str) -> list[tuple[str | None, str | None, str]]:
    return [
        (found.instance, found.environment, found.option.dotted) for found in reach(load(tmp_path, FILES).tree, what)
    ]


def test_an_option_reaches_all_instances_of_its_application(tmp_path: Path) -> None:
    assert reached(tmp_path, DAYS) == [
        ("billing-1", None, DAYS), ("billing-1", "pb", DAYS),
        ("billing-2", None, DAYS), ("billing-2", "pb", DAYS),
        ("billing-3", None, DAYS), ("billing-3", "pb", DAYS),
    ]  # fmt: skip


def test_a_file_reaches_those_whose_values_stand_in_it(tmp_path: Path) -> None:
    level = "billing_engine.log.level"
    assert reached(tmp_path, f"inventories/x/{BILLING}") == [
        ("billing-1", None, level), ("billing-1", None, EXEMPT), ("billing-1", "pb", EXEMPT),
        ("billing-2", None, level), ("billing-2", None, EXEMPT), ("billing-2", "pb", EXEMPT),
    ]  # fmt: skip


def test_a_line_reaches_what_it_sets(tmp_path: Path) -> None:
    assert {(environment, option) for _, environment, option in reached(tmp_path, f"{WHOLE}:9")} == {("pb", DAYS)}
    assert {option for _, _, option in reached(tmp_path, f"{BILLING}:6")} == {"billing_engine.log.level"}


def test_a_value_that_is_overridden_everywhere_reaches_nobody(tmp_path: Path) -> None:
    files = {WHOLE: "web: {page: {title: a}}\n", "options/web_suite.yml": "web: {page: {title: b}}\n"}
    assert reach(load(tmp_path, files).tree, WHOLE) == []


def test_a_group_stands_for_its_options_and_the_base_for_servers(tmp_path: Path) -> None:
    assert reached(tmp_path, "server.ssh") == [(None, None, "server.ssh.port"), (None, None, "server.ssh.networks")]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cards.expiry.days", ("reach: cards.expiry.days is not an option, nor a file of options/; "
         "did you mean cards.expiry.notify_days?")),
        ("options/web_siute.yml", "reach: options/web_siute.yml is not a file of the tree"),
        ("options/cluster_siute.yml",
         "reach: options/cluster_siute.yml is not a file of the tree; did you mean options/cluster_suite.yml?"),
    ],
)  # fmt: skip
def test_what_cannot_be_reached_is_answered_with_the_nearest(tmp_path: Path, what: str, message: str) -> None:
    with pytest.raises(InputRefused) as refused:
        reached(tmp_path, what)
    assert str(refused.value).startswith(message)
