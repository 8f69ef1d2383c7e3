"""The license on real servers: what it allows, what it refuses, and how it comes, grows old and is renewed."""

import contextlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tandem_guard.document import read
from tandem_guard.license import LICENSE_ROOT, MOMENT, License, license_of
from tandem_guard.verdict import shown

from tests.fleet.faults import mend
from tests.fleet.fleet import Fleet, eventually
from tests.fleet.vendor import DOCUMENTS, LICENSE, SERVERS, Vendor

INSTALLATION = "installation.yml"
KEEPER = "Omega"  # the configuration server
RUNS = {
    "Alpha": ["billing-engine@billing-1.service"],
    "Beta": ["billing-engine@billing-2.service", "database@database-main.service"],
    "Gamma": ["web@web-1.service"],
    "Epsilon": ["web@web-2.service", "web@web-3.service"],
    "Zita": ["dns@dns-1.service"],
    "Omega": ["log-server@logs-1.service"],
    "Kappa": ["dns@dns-2.service"],
    "Lambda": ["billing-engine@billing-3.service"],
}
ALL = {(server, unit) for server, units in RUNS.items() for unit in units}
BILLING_1 = "options/cluster_suite/billing/billing-1.yml"
BILLING_4 = (
    "      billing-2: {server: Beta, address: 198.18.1.12}\n",
    "      billing-4: {{server: {}, address: 198.18.1.14}}\n",
)
WEB_4 = ("      web-1: {server: Gamma, address: 198.18.1.31}\n", "      web-4: {{server: {}, address: 198.18.1.34}}\n")
UNCONTACTED = "no server but the configuration server was contacted"
FLIP = """
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    [byte] = file.read(1)
    file.seek(-1, 1)
    file.write(bytes([byte ^ 1]))
"""


@pytest.fixture
def licensed(example: Fleet, vendor: Vendor) -> Iterator[Fleet]:
    """Return the example; whatever the test does, everything is on afterwards and has the license of the beginning."""
    yield example
    for fleet in (vendor.fleet, example):
        mend(fleet)
    vendor.take_back()
    vendor.wait()
    check(example)


def check(fleet: Fleet) -> None:
    """Do what each server that is on does every night, the configuration server first."""
    others = [server for server in fleet.servers if server != KEEPER]
    with ThreadPoolExecutor(4) as pool:
        for servers in ([KEEPER], others):
            list(pool.map(lambda server: check_on(fleet, server), servers))


def check_on(fleet: Fleet, server: str) -> None:
    """Do it on one server, if that is on; that it hears of no license is not asked here."""
    if fleet.lab.server(server).state() == "on":
        command = "systemctl restart tandem-license.service"
        fleet.lab.exec(server, ["sh", "-c", command], timeout=120)


def status(fleet: Fleet, server: str) -> dict[str, object]:
    """Return what monitoring reads of a server's license."""
    found: dict[str, object] = json.loads(fleet.text(server, "/run/tandem/license.json"))
    return found


def license_on(fleet: Fleet, server: str) -> License:
    """Return the license that counts on a server."""
    name = json.loads(fleet.text(server, "/etc/tandem/license/server.json"))["name"]
    data = fleet.text(server, f"{DOCUMENTS}/{name}/license.xml").encode()
    return license_of(read(data, LICENSE_ROOT, certified=True))


def running(fleet: Fleet) -> set[tuple[str, str]]:
    """Return the units of instances that run, with their servers."""
    on = [server for server in RUNS if fleet.lab.server(server).state() == "on"]
    units = {server: fleet.units(server) for server in on}
    return {(s, unit) for s, unit in ALL if s in on and units[s].get(unit, {}).get("ActiveState") == "active"}


def journal(fleet: Fleet, server: str, unit: str) -> str:
    """Return what a unit has said since the server's boot."""
    return fleet.do(server, "journalctl", "-b", "-o", "cat", "-u", unit)


def restarts(fleet: Fleet, server: str, unit: str) -> bool:
    """Restart a unit; tell whether it could be started."""
    fleet.lab.exec(server, ["systemctl", "reset-failed", unit])
    return fleet.lab.exec(server, ["systemctl", "restart", unit]).returncode == 0


def flip(fleet: Fleet, server: str, file: str = LICENSE) -> None:
    """Change one bit in the middle of a server's license."""
    size = int(fleet.do(server, "stat", "-c", "%s", file))
    fleet.do(server, "python3", "-c", FLIP, file, str(size // 2))


def logins(fleet: Fleet) -> dict[str, int]:
    """Count, for each server, how often somebody has logged in since its boot."""
    find = "journalctl -b -u ssh -o cat | grep -c 'Accepted publickey' || true"
    return {server: int(fleet.do(server, "sh", "-c", find)) for server in fleet.servers}


def add(fleet: Fleet, server: str, instance: tuple[str, str]) -> None:
    """Add an instance on a server."""
    after, line = instance
    fleet.edit(INSTALLATION, after, after + line.format(server))


def test_the_license_allows_exactly_what_the_example_runs_and_more_of_it_on_the_same_servers(licensed: Fleet) -> None:
    assert "servers: 8 of 8; billing engine servers: 3 of 3" in licensed.tandem("plan")
    assert "0 servers changed" in licensed.tandem("apply")
    add(licensed, "Alpha", BILLING_4)
    add(licensed, "Gamma", WEB_4)
    assert "servers: 8 of 8; billing engine servers: 3 of 3" in licensed.tandem("plan")


@pytest.mark.parametrize(
    ("instance", "server", "reasons"),
    [
        (BILLING_4, "Gamma", ["billing engine servers: 4 of 3, 1 too many (Alpha, Beta, Gamma, Lambda)"]),
        (
            WEB_4,
            "Iota",
            ["servers: 9 of 8, 1 too many (Alpha, Beta, Epsilon, Gamma, Iota, Kappa, Lambda, Omega, Zita)"],
        ),
        (
            BILLING_4,
            "Iota",
            ["servers: 9 of 8, 1 too many (", "billing engine servers: 4 of 3, 1 too many (Alpha, Beta, Io"],
        ),
    ],
)
def test_what_exceeds_it_is_refused_before_any_but_the_configuration_server_is_contacted(
    licensed: Fleet, instance: tuple[str, str], server: str, reasons: list[str]
) -> None:
    number = licensed.active()
    add(licensed, server, instance)
    licensed.hang_up()
    before = logins(licensed)
    shown_ = licensed.tandem("apply", status=2)
    assert [reason for reason in reasons if reason not in shown_] == [], shown_
    assert UNCONTACTED in shown_
    after = logins(licensed)
    assert {name for name in after if after[name] != before[name]} == {KEEPER}
    assert licensed.active() == number
    assert all(reason in licensed.tandem("plan", status=2) for reason in reasons)


def test_a_web_server_beside_the_configuration_server_is_refused_before_any_server_is_contacted(
    licensed: Fleet,
) -> None:
    add(licensed, KEEPER, WEB_4)
    licensed.hang_up()
    before = logins(licensed)
    assert "web-4: cannot be on Omega, which configuration-1 shares with log_server" in licensed.tandem(
        "apply", status=2
    )
    assert logins(licensed) == before


def test_without_licensing_servers_it_serves_for_a_week_then_all_stops_and_comes_back_with_one_of_them(
    licensed: Fleet, vendor: Vendor
) -> None:
    for server in SERVERS:
        licensed.lab.cut(server)
    licensed.write(BILLING_1, "billing_engine:\n  log:\n    accepted: false\n")
    applied = licensed.tandem("apply")
    for address in SERVERS.values():
        assert f"licensing server {address} does not answer" in applied
    assert shown(license_on(licensed, KEEPER).valid_until) in applied
    check(licensed)
    assert status(licensed, KEEPER)["good"] is True
    assert "licensing server" in str(status(licensed, KEEPER)["warnings"]), "not a warning from the first night on"

    late = f"the license was valid until {shown(vendor.age(9).valid_until)}, and no newer one has come"
    assert not restarts(licensed, "Alpha", "billing-engine@billing-1.service")
    assert f"billing-1 must not start: {late}" in journal(licensed, "Alpha", "billing-engine@billing-1.service")
    assert running(licensed) >= ALL - {("Alpha", "billing-engine@billing-1.service")}
    check(licensed)
    assert running(licensed) == set()
    for server, unit in ALL - {("Alpha", "billing-engine@billing-1.service")}:
        assert f"stopping {unit}: {late}" in journal(licensed, server, "tandem-license.service")
    assert (status(licensed, "Gamma")["good"], status(licensed, "Gamma")["reasons"]) == (False, [late])

    assert licensed.units(KEEPER)["tandem-store.service"]["ActiveState"] == "active"
    licensed.write(BILLING_1, "billing_engine:\n  log:\n    accepted: true\n")
    refused = licensed.tandem("apply", status=2)
    assert late in refused
    assert UNCONTACTED in refused

    licensed.lab.on("Deneb")
    vendor.wait(["Deneb"])
    check(licensed)
    assert eventually(lambda: running(licensed) == ALL), ALL - running(licensed)
    assert {server: status(licensed, server)["good"] for server in RUNS} == dict.fromkeys(RUNS, True)
    assert "no drift" in licensed.tandem("drift")


def test_without_the_configuration_server_the_others_fetch_it_from_the_licensing_servers(
    licensed: Fleet, vendor: Vendor
) -> None:
    before = license_on(licensed, "Alpha").valid_until
    vendor.publish()
    newest = vendor.published().valid_until
    assert newest > before
    licensed.lab.cut(KEEPER)
    others = [server for server in RUNS if server != KEEPER]
    rest = {(server, unit) for server, unit in ALL if server != KEEPER}
    for days in (1, 3, 9):
        old = vendor.age(days).valid_until
        units = licensed.units("Alpha")
        check(licensed)
        assert licensed.units("Alpha")["billing-engine@billing-1.service"] == units["billing-engine@billing-1.service"]
        expected = old if days == 1 else newest  # who has heard something within two days goes on waiting
        assert {server: license_on(licensed, server).valid_until for server in others} == dict.fromkeys(
            others, expected
        )
        assert {str(status(licensed, server)["valid_until"]) for server in others} == {expected.strftime(MOMENT)}
        assert running(licensed) == rest
        assert "the configuration server does not answer" in str(status(licensed, "Alpha")["warnings"])
    for server, unit in sorted(rest):
        assert restarts(licensed, server, unit), journal(licensed, server, unit)


def test_a_damaged_license_stops_starts_on_that_server_until_the_next_refresh(licensed: Fleet) -> None:
    web, good = "web@web-1.service", licensed.text("Gamma", LICENSE)
    before = licensed.units("Gamma")[web]
    with licensed.unplugged("Gamma"):
        flip(licensed, "Gamma")
        check_on(licensed, "Gamma")
        told = status(licensed, "Gamma")
        assert told["good"] is False
        assert LICENSE in str(told["reasons"])
        assert LICENSE in journal(licensed, "Gamma", "tandem-license.service")
        assert licensed.units("Gamma")[web] == before, "what runs must go on"
        assert not restarts(licensed, "Gamma", web)
        assert f"web-1 must not start: {LICENSE} " in journal(licensed, "Gamma", web)
        assert restarts(licensed, "Zita", "dns@dns-1.service")
    assert eventually(lambda: licensed.lab.exec("Gamma", ["ping", "-c", "1", "-W", "1", "198.18.0.10"]).returncode == 0)
    check_on(licensed, "Gamma")
    assert licensed.text("Gamma", LICENSE) == good
    assert status(licensed, "Gamma")["good"] is True
    assert eventually(lambda: running(licensed) == ALL), "the refresh starts again what the license kept from starting"


def test_a_damaged_license_is_repaired_by_the_next_apply(licensed: Fleet) -> None:
    """Also where nothing else is to be done, and before what is to be started asks for it."""
    good = licensed.text(KEEPER, LICENSE)
    for server in ("Alpha", "Kappa"):
        flip(licensed, server)
        assert licensed.text(server, LICENSE) != good
    licensed.write(BILLING_1, "billing_engine:\n  log:\n    accepted: false\n")
    before = licensed.all_units()
    applied = licensed.tandem("apply")
    newest = licensed.text(KEEPER, LICENSE)  # the apply has fetched it, and the vendor may have signed anew meanwhile
    assert [server for server in ("Alpha", "Kappa") if licensed.text(server, LICENSE) != newest] == []
    assert licensed.restarted(before) == {("Alpha", "billing-engine@billing-1.service")}, applied
    assert running(licensed) == ALL


def test_what_was_bought_is_usable_as_soon_as_the_licensing_servers_have_it(licensed: Fleet, vendor: Vendor) -> None:
    add(licensed, "Gamma", BILLING_4)
    assert "billing engine servers: 4 of 3, 1 too many" in licensed.tandem("apply", status=2)
    vendor.sell(kinds="{billing_engine: 4, sip: 0}")
    vendor.publish(patient=True)
    assert "billing engine servers: 4 of 4" in licensed.tandem("apply")
    assert "Access-Accept" in licensed.radius("198.18.1.14", "1001")
    assert {license_on(licensed, server).serial for server in licensed.servers} == {vendor.serial}


def test_a_site_has_a_license_of_its_own_that_counts_what_is_there_alone(licensed: Fleet, vendor: Vendor) -> None:
    name, site = "example-secondary", ["Kappa", "Lambda"]
    licensed.edit(INSTALLATION, "    runner: Kappa\n", f"    runner: Kappa\n    license: {name}\n")
    refused = licensed.tandem("apply", status=2)
    assert f"There is no license {name} to apply by." in refused
    assert UNCONTACTED in refused
    vendor.sell_to_site(name, "secondary", "{billing_engine: 1, sip: 0}", servers=2)
    planned = licensed.tandem("plan")
    assert "  license example: servers: 6 of 8; billing engine servers: 2 of 3" in planned
    assert f"  license {name}: servers: 2 of 2; billing engine servers: 1 of 1" in planned
    before = licensed.all_units()
    licensed.tandem("apply")
    assert licensed.restarted(before) == set()
    whose = {server: license_on(licensed, server).site for server in licensed.servers}
    assert whose == {server: "secondary" if server in site else None for server in licensed.servers}
    for server, unit in sorted(ALL):
        assert restarts(licensed, server, unit), journal(licensed, server, unit)

    add(licensed, "Kappa", (BILLING_4[0], BILLING_4[1].replace("198.18.1.14", "198.18.9.14")))
    refused = licensed.tandem("apply", status=2)
    assert f"by the license {name}: billing engine servers: 2 of 1, 1 too many (Kappa, Lambda)" in refused
    flip(licensed, "Lambda", f"{DOCUMENTS}/{name}/license.xml")
    vendor.sell_to_site(name, "secondary", "{billing_engine: 2, sip: 0}", servers=2)
    check(licensed)
    assert {license_on(licensed, server).kinds["billing_engine"] for server in site} == {2}
    assert {status(licensed, server)["good"] for server in RUNS} == {True}
    licensed.tandem("apply")
    assert "Access-Accept" in licensed.radius("198.18.9.14", "1001")

    licensed.settle()
    assert {license_on(licensed, server).site for server in licensed.servers} == {None}
    check(licensed)
    assert {status(licensed, server)["good"] for server in RUNS} == {True}
    assert running(licensed) == ALL


def test_how_much_is_left_is_shown(licensed: Fleet) -> None:
    shown_ = licensed.tandem("license", "show")
    assert re.search(r"^servers +8 +8 +0$", shown_, re.MULTILINE)
    assert re.search(r"^billing_engine: cluster +yes +yes$", shown_, re.MULTILINE)
    [facts] = licensed.json("license", "show")
    assert {limit["name"]: limit["used"] for limit in facts["limits"]}["billing_engine.engines"] == 24


def test_a_rollback_keeps_the_newest_license(licensed: Fleet, vendor: Vendor) -> None:
    number, before = licensed.active(), license_on(licensed, KEEPER).serial
    serial = vendor.sell()
    vendor.publish()
    licensed.write(BILLING_1, "billing_engine:\n  log:\n    accepted: false\n")
    licensed.tandem("apply")
    licensed.tandem("rollback", str(number))
    assert licensed.active() == number
    assert "auth_accept = yes" in licensed.text("Alpha", "/etc/freeradius/billing-1/radiusd.conf")
    assert {license_on(licensed, server).serial for server in licensed.servers} == {serial}
    assert serial > before
    assert running(licensed) == ALL


GUARD = "/usr/bin/python3 -IS /usr/lib/tandem/server.pyz guard web-1"
NIGHTLY = "/usr/bin/python3 -IS /usr/lib/tandem/server.pyz license"


@contextlib.contextmanager
def clock(fleet: Fleet, server: str, unit: str, setting: str, command: str, moved: str) -> Iterator[None]:
    """Have a unit run one of its commands with a clock that is ahead; there is no other way to tell it the time."""
    directory = f"/run/systemd/system/{unit}.d"
    preload = "LD_PRELOAD=$$(echo /usr/lib/*/faketime/libfaketime.so.1)"
    line = f"{setting}=+/bin/sh -c '{preload} FAKETIME={moved} exec {command}'"
    script = f"mkdir -p {directory}; cat > {directory}/zz-clock.conf; systemctl daemon-reload"
    fleet.do(server, "sh", "-ec", script, stdin=f"[Service]\n{setting}=\n{line}\n")
    try:
        yield
    finally:
        fleet.do(server, "sh", "-ec", f"rm -r {directory}; systemctl daemon-reload")


def test_nine_days_later_nothing_starts_and_what_runs_is_stopped_and_started_again(licensed: Fleet) -> None:
    web, late = "web@web-1.service", f"the license was valid until {shown(license_on(licensed, 'Gamma').valid_until)}"
    before = licensed.units("Gamma")[web]
    with clock(licensed, "Gamma", web, "ExecStartPre", GUARD, "+9d"):
        assert not restarts(licensed, "Gamma", web)
        assert f"web-1 must not start: {late}" in journal(licensed, "Gamma", web)
    assert restarts(licensed, "Gamma", web), "what was refused at another time is not remembered"
    assert licensed.units("Gamma")[web]["MainPID"] != before["MainPID"]
    with clock(licensed, "Gamma", "tandem-license.service", "ExecStart", NIGHTLY, "+9d"):
        check_on(licensed, "Gamma")
        assert ("Gamma", web) not in running(licensed)
        assert f"stopping {web}: {late}" in journal(licensed, "Gamma", "tandem-license.service")
        assert status(licensed, "Gamma")["good"] is False
    check_on(licensed, "Gamma")
    assert ("Gamma", web) in running(licensed)
    assert status(licensed, "Gamma")["good"] is True


def test_a_clock_that_is_turned_back_is_noticed_and_forgiven_with_the_next_license(
    licensed: Fleet, vendor: Vendor
) -> None:
    web = "web@web-1.service"
    with clock(licensed, "Gamma", web, "ExecStartPre", GUARD, "+2d"):
        assert restarts(licensed, "Gamma", web)
    assert not restarts(licensed, "Gamma", web)
    assert "web-1 must not start: the clock was turned back" in journal(licensed, "Gamma", web)
    vendor.publish()
    check(licensed)
    assert eventually(lambda: ("Gamma", web) in running(licensed))
    assert restarts(licensed, "Gamma", web)
