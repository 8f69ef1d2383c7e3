"""Keep license and allocation of this server, which are outside every configuration.

A newer license replaces an older one at once, whatever becomes of the run that brought it. An allocation belongs to the
configuration that it was made for: while a transaction is at work there are two, the committed one and the proposed
one, and an instance that is in either may start. So nothing of them has to be undone.

Each license has a directory by its name, and the configuration says which name counts on this server: one that is
exchanged leaves the other with its allocation where it is, for undoing to come back to.
"""

import contextlib
import os
from contextlib import AbstractContextManager
from functools import cached_property

from .disk import TYPE_CHECKING, Json, gate, read_bytes, read_json, remove, sync_directory, write_durably
from .failure import Failure
from .state import DIRECTORY, State

if TYPE_CHECKING:
    from tandem_guard.license import Allocation, License
    from tandem_guard.verdict import Seen

CONFIGURED = "/etc/tandem/license"
AUTHORITY = CONFIGURED + "/authority.pem"
SERVER = CONFIGURED + "/server.json"
PROPOSED = "proposed.xml"
OFTEN = 600.0  # seconds that the clock goes on before that is written down again


class Documents:
    """What is under /var/lib/tandem/license/NAME of one root file system ("" is the running one).

    Without a name it is the one that counts on this server now.
    """

    def __init__(self, root: str = "", name: str | None = None) -> None:
        self._root = root
        self.top = root + DIRECTORY + "/license"
        self._name = name

    @cached_property
    def name(self) -> str:
        """Return the name of the license."""
        return name_in(self.settings()) if self._name is None else self._name

    @property
    def directory(self) -> str:
        """Return where everything of this license is."""
        return f"{self.top}/{self.name}"

    @property
    def license(self) -> str:
        """Return the file of the license."""
        return self.directory + "/license.xml"

    @property
    def allocation(self) -> str:
        """Return the file of the committed allocation."""
        return self.directory + "/allocation.xml"

    @property
    def proposed(self) -> str:
        """Return the file of the allocation that a transaction at work has brought."""
        return f"{self.directory}/{PROPOSED}"

    @property
    def _seen(self) -> str:
        return self.directory + "/seen"

    @property
    def licensed(self) -> bool:
        """Tell whether this installation is one that needs a license: it pins the authority of a vendor."""
        path = self._root + AUTHORITY
        return os.path.exists(path) and os.path.getsize(path) > 0

    def settings(self) -> Json:
        """Return what the configuration says of this server, and of the instances that need the license.

        Where the installation needs none, the file is empty.
        """
        path = self._root + SERVER
        return (read_json(path, "the next apply puts it right") or {}) if read_bytes(path) else {}

    def _prepare(self) -> None:
        if not os.path.isdir(self.directory):
            State(self._root).prepare()
            for directory in (self.top, self.directory):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(directory, 0o700)
                    sync_directory(os.path.dirname(directory))

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
        for found in self._with_proposed():
            with found.alone():
                os.replace(found.proposed, found.allocation)
                sync_directory(found.directory)

    def withdraw(self) -> None:
        """Forget what was proposed by whatever name: its transaction has been undone, or never began."""
        for found in self._with_proposed():
            remove(found.proposed)

    def _with_proposed(self) -> "list[Documents]":
        """Return where something is proposed, by whatever name: what the configuration says may be about to change."""
        names = os.listdir(self.top) if os.path.isdir(self.top) else []
        return [Documents(self._root, name) for name in names if os.path.exists(f"{self.top}/{name}/{PROPOSED}")]

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


def name_in(settings: Json) -> str:
    """Return the name of the license that counts on a server, from what its configuration says in SERVER."""
    return str(settings.get("name", ""))


def _there(path: str) -> bytes:
    """Return what is in a file; raise Refused where there is none."""
    from tandem_guard.document import Refused  # noqa: PLC0415

    data = read_bytes(path)
    if data is None:
        raise Refused("is not there yet; an apply brings it")
    return data
