"""The groups that Ansible gets: what `--limit` can name."""

from pathlib import Path

from ansible.inventory.data import InventoryData

from tandem.ansible.inventory import fill
from tandem.model import read_alone
from tests.sample.project import Project


def test_a_cluster_is_named_as_it_is_written_and_as_a_variable_could_be(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.edit("inventories/sample/installation.yml", "  engines:\n", "  sip-engines:\n")
    inventory = InventoryData()
    installation = read_alone(project.inventory / "installation.yml", project.roles)
    fill(inventory, installation, project.inventory)
    hosts = {
        name: sorted(host.name for host in inventory.groups[name].hosts) for name in ("sip-engines", "sip_engines")
    }
    assert hosts == {"sip-engines": ["Alpha", "Beta"], "sip_engines": ["Alpha", "Beta"]}
