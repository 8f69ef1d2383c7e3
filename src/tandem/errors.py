"""Say what is wrong, where, and what to do, without ever showing an operator a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

SHORT = 3


@dataclass(slots=True, unsafe_hash=True)
class Origin:
    """Name the place a value comes from: a path relative to the inventory directory and a line counted from 1.

    Never change one. It is not frozen only because freezing would triple the time it takes to make one.
    """

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"

    @property
    def sort_key(self) -> tuple[str, int]:
        """Order origins by path, then by line; a whole file comes before its lines."""
        return self.path, self.line or 0


def one_line(text: str) -> str:
    r"""Return a text in which nothing breaks the line or drives the terminal: such characters are written out.

    >>> one_line("a\tb")
    'a\\tb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold one mistake: where it is and what is wrong with it."""

    origin: Origin
    message: str

    def __str__(self) -> str:
        return one_line(f"{self.origin}: {self.message}")


class TandemError(Exception):
    """Stand for everything that Tandem itself refuses or fails at; `exit_status` is that of the command line.

    `facts` say the same, and more, to programs.
    """

    facts: Mapping[str, object] = MappingProxyType({})

    exit_status = 1


class Failed(TandemError):
    """Say in one message what failed while something was being done (exit status 1)."""


class InputRefused(TandemError):
    """Hold every problem found in the input (exit status 2); no server was contacted.

    >>> str(InputRefused([Problem(Origin("installation.yml", 3), "x is wrong")]))
    'installation.yml:3: x is wrong'
    """

    exit_status = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda p: (*p.origin.sort_key, p.message))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collect problems, so that one run reports all of them."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def __len__(self) -> int:
        return len(self.found)

    def add(self, origin: Origin, message: str) -> None:
        """Note one problem and go on."""
        self.found.append(Problem(origin, message))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note the problems that another collector found."""
        self.found.extend(problems)

    def raise_if_any(self) -> None:
        """Raise InputRefused with every problem, sorted, if there is one."""
        if self.found:
            raise InputRefused(self.found)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" with the nearest known name, or "" if nothing known resembles it.

    >>> did_you_mean("levl", ["level", "file"])
    '; did you mean level?'
    """
    folded = {candidate.casefold(): candidate for candidate in sorted(known, reverse=True)}
    # two letters in the wrong order make half of a short name
    cutoff = 0.5 if len(name) <= SHORT else 0.6
    nearest = difflib.get_close_matches(name.casefold(), sorted(folded), n=1, cutoff=cutoff)
    return f"; did you mean {folded[nearest[0]]}?" if nearest else ""
