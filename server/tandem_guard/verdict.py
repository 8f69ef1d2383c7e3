"""Judge whether an instance may start: both signatures, installation, dates, counts, and the instance itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from .counting import exceeded
from .license import MOMENT, Allocation, Entitlement, License, Use

SLACK = timedelta(hours=1)
"""How far a clock may go back without anybody having turned it: what a time server corrects at boot."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """The newest that a server has seen: moment, license (serial and moment of its signing), number of the allocation.

    It is kept on disk, made of what has passed, and rises: neither an old license, nor an old allocation, nor a clock
    that was turned back gets past it. Only a newer license, which says what time it is at the vendor, puts the moment
    right again where a clock had been ahead. `until` is how long that license was valid: so long a damaged one is
    forgiven to what runs.
    """

    moment: datetime = BEGINNING
    license: tuple[int, datetime] = (0, BEGINNING)
    until: datetime = BEGINNING
    allocation: int = 0

    def with_(self, license_: License, allocation: int, now: datetime) -> Seen:
        """Return this with what has just been seen, where that is newer; `allocation` is the number of one."""
        newer = license_.order > self.license
        return Seen(
            max(BEGINNING if newer else self.moment, now, license_.valid_from),
            max(self.license, license_.order),
            license_.valid_until if newer else self.until,
            max(self.allocation, allocation),
        )

    def text(self) -> str:
        """Return this as it is kept."""
        serial, signed = self.license
        moments = [moment.strftime(MOMENT) for moment in (self.moment, signed, self.until)]
        return " ".join([*moments, str(serial), str(self.allocation)]) + "\n"

    @staticmethod
    def of(text: str) -> Seen:
        """Return what was kept; nothing has been seen where that cannot be read."""
        try:
            *said, serial, allocation = text.split()
            moment, signed, until = (datetime.strptime(word, MOMENT).replace(tzinfo=UTC) for word in said)
            return Seen(moment, (int(serial), signed), until, int(allocation))
        except ValueError:
            return Seen()


@dataclass(frozen=True)
class Here:
    """What the configuration says of this server: installation, site, its name and its management address."""

    installation: str
    site: str
    server: str
    address: str


def whole(license_: License, allocation: Allocation, here: Here, seen: Seen, now: datetime) -> Iterator[str]:
    """Yield why nothing may run here: what is wrong with the documents, with the time, or with the counts."""
    for what, installation in (("license", license_.installation), ("allocation", allocation.installation)):
        if installation != here.installation:
            yield f"the {what} is of installation {installation}; this one is {here.installation}"
    if license_.site not in (None, here.site):
        yield f"the license is for site {license_.site}; this server is in {here.site}"
    elif license_.site and (others := sorted({*allocation.sites.values()} - {license_.site})):
        yield f"the license is for site {license_.site}; the allocation has servers of {', '.join(others)}"
    if license_.order < seen.license:
        yield f"the license is older than one that was here: serial {license_.serial}, of {shown(license_.valid_from)}"
    if allocation.number < seen.allocation:
        yield f"the allocation is of apply {allocation.number}; that of apply {seen.allocation} was here already"
    yield from in_time(license_, seen, now)
    for limit in exceeded(license_, allocation):
        yield f"{limit} ({', '.join(limit.by)})"


def in_time(license_: License, seen: Seen, now: datetime) -> Iterator[str]:
    """Yield why a license is not good at a moment."""
    if license_.order <= seen.license and now < seen.moment - SLACK:
        yield f"the clock was turned back: it is {shown(now)} on it, and it was {shown(seen.moment)} before"
    if now < license_.valid_from - SLACK:
        yield f"the license is not valid before {shown(license_.valid_from)}"
    if now >= license_.expires:
        yield f"the license has expired at {shown(license_.expires)}"
    elif now > license_.valid_until:
        yield f"the license was valid until {shown(license_.valid_until)}, and no newer one has come"


def instance(allocation: Allocation, here: Here, wanted: Use) -> Iterator[str]:
    """Yield why one instance may not run here: it is not allocated, or as something else, or somewhere else."""
    if allocation.servers.get(here.server) != here.address:
        yield f"{here.server} at {here.address} is not in the allocation"
    found = allocation.instances.get(wanted.name)
    if found is None:
        yield f"{wanted.name} is not in the allocation"
    elif _described(found) != _described(replace(wanted, server=here.server)):
        yield f"{wanted.name} is in the allocation as {_described(found)}, and not as {_described(wanted)}"


def _described(use: Use) -> str:
    options = "".join(f", {name} {_shown(value)}" for name, value in sorted(use.options.items()))
    return f"{use.application} ({use.kind}) on {use.server} at {use.address}{options}"


def _shown(value: Entitlement) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def shown(moment: datetime) -> str:
    """Return a moment as people read it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
