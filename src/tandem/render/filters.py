"""Write values in the forms that templates need: quoted, as numbers, as certificates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal


def sql(value: object) -> str:
    """Quote a value as an SQL string literal of MariaDB; refuse a NUL character, which no literal may hold."""
    text = str(value)
    if "\0" in text:
        raise ValueError("a NUL character cannot stand in an SQL string")
    return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace("\r", "\\r") + "'"


def number(value: Decimal | int) -> str:
    """Write a number plainly: no exponent, no trailing zeros."""
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def yes_no(value: object) -> str:
    """Write a boolean as the words yes and no; refuse anything else."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is not a boolean")
    return "yes" if value else "no"


def serial(text: object) -> int:
    """Return a whole number from 1 to 2^31-1 that depends on a text alone: the serial of a zone."""
    return int.from_bytes(hashlib.sha256(str(text).encode()).digest()[:8], "big") % (2**31 - 1) + 1


PEM_PART = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


def pem(text: str) -> str:
    """Return PEM text in its proper form, whatever white space is between its parts; nothing stays nothing."""
    parts = []
    for label, body in PEM_PART.findall(text):
        base64 = "".join(body.split())
        lines = [base64[start : start + 64] for start in range(0, len(base64), 64)]
        parts.append("\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----\n"]))
    if text.strip() and not parts:
        raise ValueError("there is no PEM text between BEGIN and END markers")
    return "".join(parts)


def agent_authority(secret: object, installation: object) -> str:
    """Return the certificate in PEM of the authority that the agents of an installation trust."""
    from tandem.render import identities  # noqa: PLC0415  slow to load

    return identities.authority(str(secret), str(installation))


def agent_identity(secret: object, installation: object, server: object) -> str:
    """Return key and certificate in PEM of one server's agent."""
    from tandem.render import identities  # noqa: PLC0415  slow to load

    return identities.identity(str(secret), str(installation), str(server))


def agent_serving(secret: object, installation: object) -> str:
    """Return key and certificate in PEM that the configuration server answers agents with."""
    from tandem.render import identities  # noqa: PLC0415  slow to load

    return identities.serving(str(secret), str(installation))


FILTERS: dict[str, Callable[..., object]] = {
    "sql": sql,
    "number": number,
    "yes_no": yes_no,
    "serial": serial,
    "pem": pem,
    "agent_authority": agent_authority,
    "agent_identity": agent_identity,
    "agent_serving": agent_serving,
}
