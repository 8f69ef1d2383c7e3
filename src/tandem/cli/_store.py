"""Share what the verbs of the history have in common: an exported store, in the hands of the server's own program."""

from __future__ import annotations

import contextlib
import getpass
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from tandem_server.failure import Failure
from tandem_server.store import Store

from tandem.cli._common import STORE
from tandem.errors import Failed

F = TypeVar("F", bound=Callable[..., Any])


def store_option(function: F) -> F:
    """Give a verb `--store`."""
    return click.option(
        "--store", type=STORE, metavar="DIR", help="Work on an exported store; no server is contacted."
    )(function)


@contextlib.contextmanager
def exported(directory: Path) -> Iterator[Store]:
    """Open an exported store; what it refuses becomes an error of ours."""
    try:
        yield Store(str(directory.resolve()))
    except Failure as failure:
        raise Failed(f"{directory}: {failure.message}") from None
    except OSError as error:
        raise Failed(f"{error.filename or directory}: {error.strerror}") from None
    except ValueError as error:
        raise Failed(str(error)) from None


def entry(comment: str | None) -> dict[str, str]:
    """Return who does something now, and why, for the history."""
    return {
        "author": getpass.getuser(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "comment": comment or "",
    }
