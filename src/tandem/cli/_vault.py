"""Share the option that names the vault's password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def vault_option(function: F) -> F:
    """Give a verb `--vault-password-file`; without it, ANSIBLE_VAULT_PASSWORD_FILE counts."""
    return click.option(
        "--vault-password-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="File with the vault's password, or a program that prints it; else ANSIBLE_VAULT_PASSWORD_FILE.",
    )(function)
