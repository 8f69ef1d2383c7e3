"""Read the files of an inventory directory: installation.yml and the option tree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tandem.errors import Origin, Problems
from tandem.source.node import BROKEN, Node
from tandem.source.yaml import parse

INSTALLATION = "installation.yml"
OPTIONS = "options"

TreePath = tuple[str, ...]
"""The place of an option file in the tree: (), (suite,), (suite, cluster) or (suite, cluster, instance)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Hold what an installation is compiled from.

    `files` are the bytes of every file, by path relative to `directory`; what could not be read is a broken node.
    """

    directory: Path
    files: dict[str, bytes]
    installation: Node
    options: dict[TreePath, Node]


def read(directory: Path, problems: Problems) -> Source:
    """Return the source in an inventory directory, and note what could not be read of it."""
    files: dict[str, bytes] = {}
    installation = _load(directory, INSTALLATION, files, problems)
    options = {}
    for path in _option_files(directory, problems):
        place = tuple(path.removesuffix(".yml").split("/")[1:])
        options[() if place == ("installation",) else place] = _load(directory, path, files, problems)
    return Source(directory, files, installation, options)


def option_file(place: TreePath) -> str:
    """Return the path of the option file for a place in the tree.

    >>> option_file(()), option_file(("admin", "dns"))
    ('options/installation.yml', 'options/admin/dns.yml')
    """
    return "/".join((OPTIONS, *(place or ("installation",)))) + ".yml"


def read_yaml(file: Path, path: str, problems: Problems) -> Node | None:
    """Return what one YAML file holds, or None where that has been reported; `path` is its name in messages."""
    content = _content(file, path, problems)
    return None if content is None else parse(content, path, problems)


def _load(directory: Path, path: str, files: dict[str, bytes], problems: Problems) -> Node:
    """Read one file of the source."""
    content = _content(directory / path, path if path != INSTALLATION else str(directory / path), problems)
    if content is None:
        return Node(BROKEN, Origin(path))
    files[path] = content
    return parse(content, path, problems) or Node(BROKEN, Origin(path))


def _content(file: Path, path: str, problems: Problems) -> bytes | None:
    """Return the bytes of a regular file, or say why there are none."""
    if file.is_file():
        try:
            return file.read_bytes()
        except OSError as error:
            problems.add(Origin(path), f"cannot be read: {os.strerror(error.errno or 0)}")
    elif file.is_dir():
        problems.add(Origin(path), "is a directory; a file belongs here")
    elif file.exists():
        problems.add(Origin(path), "is not a regular file")
    else:
        problems.add(Origin(path), "does not exist" + (", it is a link to nothing" if file.is_symlink() else ""))
    return None


def _option_files(directory: Path, problems: Problems) -> list[str]:
    """Return the paths of the option files, sorted; hidden files are no part of the tree."""
    found: list[str] = []
    pending = [directory / OPTIONS]
    while pending:
        folder = pending.pop()
        path = folder.relative_to(directory).as_posix()
        try:
            entries = sorted(folder.iterdir())
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.add(Origin(path), f"cannot be read as a directory: {os.strerror(error.errno or 0)}")
            continue
        for entry in entries:
            name = entry.relative_to(directory).as_posix()
            if entry.name.startswith("."):
                continue
            if entry.is_dir() and not entry.name.endswith(".yml"):
                pending.append(entry)
            elif entry.name.endswith(".yml"):
                found.append(name)
            else:
                problems.add(Origin(name), f"is no option file; call it {entry.stem}.yml or move it out of {OPTIONS}/")
    return sorted(found)
