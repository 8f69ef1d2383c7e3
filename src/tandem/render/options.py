"""Let templates read effective options, name what does not exist, and keep account of secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tandem.errors import InputRefused, Problem, did_you_mean
from tandem.options import Option, Value
from tandem.source import Secret

Decrypt = Callable[[str], str]
"""Turns a ciphertext into the secret; raises TandemError with a wrong password."""

UNREADABLE = "unreadable"
"""Stands for a secret where there is no password; what is rendered with it is thrown away."""

DEPTH = 3
"""An option is module, group and name."""


class UnknownOption(Exception):
    """Say that a template asks for an option that its application does not have."""


class Secrets:
    """Reveal secrets, and note which options the file being rendered has touched."""

    def __init__(self, decrypt: Decrypt | None) -> None:
        self._decrypt = decrypt
        self.touched: set[str] = set()

    @property
    def readable(self) -> bool:
        """Tell whether there is a password to read secrets with."""
        return self._decrypt is not None

    def read(self, option: Option, value: Value) -> object:
        """Return an option's secret, noting that it was read; raise InputRefused where it is not allowed."""
        self.touched.add(option.dotted)
        if self._decrypt is None:
            return UNREADABLE
        try:
            return option.reveal(value.value, self._decrypt)
        except ValueError as error:
            raise InputRefused([Problem(value.origin, f"{option.dotted}: {error}")]) from None


class Options:
    """Effective options, read as `options.<module>.<group>.<option>`; an unknown one raises UnknownOption.

    Modules and groups are attributes once they have been asked for, so that templates find them again at once.
    """

    def __init__(
        self, declared: Mapping[str, Option], values: Mapping[str, Value], secrets: Secrets, path: tuple[str, ...] = ()
    ) -> None:
        self._declared = declared
        self._values = values
        self._secrets = secrets
        self._path = path
        self._prefix = ".".join((*path, ""))

    def __getattr__(self, name: str) -> object:
        value = self._values.get(self._prefix + name)
        if value is None:
            return self._inside(name)
        plain: object = value.value
        return self._secrets.read(self._declared[self._prefix + name], value) if isinstance(plain, Secret) else plain

    def _inside(self, name: str) -> Options:
        """Return a module or a group."""
        if name.startswith("__"):
            raise AttributeError(name)
        if len(self._path) == DEPTH - 1:
            dotted = self._prefix + name
            raise UnknownOption(f"options.{dotted} is not declared{did_you_mean(dotted, self._declared)}")
        inside = Options(self._declared, self._values, self._secrets, (*self._path, name))
        self.__dict__[name] = inside
        return inside

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)

    def __str__(self) -> str:
        raise UnknownOption(f"{'.'.join(('options', *self._path))} is not an option; write options.module.group.option")

    __iter__ = __len__ = __bool__ = __str__
