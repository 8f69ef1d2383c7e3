"""The verbs of the history on an exported store, without servers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tandem.cli import main
from tests.sample.project import SAMPLE, Project

ENGINE_2 = "inventories/sample/options/suite/engines/engine-2.yml"
PASSWORD_FILE = ("--vault-password-file", str(SAMPLE / "vault-password"))


class Commands:
    """Run the command line in this process, in the directory of a project with an exported store of three.

    The first configuration is the active one.
    """

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = Project(directory)
        self.directory = directory
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(directory)
        monkeypatch.setenv("TANDEM_PROJECT", str(directory))
        for level in ("error", "debug", "info"):
            self.project.write(ENGINE_2, f"engine:\n  log:\n    level: {level}\n")
            self.run("compile", "-o", "store", *PASSWORD_FILE)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Return the exit status and what was printed."""
        self._monkeypatch.setattr(sys, "argv", ["tandem", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err

    def good(self, *words: str) -> str:
        """Return what a command prints about the store; it has to succeed."""
        status, out, err = self.run(*words, "--store", "store")
        assert (status, err) == (0, "")
        return out

    def bad(self, *words: str) -> str:
        """Return what a command says that fails."""
        status, out, err = self.run(*words, "--store", "store")
        assert (status, out) == (1, "")
        return err


@pytest.fixture
def commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Return the command line on a project of this test's own."""
    return Commands(tmp_path, capsys, monkeypatch)


def test_the_history(commands: Commands) -> None:
    lines = [line.split()[:2] for line in commands.good("configurations").splitlines()]
    assert lines[:3] == [["3", "candidate"], ["2", "candidate"], ["1", "active"]]
    told = json.loads(commands.good("configurations", "--json"))
    assert [entry["comment"] for entry in told["configurations"]] == ["compiled here"] * 3


def test_differences(commands: Commands) -> None:
    shown = commands.good("diff", "1", "2")
    assert shown.splitlines()[0] == "configuration 2, compared with configuration 1"
    assert "error → debug     options/suite/engines/engine-2.yml:3" in shown
    assert "debug → info" in commands.good("diff", "2", *PASSWORD_FILE)
    assert "Nothing changes" in commands.good("diff", "3", *PASSWORD_FILE)
    assert "-level error\n+level debug" in commands.good("diff", "1", "2", "--diff")
    found = json.loads(commands.good("diff", "2", "1", "--json", "--diff"))
    assert ([change["new"] for change in found["options"]], "+level error" in found["diff"]) == (["error"], True)
    assert commands.bad("diff", "1", "7") == "store: holds no configuration 7; it holds 1, 2, 3\n"


def test_a_stored_configuration_is_planned_by_its_number_and_as_markdown(commands: Commands) -> None:
    assert "error → debug" in commands.good("plan", "2")
    page = commands.good("plan", "2", "--markdown", "--diff")
    assert page.startswith("### Plan: configuration 2, against 1, which is active\n")
    assert "| `engine.log.level` | `error` | `debug` | engine-2 on Beta |" in page
    assert "-level error\n+level debug" in page


def test_marking_discarding_and_pruning(commands: Commands) -> None:
    assert commands.good("mark", "2", "-m", "for later") == "configuration 2 is marked\n"
    assert commands.good("mark", "2") == "configuration 2 is marked already\n"
    assert "for later" in commands.good("configurations")
    assert commands.bad("discard", "2") == "store: configuration 2 is marked: it cannot be discarded\n"
    assert commands.bad("discard", "1") == "store: configuration 1 is active: it cannot be discarded\n"
    assert commands.good("prune", "--keep", "0", "--check").startswith("would be removed: configuration 3\n")
    assert commands.good("discard", "3") == "configuration 3 is discarded\n"
    assert commands.good("mark", "2", "--remove") == "configuration 2 is no longer marked\n"
    assert commands.good("mark", "2", "--remove") == "configuration 2 is not marked\n"
    found = json.loads(commands.good("prune", "--keep", "0", "--json"))
    assert (found["removed"], found["kept"]) == ([2], {"1": "is active"})
    assert commands.good("fsck") == "The store is sound.\n"
    assert commands.good("prune", "--keep", "0") == "nothing is old\nkept: configuration 1 is active\n"


def test_corruption_is_named_line_by_line_and_ends_with_1(commands: Commands) -> None:
    assert commands.good("fsck") == "The store is sound.\n"
    store = commands.directory / "store"
    (store / "active").write_text("9")
    record = store / "configurations" / "2.json"
    record.write_text("{}")
    told = commands.bad("fsck").splitlines()
    assert (
        f"{store}/active: names configuration 9, which is not there; restore it from another copy of the store" in told
    )
    assert any(line.startswith(f"{record}: is damaged: its digest does not fit") for line in told)
    assert "its record is damaged; see tandem fsck" in commands.good("configurations")
    status, out, _ = commands.run("fsck", "--json", "--store", "store")
    assert (status, json.loads(out)["problems"]) == (1, told)


def test_a_store_that_is_not_there_and_words_that_contradict(commands: Commands) -> None:
    status, _, said = commands.run("fsck", "--store", "nowhere")
    assert (status, "nowhere" in said) == (2, True)
    status, _, said = commands.run("apply", "8", "--plan", "3f2a1b")
    assert (status, "a plan says which configuration is applied; leave NUMBER out" in said) == (2, True)
