"""What the command line does with any verb: it finds them by their files, and prints what a terminal can show."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import pytest

from tandem import cli


def test_what_an_editor_leaves_beside_a_verb_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apply.py", "_common.py", ".#apply.py", "._apply.py", "apply.py~"):
        (tmp_path / name).touch()
    monkeypatch.setattr(cli, "__path__", [str(tmp_path)])
    assert cli.tandem.list_commands(click.Context(cli.tandem)) == ["apply"]


def test_what_a_terminal_has_no_letter_for_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    monkeypatch.setattr(cli.tandem, "main", lambda **_: click.echo("1 → 2"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, written.getvalue()) == (0, b"1 ? 2\n")
