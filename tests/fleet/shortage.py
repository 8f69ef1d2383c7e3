"""Let a directory of a server run out of space, for real: it stands on a small file system of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.fleet.fleet import Fleet

COVER = """
set -e
mkdir -p /run/tandem-copy
cp -a {place}/. /run/tandem-copy
mount -t tmpfs -o size=16m,mode=0$(stat -c %a {place}) tandem-test {place}
cp -a /run/tandem-copy/. {place}
rm -r /run/tandem-copy
head -c 16m /dev/zero > {place}/.filler 2> /dev/null || true
"""


class Shortage:
    """A directory that is full."""

    def __init__(self, fleet: Fleet, server: str, place: str) -> None:
        self._fleet = fleet
        self._server = server
        self._place = place

    def leave(self, size: int) -> None:
        """Leave so many bytes of space."""
        self._fleet.do(self._server, "truncate", "-s", f"-{size}", f"{self._place}/.filler")

    def take_names(self) -> None:
        """Leave no room for another name: what is being put in place next has none for what it replaces."""
        used = self._fleet.do(self._server, "stat", "--file-system", "--format=%c %d", self._place).split()
        self._fleet.do(self._server, "mount", "-o", f"remount,nr_inodes={int(used[0]) - int(used[1])}", self._place)


@contextmanager
def shortage(fleet: Fleet, server: str, place: str) -> Iterator[Shortage]:
    """Put a directory of a server on a file system of 16 MiB and fill it; what was changed there meanwhile is lost."""
    fleet.do(server, "sh", "-c", COVER.format(place=place))
    try:
        yield Shortage(fleet, server, place)
    finally:
        fleet.do(server, "umount", "--lazy", place)
