"""Keep what was proven, and write it to docs/proofs.md."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet.fleet import ROOT

PAGE = ROOT / "docs" / "proofs.md"
HEAD = """# Proofs

`make prove` breaks an apply at every moment that matters, mends what it broke, looks where every server stands before
anything is applied, applies again, and looks again. It wrote this page. *Held* means: before anything was applied,
every server was wholly on the old or wholly on the new configuration (the number of each stands in brackets; *half*
is a server whose program was killed, before the next run saw to that), and the next apply brought all servers to
what was wanted, by itself. A server is on a configuration when all files and links, their modes and owners, the
addresses, the units that run and the files these started with are the configuration's, and nothing else of Tandem
is there. *Too late* means: the apply had ended before the fault came, which proves nothing.
"""


@dataclass
class Record:
    """Everything proven in one run of `make prove`."""

    seed: int
    notes: list[str] = field(default_factory=list)
    rows: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    @contextmanager
    def proving(self, table: str, row: str, column: str, name: str) -> Iterator[Counter[str]]:
        """Count in a cell of a table what the block puts into the counter; a failure is kept with its first line."""
        found: Counter[str] = Counter()
        began = time.monotonic()
        try:
            yield found
            found["proven"] += not (found["proven"] or found["late"])
        except BaseException as error:
            found = Counter(failed=1)
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            self.failures.append(f"{table}, {name}: {reason[:400]}")
            raise
        finally:
            self.seconds.append(time.monotonic() - began)
            self.rows.setdefault((table, row, column), Counter()).update(found)

    def write(self) -> None:
        """Write the page."""
        PAGE.write_text("\n".join([HEAD, *self._summary(), *self._tables(), *self._failures()]) + "\n")

    def _summary(self) -> list[str]:
        total = sum((count for count in self.rows.values()), Counter())
        verdict = (
            f"**{total['failed']} of {total['failed'] + total['proven']} FAILED**"
            if self.failures
            else f"all {total['proven']} held"
        ) + (f", besides {total['late']} too late" if total["late"] else "")
        facts = {
            "Commit": _git("describe", "--always", "--dirty=, with changes", "--abbrev=12", "--exclude=*"),
            "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "Seed": f"{self.seed} (`make prove SEED={self.seed}` repeats it)",
            "Result": verdict,
            "Duration": f"{(time.monotonic() - self._began) / 60:.0f} minutes",
        }
        return [f"- {name}: {value}" for name, value in facts.items()] + [f"- {note}" for note in self.notes]

    def _tables(self) -> Iterator[str]:
        for table in dict.fromkeys(key[0] for key in self.rows):
            cells = {key[1:]: count for key, count in self.rows.items() if key[0] == table}
            columns = list(dict.fromkeys(column for _, column in cells))
            yield from ("", f"## {table}", "", f"| | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}")
            for row in dict.fromkeys(row for row, _ in cells):
                yield f"| {row} | {' | '.join(_cell(cells.get((row, column))) for column in columns)} |"

    def _failures(self) -> list[str]:
        return ["", "## What failed", "", *(f"- {failure}" for failure in self.failures)] if self.failures else []


def _cell(count: Counter[str] | None) -> str:
    if count is None:
        return ""
    parts = [f"{count['proven']} held"] if count["proven"] else []
    parts += [f"**{count['failed']} failed**"] if count["failed"] else []
    parts += [f"{count['late']} too late"] if count["late"] else []
    stood = [f"{count[name]} {name}" for name in ("old", "new", "half") if count[name]]
    return ", ".join(parts) + (f" ({', '.join(stood)})" if stood else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "none"


def seed_of(text: str | None) -> int:
    """Return the seed that was asked for, or one of now."""
    return int(text) if text else int(time.time()) % 1_000_000


def fleets_directory(base: Path, number: int) -> Path:
    """Return a directory for the files of one installation."""
    directory = base / f"fleet-{number}"
    directory.mkdir()
    return directory
