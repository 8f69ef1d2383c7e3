"""Read the files of an inventory directory: installation.yml and the option tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from tandem.errors import Origin, Problems
from tandem.project import INSTALLATION
from tandem.source.node import BROKEN, Node
from tandem.source.yaml import parse

OPTIONS = "options"

TreePath = tuple[str, ...]
"""The place of an option file in the tree: (), (suite,), (suite, cluster) or (suite, cluster, instance)."""


class Source:
    """Hold what an installation is compiled from: its files, which are parsed when somebody asks for what they say.

    `files` are the bytes of every file, by path relative to `directory`; what could not be read is a broken node.
    What parsing finds wrong is noted with the other problems at that moment.
    """

    def __init__(self, directory: Path, files: dict[str, bytes], options: Iterable[str], problems: Problems) -> None:
        self.directory = directory
        self.files = files
        self.options = OptionFiles(files, options, problems)
        self._problems = problems

    @cached_property
    def installation(self) -> Node:
        """Return what installation.yml says."""
        return _parsed(self.files, INSTALLATION, self._problems)


class OptionFiles(Mapping[TreePath, Node]):
    """What option files say, by their place in the tree. Each time that one is asked for it is parsed anew."""

    def __init__(self, files: Mapping[str, bytes], paths: Iterable[str], problems: Problems) -> None:
        self._files = files
        self._problems = problems
        self._paths = {_place(path): path for path in paths}

    def __getitem__(self, place: TreePath) -> Node:
        return _parsed(self._files, self._paths[place], self._problems)

    def __contains__(self, place: object) -> bool:
        return place in self._paths

    def __iter__(self) -> Iterator[TreePath]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def read(directory: Path, problems: Problems) -> Source:
    """Return the source in an inventory directory, and note what could not be read of it."""
    options = _option_files(directory, problems)
    files = {}
    for path in (INSTALLATION, *options):
        content = _content(f"{directory}/{path}", path if path != INSTALLATION else str(directory / path), problems)
        if content is not None:
            files[path] = content
    return Source(directory, files, options, problems)


def _parsed(files: Mapping[str, bytes], path: str, problems: Problems) -> Node:
    return (parse(files[path], path, problems) if path in files else None) or Node(BROKEN, Origin(path))


def _place(path: str) -> TreePath:
    place = tuple(path.removesuffix(".yml").split("/")[1:])
    return () if place == ("installation",) else place


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


def _content(file: str | Path, path: str, problems: Problems) -> bytes | None:
    """Return the bytes of a regular file, or say why there are none."""
    try:
        mode = os.stat(file).st_mode
        if stat.S_ISREG(mode):
            with open(file, "rb", buffering=0) as opened:  # a buffer is of no use to who reads all at once
                return opened.readall()
        is_what = "is a directory; a file belongs here" if stat.S_ISDIR(mode) else "is not a regular file"
        problems.add(Origin(path), is_what)
    except FileNotFoundError:
        problems.add(Origin(path), "does not exist" + (", it is a link to nothing" if os.path.islink(file) else ""))
    except OSError as error:
        problems.add(Origin(path), f"cannot be read: {os.strerror(error.errno or 0)}")
    return None


def _option_files(directory: Path, problems: Problems) -> list[str]:
    """Return the paths of the option files, sorted; hidden files are no part of the tree."""
    found: list[str] = []
    pending = [OPTIONS]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(directory / folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.add(Origin(folder), f"cannot be read as a directory: {os.strerror(error.errno or 0)}")
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(".yml"):
                found.append(name)
            elif entry.is_dir():
                pending.append(name)
            else:
                stem = Path(name).stem
                problems.add(Origin(name), f"is no option file; call it {stem}.yml or move it out of {OPTIONS}/")
    return sorted(found)
