"""Write down the resolved tree: every effective value and where it comes from, each written once.

The tree says which applications, servers and instances there are. The values of each instance are written apart from
it, so that who compares two trees reads only those that differ: an instance's options hold what is not the declared
default; an environment's hold what differs from the instance's. Each is `[value, level, origin]`. A secret is a salted
digest: enough to see that it changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from tandem_guard.license import Entitlement

from tandem.applications import Application
from tandem.configuration.canonical import Json, digest
from tandem.installation import Instance
from tandem.model import Model
from tandem.options import Option, Value
from tandem.render import Decrypt
from tandem.source import Secret

Entry = list[object]


class Resolved:
    """Writes the resolved tree of one model as JSON; without `decrypt` secrets are null in it."""

    def __init__(self, model: Model, decrypt: Decrypt | None) -> None:
        self._model = model
        self._decrypt = decrypt
        self._secrets = 0

    def tree(self, batches: Mapping[str, int], entitlements: Mapping[str, Mapping[str, Entitlement]]) -> Json:
        """Return the tree but for values.

        `batches` are how many like each instance may be interrupted at once, `entitlements` what each uses of the
        license.
        """
        installation, applications = self._model.installation, self._model.applications
        base = applications.base
        return {
            "applications": {each.name: self._application(each) for each in applications.everything()},
            "base": self._values(base.options, self._model.tree.base()) if base else {},
            "servers": {
                name: {
                    "site": server.site.name,
                    "address": str(server.address),
                    "origin": str(server.origin),
                    **({"license": server.site.license} if server.site.license else {}),
                }
                for name, server in installation.servers.items()
            },
            "instances": {
                name: self._instance(instance, batches.get(name), entitlements.get(name, {}))
                for name, instance in installation.instances.items()
            },
        }

    def values(self, instance: str) -> tuple[Json, bool]:
        """Return the values of one instance, and whether any is of a secret."""
        tree, before = self._model.tree, self._secrets
        declared, own = tree.options(instance), tree.effective(instance)
        named, environments = tree.named(instance), {}
        for name in self._model.installation.environments:
            if name in named:
                inside = tree.effective(instance, name)
                environments[name] = self._values(declared, {each: inside[each] for each in named[name]}, own)
        values = {
            "options": self._values(declared, {name: own[name] for name in named.get(None, ())}),
            "environments": {name: values for name, values in environments.items() if values},
        }
        return values, self._secrets > before

    def batch(self, instance: Instance) -> int | None:
        """Return how many instances of its cluster may be interrupted at once, as one of them says."""
        option = self._model.applications[instance.application].declaration.batch
        return int(self._model.tree.effective(instance.name)[option].value) if option else None

    def _application(self, application: Application) -> Json:
        return {
            "after": sorted(application.declaration.after),
            "options": {name: self._option(option) for name, option in application.options.items()},
        }

    def _option(self, option: Option) -> Json:
        default = self._plain(option, option.default) if option.default else None
        return {"default": default, "effect": option.effect, "secret": option.secret, "unit": option.unit}

    def _instance(self, instance: Instance, batch: int | None, uses: Mapping[str, Entitlement]) -> Json:
        return {
            "application": instance.application,
            "cluster": instance.cluster,
            "server": instance.server.name,
            "address": str(instance.address),
            "origin": str(instance.origin),
            "batch": batch,
            "kind": self._model.applications[instance.application].declaration.license_kind,
            "entitlements": dict(uses),
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
        return option.type.plain(value.value)

    def _salted(self, option: Option, secret: Secret) -> str | None:
        """Return a digest that only tells whether a secret changed; None without a password.

        The salt is the place of the secret, so that equal secrets of two options or installations do not show.
        """
        self._secrets += 1
        if self._decrypt is None:
            return None
        salt = f"{self._model.installation.name}\0{option.dotted}\0"
        return digest((salt + self._decrypt(secret.ciphertext)).encode())
