"""Filters write values so that they are read back as they were."""

import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.render import filters


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_sql_reads_back_as_it_was(text: str) -> None:
    quoted = filters.sql(text)
    assert (quoted[0], quoted[-1]) == ("'", "'")
    inner, position, plain = quoted[1:-1], 0, ""
    while position < len(inner):
        pair = inner[position : position + 2]
        if pair in ("''", "\\\\"):
            plain, position = plain + pair[0], position + 2
        elif pair in ("\\n", "\\r"):
            plain, position = plain + {"\\n": "\n", "\\r": "\r"}[pair], position + 2
        else:
            assert pair[0] not in "'\\\n\r", f"{pair[0]!r} ends or breaks the string"
            plain, position = plain + pair[0], position + 1
    assert plain == text


def test_sql_refuses_what_no_literal_holds() -> None:
    with pytest.raises(ValueError, match="NUL"):
        filters.sql("a\0b")


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("1.500"), "1.5"), (Decimal("1E+3"), "1000"), (7, "7"), (Decimal("0.00"), "0"), (100, "100")],
)
def test_number_is_plain(value: Decimal | int, text: str) -> None:
    assert filters.number(value) == text


def test_yes_no_takes_booleans_only() -> None:
    assert (filters.yes_no(True), filters.yes_no(False)) == ("yes", "no")
    with pytest.raises(TypeError, match="'no' is not a boolean"):
        filters.yes_no("no")


@given(st.text())
def test_serial_depends_on_the_text_alone_and_is_a_serial(text: str) -> None:
    assert filters.serial(text) == filters.serial(text)
    assert 1 <= filters.serial(text) < 2**31


@given(st.binary(min_size=1, max_size=200), st.sampled_from([" ", "\n", "\r\n", "\n\n  "]))
def test_pem_has_its_form_whatever_stands_between_its_parts(data: bytes, space: str) -> None:
    body = base64.b64encode(data).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    proper = "\n".join(["-----BEGIN X KEY-----", *lines, "-----END X KEY-----\n"])
    assert filters.pem(space.join(proper.splitlines())) == proper
    assert filters.pem(proper + proper) == proper + proper


def test_pem_of_nothing_is_nothing_and_of_something_else_an_error() -> None:
    assert filters.pem(" \n") == ""
    with pytest.raises(ValueError, match="no PEM text"):
        filters.pem("hello")
