"""The base root: what is in it, and how it is kept."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import Lab, LabError, cache, root


def test_every_package_is_there_and_no_replaced_unit_starts(lab: Lab) -> None:
    declared = cache.recipe()
    assert declared.packages
    assert declared.disabled
    listing = lab.exec("Alpha", ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]).stdout.splitlines()
    installed = {line.split()[0] for line in listing if line.endswith(" installed")}
    assert not {*declared.packages, *root.PACKAGES} - installed
    for unit in declared.disabled:
        assert lab.exec("Alpha", ["systemctl", "is-enabled", unit]).stdout.strip() != "enabled", unit
        assert lab.exec("Alpha", ["systemctl", "is-active", unit]).stdout.strip() != "active", unit


class Builder:
    """Build roots of one file, in no time, in place of Debian."""

    def __init__(self) -> None:
        self.built: list[Sequence[str]] = []
        self.fail = False

    def __call__(self, path: Path, packages: Sequence[str], disabled: Sequence[str]) -> None:
        path.mkdir()
        (path / "packages").write_text(" ".join([*packages, *disabled]))
        time.sleep(0.05)
        if self.fail:
            raise LabError("no space left")
        self.built.append(packages)


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """Return what builds roots for a project and in a cache of the test's own."""
    (tmp_path / "roles/web/meta").mkdir(parents=True)
    for name in ("CACHE", "STATE", "PROJECT"):
        monkeypatch.setattr(cache, name, tmp_path if name == "PROJECT" else tmp_path / name.lower())
    declare(tmp_path, "packages: [nginx]\nreplaces: [nginx.service]")
    made = Builder()
    monkeypatch.setattr(root, "build", made)
    return made


def declare(project: Path, text: str) -> None:
    (project / "roles/web/meta/application.yml").write_text(text)


def test_a_root_is_built_once_and_anew_for_other_packages(builder: Builder, tmp_path: Path) -> None:
    first = cache.base(print)
    assert (first / "packages").read_text() == "nginx nginx.service"
    assert cache.base(print) == first
    declare(tmp_path, "packages: [nginx, bind9]")
    assert cache.base(print) != first
    assert builder.built == [("nginx",), ("bind9", "nginx")]


def test_a_root_half_built_is_never_used(builder: Builder) -> None:
    builder.fail = True
    with pytest.raises(LabError, match="no space left"):
        cache.base(print)
    builder.fail = False
    (cache.CACHE / "unfinished/of a former build").touch()
    path = cache.base(print)
    assert os.listdir(path) == ["packages"]


def test_two_who_need_the_same_root_build_it_once(builder: Builder) -> None:
    threads = [threading.Thread(target=cache.base, args=(print,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builder.built == [("nginx",)]


@pytest.mark.usefixtures("builder")
def test_old_roots_go_unless_a_disk_was_made_on_them(tmp_path: Path) -> None:
    used, idle = cache.base(print), cache.CACHE / ("0" * 16)
    idle.mkdir()
    disk = tmp_path / "state/example/servers/Alpha"
    disk.mkdir(parents=True)
    (disk / "base").write_text(used.name)
    for path in (used, idle):
        os.utime(path, (0, 0))
    declare(tmp_path, "packages: [bind9]")
    new = cache.base(print)
    assert {path for path in cache.CACHE.iterdir() if path.is_dir()} == {used, new}


@pytest.mark.usefixtures("builder")
def test_a_broken_declaration_is_named(tmp_path: Path) -> None:
    declare(tmp_path, "packages: [nginx")
    with pytest.raises(LabError, match=r"roles/web/meta/application\.yml: "):
        cache.base(print)
