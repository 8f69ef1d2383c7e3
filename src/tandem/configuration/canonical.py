"""Give every value exactly one text, so that equal things have equal digests."""

import hashlib
import json
from typing import Any

Json = dict[str, Any]


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII, a newline at the end."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, as 64 hexadecimal digits: the name of a blob."""
    return hashlib.sha256(data).hexdigest()
