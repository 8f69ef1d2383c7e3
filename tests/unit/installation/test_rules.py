"""Every rule between the parts of an installation, broken once."""

from pathlib import Path

import pytest

from tests.unit.sample import BILLING_1, INSTALLATION, edited, line, load, refused

ALPHA = "Alpha: {site: primary, address: 198.18.0.11, cpus: 2, memory: 4GiB, disk: 40GiB}"
BETA = "Beta: {site: primary, address: 198.18.0.12}"
OMEGA = "Omega: {site: primary, address: 198.18.0.10}"
LAMBDA = "Lambda: {site: secondary, address: 198.18.8.12}"
CONFIGURATION = "configuration-1: {server: Omega, address: 198.18.0.10}"
BILLING_2 = "billing-2: {server: Beta, address: 198.18.1.12}"
WEB = "web-1: {server: Alpha, address: 198.18.1.31}"
CONTROLLERS = "controllers: [198.18.0.250/32]"
SERVICE_9 = "service: {network: 198.18.9.0/24}"

CASES: list[tuple[str, str, list[str]]] = [
    # names that point nowhere
    (BILLING_2, "billing-2: {server: Betta, address: 198.18.1.12}",
     ["billing-2: server Betta does not exist; did you mean Beta?"]),
    (BETA, "Beta: {site: primry, address: 198.18.0.12}", ["Beta: site primry does not exist; did you mean primary?"]),
    ("application: web", "application: wbe", ["web: application wbe does not exist; did you mean web?"]),
    ("application: database", "application: databse",
     ["databases: application databse does not exist; did you mean database?"]),
    ("    kind: secondary", "    kind: secondary\n    runner: Lamda",
     ["secondary.runner: Lamda is not a server of this site; did you mean Lambda?"]),
    ("    kind: secondary", "    kind: secondary\n    runner: Alpha",
     ["secondary.runner: Alpha is not a server of this site"]),
    ("    kind: secondary", "    kind: secondary\n    license: own.one",
     ['secondary.license: "own.one" is not the name of a license: letters, digits, - and _, beginning with a letter']),
    # names that cannot be, or are there twice
    (WEB, "1web: {server: Alpha, address: 198.18.1.31}",
     [('"1web" cannot be the name of an instance: begin with a letter, then use letters, digits, - and _ '
      "(63 characters at most)")]),
    (WEB, "billing-1: {server: Alpha, address: 198.18.1.31}",
     ["instance billing-1 exists already, in cluster billing (line 33)"]),
    (BILLING_2, BILLING_2 + "\n      billing-2: {server: Beta, address: 198.18.1.13}",
     ["billing-2 stands here a second time; the first is in line 34"]),
    (BETA, BETA + "\n  beta: {site: primary, address: 198.18.0.13}",
     ["a server beta differs from Beta only in upper and lower case"]),
    ("environments: [pb, wholesale]", "environments: [pb, pb, 5, a b]", [
        ('"a b" cannot be the name of an environment: begin with a letter, then use letters, digits, - and _ '
        "(63 characters at most)"),
        "environment pb is in the list already",
        "environments: item 3 is not text",
    ]),
    ("name: sample", "name: my installation", [
        ('"my installation" cannot be the name of an installation: begin with a letter, then use letters, digits, '
        "- and _ (63 characters at most)")
    ]),
    # what is missing, unknown, or of the wrong kind
    ("plugin: tandem.platform.installation", "plugin: other",
     ["the first key must be plugin: tandem.platform.installation"]),
    ("name: sample", "nmae: sample", ["name is missing", "nmae is not known here; did you mean name?"]),
    (BETA, "Beta: {site: primary}", ["Beta: address is missing"]),
    (BETA, "Beta: {site: primary, adress: 198.18.0.12}",
     ["Beta: address is missing", "Beta: adress is not known here; did you mean address?"]),
    (BETA, "Beta: 198.18.0.12", ['Beta: "198.18.0.12" is not a mapping']),
    (ALPHA, ALPHA.replace("4GiB", "4GB"), ['Alpha.memory: "4GB" is not a size such as 4GiB (MiB, GiB or TiB)']),
    (ALPHA, ALPHA.replace("cpus: 2", "cpus: two"), ['Alpha.cpus: "two" is not a whole number']),
    (BETA, "Beta: {site: primary, address: 198.18.0.300}",
     ['Beta.address: "198.18.0.300" is not an IPv4 address such as 198.18.0.11']),
    ("    kind: secondary", "    kind: third", ['secondary.kind: "third" is not primary or secondary']),
    (WEB, "web-1: {server: Alpha}", ["web-1: address is missing"]),
    ("    application: web", "    aplication: web",
     ["web: application is missing", "web: aplication is not known here; did you mean application?"]),
    # controllers
    (CONTROLLERS, "controllers: [198.18.0.250]",
     ['controllers: "198.18.0.250" is not an IPv4 network such as 198.18.0.0/24']),
    (CONTROLLERS, "controllers: [198.18.0.250/24]",
     ['controllers: "198.18.0.250/24" is not the address of a network; did you mean 198.18.0.0/24?']),
    (CONTROLLERS, "controllers: []", ["controllers: name at least one network, or nobody can reach the servers"]),
    (CONTROLLERS, "controllers: 5", ["controllers: a list belongs here"]),
    # sites
    ("    kind: primary", "    kind: secondary", ["no site is primary; exactly one must be"]),
    ("    kind: secondary", "    kind: primary",
     ["secondary: a second primary site, after primary; exactly one must be"]),
    ("management: {network: 198.18.8.0/24}", "manage: {network: 198.18.8.0/24}",
     ["secondary: a site needs a network called management"]),
    ("management: {network: 198.18.0.0/24}", "manage: {network: 198.18.0.0/24}",
     ["primary: a site needs a network called management"]),
    (SERVICE_9, "service: {network: 198.18.1.0/25}",
     ["billing-3: address 198.18.9.11 is not in a service network of site secondary (198.18.1.0/25), where Lambda is",
      "secondary.service: 198.18.1.0/25 overlaps primary.service (198.18.1.0/24)"]),
    (SERVICE_9, "service: {network: 198.18.9.0/24, gateway: 198.18.8.1}",
     ["secondary.service: gateway 198.18.8.1 is not in 198.18.9.0/24"]),
    (SERVICE_9, "service: {network: 198.18.9.1/24}",
     [('secondary.networks.service.network: "198.18.9.1/24" is not the address of a network; '
      "did you mean 198.18.9.0/24?")]),
    (SERVICE_9, "service: {network: 198.18.9.0/24, interface: a/b}",
     ['secondary.networks.service.interface: "a/b" is not the name of a network interface such as eth0']),
    # addresses
    (LAMBDA, "Lambda: {site: secondary, address: 198.18.7.7}",
     ["Lambda: address 198.18.7.7 is not in a network of site secondary (198.18.8.0/24, 198.18.9.0/24)"]),
    (LAMBDA, "Lambda: {site: secondary, address: 198.18.9.12}",
     ["Lambda: address 198.18.9.12 is not in the management network of site secondary (198.18.8.0/24)"]),
    (LAMBDA, "Lambda: {site: secondary, address: 198.18.8.1}",
     ["Lambda: address 198.18.8.1 is the gateway of 198.18.8.0/24"]),
    (LAMBDA, "Lambda: {site: secondary, address: 198.18.8.255}",
     ["Lambda: address 198.18.8.255 is the first or last of 198.18.8.0/24, which no machine can have"]),
    (WEB, "web-1: {server: Alpha, address: 198.18.9.31}",
     ["web-1: address 198.18.9.31 is not in a service network of site primary (198.18.1.0/24), where Alpha is"]),
    (WEB, "web-1: {server: Alpha, address: 198.18.0.11}",
     ["web-1: address 198.18.0.11 is not in a service network of site primary (198.18.1.0/24), where Alpha is"]),
    (WEB, "web-1: {server: Alpha, address: 198.18.1.12}",
     ["web-1: address 198.18.1.12 is on two servers: billing-2 on Beta has it already"]),
    (OMEGA, OMEGA + "\n  Iota: {site: primary, address: 198.18.0.12}",
     ["Iota: address 198.18.0.12 is on two servers: Beta has it already"]),
    # applications
    (CONFIGURATION, CONFIGURATION + "\n      configuration-2: {server: Lambda, address: 198.18.8.12}",
     ["billing-3: cannot be on Lambda, which configuration-2 shares with log_server only",
      ("exactly 1 instance of configuration_server must be in an installation; here are 2: "
      "configuration-1, configuration-2")]),
    ("    instances:\n      " + CONFIGURATION, "    instances: {}",
     ["exactly 1 instance of configuration_server must be in an installation; here are 0"]),
    (CONFIGURATION, "configuration-1: {server: Alpha, address: 198.18.0.11}",
     ["billing-1: cannot be on Alpha, which configuration-1 shares with log_server only",
      "web-1: cannot be on Alpha, which configuration-1 shares with log_server only"]),
    ("    instances:\n      database-main: {server: Beta, address: 198.18.1.21}", "    instances: {}",
     ["billing: billing_engine requires database, of which there is no instance",
      "billing_secondary: billing_engine requires database, of which there is no instance"]),
    ("database-main: {server: Beta, address: 198.18.1.21}",
     "database-main: {server: Beta, address: 198.18.1.21}\n      database-2: {server: Alpha, address: 198.18.1.22}",
     ["0 to 1 instances of database must be in an installation; here are 2: database-main, database-2"]),
    # ports
    (WEB, WEB + "\n      web-2: {server: Alpha, address: 198.18.1.31}",
     [("web-2: tcp port 80 of 198.18.1.31 is claimed by nginx of web-2 and by nginx of web-1; "
      "change a port, or give web-2 another address")]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CASES, ids=[new.splitlines()[-1].strip() for _, new, _ in CASES])
def test_a_broken_rule(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    found = refused(tmp_path, {"installation.yml": edited((old, new))})
    assert sorted(problem.split(": ", 1)[1] for problem in found) == sorted(expected)
    assert all(problem.startswith("installation.yml") for problem in found)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (BILLING_2, "billing-2: {server: Betta, address: 198.18.1.12}", "billing-2:"),
        (BILLING_2, "billing-2:\n        server: Betta\n        address: 198.18.1.12", "server: Betta"),
        (BETA, "Beta:\n    site: primary\n    address: nowhere", "address: nowhere"),
        ("    kind: secondary", "    kind: primary", "  secondary:"),
        (CONTROLLERS, "controllers:\n  - 198.18.0.250/32\n  - here", "- here"),
    ],
)
def test_a_broken_rule_is_named_with_its_line(tmp_path: Path, old: str, new: str, where: str) -> None:
    text = edited((old, new))
    [problem] = refused(tmp_path, {"installation.yml": text})
    assert problem.startswith(f"installation.yml:{line(text, where)}: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "installation.yml:1: a mapping belongs here; begin with plugin: tandem.platform.installation"),
        ("[1]\n", "installation.yml:1: a mapping belongs here; begin with plugin: tandem.platform.installation"),
        (b"\xff\xfe", "installation.yml:1: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_an_installation_that_is_none(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refused(tmp_path, {"installation.yml": content})


def test_every_part_that_is_missing_is_named(tmp_path: Path) -> None:
    problems = refused(tmp_path, {"installation.yml": "plugin: tandem.platform.installation\n"})
    missing = [
        f"installation.yml:1: {part} is missing" for part in ("clusters", "controllers", "name", "servers", "sites")
    ]
    assert set(missing) <= set(problems)


def test_instances_of_one_server_may_share_an_address(tmp_path: Path) -> None:
    text = edited((WEB, "web-1: {server: Alpha, address: 198.18.1.11}"))
    assert load(tmp_path, {"installation.yml": text}).installation.instances["web-1"].server.name == "Alpha"


def test_the_port_that_an_option_sets_is_what_counts(tmp_path: Path) -> None:
    """Two billing engines may share an address as long as one of them listens elsewhere, or not at all."""
    text = edited((BILLING_2, "billing-2: {server: Alpha, address: 198.18.1.11}"))
    assert len(refused(tmp_path / "both", {"installation.yml": text})) == 2
    moved = "billing_engine: {listen: {authorization_port: 11812, accounting: false}}\n"
    assert load(tmp_path / "moved", {"installation.yml": text, BILLING_1: moved})


def test_what_a_server_itself_listens_on_is_taken(tmp_path: Path) -> None:
    """The log server may use the management address, where every server's own processes are as well."""
    entry = "logs-1: {server: Omega, address: 198.18.0.10}"
    logs = f"clusters:\n  logs:\n    application: log_server\n    instances:\n      {entry}"
    files = {
        "installation.yml": edited(("clusters:", logs)),
        "options/installation.yml": "server: {ssh: {port: 6514}}\n",
    }
    [problem] = refused(tmp_path, files)
    assert "tcp port 6514 of 198.18.0.10 is claimed by rsyslogd of logs-1 and by sshd of every server" in problem


def test_what_is_read(tmp_path: Path) -> None:
    installation = load(tmp_path).installation
    alpha = installation.servers["Alpha"]
    assert (alpha.site.name, str(alpha.address), alpha.cpus, alpha.memory) == ("primary", "198.18.0.11", 2, 4 * 2**30)
    assert str(alpha.site.management.gateway) == "198.18.0.1"
    billing = installation.instances["billing-3"]
    assert (billing.cluster, billing.application, billing.suite) == (
        "billing_secondary",
        "billing_engine",
        "cluster_suite",
    )
    assert (billing.network.name, str(billing.network.network)) == ("service", "198.18.9.0/24")
    assert [instance.name for instance in installation.instances_on("Alpha")] == ["billing-1", "web-1"]
    assert list(installation.servers) == sorted(installation.servers)
    assert str(billing.origin) == f"installation.yml:{line(INSTALLATION, 'billing-3:')}"


def test_two_sites_cannot_have_the_same_license(tmp_path: Path) -> None:
    own = [(f"    kind: {kind}", f"    kind: {kind}\n    license: own") for kind in ("primary", "secondary")]
    [problem] = refused(tmp_path, {"installation.yml": edited(*own)})
    assert problem.endswith("secondary.license: own is that of site primary; every site needs one of its own, or none")
