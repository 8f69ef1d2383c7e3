"""Hold a small installation with roles of its own, which a test may edit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ansible.parsing.vault import VaultLib, VaultSecret

from tandem.ansible.vault import decryption
from tandem.configuration import Configuration, compile_model
from tandem.model import Model, load

SAMPLE = Path(__file__).parent
PASSWORD = "o'pen\\ \"sesame"


class Project:
    """A copy of the sample in a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inventory = directory / "inventories" / "sample"
        self.roles = directory / "roles"
        self.password_file = SAMPLE / "vault-password"
        shutil.copytree(SAMPLE / "inventory", self.inventory)
        shutil.copytree(SAMPLE / "roles", self.roles)
        (directory / "ansible.cfg").write_text("[defaults]\ninventory = inventories/sample\n")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the project; it has to be there exactly once."""
        file = self.directory / path
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new))

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def model(self) -> Model:
        """Return the project's model."""
        return load(self.inventory, self.roles)

    def decrypt(self) -> Callable[[str], str]:
        """Return what decrypts the sample's secrets."""
        found = decryption(self.password_file)
        assert found
        return found

    def compile(self, *, with_password: bool = True) -> Configuration:
        """Compile the project."""
        return compile_model(self.model(), self.decrypt() if with_password else None)

    def encrypt(self, secret: str) -> str:
        """Return a secret encrypted with the sample's password, indented as below an option."""
        password = VaultSecret(self.password_file.read_bytes().strip())
        text = VaultLib([("default", password)]).encrypt(secret).decode()
        return "".join(f"      {line}\n" for line in text.splitlines())

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment for a command line that works on this project."""
        return {**os.environ, "TANDEM_PROJECT": str(self.directory)}
