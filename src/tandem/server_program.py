"""Pack the program that runs on servers: one zip, the same bytes for the same sources."""

import importlib.util
import io
import zipfile
from functools import cache
from pathlib import Path

PATH = "/usr/lib/tandem/server.pyz"  # where the bundle of every server puts it
PACKAGES = ("tandem_guard", "tandem_server")
MAIN = "import sys\nfrom tandem_server.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say: no clock in the bytes


@cache
def build() -> bytes:
    """Return the zip; its digest depends on the sources alone."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for package in PACKAGES:
            for source in sorted(_directory(package).glob("*.py")):
                archive.writestr(zipfile.ZipInfo(f"{package}/{source.name}", MOMENT), source.read_bytes())
        archive.writestr(zipfile.ZipInfo("__main__.py", MOMENT), MAIN)
    return packed.getvalue()


def _directory(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return Path(__file__).parents[2] / "server" / package
    return Path(found.origin).parent
