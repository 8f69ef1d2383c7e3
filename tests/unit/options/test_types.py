"""Every type reads what it is declared to be, refuses the rest in words, and shows what it read."""

from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tandem.errors import Problems
from tandem.options.lists import AnyType, Several
from tandem.options.types import OptionType
from tandem.source import parse

TYPE: TypeAdapter[OptionType] = TypeAdapter(AnyType)

BOOLEAN = {"type": "boolean"}
SECONDS = {"type": "integer", "minimum": 1, "maximum": 86400, "unit": "s"}
MONEY = {"type": "decimal", "minimum": 0, "maximum": 10, "places": 2}
NUMBER = {"type": "decimal"}
TEXT = {"type": "string", "maximum": 5, "pattern": "[a-z]*"}
LINES = {"type": "string", "multiline": True}
CHOICE = {"type": "choice", "choices": ["low", "high", "3"]}
ADDRESS = {"type": "address"}
NETWORK = {"type": "network"}
PORT = {"type": "port"}
HOSTNAME = {"type": "hostname"}
PORTS = {"type": "list", "items": PORT, "maximum": 2}
RATES = {"type": "map", "items": MONEY}


def node_of(written: str) -> Any:
    problems = Problems()
    node = parse(f"value: {written}".encode(), "f.yml", problems)
    assert node is not None
    assert not problems.found
    return node.entries["value"]


@pytest.mark.parametrize(
    ("declared", "written", "value", "shown"),
    [
        (BOOLEAN, "true", True, "true"),
        (SECONDS, "86400", 86400, "86400"),
        (MONEY, "1", Decimal("1.00"), "1.00"),
        (MONEY, "0.50", Decimal("0.50"), "0.50"),
        (NUMBER, "1e3", Decimal(1000), "1000"),
        (NUMBER, "-0.0", Decimal(0), "0"),
        (NUMBER, "2.50", Decimal("2.5"), "2.5"),
        (TEXT, "abc", "abc", "abc"),
        (TEXT, '""', "", '""'),
        (LINES, '"a\\nb\\n"', "a\nb\n", "a … (2 lines)"),
        (CHOICE, "low", "low", "low"),
        (CHOICE, '"3"', "3", "3"),
        (ADDRESS, "198.18.0.1", "198.18.0.1", "198.18.0.1"),
        (NETWORK, "198.18.0.0/24", "198.18.0.0/24", "198.18.0.0/24"),
        (PORT, "65535", 65535, "65535"),
        (HOSTNAME, "ns-1.example.net", "ns-1.example.net", "ns-1.example.net"),
        (PORTS, "[80, 443]", [80, 443], "[80, 443]"),
        (PORTS, "[]", [], "[]"),
        (RATES, "{a: 0.1, b: 2}", {"a": Decimal("0.10"), "b": Decimal("2.00")}, "{a: 0.10, b: 2.00}"),
    ],
)
def test_what_is_allowed(declared: dict[str, Any], written: str, value: object, shown: str) -> None:
    kind, node = TYPE.validate_python(declared), node_of(written)
    parsed = kind.parse(node)
    assert (parsed, type(parsed)) == (value, type(value))
    assert (str(parsed) if isinstance(parsed, Decimal) else None) in (None, str(value))
    assert kind.show(parsed) == shown
    plain = node.plain()
    if not isinstance(plain, Decimal | dict):
        jsonschema.validate(plain, kind.json_schema())


@pytest.mark.parametrize(
    ("declared", "written", "message"),
    [
        (BOOLEAN, "yes", '"yes" is not true or false'),
        (BOOLEAN, "1", "1 is not true or false"),
        (BOOLEAN, '"true"', '"true" is not true or false; write it without quotes'),
        (SECONDS, "2h", '"2h" is not a whole number of seconds (1–86400)'),
        (SECONDS, '"60"', '"60" is not a whole number of seconds (1–86400); write it without quotes'),
        (SECONDS, "012", '"012" is not a whole number of seconds (1–86400)'),
        (SECONDS, "1:30", '"1:30" is not a whole number of seconds (1–86400)'),
        (SECONDS, "1.0", "1.0 is not a whole number of seconds (1–86400)"),
        (SECONDS, "true", "true is not a whole number of seconds (1–86400)"),
        (SECONDS, "[1]", "a list is not a whole number of seconds (1–86400)"),
        (SECONDS, "{a: 1}", "a mapping is not a whole number of seconds (1–86400)"),
        (SECONDS, "0", "0 is below 1 second (1–86400)"),
        (SECONDS, "86401", "86401 is above 86400 seconds (1–86400)"),
        (MONEY, "0.005", "0.005 has more than 2 decimal places"),
        (MONEY, "11", "11 is above 10 (0–10)"),
        (MONEY, '"1"', '"1" is not a decimal number (0–10); write it without quotes'),
        (MONEY, "true", "true is not a decimal number (0–10)"),
        (TEXT, "5", '5 is not text; write "5"'),
        (TEXT, "false", 'false is not text; write "false"'),
        (TEXT, "abcdef", '"abcdef" has 6 characters (up to 5)'),
        (TEXT, "aB", '"aB" does not match [a-z]*'),
        (TEXT, '"a\\nb"', '"a\\nb" has a line break or another control character in it'),
        (LINES, '"a\\0b"', '"a\\x00b" has a line break or another control character in it'),
        (CHOICE, "lo", '"lo" is not one of low, high, 3; did you mean low?'),
        (CHOICE, "3", '3 is not one of low, high, 3; write "3"'),
        (ADDRESS, "198.18.0.256", '"198.18.0.256" is not an IPv4 address such as 198.18.0.11'),
        (ADDRESS, "198.18.0.01", '"198.18.0.01" is not an IPv4 address such as 198.18.0.11'),
        (ADDRESS, "5", "5 is not an IPv4 address such as 198.18.0.11"),
        (NETWORK, "198.18.0.0", '"198.18.0.0" is not an IPv4 network such as 198.18.0.0/24'),
        (NETWORK, "198.18.0.5/24", '"198.18.0.5/24" is not the address of a network; did you mean 198.18.0.0/24?'),
        (NETWORK, "198.18.0.0/33", '"198.18.0.0/33" is not an IPv4 network such as 198.18.0.0/24'),
        (PORT, "0", "0 is below 1 (1–65535)"),
        (PORT, "http", '"http" is not a port (1–65535)'),
        (HOSTNAME, "a_b", '"a_b" is not a host name such as ns1.example.net'),
        (HOSTNAME, "198.18.0.1", '"198.18.0.1" is not a host name such as ns1.example.net'),
        (HOSTNAME, "-a.net", '"-a.net" is not a host name such as ns1.example.net'),
        (PORTS, "80", "80 is not a list, each item a port (1–65535)"),
        (PORTS, "[1, 2, 3]", "3 items are not within its limits (up to 2)"),
        (PORTS, "[0, x]", 'item 1: 0 is below 1 (1–65535); item 2: "x" is not a port (1–65535)'),
        (PORTS, "[~]", "item 1: nothing is not a port (1–65535)"),
        (RATES, "[1]", "a list is not a mapping, each value a decimal number (0–10)"),
        (RATES, "{a: x}", 'a: "x" is not a decimal number (0–10)'),
        (RATES, '{"": 1}', 'name "" has 0 characters (1 or more)'),
    ],
)
def test_what_is_refused_and_why(declared: dict[str, Any], written: str, message: str) -> None:
    with pytest.raises(ValueError, match=" ") as error:
        TYPE.validate_python(declared).parse(node_of(written))
    assert str(error.value) == message


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "colour"},
        {"type": "boolean", "minimum": 1},
        {"type": "string", "pattern": "["},
        {"type": "choice"},
        {"type": "list"},
        {"type": "list", "items": PORTS},
        {"type": "port", "maximum": 70000},
        {"type": "integer", "minimum": "1"},
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TYPE.validate_python(declared)


@given(st.integers())
def test_limits_are_limits(number: int) -> None:
    kind, node = TYPE.validate_python(SECONDS), node_of(str(number))
    if 1 <= number <= 86400:
        assert kind.parse(node) == number
    else:
        with pytest.raises(ValueError, match=r"below|above|not a whole"):
            kind.parse(node)


items = st.lists(st.integers(1, 9), max_size=6)


@given(items, items, items)
def test_a_union_holds_what_is_lower_first_and_nothing_that_was_struck(
    own: list[int], struck: list[int], above: list[int]
) -> None:
    kind = TYPE.validate_python({"type": "list", "items": PORT})
    assert isinstance(kind, Several)
    written = [*map(str, own), *(f"{{not: {number}}}" for number in struck)]
    result = kind.combine(kind.contribute(node_of(f"[{', '.join(written)}]")), list(dict.fromkeys(above)))
    first = list(dict.fromkeys(own))
    assert result == first + [n for n in dict.fromkeys(above) if n not in first and n not in struck]


keyed = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 9))


@given(keyed, st.sets(st.sampled_from("abcde")), keyed)
def test_a_union_of_maps_prefers_what_is_lower(own: dict[str, int], struck: set[str], above: dict[str, int]) -> None:
    kind = TYPE.validate_python({"type": "map", "items": PORT})
    assert isinstance(kind, Several)
    written = {**dict.fromkeys(struck, "~"), **own}
    text = "{" + ", ".join(f"{key}: {value}" for key, value in written.items()) + "}"
    result = kind.combine(kind.contribute(node_of(text)), above)
    assert result == {**{k: v for k, v in above.items() if k not in struck}, **own}
    assert list(result)[: len(own)] == [key for key in written if key in own]
