"""The inventory plugin: servers are hosts, in groups by site, application and cluster."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLE = "inventories/example/installation.yml"


def inventory(root: Path, *words: str, status: int = 0) -> str:
    """Run ansible-inventory from the checkout."""
    done = subprocess.run(["ansible-inventory", *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


@pytest.mark.parametrize("words", [("-i", EXAMPLE), ()])
def test_the_graph_shows_the_installation(root: Path, words: tuple[str, ...]) -> None:
    """The inventory of ansible.cfg is the example."""
    shown = inventory(root, *words, "--graph")
    assert shown.startswith("@all:\n")
    groups = {block.splitlines()[0].strip(" |-@:"): block for block in shown.split("|--@")}
    assert {"Alpha", "Omega"} <= names(groups["primary:"] if "primary:" in groups else groups["primary"])
    assert names(groups["secondary"]) == {"Kappa", "Lambda"}
    assert names(groups["billing_engine"]) == {"Alpha", "Beta", "Lambda"}
    assert names(groups["billing"]) == {"Alpha", "Beta"}
    assert names(groups["configuration_server"]) == {"Omega"}


def names(block: str) -> set[str]:
    """Return the hosts under a group of the graph."""
    return {line.rpartition("--")[2] for line in block.splitlines()[1:] if line.strip(" |")}


def test_the_list_has_addresses_and_how_to_connect(root: Path) -> None:
    listed = json.loads(inventory(root, "-i", EXAMPLE, "--list"))
    variables = listed["_meta"]["hostvars"]
    assert len(variables) == 10
    assert variables["Alpha"]["ansible_host"] == "198.18.0.11"
    assert variables["Alpha"]["ansible_become"] is True
    assert variables["Lambda"]["tandem_runner"] == "Kappa"
    assert "tandem_runner" not in variables["Alpha"]
    assert json.loads(inventory(root, "-i", EXAMPLE, "--host", "Lambda"))["ansible_host"] == "198.18.8.12"


def test_the_inventory_says_where_the_option_tree_is(root: Path, tmp_path: Path) -> None:
    """A job of AWX has a copy of the inventory, and its own checkout of the project."""
    listed = json.loads(inventory(root, "-i", EXAMPLE, "--list", "--export"))
    assert listed["all"]["vars"]["tandem_installation"] == "inventories/example"
    copy = tmp_path / "example"
    shutil.copytree(root / "inventories/example", copy)
    listed = json.loads(inventory(root, "-i", str(copy / "installation.yml"), "--list", "--export"))
    assert listed["all"]["vars"]["tandem_installation"] == str(copy)


def test_a_server_without_instances_is_a_host_all_the_same(root: Path) -> None:
    listed = json.loads(inventory(root, "-i", EXAMPLE, "--list"))
    assert "Iota" in listed["primary"]["hosts"]
    assert not any(
        "Iota" in group.get("hosts", []) for name, group in listed.items() if name not in {"primary", "_meta"}
    )


def test_a_broken_file_is_refused_with_file_and_line(root: Path, tmp_path: Path) -> None:
    """Ansible would otherwise go on with no hosts and nothing to do."""
    copy = tmp_path / "example"
    shutil.copytree(root / "inventories/example", copy)
    file = copy / "installation.yml"
    file.write_text(file.read_text().replace("{server: Alpha, address", "{server: Alfa, address"))
    shown = inventory(root, "-i", str(file), "--list", status=1)
    assert "installation.yml:" in shown
    assert "Alfa does not exist" in " ".join(shown.split())
    assert "did you mean Alpha?" in " ".join(shown.split())


def test_a_file_that_is_no_yaml_is_refused_with_file_and_line(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "example"
    shutil.copytree(root / "inventories/example", copy)
    file = copy / "installation.yml"
    file.write_text(file.read_text() + "sites: {a: [\n")
    assert "installation.yml:" in inventory(root, "-i", str(file), "--list", status=1)


def test_mistakes_in_options_are_no_reason_to_have_no_hosts(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "example"
    shutil.copytree(root / "inventories/example", copy)
    (copy / "options/web_suite.yml").write_text("web: {page: {titel: x}}\n")
    assert "Alpha" in inventory(root, "-i", str(copy / "installation.yml"), "--graph")


def test_other_files_are_left_to_other_plugins(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "hosts.yml"
    other.write_text("all: {hosts: {somewhere: {}}}\n")
    assert "somewhere" in inventory(root, "-i", str(other), "--graph")
