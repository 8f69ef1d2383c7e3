"""A licensing server has the licenses that the configuration server has, whatever either has been through."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from tandem_server import licensing, wire
from tandem_server.failure import Failure
from tandem_server.serving import Answers
from tandem_server.store import Store


class Both:
    """The directories of a vendor's configuration server and of a licensing server that asks it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.signed, self.served = directory / "signed", directory / "served"
        self.signed.mkdir()
        self.asked: list[Any] = []
        settings = directory / "agent.json"
        settings.write_text(json.dumps({"address": "198.18.16.10", "port": 7443}))
        self._answers = Answers(Store(str(directory / "store")), "Rigel")
        for name, value in (("SIGNED", self.signed), ("SERVED", self.served), ("SETTINGS", settings)):
            monkeypatch.setattr(licensing, name, str(value))
        monkeypatch.setattr(wire, "has_identity", lambda: True)
        monkeypatch.setattr(wire, "ask", self._ask)

    def _ask(self, address: str, port: int, message: dict[str, Any]) -> Any:
        assert (address, port) == ("198.18.16.10", 7443)
        self.asked.append(sorted(message["known"]))
        return json.loads(json.dumps(self._answers.to(json.loads(json.dumps(message)))))

    def pull(self) -> dict[str, str]:
        """Pull, and return what is served then."""
        licensing.pull()
        return {path.name: path.read_text(encoding="utf-8") for path in self.served.iterdir() if path.suffix == ".xml"}


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    return Both(tmp_path, monkeypatch)


def test_what_differs_comes_and_what_is_gone_goes(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    (both.signed / "one.xml").write_text("größer", encoding="utf-8")
    (both.signed / "two.xml").write_text("2")
    (both.signed / "two.wanted").write_text("what it shall say")
    (both.signed / "not a name.xml").write_text("x")
    (both.signed / ".three.xml").write_text("not whole yet")
    assert both.pull() == {"one.xml": "größer", "two.xml": "2"}
    assert stat.S_IMODE((both.served / "one.xml").stat().st_mode) == 0o644
    assert capsys.readouterr().out == "one: a new license has come\ntwo: a new license has come\n"
    kept = (both.served / "two.xml").stat().st_ino
    (both.signed / "one.xml").write_text("new")
    assert both.pull() == {"one.xml": "new", "two.xml": "2"}
    assert (both.served / "two.xml").stat().st_ino == kept, "what has not changed is not written"
    (both.signed / "one.xml").unlink()
    assert both.pull() == {"two.xml": "2"}
    assert both.asked == [[], ["one", "two"], ["one", "two"]]
    capsys.readouterr()
    both.pull()
    assert capsys.readouterr().out == ""


def test_a_configuration_server_that_was_made_anew_takes_nothing_away(both: Both) -> None:
    (both.signed / "one.xml").write_text("1")
    both.pull()
    (both.signed / "one.xml").unlink()
    with pytest.raises(Failure, match="nothing is published here"):
        licensing.pull()
    assert (both.served / "one.xml").read_text() == "1"


def test_what_was_damaged_here_comes_again(both: Both) -> None:
    (both.signed / "one.wanted").write_text("what it shall say")
    (both.signed / "one.xml").write_text("1")
    both.pull()
    (both.served / "one.xml").write_text("")
    assert both.pull() == {"one.xml": "1"}


def test_a_configuration_server_that_does_not_answer_changes_nothing(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    (both.signed / "one.xml").write_text("1")
    both.pull()

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(wire, "ask", refuse)
    with pytest.raises(Failure, match="does not answer: Connection refused; licenses stay as they are"):
        licensing.pull()
    assert (both.served / "one.xml").read_text() == "1"


def test_where_nothing_is_signed_nothing_is_gone(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration server that was made anew has not lost what is served."""
    (both.signed / "one.xml").write_text("1")
    both.pull()
    monkeypatch.setattr(licensing, "SIGNED", str(both.signed / "nowhere"))
    with pytest.raises(Failure, match="no license is signed here"):
        licensing.pull()
    assert (both.served / "one.xml").read_text() == "1"


@pytest.mark.parametrize("name", ["../one", "a b", "", "one.xml"])
def test_a_name_that_is_none_is_not_written(both: Both, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(wire, "ask", lambda *_: {"licenses": {name: "x"}, "gone": ["../signed/one"]})
    (both.signed / "one.xml").write_text("1")
    with pytest.raises(Failure, match="which is no name"):
        licensing.pull()
    assert [path.name for path in both.served.iterdir()] == [".lock"]
    assert (both.signed / "one.xml").exists()


@pytest.mark.usefixtures("both")
def test_an_installation_without_agents_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "has_identity", lambda: False)
    with pytest.raises(Failure, match=r"the installation has no server\.agent\.key"):
        licensing.pull()
