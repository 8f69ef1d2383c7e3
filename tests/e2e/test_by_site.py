"""An apply by site on the example: Kappa reaches Lambda for the controller, and nobody can tell from what comes out."""

import base64
import io
import json
import re
import signal
import tarfile
from collections.abc import Iterator
from importlib import metadata

import pytest

from tests.fleet.fleet import Fleet, eventually, failures, told

HOME = "/opt/tandem-runner"
UNIT = "billing-engine@billing-3.service"
BILLING_3 = "options/cluster_suite/billing_secondary/billing-3.yml"
CONFIGURATION = "/etc/freeradius/billing-3/radiusd.conf"
MORE = "billing_engine:\n  log:\n    accepted: true\n"
NAME = re.compile(r"[\w.-]+")
SECONDS = re.compile(r" \(?\d+(\.\d+)? s\)?")
LEFT = "ls -d /dev/shm/tandem-* /tmp/tandem-* /tmp/ansible* /home/ansible/.ansible 2>/dev/null || true"


def distributions(*names: str) -> dict[str, metadata.Distribution]:
    """Return the installed distributions of some names and of all that they require."""
    found: dict[str, metadata.Distribution] = {}
    pending = [*names]
    while pending:
        distribution = metadata.distribution(pending.pop())
        if distribution.name not in found:
            found[distribution.name] = distribution
            required = [each.partition(";") for each in distribution.requires or []]
            pending += [
                NAME.match(name)[0] for name, _, when in required if not re.search("extra|python_version <", when)
            ]
    return found


def engine() -> str:
    """Return an archive of ansible-core and ansible-runner as they are installed here, in base64."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for distribution in distributions("ansible-core", "ansible-runner").values():
            for file in distribution.files or ():
                if file.parts[0] not in ("..", "ansible_test") and file.suffix != ".pyc":
                    archive.add(str(file.locate()), str(file))
    return base64.b64encode(packed.getvalue()).decode()


PROGRAM = "#!{home}/bin/python3\nfrom {module} import main\nraise SystemExit(main())\n"
PREPARE = f"""
/usr/bin/python3 -m venv --without-pip {HOME}
base64 -d | tar -xz -C {HOME}/lib/python3*/site-packages
cat > {HOME}/bin/ansible-runner <<'END'
{PROGRAM.format(home=HOME, module="ansible_runner.__main__")}END
cat > {HOME}/bin/ansible-playbook <<'END'
{PROGRAM.format(home=HOME, module="ansible.cli.playbook")}END
chmod +x {HOME}/bin/ansible-*
"""
KEY = "install -d -m 700 ~/.ssh; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519; cat > ~/.ssh/known_hosts"
ACCEPT = "install -d -m 700 ~/.ssh; cat > ~/.ssh/authorized_keys"


@pytest.fixture(scope="module")
def with_runner(applied_example: Fleet) -> Iterator[Fleet]:
    """Return the example, of whose secondary site Kappa has what a runner needs."""
    fleet = applied_example
    known = (fleet.lab.ssh_config.parent / "known_hosts").read_text()
    user = ("setpriv", "--reuid=ansible", "--regid=ansible", "--init-groups", "env", "HOME=/home/ansible", "sh", "-ec")
    fleet.do("Kappa", "sh", "-ec", PREPARE, stdin=engine())
    fleet.do("Kappa", *user, KEY, stdin=known)
    key = fleet.text("Kappa", "/home/ansible/.ssh/id_ed25519.pub")
    fleet.do("Lambda", *user, ACCEPT, stdin=f'from="198.18.8.11" {key}')
    yield fleet
    fleet.do("Kappa", "rm", "-r", HOME, "/home/ansible/.ssh")
    fleet.do("Lambda", "rm", "-r", "/home/ansible/.ssh")


@pytest.fixture
def sites(with_runner: Fleet, example: Fleet) -> Iterator[Fleet]:
    """Return the same, to be changed by the test; nothing of an apply may stay behind on the runner."""
    assert with_runner is example
    yield example
    assert eventually(lambda: example.do("Kappa", "sh", "-c", LEFT) == ""), example.do("Kappa", "sh", "-c", LEFT)


def logins(fleet: Fleet) -> list[str]:
    """Return where those came from who logged in to Lambda."""
    log = fleet.do("Lambda", "journalctl", "-b", "-u", "ssh", "-o", "cat", "--grep", "Accepted publickey", "--quiet")
    return re.findall(r" from (\S+) ", log)


def test_it_comes_out_as_without_and_lambda_is_reached_from_kappa(sites: Fleet) -> None:
    sites.write(BILLING_3, MORE)
    sites.edit("options/web_suite.yml", "  log:\n", "  timeouts:\n    keepalive: 47\n  log:\n")
    plain = sites.tandem("apply", "--check", "--diff")
    before = logins(sites)
    by_site = sites.tandem("apply", "--check", "--diff", "--by-site")
    assert sorted(SECONDS.sub("", by_site).splitlines()) == sorted(SECONDS.sub("", plain).splitlines())
    assert logins(sites)[len(before) :] == ["198.18.8.11"]

    shown = sites.tandem("apply", "--by-site")
    [line] = told(shown, "Lambda")
    assert f"restart {UNIT}" in line
    assert "auth_accept = yes" in sites.text("Lambda", CONFIGURATION)
    assert set(logins(sites)[len(before) :]) == {"198.18.8.11"}
    assert "Nothing changes" in sites.tandem("plan")

    rolled = sites.playbook("rollback", "-e", f"number={sites.active() - 1}", "-e", "by_site=true", "--diff")
    assert "changed: [Lambda]" in rolled
    assert re.search(r"^-.*\b47\b", rolled, re.MULTILINE)
    assert "ok: [Kappa]" in rolled


def test_a_server_or_a_runner_that_is_away_stops_the_apply_before_its_wave(sites: Fleet) -> None:
    before = sites.all_units()
    sites.write(BILLING_3, MORE)
    sites.edit("options/installation.yml", "level: notice", "level: info")
    with sites.unplugged("Lambda"):
        shown = sites.tandem("apply", "--by-site", status=1)
    assert failures(shown).keys() == {"Lambda"}
    assert "To go on without what is away: tandem apply" in shown
    with sites.unplugged("Kappa"):
        shown = sites.tandem("apply", "--by-site", "--limit", "Lambda", status=1)
    assert failures(shown).keys() == {"Lambda"}
    assert "runner Kappa: no connection to 198.18.8.11" in failures(shown)["Lambda"]
    assert [unit for server, unit in sites.restarted(before) if server == "Lambda"] == []
    places = json.loads(sites.text("Omega", "/var/lib/tandem/store/servers.json"))
    assert places["Lambda"] == sites.active(), "it was not begun with"


def test_a_controller_that_is_killed_leaves_what_the_next_apply_completes(sites: Fleet) -> None:
    gate, override = "/run/test-gate", f"/run/systemd/system/{UNIT}.d"
    slow = f"[Service]\nExecStartPre=/bin/sh -c 'until test -e {gate}; do sleep 0.1; done'\n"
    sites.do(
        "Lambda", "sh", "-ec", f"mkdir -p {override}; cat > {override}/test.conf; systemctl daemon-reload", stdin=slow
    )
    sites.write(BILLING_3, MORE)
    try:
        run = sites.start("apply", "--by-site", "--limit", "Lambda")
        assert eventually(lambda: sites.lab.exec("Lambda", ["pgrep", "-f", f"until test -e {gate}"]).returncode == 0)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=60)
        assert eventually(lambda: sites.do("Kappa", "sh", "-c", LEFT) == "")
    finally:
        sites.do("Lambda", "sh", "-ec", f"touch {gate}; rm -r {override}; systemctl daemon-reload")
    sites.tandem("apply", "--by-site")
    assert "auth_accept = yes" in sites.text("Lambda", CONFIGURATION)
    assert "no drift" in sites.tandem("drift")
