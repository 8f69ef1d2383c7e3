"""The repository speaks of itself alone, and its documents lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.tree.walk import ROOT, files, label

# Written in pieces, so that this file is not its own finding.
FOREIGN = re.compile(
    "|".join(
        [
            r"https?://[^\s/]*(?:py" + r"pi|files\.python" + r"hosted|mir" + r"ror)",
            r"(?:^|[^\w.<>{}-])/wo" + r"rk/",
            r"^\s*(?:--(?:extra-)?index-" + r"url|--find-" + r"links|-i)[ =]+(?:http|file)",
        ]
    ),
    re.MULTILINE,
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")

TEXTS = [path for path in files("") if path.suffix not in {".png", ".pyz"}]
DOCUMENTS = [path for path in TEXTS if path.suffix == ".md"]


def test_nothing_names_a_machine_or_a_registry_of_its_makers() -> None:
    """A path or an address of somebody's workplace means nothing to who clones this."""
    found = [
        f"{label(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group().strip()}"
        for path in TEXTS
        for text in [path.read_text(encoding="utf-8", errors="replace")]
        for match in FOREIGN.finditer(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", DOCUMENTS, ids=label)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    prose = CODE.sub("", path.read_text(encoding="utf-8"))
    dead = [target for target in LINK.findall(prose) if not (path.parent / target).exists()]
    assert not dead, f"{label(path)} links to {', '.join(dead)}"


def test_the_reference_says_what_the_declarations_say(tmp_path: Path) -> None:
    """Generated pages are kept in git, where they are read; `make docs` writes them anew."""
    subprocess.run(["tandem", "reference", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    kept = ROOT / "docs/reference"
    names = {path.name for path in tmp_path.iterdir()}
    assert names
    assert {path.name for path in kept.iterdir()} == names
    assert [name for name in sorted(names) if (kept / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_every_target_of_the_makefile_has_its_line_of_help() -> None:
    """What `make` does not list is not found; the one part that others are made of is exempt."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    helped = set(re.findall(r"^([a-z-]+):[^#\n]*## \S", makefile, re.MULTILINE))
    assert set(phony.group(1).split()) - helped == {"lab-packages"}


def test_the_lock_holds_a_hash_for_everything_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\w)", lock) if not entry.startswith("#")]
    assert len(entries) > 1
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"(?:https?|file):\S+|^-\S+", lock, re.MULTILINE) == []
