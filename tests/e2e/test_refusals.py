"""Whatever keeps Tandem off a server ends in one clear line for that server, and leaves the server as it was."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet, failures
from tests.fleet.traces import all_traces

# Something to do on every server that interrupts nothing.
CHANGE = "server:\n  kernel:\n    tcp_fin_timeout: 61\n"
WEST = "host_vars/West.yml"
RULE = "/etc/sudoers.d/visitor"


@pytest.fixture
def changed(small: Fleet) -> Fleet:
    """Return the small installation with something to be done on every server."""
    text = (small.directory / "options/installation.yml").read_text()
    small.write("options/installation.yml", text.replace("server:\n", CHANGE))
    return small


@pytest.fixture
def visitor(changed: Fleet) -> Iterator[Fleet]:
    """Let West know a second user, who has the controller's key and a password, and may not use sudo yet."""
    changed.do("West", "useradd", "--create-home", "--shell", "/bin/sh", "visitor")
    changed.do("West", "chpasswd", stdin="visitor:right\n")
    changed.do("West", "cp", "/etc/ssh/authorized_keys/ansible", "/etc/ssh/authorized_keys/visitor")
    yield changed
    changed.lab.exec("West", ["pkill", "-9", "-u", "visitor"])
    changed.do("West", "userdel", "--force", "--remove", "visitor")
    changed.lab.exec("West", ["rm", RULE, "/etc/ssh/authorized_keys/visitor"])


def refusal(fleet: Fleet, **environment: str | None) -> str:
    """Apply, require that West and nobody else fails and is untouched, and return the line that says why."""
    before = all_traces(fleet)
    shown = fleet.tandem("apply", status=1, **environment)
    found = failures(shown)
    assert found.keys() == {"West"}
    assert shown.count(found["West"]) == 1
    assert "West failed." in shown
    assert "tandem apply" in shown.splitlines()[-1]
    after = all_traces(fleet)
    assert after["West"] == before["West"]
    assert after["North"] != before["North"], "the configuration server comes first, and nothing is wrong with it"
    return found["West"]


def ssh_config(fleet: Fleet, directory: Path, identity: str) -> str:
    """Return the variable that makes Ansible use another key than the lab's."""
    lines = fleet.lab.ssh_config.read_text().splitlines()
    config = directory / "ssh_config"
    config.write_text(
        "\n".join(f"  IdentityFile {identity}" if "IdentityFile" in line else line for line in lines) + "\n"
    )
    return f"ansible_ssh_common_args: -F {config}\nansible_control_path_dir: {directory}/c\n"


def test_a_wrong_user(changed: Fleet) -> None:
    changed.write(WEST, "ansible_user: stranger\n")
    assert refusal(changed).startswith(
        "ssh was refused: wrong user, key or password (stranger@198.19.0.14: Permission denied"
    )


def test_a_wrong_user_for_all_ends_at_the_configuration_server(changed: Fleet) -> None:
    before = all_traces(changed)
    changed.edit("group_vars/all.yml", "ansible_user: ansible", "ansible_user: stranger")
    shown = changed.tandem("apply", status=1)
    [line] = [line for line in shown.splitlines() if line.strip()]
    assert line.startswith("configuration server North cannot be reached: ")
    assert "ssh was refused: wrong user, key or password" in line
    assert all_traces(changed) == before


def test_a_wrong_key(changed: Fleet, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    changed.write(WEST, ssh_config(changed, tmp_path, str(key)))
    assert refusal(changed).startswith("ssh was refused: wrong user, key or password")


def test_a_wrong_ssh_password(visitor: Fleet, tmp_path: Path) -> None:
    visitor.do("West", "sh", "-c", f"echo 'visitor ALL=(ALL) NOPASSWD: ALL' > {RULE}")
    visitor.edit("options/installation.yml", "server:\n", "server:\n  ssh:\n    passwords: true\n")
    visitor.tandem("apply")
    access = ssh_config(visitor, tmp_path, "none") + "ansible_user: visitor\n"
    visitor.edit("options/installation.yml", "tcp_fin_timeout: 61", "tcp_fin_timeout: 62")
    visitor.write(WEST, f"{access}ansible_password: right\n")
    visitor.tandem("apply")
    visitor.lab.exec("West", ["pkill", "-9", "-u", "visitor"])
    visitor.edit("options/installation.yml", "tcp_fin_timeout: 62", "tcp_fin_timeout: 63")
    visitor.write(WEST, f"{access}ansible_password: wrong\n")
    assert refusal(visitor).startswith(
        "ssh was refused: wrong user, key or password (visitor@198.19.0.14: Permission denied"
    )


def test_a_wrong_sudo_password(visitor: Fleet) -> None:
    visitor.do("West", "sh", "-c", f"echo 'visitor ALL=(ALL) ALL' > {RULE}")
    visitor.write(WEST, "ansible_user: visitor\nansible_become_password: wrong\n")
    assert refusal(visitor) == "sudo refused the password in ansible_become_password"
    visitor.write(WEST, "ansible_user: visitor\n")
    assert "sudo wants a password: set ansible_become_password" in visitor.tandem("apply", status=1)
    visitor.write(WEST, "ansible_user: visitor\nansible_become_password: right\n")
    visitor.tandem("apply")


def test_a_missing_sudo_right(visitor: Fleet) -> None:
    visitor.write(WEST, "ansible_user: visitor\nansible_become_password: right\n")
    assert refusal(visitor).startswith("the user may not use sudo: give it the right")


def test_a_wrong_vault_password(changed: Fleet, tmp_path: Path) -> None:
    """The secrets are opened on the controller: no server is asked anything."""
    wrong = tmp_path / "password"
    wrong.write_text("wrong\n")
    before = all_traces(changed)
    with changed.unplugged("North"):
        shown = changed.tandem("apply", status=1, ANSIBLE_VAULT_PASSWORD_FILE=str(wrong))
    [line] = [line for line in shown.splitlines() if line.strip()]
    assert "vault" in line
    assert "password" in line
    assert all_traces(changed) == before


def test_without_the_vault_password_a_plan_says_what_it_could_not_read(small: Fleet) -> None:
    small.write("options/cluster_suite/billing.yml", "billing_engine:\n  log:\n    accepted: true\n")
    shown = small.tandem("plan", ANSIBLE_VAULT_PASSWORD_FILE=None)
    assert "not compared, for want of the vault's password for billing_engine.clients.secret" in shown
    refused = small.tandem("apply", status=1, ANSIBLE_VAULT_PASSWORD_FILE=None)
    assert "cannot be read without the vault's password" in refused


def test_a_pulled_cable(changed: Fleet) -> None:
    with changed.unplugged("West"):
        line = refusal(changed)
    assert "198.19.0.14" in line


def test_a_pulled_cable_of_the_configuration_server(changed: Fleet) -> None:
    with changed.unplugged("North"):
        shown = changed.tandem("apply", status=1)
    [line] = [line for line in shown.splitlines() if line.strip()]
    assert line.startswith("configuration server North cannot be reached: ")


@pytest.mark.parametrize("place", ["/etc/tandem", "/var/lib/tandem"])
def test_a_full_disk(changed: Fleet, place: str) -> None:
    """A small file system of its own, filled to the last byte, stands where Tandem writes."""
    changed.do("West", "sh", "-ec", FILL.format(place=place))
    try:
        line = refusal(changed)
    finally:
        changed.do("West", "sh", "-ec", FREE.format(place=place))
    assert f"{place}/" in line
    assert "No space left on device" in line
    changed.tandem("apply")


FILL = """
cp -a {place} /root/kept
mount -t tmpfs -o size=1m,mode=0755 full {place}
cp -a /root/kept/. {place}/
cat /dev/zero > {place}/filler 2>/dev/null || true
"""
FREE = """
umount {place}
rm -r /root/kept
"""
