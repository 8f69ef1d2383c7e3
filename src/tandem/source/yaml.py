"""Read YAML without guessing: true, false, null, decimal numbers and strings, and nothing twice.

The parser is libyaml's; nodes are made from its events, because only events still tell of anchors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import yaml

from tandem.errors import Origin, Problems
from tandem.source.node import BROKEN, Content, Node, Secret

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?\Z")
WORDS: dict[str, Content] = {"": None, "~": None, "null": None, "true": True, "false": False}
LONGEST_INTEGER = 64
"""Digits; more are no number that anybody means, and Python itself refuses to convert thousands of them."""
DEEPEST = 32
"""Levels of nesting; an option tree needs nine, and an unbounded depth would exhaust the stack."""


def resolve(text: str) -> Content:
    """Return what a scalar without quotes means.

    >>> resolve("no"), resolve("012"), resolve("1:30"), resolve("12")
    ('no', '012', '1:30', 12)
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] in "-0123456789" and len(text) <= LONGEST_INTEGER:
        if INTEGER.match(text):
            return int(text)
        if NUMBER.match(text):
            return Decimal(text)
    return text


def parse(content: bytes, path: str, problems: Problems) -> Node | None:
    """Return what a YAML file holds, or None if its syntax is wrong; note every problem found on the way.

    `path` is how the file is called in messages. An empty file is a node without a value.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.add(Origin(path, line), f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8")
        return None
    try:
        return _Builder(text, path, problems).document()
    except yaml.YAMLError as error:
        problems.add(*_syntax(error, text, path))
        return None


class _Builder:
    """Make nodes from the events of one file."""

    def __init__(self, text: str, path: str, problems: Problems) -> None:
        self.next: Callable[[], Any] = yaml.CSafeLoader(text).get_event
        self.path = path
        self.problems = problems
        self.depth = 0

    def document(self) -> Node:
        """Read the only document of the file."""
        self.next()
        if isinstance(self.next(), yaml.StreamEndEvent):
            return Node(None, Origin(self.path, 1))
        node = self.node(self.next())
        self.next()
        more = self.next()
        if not isinstance(more, yaml.StreamEndEvent):
            self.problems.add(self.origin(more), "a second document begins here; a file holds one")
        return node

    def origin(self, event: Any) -> Origin:
        """Return where an event stands in the file."""
        return Origin(self.path, event.start_mark.line + 1)

    def node(self, event: Any, origin: Origin | None = None) -> Node:
        """Read the value that an event begins; `origin` is that of its key, if it has one."""
        origin = origin or self.origin(event)
        if _plain(event):
            text = event.value
            return Node(text, origin, f'"{text}"') if event.style else Node(resolve(text), origin, text)
        if isinstance(event, yaml.AliasEvent):
            self.problems.add(origin, f"alias *{event.anchor} is not allowed; write the value itself")
            return Node(BROKEN, origin)
        if event.anchor is not None:
            self.problems.add(origin, f"anchor &{event.anchor} is not allowed; write the value where it is needed")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, origin)
        self.tag(event, origin)
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels", problem_mark=event.start_mark)
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node(self.mapping(), origin, "a mapping") if mapping else Node(self.sequence(), origin, "a list")
        self.depth -= 1
        return node

    def tag(self, event: Any, origin: Origin) -> bool:
        """Report a tag other than !vault; tell whether there was one."""
        if event.tag in (None, "!"):
            return False
        self.problems.add(origin, f"tag {event.tag} is not allowed; the only tag is !vault, on an option's value")
        return True

    def scalar(self, event: Any, origin: Origin) -> Node:
        """Read a scalar with a tag or an anchor: as a secret, as a string in quotes, or as what it means without."""
        if event.tag == "!vault":
            return self.secret(event.value, origin)
        if self.tag(event, origin):
            return Node(BROKEN, origin)
        if event.style:
            return Node(event.value, origin, f'"{event.value}"')
        return Node(resolve(event.value), origin, event.value)

    def secret(self, text: str, origin: Origin) -> Node:
        """Read a vault's ciphertext, whose form is all that can be checked without the password."""
        lines = text.strip().splitlines()
        if len(lines) < 2 or not lines[0].startswith("$ANSIBLE_VAULT;"):
            self.problems.add(origin, "after !vault comes no vault text; encrypt with: ansible-vault encrypt_string")
            return Node(BROKEN, origin)
        return Node(Secret(text), origin, "a !vault value")

    def sequence(self) -> list[Node]:
        """Read the items of a list up to its end."""
        items = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.node(event))
        return items

    def mapping(self) -> dict[str, Node]:
        """Read the entries of a mapping up to its end; of two with the same key the second is reported."""
        entries: dict[str, Node] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            origin = Origin(self.path, event.start_mark.line + 1)
            name = event.value if _plain(event) else self.key(event, origin)
            value = self.node(self.next(), origin)
            if name is None:
                continue
            if name in entries:
                first = entries[name].origin.line
                self.problems.add(origin, f"{name} stands here a second time; the first is in line {first}")
            else:
                entries[name] = value
        return entries

    def key(self, event: Any, origin: Origin) -> str | None:
        """Read a key that is more than a word; None where it has been reported and its value is to be passed over."""
        node = self.node(event, origin)
        if isinstance(node.value, dict | list | Secret):
            self.problems.add(origin, f"{node.text} cannot be a key; a key is a word")
        elif node.value is not BROKEN:
            return node.value if isinstance(node.value, str) else node.text
        return None


def _plain(event: Any) -> bool:
    """Tell whether an event is a scalar and nothing else: without tag and anchor."""
    return type(event) is yaml.ScalarEvent and event.tag is None and event.anchor is None


def _syntax(error: yaml.YAMLError, text: str, path: str) -> tuple[Origin, str]:
    """Say where a YAML syntax error is, in the parser's words where there are none better."""
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else None
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    if "'\\t'" in reason or "\t" in reason or (line and text.splitlines()[line - 1 : line] and _tabbed(text, line)):
        return Origin(path, line), "is not valid YAML: a tab; indent with spaces"
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        return Origin(path, line), f"is not valid YAML: character {_named(error.character)} is not allowed"
    return Origin(path, line), "is not valid YAML: " + (f"{context}: {reason}" if context else reason)


def _named(character: int | str) -> str:
    """Return what a character that cannot be shown is called."""
    return f"U+{character if isinstance(character, int) else ord(character):04X}"


def _tabbed(text: str, line: int) -> bool:
    """Tell whether a line is indented with a tab."""
    written = text.splitlines()[line - 1]
    return "\t" in written[: len(written) - len(written.lstrip())]
