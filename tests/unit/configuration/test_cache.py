"""The cache gives back what was put in, or nothing; it is private and bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem import cache


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tandem/compiled"


def entries(home: Path) -> list[Path]:
    return sorted(home.iterdir())


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.binary(max_size=50)), st.data())
@settings(max_examples=50)
def test_an_entry_is_what_was_put_in_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], data: st.DataObject
) -> None:
    kept = cache.Cache(tmp_path_factory.mktemp("cache") / "inside")
    for name, content in contents.items():
        assert kept.get(cache.key(name)) is None
        kept.put(cache.key(name), content)
        assert kept.get(cache.key(name)) == content
    for name, content in contents.items():
        path = Path(kept._path(cache.key(name)))
        path.write_bytes(data.draw(st.binary(max_size=90)))
        assert kept.get(cache.key(name)) in (None, content)


@given(st.lists(st.text() | st.binary()), st.lists(st.text() | st.binary()))
def test_other_parts_have_another_key(one: list[str | bytes], other: list[str | bytes]) -> None:
    plain = [[each.encode() if isinstance(each, str) else each for each in parts] for parts in (one, other)]
    assert (cache.key(*one) == cache.key(*other)) == (plain[0] == plain[1])


def test_a_cache_that_others_can_look_into_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir(parents=True)
    home.chmod(0o750)
    cache.default().put(cache.key("a"), b"a")
    assert entries(home) == []
    home.chmod(0o700)
    cache.default().put(cache.key("a"), b"a")
    assert len(entries(home)) == 1
    home.chmod(0o750)
    monkeypatch.setattr(cache, "LARGEST", 0)
    cache.default().prune()
    assert len(entries(home)) == 1


def test_what_was_used_longest_ago_is_removed_when_there_is_too_much(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LARGEST", 4 * (32 + 100))
    kept = cache.default()
    keys = [cache.key(str(number)) for number in range(5)]
    for age, key in enumerate(keys):
        kept.put(key, bytes(100))
        os.utime(home / key, (1000 + age, 1000 + age))
    assert kept.get(keys[0]) == bytes(100)  # which makes it the newest
    (home / f"{keys[0]}.1").touch()
    os.utime(home / f"{keys[0]}.1", (0, 0))
    gone = home / f"{keys[1]}.2"
    gone.symlink_to("nowhere")  # as one that another process removes meanwhile
    kept.prune()
    gone.unlink()
    assert [path.name for path in entries(home)] == sorted([keys[0], keys[3], keys[4]])
