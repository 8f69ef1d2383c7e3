"""Wholly old or wholly new: whatever system call a power cut hits, and a second one while recovering from the first."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tandem_server.failure import Failure
from tandem_server.state import State

from tests.unit.server import server
from tests.unit.server.broken_disk import Disk, PowerCut

PATHS = ["/etc/a.conf", "/etc/b/c.conf", "/etc/b/d/e.conf", "/usr/lib/f/g", "/usr/lib/f/h"]
FILES = st.tuples(st.sampled_from(["0644", "0600", "4750"]), st.sampled_from(["", "one\n", "two\n", "three\n" * 2000]))
LINKS = st.tuples(st.just("link"), st.sampled_from(["/dev/null", "a.conf"]))
WANTED = st.dictionaries(st.sampled_from(PATHS), FILES | LINKS)
DRIFT = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["gone", "changed", "a link", "foreign beside it"]))
quickly = settings(
    max_examples=6, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


class World:
    """A server that is on one configuration and is about to go to another, as often as a test likes."""

    def __init__(
        self, directory: Path, old: dict[str, tuple[str, str]], new: dict[str, tuple[str, str]], drift: dict[str, str]
    ) -> None:
        self.directory = directory
        self.new = new
        self.origin = directory / "origin"
        (self.origin / "etc").mkdir(parents=True)
        State(str(self.origin)).prepare()
        if old:
            server.apply(self.origin, old, 1)
        for path, what in drift.items():
            self._drift(self.origin / path[1:], what)
        self.before = server.tree(self.origin)
        target = self.fresh()
        with disk(target) as self.disk:
            server.apply(target, new, 2)
        self.after = server.tree(target)

    @staticmethod
    def _drift(path: Path, what: str) -> None:
        if what == "foreign beside it":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name("foreign").write_text("not Tandem's\n")
        elif path.is_symlink() or path.exists():
            path.unlink()
            if what == "changed":
                path.write_text("by hand\n")
            elif what == "a link":
                path.symlink_to("nowhere")

    def fresh(self) -> Path:
        """Return the server as it was before."""
        target = self.directory / "server"
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(self.origin, target, symlinks=True)
        return target

    def is_whole(self, root: Path) -> str:
        """Tell whether the server is `old` or `new`; fail with what is wrong when it is neither."""
        found = server.tree(root)
        if found in (self.before, self.after):
            return "old" if found == self.before else "new"
        difference = {path for path in {*found, *self.before} if found.get(path) != self.before.get(path)}
        pytest.fail(f"neither old nor new: {sorted(difference)}")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    server.is_only_files(monkeypatch)
    return tmp_path


@contextmanager
def disk(root: Path, **faults: int) -> Iterator[Disk]:
    """Run a block on a disk that breaks."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        broken = Disk(root, **faults)
        broken.under(monkeypatch)
        yield broken


def worlds(directory: Path) -> Iterator[Path]:
    """Yield a directory that no world has used."""
    number = 0
    while True:
        yield directory / str(number)
        number += 1


@settings(parent=quickly)
@given(old=WANTED, new=WANTED, drift=DRIFT)
def check_every_cut(make: Iterator[Path], monkeypatch: pytest.MonkeyPatch, old, new, drift) -> None:  # type: ignore[no-untyped-def]
    world = World(next(make), old, new, drift)
    dice = random.Random(repr((old, new, drift)))  # noqa: S311  repeatable on purpose
    for moment in range(len(world.disk.log)):
        root = world.fresh()
        with disk(root, cut_at=moment), pytest.raises(PowerCut):
            server.apply(root, new, 2)
        with disk(root, cut_at=dice.randrange(12)) as second:
            try:
                server.boots(root, monkeypatch)
            except PowerCut:
                assert second.log or second.cut_at == 0
        server.boots(root, monkeypatch)
        world.is_whole(root)
        server.apply(root, new, 2, run=3)
        assert world.is_whole(root) == "new" or world.before == world.after


def test_power_cut_at_every_system_call_leaves_the_old_or_the_new_files(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_every_cut(worlds(directory), monkeypatch)


@settings(parent=quickly)
@given(old=WANTED, new=WANTED, drift=DRIFT)
def check_every_shortage(make: Iterator[Path], old, new, drift) -> None:  # type: ignore[no-untyped-def]
    world = World(next(make), old, new, drift)
    for moment in range(len(world.disk.log)):
        root = world.fresh()
        with disk(root, full_at=moment) as full:
            try:
                server.apply(root, new, 2)
                wanted, said = "new", "enough space"
            except (Failure, OSError) as error:
                said = str(error)
                wanted = "new" if "is in place" in said else "old"
        assert "space" in said, "the message says what is short"
        if wanted == "new":
            server.apply(root, new, 2, run=3)
        assert world.is_whole(root) == wanted or world.before == world.after, full.log[moment:]


def test_full_disk_at_every_system_call_ends_with_the_old_files(directory: Path) -> None:
    check_every_shortage(worlds(directory))


def test_what_the_journal_relies_on_is_durable_before_it(directory: Path) -> None:
    old = {"/etc/a.conf": ("0644", "one\n"), "/etc/b/c.conf": ("0600", "one\n")}
    new = {"/etc/a.conf": ("0644", "two\n"), "/usr/lib/f/g": ("link", "/dev/null"), "/usr/lib/f/h": ("0600", "new\n")}
    log = World(directory / "world", old, new, {}).disk.log
    journal = "/var/lib/tandem/journal.json"
    staging, placing, settling, committed = (
        n for n, call in enumerate(log) if call == ("rename", journal + ".tandem-writing")
    )
    staged, placed = log[staging:placing], log[placing:settling]
    for path in ("/etc/.tandem-0.new", "/usr/lib/f/.tandem-3.new"):
        assert staged.index(("write", path)) < staged.index(("fsync", path))
    for name in ("/etc/.tandem-0.new", "/usr/lib/f/.tandem-2.new"):
        folder = str(Path(name).parent)
        assert ("fsync", folder) in staged[max(n for n, call in enumerate(staged) if call[1] == name) :]
    for folder in ("/usr", "/usr/lib"):
        assert ("fsync", folder) in staged, "a directory that was made"
    for folder in ("/etc", "/etc/b", "/usr/lib/f"):
        last = max(
            n
            for n, (call, path) in enumerate(placed)
            if call in ("rename", "unlink") and str(Path(path).parent) == folder
        )
        assert ("fsync", folder) in placed[last:]
    assert ("fsync", "/var/lib/tandem") in log[committed:], "the commit"
