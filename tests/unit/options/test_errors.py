"""Every mistake in an option file is named with its file, its line and what to do."""

from pathlib import Path

import pytest

from tests.unit.sample import BILLING, BILLING_1, SECRET, SUITE, WHOLE, edited, refused

WEB = "options/web_suite/web.yml"

CASES: list[tuple[str, str, list[str]]] = [
    (BILLING, "biling_engine: {}\n", ["1: biling_engine is not a module; did you mean billing_engine?"]),
    (BILLING, "billing_engine:\n  lok: {}\n",
     ["2: billing_engine.lok is not a group of billing_engine; did you mean log?"]),
    (BILLING, "billing_engine:\n  log:\n    levl: debug\n",
     ["3: billing_engine.log.levl is not an option of billing_engine; did you mean log.level?"]),
    (BILLING, "billing_engine:\n  listen:\n    level: debug\n",
     ["3: billing_engine.listen.level is not an option of billing_engine; did you mean log.level?"]),
    (BILLING, "billing_engine:\n  log:\n    zzz: debug\n",
     ["3: billing_engine.log.zzz is not an option of billing_engine"]),
    (BILLING, "b2bua: {}\n", ["1: b2bua is a module of sip_processing_node, but cluster billing is of billing_engine"]),
    (WEB, "database: {}\n", ["1: database is a module of database, but cluster web is of web"]),
    (SUITE, "web: {}\n", ["1: web is a module of web, which is not in suite cluster_suite"]),
    (BILLING_1, "server: {ssh: {port: 1}}\n",
     ["1: server holds for whole servers; set it in options/installation.yml"]),
    (BILLING, "[1]\n", ["1: a mapping of modules belongs here"]),
    (BILLING, "billing_engine: 5\n", ["1: billing_engine: a mapping of groups belongs here"]),
    (BILLING, "billing_engine:\n  log: debug\n", ["2: billing_engine.log: a mapping of options belongs here"]),
    (BILLING, "environments: [pb]\n", ["1: environments: a mapping of environments belongs here"]),
    (BILLING, "billing_engine:\n  log:\n    level: 5\n",
     ["3: billing_engine.log.level: 5 is not one of error, info, debug"]),
    (BILLING, "billing_engine:\n  log: {level: debgu}\n",
     ['2: billing_engine.log.level: "debgu" is not one of error, info, debug; did you mean debug?']),
    (WHOLE, 'b2bua:\n  calls:\n    max_duration: 2h\n',
     ['3: b2bua.calls.max_duration: "2h" is not a whole number of seconds (1–86400)']),
    (WHOLE, "b2bua:\n  calls:\n    max_duration: 0\n",
     ["3: b2bua.calls.max_duration: 0 is below 1 second (1–86400)"]),
    (BILLING, "billing_engine:\n  clients:\n    networks:\n      - 198.18.0.0/24\n      - 198.18.0.1/24\n      - x\n", [
        ('5: billing_engine.clients.networks: item 2: "198.18.0.1/24" is not the address of a network; '
        "did you mean 198.18.0.0/24?"),
        '6: billing_engine.clients.networks: item 3: "x" is not an IPv4 network such as 198.18.0.0/24',
    ]),
    (BILLING, "billing_engine:\n  clients:\n    networks: [{not: x}]\n",
     ['3: billing_engine.clients.networks: not: "x" is not an IPv4 network such as 198.18.0.0/24']),
    (BILLING, "billing_engine:\n  clients:\n    names:\n      a: 5\n",
     ["4: billing_engine.clients.names: a: 5 is not an IPv4 address such as 198.18.0.11"]),
    (BILLING, "billing_engine:\n  database:\n    password: hunter2\n", [
        ("3: billing_engine.database.password: is secret and must not be written in clear; "
        "encrypt it with: ansible-vault encrypt_string")
    ]),
    (BILLING, f"billing_engine:\n  log:\n    file: {SECRET}\n",
     ["3: billing_engine.log.file: is not secret and cannot be !vault; write it in clear"]),
    (BILLING, "environments:\n  bp: {}\n", ["2: bp is not an environment of this installation; did you mean pb?"]),
    (BILLING, "environments:\n  pb:\n    billing_engine: {log: {level: debug}}\n", [
        "3: billing_engine.log.level belongs to whole instances, not to environments; set it outside environments:"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "expected"), CASES)
def test_a_mistake_in_an_option_file(tmp_path: Path, path: str, text: str, expected: list[str]) -> None:
    found = refused(tmp_path, {path: text})
    assert [problem for problem in found if "is required" not in problem] == [f"{path}:{end}" for end in expected]


def test_a_secret_in_clear_is_never_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in "".join(refused(tmp_path, {BILLING: "billing_engine: {database: {password: hunter2}}\n"}))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("options/cluster_siute.yml", "cluster_siute is not a suite; did you mean cluster_suite?"),
        ("options/cluster_suite/biling.yml",
         "there is no cluster biling in suite cluster_suite; did you mean billing?"),
        ("options/web_suite/billing.yml",
         "cluster billing is in suite cluster_suite; move the file to options/cluster_suite/billing.yml"),
        ("options/cluster_suite/billing/billing-9.yml",
         "there is no instance billing-9 in cluster billing; did you mean billing-2?"),
        ("options/cluster_suite/billing/billing-3.yml",
         ("instance billing-3 is in cluster billing_secondary; "
         "move the file to options/cluster_suite/billing_secondary/billing-3.yml")),
        ("options/cluster_suite/billing/billing-1/more.yml",
         "is too deep; below options/ come suite, cluster and instance"),
    ],
)  # fmt: skip
def test_a_file_that_matches_no_node(tmp_path: Path, path: str, message: str) -> None:
    assert refused(tmp_path, {path: ""}) == [f"{path}: {message}"]


def test_what_is_required_and_not_set_is_named_with_the_instances(tmp_path: Path) -> None:
    problems = refused(tmp_path, {SUITE: None})
    ending = (
        "is required and not set, for billing-1, billing-2, billing-3; set it in options/cluster_suite.yml or below"
    )
    assert problems == [
        f"installation.yml:33: billing_engine.database.password {ending}",
        f"installation.yml:33: billing_engine.database.user {ending}",
    ]


def test_what_is_required_may_be_set_by_one_and_lacking_for_another(tmp_path: Path) -> None:
    text = "billing_engine: {database: {user: u, password: null}}\n"
    other = f"billing_engine:\n  database:\n    password: {SECRET}\n"
    assert refused(tmp_path, {SUITE: text, BILLING: other}) == [
        (
            "installation.yml:38: billing_engine.database.password is required and not set, for billing-3; "
            "set it in options/cluster_suite.yml or below"
        )
    ]


def test_a_value_that_is_refused_is_not_called_missing_too(tmp_path: Path) -> None:
    text = f"billing_engine:\n  database:\n    user: 5\n    password: {SECRET}\n"
    assert refused(tmp_path, {SUITE: text}) == [f'{SUITE}:3: billing_engine.database.user: 5 is not text; write "5"']


def test_below_a_file_that_cannot_be_read_nothing_is_called_missing(tmp_path: Path) -> None:
    assert refused(tmp_path, {SUITE: "a: b: c\n"}) == [
        f"{SUITE}:1: is not valid YAML: mapping values are not allowed in this context"
    ]


def test_a_union_beside_a_refused_one_still_stands(tmp_path: Path) -> None:
    files = {
        WHOLE: "billing_engine: {clients: {networks: 5}}\n",
        BILLING: "billing_engine: {clients: {networks: [198.18.1.0/24]}}\n",
        BILLING_1: "billing_engine: {clients: {networks: [x]}}\n",
    }
    assert len(refused(tmp_path, files)) == 2


def test_the_levels_together_may_not_contribute_too_much(tmp_path: Path) -> None:
    files = {
        WHOLE: "cards: {expiry: {exempt: [a, b]}}\n",
        BILLING_1: "environments: {pb: {cards: {expiry: {exempt: [c, d]}}}}\n",
    }
    assert refused(tmp_path, files) == [
        f"{BILLING_1}:1: cards.expiry.exempt, for billing-1: 4 items are not within its limits (up to 3)"
    ]


def test_all_mistakes_of_all_files_come_in_one_run(tmp_path: Path) -> None:
    """The tree of the requirement: each kind of mistake once, together with a file that is no YAML at all."""
    files = {
        "installation.yml": edited(
            ("billing-1: {server: Alpha, address: 198.18.1.11}", "billing-1: {server: Alpah, address: 198.18.1.11}"),
            ("web-1: {server: Alpha, address: 198.18.1.31}", "web-1: {server: Alpha, address: 198.18.1.12}"),
            ("Lambda: {site: secondary, address: 198.18.8.12}", "Lambda: {site: secondary, address: 198.18.0.12}"),
        ),
        SUITE: "billing_engine:\n  log: {levl: debug}\n  database:\n    user: true\n",
        BILLING: "billing_engine:\n  log: {level: info}\n  log: {level: debug}\n",
        "options/web_suite.yml": "web: a: b\n",
        "options/web_suite/wbe.yml": "web: {listen: {port: eighty}}\n",
    }
    assert refused(tmp_path, files) == [
        (
            "installation.yml:19: Lambda: address 198.18.0.12 is not in a network of site secondary "
            "(198.18.8.0/24, 198.18.9.0/24)"
        ),
        "installation.yml:19: Lambda: address 198.18.0.12 is on two servers: Beta has it already",
        "installation.yml:33: billing-1: server Alpah does not exist; did you mean Alpha?",
        (
            "installation.yml:33: billing_engine.database.password is required and not set, for billing-1, billing-2, "
            "billing-3; set it in options/cluster_suite.yml or below"
        ),
        "installation.yml:42: web-1: address 198.18.1.12 is on two servers: billing-2 on Beta has it already",
        f"{SUITE}:2: billing_engine.log.levl is not an option of billing_engine; did you mean log.level?",
        f'{SUITE}:4: billing_engine.database.user: true is not text; write "true"',
        f"{BILLING}:3: log stands here a second time; the first is in line 2",
        "options/web_suite.yml:1: is not valid YAML: mapping values are not allowed in this context",
        "options/web_suite/wbe.yml: there is no cluster wbe in suite web_suite; did you mean web?",
        'options/web_suite/wbe.yml:1: web.listen.port: "eighty" is not a port (1–65535)',
    ]


def test_without_an_installation_the_option_files_are_still_checked(tmp_path: Path) -> None:
    """Which clusters there are is not known then, so no file is called misplaced."""
    files = {
        "installation.yml": "a: b: c\n",
        BILLING: "billing_engine: {log: {levl: debug}}\n",
        "options/admin/anything.yml": "environments: {new: {}}\n",
    }
    assert refused(tmp_path, files) == [
        "installation.yml:1: is not valid YAML: mapping values are not allowed in this context",
        f"{BILLING}:1: billing_engine.log.levl is not an option of billing_engine; did you mean log.level?",
    ]
