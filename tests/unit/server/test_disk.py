"""Files that are written together are each as before or as wanted, and an error names the one that it is about."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from tandem_server import disk
from tandem_server.failure import Failure
from tandem_server.files import Files, digest

TEXT = b"new"


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return what five files in two directories shall hold; no more than two are open at once."""
    monkeypatch.setattr(disk, "AT_ONCE", 2)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return {str(tmp_path / name): name.encode() for name in ("b/1", "a/1", "b/2", "a/2", "b/3")}


def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let fsync find no space for one file."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


def test_all_of_them_are_there(tmp_path: Path, wanted: dict[str, bytes]) -> None:
    disk.write_all_durably(wanted, 0o640)
    assert {str(path): path.read_bytes() for path in tmp_path.glob("*/*")} == wanted
    assert {path.stat().st_mode & 0o7777 for path in tmp_path.glob("*/*")} == {0o640}


@pytest.mark.parametrize("name", ["b/1", "a/2", "b/3"])
def test_an_error_that_comes_late_names_its_file_and_leaves_none(
    tmp_path: Path, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    failing(monkeypatch, name + disk.WRITING)
    with pytest.raises(OSError, match="No space") as caught:
        disk.write_all_durably(wanted)
    assert caught.value.filename == str(tmp_path / name)
    assert list(tmp_path.glob("*/*")) == []


@pytest.mark.parametrize("number", [0, 1, 4])
def test_of_staged_files_too(wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    owner = {"owner": "root", "group": "root", "mode": "0644"}
    entries = [{"path": path, "kind": "file", "digest": digest(TEXT), **owner} for path in wanted]
    files = Files()
    monkeypatch.setattr(files, "_owner", lambda _: (os.geteuid(), os.getegid()))
    operations = files.differing(entries, [])
    made = files.name(operations)
    failing(monkeypatch, f".tandem-{number}.new")
    with pytest.raises(Failure) as caught:
        files.stage(operations, made, {digest(TEXT): TEXT})
    assert caught.value.what == operations[number]["path"]
