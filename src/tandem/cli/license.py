"""Issue licenses, verify them, and show what is used of them."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from tandem_guard.counting import exceeded
from tandem_guard.document import LARGEST, Refused
from tandem_guard.license import MOMENT, License
from tandem_guard.verdict import Seen, in_time, shown

from tandem.cli._common import inventory_option, json_option, load_model, print_json, table
from tandem.cli._playbook import Stopped, play
from tandem.cli._vault import vault_option
from tandem.configuration.tree import Resolved
from tandem.errors import Failed, InputRefused, Origin, Problem
from tandem.license import keys
from tandem.license.allocation import all_used, allocation_of
from tandem.license.report import Report
from tandem.license.signature import allocation_in, license_in
from tandem.license.vendor import Vendor
from tandem.license.write import undated

READABLE = click.Path(path_type=Path)
SIGNER = "license_signer"
"""The application that signs the licenses that were published, every night."""

vendor_option = click.option(
    "--vendor",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("vendor"),
    show_default=True,
    help="The vendor's directory.",
)
passphrase_option = click.option(
    "--passphrase-file",
    type=READABLE,
    metavar="FILE",
    help="Holds the passphrase of the authorities' keys.",
)
authority_option = click.option(
    "--authority", type=READABLE, required=True, metavar="PEM", help="The vendor's certificate that is pinned."
)


@click.group(short_help="Issue, verify and show licenses.")
def command() -> None:
    """Issue licenses as the vendor does, verify them, and show what an installation uses of its own."""


@command.command("init-vendor")
@click.argument("name")
@vendor_option
@passphrase_option
def init_vendor(name: str, directory: Path, passphrase_file: Path | None) -> None:
    """Make the keys and certificates of the vendor NAME.

    Installations pin licenses-ca.pem, and servers-ca.pem for the licensing servers that they ask. The keys of the
    authorities are needed to certify only: keep them elsewhere.
    """
    Vendor(directory).create(name, _passphrase(passphrase_file))
    click.echo(f"{directory}: keys and certificates made; give licenses-ca.pem and servers-ca.pem to installations")
    if passphrase_file is None:
        click.echo("the keys of the authorities have no passphrase: keep them where nobody else reads them")


@command.command()
@click.argument("key", type=READABLE)
@inventory_option
@click.option("-o", "--output", type=READABLE, metavar="FILE", help="Write the request there.")
def request(key: Path, inventory: str | None, output: Path | None) -> None:
    """Request the certificate of the installation's own key, which is made in the file KEY where there is none."""
    installation = load_model(inventory).installation.name
    found = keys.load(key) if os.path.exists(key) else keys.create(key)
    text = keys.request(installation, found).decode()
    if output:
        keys.put_new(output, text.encode())
        click.echo(f"{output}: the request of {installation}; send it to the vendor, but never {key}")
    else:
        click.echo(text, nl=False)


@command.command()
@click.argument("name")
@vendor_option
@passphrase_option
def certify(name: str, directory: Path, passphrase_file: Path | None) -> None:
    """Certify the key of the installation of license NAME, whose request is licenses/NAME.csr."""
    click.echo(f"{Vendor(directory).certify(name, _passphrase(passphrase_file))}: certified")


@command.command("renew-signer")
@vendor_option
@passphrase_option
def renew_signer(directory: Path, passphrase_file: Path | None) -> None:
    """Certify the key that signs licenses anew; no installation notices."""
    until = Vendor(directory).renew_signer(_passphrase(passphrase_file))
    click.echo(f"{directory}/signer.pem: certified until {until:%F}")


@command.command("certify-server")
@click.argument("file", type=READABLE)
@vendor_option
@passphrase_option
def certify_server(file: Path, directory: Path, passphrase_file: Path | None) -> None:
    """Make the key and the certificate of a licensing server: the certificate in FILE, the key beside it (.key).

    They are its options licensing_server.tls.certificate and licensing_server.tls.key.
    """
    until = Vendor(directory).certify_server(file, _passphrase(passphrase_file))
    click.echo(f"{file}: good until {until:%F}, with the key in {file.with_suffix('.key')}")


@command.command()
@click.argument("names", nargs=-1, metavar="NAME…")
@vendor_option
def issue(names: tuple[str, ...], directory: Path) -> None:
    """Sign licenses anew, good for eight days; all that are described, or those named.

    licenses/NAME.yml says what a license shall say; it is written to licenses/NAME.xml.
    """
    vendor = Vendor(directory)
    failures: list[str] = []
    for name, found in _each(vendor, names, vendor.issue, failures).items():
        click.echo(_signed(name, found))
    if failures:
        raise Failed("\n".join(failures))


@command.command()
@click.argument("names", nargs=-1, metavar="NAME…")
@vendor_option
@inventory_option
def publish(names: tuple[str, ...], directory: Path, inventory: str | None) -> None:
    """Have licenses signed by the vendor's installation, now and every night; all that are described, or those named.

    INVENTORY is the vendor's own. licenses/NAME.yml says what a license shall say; what was signed is written to
    licenses/NAME.xml, too.
    """
    if not any(each.application == SIGNER for each in load_model(inventory).installation.instances.values()):
        raise Failed(f"this installation has no {SIGNER}; name the inventory of the vendor's own with -i")
    vendor = Vendor(directory)
    failures: list[str] = []
    wanted = _each(vendor, names, vendor.said, failures)
    signed: list[dict[str, str]] = []
    if wanted:
        texts = {name: undated(said) for name, said in wanted.items()}
        try:
            results = play("publish", inventory, {"licenses": texts}, quiet=True)
        except Stopped as stopped:
            results, failures = stopped.results, [*failures, str(stopped)]
        signed = [result for result in results.get("ansible.builtin.slurp", []) if "content" in result]
    for result in signed:
        name = result["item"]
        try:
            found = vendor.keep(name, base64.b64decode(result["content"]))
        except Failed as failed:
            failures.append(str(failed))
        else:
            if found.seed == wanted[name].seed:
                click.echo(f"{_signed(name, found)}; the licensing servers have it within a minute")
    if failures:
        raise Failed("\n".join(failures))


@command.command()
@click.argument("file", type=READABLE)
@authority_option
@click.option("--allocation", type=READABLE, metavar="FILE", help="Verify this allocation, too, against the license.")
def verify(file: Path, authority: Path, allocation: Path | None) -> None:
    """Verify the license in FILE: its form, its signature under the pinned certificate, its dates."""
    now = datetime.now(UTC)
    found = _license(file, authority, now)
    if reasons := list(in_time(found, Seen(), now)):
        raise InputRefused(Problem(Origin(str(file)), reason) for reason in reasons)
    if allocation:
        try:
            used = allocation_in(_bytes(allocation), found)
        except Refused as refused:
            raise _refused(allocation, str(refused)) from None
        if used.installation != found.installation:
            raise _refused(
                allocation, f"is of installation {used.installation}; the license is for {found.installation}"
            )
        if over := exceeded(found, used):
            raise InputRefused(Problem(Origin(str(allocation)), f"{limit} ({', '.join(limit.by)})") for limit in over)
    whom = f"for {found.installation} of {found.owner}, serial {found.serial}"
    click.echo(f"{file}: good: {whom}, valid until {shown(found.valid_until)}")


@command.command()
@click.argument("file", type=READABLE, required=False)
@click.option("--authority", type=READABLE, metavar="PEM", help="The vendor's certificate that is pinned, with FILE.")
@inventory_option
@vault_option
@json_option
def show(
    file: Path | None, authority: Path | None, inventory: str | None, vault_password_file: Path | None, *, as_json: bool
) -> None:
    """Show what the licenses of an installation allow, and how much of that is used by the installation in the source.

    They are those that the configuration server has, after it has asked the licensing servers; also when limits will
    be reached is told, if things go on as they have. The license in FILE is looked at without contacting anything.
    """
    if (file is None) != (authority is None):
        raise click.UsageError("FILE and --authority belong together")
    if file and authority:
        licenses = [_in_file(file, authority, inventory)]
    else:
        licenses = _on_configuration_server(inventory, vault_password_file)
    if as_json:
        print_json(licenses)
    elif licenses:
        click.echo("\n\n".join("\n".join(_lines(each)) for each in licenses))
    else:
        click.echo("this installation needs no license: server.license.authority is empty")


def _on_configuration_server(inventory: str | None, vault_password_file: Path | None) -> list[dict[str, Any]]:
    """Return what the licenses there say, and what the source uses of them, also where that is too much."""
    try:
        results = play(
            "plan",
            inventory,
            {"drift": False},
            vault_password_file=vault_password_file,
            check=True,
            quiet=True,
            explain=partial(load_model, inventory),
        )
    except Stopped as stopped:
        results = stopped.results
        if not results.get("plan") or "licenses" not in results["plan"][-1]:
            raise
    found: list[dict[str, Any]] = results["plan"][-1].get("licenses", [])
    return found


def _in_file(file: Path, authority: Path, inventory: str | None) -> dict[str, Any]:
    """Return what the license in a file says, and what the source uses of it."""
    now = datetime.now(UTC)
    found = _license(file, authority, now)
    model = load_model(inventory)
    if model.installation.name != found.installation:
        raise _refused(file, f"is for installation {found.installation}; this one is {model.installation.name}")
    others = [site.name for site in model.installation.sites.values() if site.license is None]
    sites = [found.site] if found.site else others
    tree = Resolved(model, None).tree({}, all_used(model))
    return Report(found, allocation_of(found.installation, tree, 0, now, sites), now).facts()


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    """Yield how a license reads, and what is used of it."""
    if "limits" in facts:
        of = f"site {facts['site']} of {facts['installation']}" if facts["site"] else facts["installation"]
        yield f"license of {of} for {facts['owner']}, serial {facts['serial']}"
        until, expires = (datetime.strptime(facts[name], MOMENT) for name in ("valid_until", "expires"))  # noqa: DTZ007
        yield f"valid until {shown(until)}, expires {expires:%F}"
        yield from table([("limit", "used", "allowed", "left", "reached"), *map(_row, facts["limits"])])
    yield from (f"warning: {warning}" for warning in facts["warnings"])


def _row(limit: dict[str, Any]) -> tuple[str, ...]:
    used, allowed, reached = limit["used"], limit["allowed"], limit["reached"] or ""
    if allowed is None:
        return limit["what"], str(used), "any", "", ""
    if limit["switch"]:
        return limit["what"], ("no", "yes")[used], ("no", "yes")[allowed], "", ""
    return limit["what"], str(used), str(allowed), str(allowed - used), f"about {reached}" if reached else ""


def _each(
    vendor: Vendor, names: tuple[str, ...], act: Callable[[str], License], failures: list[str]
) -> dict[str, License]:
    """Do something for all licenses that are described, or those named; note why it cannot be done for some."""
    found = {}
    for name in dict.fromkeys(names or vendor.names):
        try:
            found[name] = act(name)
        except (Failed, InputRefused) as error:
            failures.append(str(error))
    if not found and not failures:
        raise Failed(f"{vendor.directory}/licenses: describes no license; licenses/NAME.yml says what one shall say")
    return found


def _signed(name: str, found: License) -> str:
    return f"{name}: serial {found.serial}, valid until {shown(found.valid_until)}"


def _license(file: Path, authority: Path, at: datetime) -> License:
    try:
        return license_in(_bytes(file), keys.pinned_in(authority), at)
    except Refused as refused:
        raise _refused(file, str(refused)) from None


def _refused(file: Path, message: str) -> InputRefused:
    return InputRefused([Problem(Origin(str(file)), message)])


def _bytes(file: Path) -> bytes:
    """Return what is in a file, or a little more than is ever read of it."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise Failed(f"{file}: cannot be read: {error.strerror}") from None


def _passphrase(file: Path | None) -> str | None:
    """Return the first line of a file that nobody else can read."""
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8") as opened:
            others, line = os.fstat(opened.fileno()).st_mode & keys.OTHERS, opened.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    if others:
        raise Failed(f"{file}: others can read it; a passphrase is its owner's alone: chmod 600 {file}")
    if not line:
        raise Failed(f"{file}: is empty; its first line is the passphrase")
    return line
