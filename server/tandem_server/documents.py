"""Keep license and allocation of this server, which are outside every configuration.

A newer license replaces an older one at once, whatever becomes of the run that brought it. An allocation belongs to the
configuration that it was made for: while a transaction is at work there are two, the committed one and the proposed
one, and an instance that is in either may start. So nothing of them has to be undone.
"""

import base64
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from .disk import Json, gate, read_bytes, read_json, remove, sync_directory, write_durably
from .failure import Failure
from .files import digest
from .state import DIRECTORY, State

if TYPE_CHECKING:
    from tandem_guard.license import Allocation, License
    from tandem_guard.verdict import Seen

    from .store import Store

CONFIGURED = "/etc/tandem/license"
AUTHORITY = CONFIGURED + "/authority.pem"
SERVER = CONFIGURED + "/server.json"
OFTEN = 600.0  # seconds that the clock goes on before that is written down again


class Documents:
    """What is under /var/lib/tandem/license of one root file system ("" is the running one)."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self.directory = root + DIRECTORY + "/license"
        self.license = self.directory + "/license.xml"
        self.allocation = self.directory + "/allocation.xml"
        self.proposed = self.directory + "/proposed.xml"
        self._seen = self.directory + "/seen"

    @property
    def licensed(self) -> bool:
        """Tell whether this installation is one that needs a license: it pins the authority of a vendor."""
        path = self._root + AUTHORITY
        return os.path.exists(path) and os.path.getsize(path) > 0

    def settings(self) -> Json:
        """Return what the configuration says of this server, and of the instances that need the license."""
        return read_json(self._root + SERVER, "the next apply puts it right") or {}

    def _prepare(self) -> None:
        if not os.path.isdir(self.directory):
            State(self._root).prepare()
            os.mkdir(self.directory, 0o700)
            sync_directory(os.path.dirname(self.directory))

    def alone(self) -> AbstractContextManager[None]:
        """Let one process at a time replace what is kept here."""
        self._prepare()
        return gate(self.directory + "/gate")

    # what is there

    def read_license(self, authority: bytes | None = None) -> "License":
        """Return the license that is here; raise Refused where there is none, or it is not to be believed."""
        from tandem_guard.xmlsec import license_in  # noqa: PLC0415  only where there are licenses

        return license_in(_there(self.license), self._pinned(authority))

    def _pinned(self, authority: bytes | None) -> bytes:
        """Return the authority that was handed over, or else that of the configuration."""
        return authority if authority is not None else read_bytes(self._root + AUTHORITY) or b""

    def _here(self, authority: bytes | None = None) -> "License | None":
        """Return the license that is here; None where there is none, or it is damaged, or of another vendor."""
        from tandem_guard.document import Refused  # noqa: PLC0415

        try:
            return self.read_license(authority)
        except Refused:
            return None

    def read_allocation(self, license_: "License", path: str) -> "Allocation":
        """Return an allocation that is here; raise Refused where there is none, or it is not to be believed."""
        from tandem_guard.xmlsec import allocation_in  # noqa: PLC0415

        return allocation_in(_there(path), license_)

    def seen(self) -> "Seen":
        """Return the newest that this server has seen."""
        from tandem_guard.verdict import Seen  # noqa: PLC0415

        return Seen.of((read_bytes(self._seen) or b"").decode(errors="replace"))

    # what comes

    def offer_license(
        self, data: bytes, installation: str, authority: bytes | None = None, *, rekey: bool = False
    ) -> bool:
        """Take a license where it is newer than the one here, or that is damaged; tell whether it is as new as that.

        Raise Refused where it is not to be believed, or would keep from starting what runs: that of another
        installation, one that is not valid yet, and one with another key of the installation, of which the allocation
        here is not; that comes with an apply (`rekey`).
        """
        from datetime import UTC, datetime  # noqa: PLC0415  slow to load for who only compares

        from tandem_guard.document import Refused  # noqa: PLC0415
        from tandem_guard.verdict import SLACK, shown  # noqa: PLC0415
        from tandem_guard.xmlsec import license_in  # noqa: PLC0415

        offered = license_in(data, self._pinned(authority))
        if offered.installation != installation:
            raise Refused(f"is of installation {offered.installation}; this one is {installation}")
        if datetime.now(UTC) < offered.valid_from - SLACK:
            raise Refused(f"is not valid before {shown(offered.valid_from)}")
        with self.alone():
            here = self._here(authority)
            if here and here.order >= offered.order:
                return here.order == offered.order
            if here and here.certificate != offered.certificate and not rekey:
                raise Refused("is for another key of the installation than the one here; it comes with an apply")
            write_durably(self.license, data)
            return True

    def bring_license(self, data: bytes) -> None:
        """Take the license of an apply, which the controller believes, unless a newer one is here that is to be.

        It is not looked at by what is pinned here: that may be about to change, or damaged. Each start looks at it.
        """
        from tandem_guard.document import Refused, read  # noqa: PLC0415  only where there are licenses
        from tandem_guard.license import LICENSE_ROOT, license_of  # noqa: PLC0415

        try:
            brought = license_of(read(data, LICENSE_ROOT, certified=True))
        except Refused as refused:
            raise Failure("license", str(refused)) from None
        with self.alone():
            here = self._here()
            if here is None or here.order <= brought.order:
                write_durably(self.license, data)

    def offer_allocation(self, data: bytes) -> None:
        """Take an allocation that came by itself."""
        with self.alone():
            write_durably(self.allocation, data)

    def propose(self, data: bytes) -> None:
        """Keep the allocation of a transaction that is at work."""
        with self.alone():
            write_durably(self.proposed, data)

    def accept(self) -> None:
        """Let the proposed allocation, if there is one, be the committed one; from then on no older one is."""
        if os.path.exists(self.proposed):
            with self.alone():
                os.replace(self.proposed, self.allocation)
                sync_directory(self.directory)

    def withdraw(self) -> None:
        """Forget the proposed allocation: its transaction has been undone, or never began."""
        if os.path.exists(self.proposed):
            remove(self.proposed)

    def remember(self, license_: "License", allocation: int) -> None:
        """Note what has been seen, which no older license or allocation, nor a clock that goes back, gets past.

        Raise OSError where there is no room for it.
        """
        from datetime import UTC, datetime  # noqa: PLC0415  slow to load for who only compares

        with self.alone():
            before = self.seen()
            now = before.with_(license_, allocation, datetime.now(UTC))
            written = (now.license, now.allocation) != (before.license, before.allocation)
            if written or (now.moment - before.moment).total_seconds() >= OFTEN:
                write_durably(self._seen, now.text().encode())


def needed(bundle: Json) -> bool:
    """Tell whether a bundle is that of an installation that needs a license."""
    return any(file["path"] == AUTHORITY and file.get("size") for file in bundle["files"])


def told(store: "Store", number: int | None, known: Iterable[str] = ()) -> Json:
    """Return the license, and the allocation of a configuration, as they travel: in base64.

    Those that are not here, or `known` by their digests, are left out.
    """
    found = {"license": read_bytes(Documents().license), "allocation": read_bytes(store.allocation(number or 0))}
    return {name: base64.b64encode(data).decode() for name, data in found.items() if data and digest(data) not in known}


def _there(path: str) -> bytes:
    """Return what is in a file; raise Refused where there is none."""
    from tandem_guard.document import Refused  # noqa: PLC0415

    data = read_bytes(path)
    if data is None:
        raise Refused("is not there yet; an apply brings it")
    return data
