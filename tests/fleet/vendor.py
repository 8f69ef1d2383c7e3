"""Be the vendor of an installation on the same lab: sell, publish, and let a license grow old."""

import re
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tandem_guard.document import read
from tandem_guard.license import LICENSE_ROOT, License, license_of

from tandem.license.signature import sign
from tandem.license.write import license_element
from tests.fleet.fleet import Fleet

SIGNER = "Vega"
SERVERS = {"Rigel": "198.18.17.11", "Deneb": "198.18.17.12"}
DESCRIPTION = "vendor/licenses/example.yml"
SIGNED = "/var/lib/tandem/licensing"
PUBLISHED = f"{SIGNED}/example.xml"
KEYS = "/etc/tandem/licensing"
DOCUMENTS = "/var/lib/tandem/license"
LICENSE = f"{DOCUMENTS}/example/license.xml"
PATIENCE = 180  # seconds for what the licensing servers do every minute
FORGET = f"cat > {LICENSE}.test && mv {LICENSE}.test {LICENSE} && rm -f {DOCUMENTS}/example/seen*"


class Vendor:
    """The vendor's installation, and the one it sells to."""

    def __init__(self, fleet: Fleet, customer: Fleet) -> None:
        self.fleet = fleet
        self.customer = customer
        self._first = self._description

    @property
    def _description(self) -> str:
        return (self.fleet.directory / DESCRIPTION).read_text()

    @property
    def serial(self) -> int:
        """Return the serial of what was sold last."""
        return _serial(self._description)

    def sell(self, **terms: str) -> int:
        """Sell other terms, or without any the same again, under the next serial, and return that; publish nothing."""
        text = self._description
        for name, value in {"serial": str(self.serial + 1), **terms}.items():
            text, found = re.subn(rf"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)
            assert found == 1, f"{name} stands {found} times in\n{text}"
        self.fleet.write(DESCRIPTION, text)
        return self.serial

    def sell_to_site(self, name: str, site: str, kinds: str, servers: int) -> None:
        """Sell a license to a site of the same installation, and publish it."""
        text = self._description.replace("installation: example\n", f"installation: example\nsite: {site}\n")
        for line, value in {"servers": servers, "kinds": kinds, "serial": 1}.items():
            text = re.sub(rf"^{line}: .*$", f"{line}: {value}", text, flags=re.MULTILINE)
        licenses = "vendor/licenses"
        self.fleet.write(f"{licenses}/{name}.yml", text)
        self.fleet.write(f"{licenses}/{name}.pem", (self.fleet.directory / f"{licenses}/example.pem").read_text())
        self.fleet.tandem("license", "publish", name, "--vendor", str(self.fleet.directory / "vendor"))
        self._pull()
        self.wait(name=name)

    def _pull(self) -> None:
        for number, server in enumerate(SERVERS, start=1):
            self.fleet.do(server, "systemctl", "start", f"licensing-server-pull@licensing-{number}.service")

    def take_back(self) -> None:
        """Sell and publish what was sold at first, if that is not what is sold now."""
        first = self._first.replace(f"serial: {_serial(self._first)}\n", f"serial: {self.serial}\n")
        if self._description != first:
            self.fleet.write(DESCRIPTION, first)
            self.sell()
            self.publish()

    def publish(self, *, patient: bool = False) -> None:
        """Publish what was sold, and wait until both licensing servers have it: `patient`, by their own timers."""
        where = str(self.fleet.directory / "vendor")
        said = self.fleet.tandem("license", "publish", "example", "--vendor", where)
        assert f"example: serial {self.serial}, valid until" in said
        if not patient:
            self._pull()
        self.wait()

    def published(self) -> License:
        """Return what was signed last."""
        return license_of(read(self.fleet.text(SIGNER, PUBLISHED).encode(), LICENSE_ROOT, certified=True))

    def wait(self, servers: Iterable[str] = SERVERS, name: str = "example") -> None:
        """Wait until licensing servers hand out what was signed last."""
        published = f"{SIGNED}/{name}.xml"
        end = time.monotonic() + PATIENCE
        for server in servers:
            ask = ("curl", "-sk", "-m", "3", f"https://{SERVERS[server]}/{name}.xml")
            while self.fleet.from_controller(*ask) != self.fleet.text(SIGNER, published):
                assert time.monotonic() < end, f"{server} does not serve the newest license after {PATIENCE} s"
                time.sleep(0.5)

    def age(self, days: int) -> License:
        """Let the customer's servers that are on have heard nothing for so many days; return the license they have.

        That is the license as the vendor would have signed it so long ago, and nothing newer was ever seen.
        """
        said = self.published()
        ago = timedelta(days=days)
        old = replace(
            said, issued=said.issued - ago, valid_from=said.valid_from - ago, valid_until=said.valid_until - ago
        )
        key = load_pem_private_key(self.fleet.text(SIGNER, f"{KEYS}/signer.key").encode(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        certificate = x509.load_pem_x509_certificate(self.fleet.text(SIGNER, f"{KEYS}/signer.pem").encode())
        document = sign(license_element(old), key, certificate).decode()
        for server in self.customer.servers:
            if self.customer.lab.server(server).state() == "on":
                self.customer.do(server, "sh", "-ec", FORGET, stdin=document)
        return old


def _serial(description: str) -> int:
    return int(re.findall(r"^serial: (\d+)$", description, re.MULTILINE)[0])
