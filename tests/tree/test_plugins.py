"""Every plugin is found by its full name, documented and tested."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.tree.walk import ROOT, files, label

PLUGINS = [path for path in files("plugins", suffix=".py") if path.parent.name != "module_utils"]
KINDS = {"modules": "module", "inventory": "inventory", "lookup": "lookup", "callback": "callback", "filter": "filter"}
DOCUMENTED = [path for path in PLUGINS if path.parent.name in KINDS]


def test_there_are_plugins() -> None:
    assert DOCUMENTED


def test_the_collection_is_the_folder_of_plugins() -> None:
    assert (ROOT / "collections/ansible_collections/tandem/platform/plugins").resolve() == ROOT / "plugins"


@pytest.mark.parametrize("path", PLUGINS, ids=label)
def test_a_plugin_has_a_test(path: Path) -> None:
    """A test is named after the plugin, or names it in full."""
    full = f"tandem.platform.{path.stem}"
    tested = any(
        test.stem == f"test_{path.stem}" or full in test.read_text(encoding="utf-8")
        for test in files("tests", "molecule", suffix=".py")
    )
    assert tested, f"no test_{path.stem}.py under tests/, and no test names {full}"


@pytest.mark.parametrize("kind", sorted({path.parent.name for path in DOCUMENTED}))
def test_plugins_are_found_and_documented(kind: str) -> None:
    """Let ansible-doc find them, as Ansible would."""
    names = [f"tandem.platform.{path.stem}" for path in DOCUMENTED if path.parent.name == kind]
    command = ["ansible-doc", "--json", "--type", KINDS[kind], *names]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    documents = json.loads(shown.stdout)
    assert sorted(documents) == sorted(names)
    for name, document in documents.items():
        assert document["doc"]["short_description"], name
        assert document.get("examples") or kind != "modules", f"{name} has no example"
