"""Decrypt secrets with the vault's password, in the form `ansible-vault` writes them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tandem.errors import Failed

PASSWORD_FILE = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105 - the name of a variable
"""The environment variable by which Ansible, too, finds the file with the password."""
NO_TEXT = "a secret is no text in UTF-8; encrypt text with: ansible-vault encrypt_string"


def decryption(password_file: Path | None) -> Callable[[str], str] | None:
    """Return what turns a ciphertext into the secret; None where no password file is named, here or in the environment.

    A password file that can be executed is run, and prints the password, as Ansible does it. Raises Failed when the
    file yields no password; what is returned raises Failed when the password is the wrong one.
    """
    named = password_file or (Path(os.environ[PASSWORD_FILE]) if os.environ.get(PASSWORD_FILE) else None)
    if named is None:
        return None
    password = _password(named.expanduser())

    from ansible.errors import AnsibleError  # noqa: PLC0415 - half a second, and only secrets need it
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415

    vault = VaultLib([("default", VaultSecret(password))])

    def decrypt(ciphertext: str) -> str:
        try:
            return bytes(vault.decrypt(ciphertext.strip().encode())).decode()
        except UnicodeDecodeError:
            raise Failed(NO_TEXT) from None
        except AnsibleError:
            raise Failed(f"the vault password in {named} does not fit the secrets of this installation") from None

    return decrypt


def _password(file: Path) -> bytes:
    """Return the password that a file holds, or prints when it is a program."""
    try:
        if os.access(file, os.X_OK) and file.is_file():
            password = subprocess.run([file.absolute()], stdout=subprocess.PIPE, check=True).stdout.strip()
        else:
            password = file.read_bytes().strip()
    except (OSError, subprocess.CalledProcessError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else f"exit status {error.returncode}"
        raise Failed(f"the vault password cannot be read from {file}: {reason}") from None
    if not password:
        raise Failed(f"the vault password cannot be read from {file}: it is empty")
    return password
