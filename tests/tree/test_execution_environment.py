"""The image's context holds the project, pinned by the lock, and names no registry but that of whoever builds it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree.walk import ROOT, label

COPIED = ("src/tandem", "server/tandem_server", "plugins", "playbooks", "roles")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `ansible-builder create` writes for an engine."""
    directory = tmp_path_factory.mktemp("context")
    argv = ["ansible-builder", "create", "--file", str(ROOT / "execution-environment.yml")]
    argv += ["--context", str(directory), "--output-filename", "Containerfile"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No matches" not in done.stdout + done.stderr
    return directory


def test_package_collection_roles_and_playbooks_are_in_it(context: Path) -> None:
    for folder in COPIED:
        wanted = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert wanted
        for path in wanted:
            copy = context / "_build/tandem" / path.relative_to(ROOT)
            assert copy.is_file(), f"{label(path)} is not in the image"
            assert copy.read_bytes() == path.read_bytes()


def test_what_python_needs_is_pinned_by_the_hashes_of_the_lock(context: Path) -> None:
    steps = (context / "Containerfile").read_text()
    assert "--require-hashes --requirement /opt/tandem/requirements.lock" in steps
    assert (context / "_build/tandem/requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    assert "--no-deps --no-build-isolation --no-index /opt/tandem" in steps
    assert not (context / "_build/requirements.txt").exists()
    assert not (context / "_build/requirements.yml").exists(), "nothing comes from a server of collections"


def test_no_address_of_a_registry_is_in_it(context: Path) -> None:
    """The base image has a short name; a registry of one's own is an argument of the build."""
    steps = (context / "Containerfile").read_text()
    assert re.search(r'^ARG EE_BASE_IMAGE="debian:\d+-slim"$', steps, re.MULTILINE)
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url|--find-links", steps) == []


def test_the_package_can_be_installed_from_what_is_in_it(context: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*argv, "--target", str(tmp_path), str(context / "_build/tandem")], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    show = "import tandem, tandem_server; print(tandem.__file__, tandem_server.__file__)"
    done = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{tmp_path}/tandem/__init__.py", f"{tmp_path}/tandem_server/__init__.py"]
    shown = subprocess.run([sys.executable, "-m", "tandem", "--help"], env=environment, capture_output=True, check=True)
    assert b"apply" in shown.stdout


def test_every_debian_package_of_it_is_asked_for_on_debian(context: Path) -> None:
    argv = ["bindep", "--file", str(context / "_build/bindep.txt"), "--list_all", "newline"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert sorted(listed.stdout.split()) == ["curl", "dumb-init", "git", "openssh-client", "sshpass"]
