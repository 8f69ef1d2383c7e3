"""Write down the resolved tree: every effective value and where it comes from, each written once.

An instance's options hold what is not the declared default; an environment's hold what differs from the instance's.
Each is `[value, level, origin]`. A secret is a salted digest: enough to see that it changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from tandem.applications import Application
from tandem.configuration.canonical import Json, digest
from tandem.installation import Instance
from tandem.model import Model
from tandem.options import Option, Value
from tandem.render import Decrypt
from tandem.source import Secret

Entry = list[object]


def resolved(model: Model, decrypt: Decrypt | None) -> Json:
    """Return the resolved tree as JSON; without `decrypt` secrets are null in it."""
    return _Resolved(model, decrypt).tree()


class _Resolved:
    """Writes the resolved tree of one model."""

    def __init__(self, model: Model, decrypt: Decrypt | None) -> None:
        self._model = model
        self._decrypt = decrypt

    def tree(self) -> Json:
        installation, applications = self._model.installation, self._model.applications
        base = applications.base
        return {
            "applications": {each.name: self._application(each) for each in applications.everything()},
            "base": self._values(base.options, self._model.tree.base()) if base else {},
            "servers": {
                name: {"site": server.site.name, "address": str(server.address), "origin": str(server.origin)}
                for name, server in installation.servers.items()
            },
            "instances": {name: self._instance(instance) for name, instance in installation.instances.items()},
        }

    def _application(self, application: Application) -> Json:
        return {
            "after": sorted(application.declaration.after),
            "batch": application.declaration.batch,
            "options": {name: self._option(option) for name, option in application.options.items()},
        }

    def _option(self, option: Option) -> Json:
        default = self._plain(option, option.default) if option.default else None
        return {"default": default, "effect": option.effect, "secret": option.secret, "unit": option.unit}

    def _instance(self, instance: Instance) -> Json:
        tree = self._model.tree
        declared = tree.options(instance.name)
        own = tree.effective(instance.name)
        environments = {
            name: self._values(declared, tree.effective(instance.name, name), own)
            for name in self._model.installation.environments
        }
        return {
            "application": instance.application,
            "cluster": instance.cluster,
            "server": instance.server.name,
            "address": str(instance.address),
            "origin": str(instance.origin),
            "options": self._values(declared, own),
            "environments": {name: values for name, values in environments.items() if values},
        }

    def _values(
        self, declared: Mapping[str, Option], values: Mapping[str, Value], above: Mapping[str, Value] | None = None
    ) -> dict[str, Entry]:
        """Return the values that differ from those above, or with nothing above those that are set somewhere."""
        written = {}
        for name, value in values.items():
            inherited = above.get(name) if above else None
            if value is inherited or (above is None and value.level == "default"):
                continue
            plain = self._plain(declared[name], value)
            if inherited is None or plain != self._plain(declared[name], inherited):
                written[name] = [plain, value.level, str(value.origin)]
        return written

    def _plain(self, option: Option, value: Value) -> object:
        if isinstance(value.value, Secret):
            return self._salted(option, value.value)
        return "" if option.secret else option.type.plain(value.value)

    def _salted(self, option: Option, secret: Secret) -> str | None:
        """Return a digest that only tells whether a secret changed; None without a password.

        The salt is the place of the secret, so that equal secrets of two options or installations do not show.
        """
        if self._decrypt is None:
            return None
        salt = f"{self._model.installation.name}\0{option.dotted}\0"
        return digest((salt + self._decrypt(secret.ciphertext)).encode())
