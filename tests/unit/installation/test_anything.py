"""Whatever somebody writes into an inventory is loaded or refused with messages; it never ends in a traceback."""

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tandem.errors import InputRefused, Origin, Problem
from tests.unit.sample import BILLING, INSTALLATION, load

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
names = st.sampled_from(
    ["billing-1", "Alpha", "billing", "primary", "198.18.0.11", "198.18.1.11", "198.18.0.0/24", "web"]
)
anything = st.recursive(
    scalars | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | names, inner, max_size=3),
)
OPTIONS = {
    "billing_engine": {
        "log": {"level": "debug", "file": "a"},
        "clients": {"networks": ["198.18.0.0/24", {"not": "198.18.1.0/24"}], "names": {"a": "198.18.0.1"}},
        "rating": {"rate": 1},
    },
    "cards": {"expiry": {"notify_days": 3, "exempt": ["a"]}},
    "environments": {"pb": {"cards": {"expiry": {"notify_days": 3}}}},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inside for place in places(child, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy in which something else stands at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


WHOLE: Any = yaml.safe_load(INSTALLATION)


@settings(max_examples=150)
@example([((), {"a\n\x1b[31m": None})])
@given(st.lists(st.tuples(st.sampled_from(places(WHOLE)), anything), min_size=1, max_size=3))
def test_anything_in_the_installation(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    content = WHOLE
    for path, new in changes:
        if path in places(content):
            content = changed(content, path, new)
    attempt({"installation.yml": json.dumps(content)})


@settings(max_examples=150)
@given(st.sampled_from(places(OPTIONS)), anything)
def test_anything_in_the_options(path: tuple[Any, ...], new: Any) -> None:
    attempt({BILLING: json.dumps(changed(OPTIONS, path, new))})


def attempt(files: dict[str, str]) -> None:
    """Load an inventory; every problem there is has a file of it and says something, in one line."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            load(Path(directory), files)
            problems = []
        except InputRefused as refused:
            problems = refused.problems or [Problem(Origin(""), "")]
    for problem in problems:
        assert problem.origin.path.startswith(("installation.yml", "options/"))
        assert problem.message
        assert str(problem).isprintable()
