"""A server that is away is left out, its instances move at once, and it comes back as what it should be by now."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from tandem.render import identities
from tests.fleet.faults import boot, mend
from tests.fleet.fleet import Fleet, eventually
from tests.fleet.stops import LAUNCH, Stop
from tests.fleet.traces import stale
from tests.fleet.watch import Watch

INSTALLATION = "installation.yml"
MOVED = "198.19.1.31"  # web-1 goes from West to South
STAYS = "198.19.1.32"  # web-2 on West
STORE = "/var/lib/tandem/store"
AGENT = ("systemctl", "start", "tandem-agent.service")

ASK = """
import json, sys
sys.path.insert(0, "/usr/lib/tandem/server.pyz")
from tandem_server import wire
wire.IDENTITY = sys.argv[1]
try:
    print(json.dumps(wire.ask("198.19.0.11", 7443, json.loads(sys.argv[2]))))
except (wire.Refused, OSError) as error:
    print(f"{type(error).__name__}: {error}")
"""


def move(fleet: Fleet) -> None:
    """Let web-1 run on South, instead of West."""
    fleet.edit(INSTALLATION, "web-1: {server: West,", "web-1: {server: South,")


def status(fleet: Fleet, server: str = "West") -> dict[str, object]:
    """Return what is known of a server."""
    found: dict[str, object] = fleet.json("agent", "status")["results"]["agent_info"][-1]["servers"][server]
    return found


def ask(fleet: Fleet, server: str, *, identity: str = "/etc/tandem/agent/identity.pem", **message: object) -> str:
    """Ask the configuration server something as the agent of a server would."""
    return fleet.do(server, "python3", "-c", ASK, identity, json.dumps(message)).strip()


def title(fleet: Fleet, address: str) -> str:
    return fleet.from_controller("curl", "-s", "-m", "5", f"http://{address}/")


def is_on(fleet: Fleet, server: str, number: int, timeout: float = 120) -> bool:
    """Wait until the store knows that a server is on a configuration."""
    deadline = time.monotonic() + timeout
    while json.loads(fleet.text("North", f"{STORE}/servers.json")).get(server) != number:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def is_home(fleet: Fleet) -> None:
    """Require that West is wholly what it should be by now, and that the fleet knows it."""
    assert MOVED not in fleet.addresses("West")
    assert STAYS in fleet.addresses("West")
    units = fleet.units("West")
    assert units.get("web@web-1.service", {}).get("ActiveState", "inactive") == "inactive"
    assert units["web@web-2.service"]["ActiveState"] == "active"
    assert stale(fleet, "West") == []
    assert eventually(lambda: "<h1>web-1</h1>" in title(fleet, MOVED))
    found = status(fleet)
    assert (found["on"], found["should"]) == (fleet.active(), None)
    assert "came to configuration" in str(found["did"])
    assert "no drift" in fleet.tandem("drift")
    assert "Nothing changes" in fleet.tandem("plan")


@pytest.fixture(autouse=True)
def mended(small: Fleet) -> Iterator[None]:
    """Give every server power and cables again after each test, however it ended."""
    yield
    mend(small)


@pytest.fixture
def unplugged(small: Fleet) -> Iterator[Fleet]:
    """Return an installation of which West, with its cables out, was left out of an apply that moves web-1 from it."""
    move(small)
    with small.unplugged("West"):
        small.tandem("apply", "--without", "West")
    yield small
    small.lab.plug("West")


def test_a_server_that_is_off_stops_the_apply_before_its_wave_and_can_be_left_out(small: Fleet) -> None:
    small.do("West", "sh", "-c", "echo another release >> /usr/lib/tandem/server.pyz")
    small.lab.off("West")
    move(small)
    assert "could not be looked at" not in small.tandem("plan", "--without", "West")
    small.edit("options/installation.yml", "level: notice", "level: info")
    east, number = small.units("East")["tandem-log.service"], small.active()
    shown = small.tandem("apply", status=1)
    [new] = map(
        int, re.findall(r"^To go on without what is away: tandem apply (\d+) --without West$", shown, re.MULTILINE)
    )
    assert "wave 2: East, West" in shown
    assert small.units("East")["tandem-log.service"] == east, "one wave with West, so not touched either"

    shown = small.tandem("apply", "--without", "Wset", status=2)
    assert "--without: Wset is not a server of this configuration; did you mean West?" in shown
    assert "did you mean West?" in small.playbook("apply", "-e", "without=East,Wset", status=2)
    assert "North is the configuration server" in small.tandem("apply", "--without", "North", status=2)

    with Watch(small, "home", MOVED) as watch:
        shown = small.tandem("apply", "--without", "West")
        assert shown.splitlines()[-1].endswith("is active. Left out, and to come to it when back: West.")
        assert small.active() == new
        assert "<h1>web-1</h1>" in title(small, MOVED)
        assert f"West is to come to configuration {new}" in small.tandem("plan")
        found = status(small)
        assert (found["on"], found["should"]) == (number, new)
        boot(small, "West")
        assert is_on(small, "West", new)
    log = small.do("West", "journalctl", "-b", "-u", "tandem-start", "-o", "cat")
    assert f"goes on as the program of configuration {new}" in log
    assert watch.questions > 100
    assert set(watch.heard) == {"South"}
    is_home(small)


def test_it_comes_back_while_the_configuration_server_is_down(small: Fleet) -> None:
    """It starts as it was, but for the address that answers elsewhere; its timer does the rest."""
    small.edit("options/installation.yml", "  agent:\n", "  agent:\n    interval: 30\n")
    small.tandem("apply")
    small.lab.cut("West")
    move(small)
    with Watch(small, "home", MOVED) as watch:
        small.tandem("apply", "--without", "West")
        number = small.active()
        small.lab.off("North")
        boot(small, "West")
        assert small.addresses("West") >= {STAYS, "198.19.0.14"}
        assert MOVED not in small.addresses("West")
        assert json.loads(small.text("West", "/var/lib/tandem/bundle.json"))["number"] == number - 1
        assert "web-2" in title(small, f"{STAYS}:8080")
        boot(small, "North")
        assert is_on(small, "West", number)
    assert set(watch.heard) == {"South"}
    is_home(small)


def test_an_address_that_another_server_had_at_boot_is_taken_by_the_next_turn(small: Fleet) -> None:
    """The other one had been left out, and booted first, out of reach of the configuration server."""
    address = "198.19.1.12"
    links = json.loads(small.do("West", "ip", "-json", "-4", "address", "show"))
    [interface] = [link["ifname"] for link in links for each in link["addr_info"] if each["local"] == STAYS]
    small.lab.off("South")
    small.do("West", "ip", "address", "add", f"{address}/24", "dev", interface)
    boot(small, "South")
    small.do("South", *AGENT)
    assert address not in small.addresses("South")
    small.do("West", "ip", "address", "delete", f"{address}/24", "dev", interface)
    small.do("South", *AGENT)
    assert address in small.addresses("South")
    assert small.units("South")["billing-engine@billing-2.service"]["ActiveState"] == "active"
    assert status(small, "South")["did"] == f"took {address}, which another server had when this one booted"
    assert "no drift" in small.tandem("drift")


def test_an_agent_waits_for_a_run_and_one_that_was_killed_is_undone_by_its_next_turn(unplugged: Fleet) -> None:
    fleet, number = unplugged, unplugged.active()
    lease = json.dumps({"run": 999, "holder": "somebody", "since": time.time(), "renewed": time.time() + 10})
    fleet.do("North", "sh", "-c", f"cat > {STORE}/lease.json", stdin=lease)
    fleet.do("West", *AGENT)
    fleet.do("North", "rm", f"{STORE}/lease.json")
    found = status(fleet)
    assert (found["on"], found["did"]) == (number - 1, "waits for the end of run 999 of somebody")
    assert fleet.units("West")["web@web-1.service"]["ActiveState"] == "active"

    stop = Stop(fleet, "West", "settling 1")
    argv = ["python3", "-IS", "-c", LAUNCH, "agent"]
    fleet.do("West", "systemd-run", "--quiet", "--unit=killed", "--collect", *argv)
    assert eventually(lambda: fleet.lab.exec("West", ["test", "-e", "/run/tandem-test/reached"]).returncode == 0)
    assert json.loads(fleet.text("North", f"{STORE}/lease.json"))["holder"] == "the agent of West"
    shown = fleet.tandem("apply", status=1)
    assert "the agent of West has been changing this installation since" in shown
    fleet.do("West", "systemctl", "kill", "--signal=KILL", "killed.service")
    stop.let_go()
    assert json.loads(fleet.text("West", "/var/lib/tandem/journal.json"))["state"] == "settling"

    assert eventually(lambda: turns(fleet) and is_on(fleet, "West", number, 0))
    assert fleet.lab.exec("West", ["test", "-e", "/var/lib/tandem/journal.json"]).returncode == 1
    is_home(fleet)


def turns(fleet: Fleet) -> bool:
    """Let the agent of West take a turn; tell whether it ended well."""
    return fleet.lab.exec("West", list(AGENT)).returncode == 0


def test_nobody_is_given_what_belongs_to_another(unplugged: Fleet) -> None:
    fleet, number = unplugged, unplugged.active()
    record = json.loads(fleet.text("North", f"{STORE}/configurations/{number}.json"))

    def blob(name: str) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = json.loads(fleet.text("North", f"{STORE}/blobs/{name[:2]}/{name}"))
        return found

    mine, theirs = (
        {file["path"]: file["digest"] for file in blob(record["bundles"][server])["files"] if "digest" in file}
        for server in ("West", "South")
    )
    own = mine["/etc/tandem/agent/identity.pem"]
    assert eventually(lambda: own in ask(fleet, "West", ask="contents", names=[own])), "its cables are in again"
    for name in (
        theirs["/etc/tandem/agent/identity.pem"],
        theirs["/etc/freeradius/billing-2/radiusd.conf"],
        record["bundles"]["South"],
        record["tree"],
    ):
        assert ask(fleet, "West", ask="contents", names=[own, name]).startswith("Refused: "), name
    assert "should stay as it is" in ask(fleet, "South", ask="bundle")

    foreign = identities.identity("not the secret of this installation", "small", "West")
    fleet.do("West", "sh", "-c", "umask 077; cat > /run/foreign.pem", stdin=foreign)
    refused = ask(fleet, "West", identity="/run/foreign.pem", ask="bundle")
    assert refused.startswith("SSL")
    assert "certificate verify failed" in fleet.do("North", "journalctl", "-u", "tandem-store", "-n", "20")


def test_an_agent_that_only_reports_changes_nothing(small: Fleet) -> None:
    small.edit("options/installation.yml", "  agent:\n", "  agent:\n    mode: report\n")
    small.tandem("apply")
    move(small)
    with small.unplugged("West"):
        small.tandem("apply", "--without", "West")
    number = small.active()
    units = small.units("West")
    small.do("West", *AGENT)
    found = status(small)
    assert (found["mode"], found["on"], found["should"]) == ("report", number - 1, number)
    assert str(found["did"]).startswith(f"would come to configuration {number}: ")
    assert "stop web@web-1.service" in str(found["did"])
    assert small.units("West")["web@web-1.service"] == units["web@web-1.service"]
    assert json.loads(small.text("West", "/var/lib/tandem/bundle.json"))["number"] == number - 1
