"""The YAML that is read guesses nothing and forgets no line."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import Problems
from tandem.source import Node, Secret, parse


def read(text: str | bytes) -> tuple[Node | None, list[str]]:
    problems = Problems()
    node = parse(text if isinstance(text, bytes) else text.encode(), "f.yml", problems)
    return node, [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("True", "True"), ("y", "y"),
        ("12", 12), ("-3", -3), ("0", 0), ("012", "012"), ("0x1f", "0x1f"), ("0o17", "0o17"), ("1_000", "1_000"),
        ("+1", "+1"), ("1:30", "1:30"), ("1.50", Decimal("1.50")), ("-0.5", Decimal("-0.5")), ("1e3", Decimal("1e3")),
        (".5", ".5"), ("1.", "1."), (".inf", ".inf"), (".nan", ".nan"),
        ("2026-11-20", "2026-11-20"), ("2026-11-20 10:00:00", "2026-11-20 10:00:00"), ("<<", "<<"), ("=", "="),
        ('"12"', "12"), ("'true'", "true"), ('""', ""), ("198.18.0.1", "198.18.0.1"), ("9" * 100, "9" * 100),
    ],
)  # fmt: skip
def test_a_scalar_means_what_it_says(written: str, meant: object) -> None:
    node, problems = read(f"key: {written}")
    assert node is not None
    value = node.entries["key"].value
    assert (value, type(value), problems) == (meant, type(meant), [])


def test_a_value_has_the_line_of_its_key() -> None:
    node, problems = read("a:\n  b:\n    - 1\n    - 2\n  c: |\n    text\n")
    assert node is not None
    a = node.entries["a"]
    assert [a.origin.line, a.entries["b"].origin.line, a.entries["c"].origin.line] == [1, 2, 5]
    assert [item.origin.line for item in a.entries["b"].items] == [3, 4]
    assert problems == []


def test_a_key_is_a_word_even_where_a_value_would_be_a_number() -> None:
    node, _ = read("true: 1\n12: 2\n")
    assert node is not None
    assert list(node.entries) == ["true", "12"]


def test_a_vault_value_is_kept_as_ciphertext_and_never_shown() -> None:
    node, problems = read("key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  616263\n")
    assert node is not None
    secret = node.entries["key"].value
    assert isinstance(secret, Secret)
    assert secret.ciphertext.splitlines() == ["$ANSIBLE_VAULT;1.1;AES256", "616263"]
    assert "616263" not in f"{secret} {secret!r} {node!r}"
    assert problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yml:3: a stands here a second time; the first is in line 1"),
        ("a: &x 1\n", "f.yml:1: anchor &x is not allowed; write the value where it is needed"),
        ("b: &x {c: 1}\n", "f.yml:1: anchor &x is not allowed; write the value where it is needed"),
        (
            "a: !!str 1\n",
            "f.yml:1: tag tag:yaml.org,2002:str is not allowed; the only tag is !vault, on an option's value",
        ),
        ("a: !x [1]\n", "f.yml:1: tag !x is not allowed; the only tag is !vault, on an option's value"),
        ("a: !vault [1]\n", "f.yml:1: tag !vault is not allowed; the only tag is !vault, on an option's value"),
        ("a: !vault x\n", "f.yml:1: after !vault comes no vault text; encrypt with: ansible-vault encrypt_string"),
        ("? [a]\n: 1\n", "f.yml:1: a list cannot be a key; a key is a word"),
        ("a: 1\n---\nb: 2\n", "f.yml:2: a second document begins here; a file holds one"),
        ("a:\n\tb: 1\n", "f.yml:2: is not valid YAML: a tab; indent with spaces"),
        ("a: b: c\n", "f.yml:1: is not valid YAML: mapping values are not allowed in this context"),
        ("a: 'open\n", "f.yml:2: is not valid YAML: while scanning a quoted scalar: found unexpected end of stream"),
        ("a: \x07\n", "f.yml:1: is not valid YAML: character U+0007 is not allowed"),
        (b"a: 1\nb: \xff\n", "f.yml:2: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("[" * 40 + "]" * 40, "f.yml:1: is not valid YAML: more than 32 levels"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_line(text: str | bytes, problem: str) -> None:
    assert read(text)[1] == [problem]


def test_an_alias_is_refused_beside_everything_else_in_the_file() -> None:
    _, problems = read("a: &x 1\nb: *x\nb: 2\n")
    assert problems == [
        "f.yml:1: anchor &x is not allowed; write the value where it is needed",
        "f.yml:2: alias *x is not allowed; write the value itself",
        "f.yml:3: b stands here a second time; the first is in line 2",
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_holds_nothing(text: str) -> None:
    node, problems = read(text)
    assert node is not None
    assert (node.empty, node.entries, problems) == (True, {}, [])


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_refused(content: bytes) -> None:
    """Nothing that somebody can save makes a traceback."""
    problems = Problems()
    assert parse(content, "f.yml", problems) is not None or problems.found


@given(st.dictionaries(st.text("abc", min_size=1), st.integers() | st.booleans() | st.text("xyz ,:#", max_size=9)))
def test_what_is_written_comes_back(values: dict[str, object]) -> None:
    node, problems = read("\n".join(f'"{key}": {json.dumps(value)}' for key, value in values.items()))
    assert problems == []
    assert node is not None
    assert {key: child.value for key, child in node.entries.items()} == values
