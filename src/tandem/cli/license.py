"""Issue licenses, verify them, and show what is used of them."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from tandem_guard.counting import exceeded
from tandem_guard.document import LARGEST, Refused
from tandem_guard.license import License
from tandem_guard.verdict import Seen, in_time, shown

from tandem.cli._common import inventory_option, json_option, load_model, print_json, table
from tandem.cli._playbook import Stopped, play
from tandem.configuration.tree import Resolved
from tandem.errors import Failed, InputRefused, Origin, Problem
from tandem.license import keys
from tandem.license.allocation import allocation_of
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
@click.argument("file", type=READABLE)
@authority_option
@inventory_option
@json_option
def show(file: Path, authority: Path, inventory: str | None, *, as_json: bool) -> None:
    """Show what the license in FILE allows, and how much of that the installation uses as it is in the source."""
    now = datetime.now(UTC)
    found = _license(file, authority, now)
    model = load_model(inventory)
    if model.installation.name != found.installation:
        raise _refused(file, f"is for installation {found.installation}; this one is {model.installation.name}")
    report = Report(found, allocation_of(model.installation.name, Resolved(model, None).tree({}), 0, now), now)
    if as_json:
        print_json(report.facts())
        return
    click.echo(f"license of {found.installation} for {found.owner}, serial {found.serial}")
    click.echo(f"valid until {shown(found.valid_until)}, expires {found.expires:%F}")
    rows: list[tuple[str, ...]] = [("limit", "used", "allowed", "left")]
    for limit in report.limits:
        used, allowed = str(limit.used), str(limit.allowed)
        if limit.allowed is None:
            rows.append((limit.what, used, "any", ""))
        elif limit.switch:
            rows.append((limit.what, ("no", "yes")[limit.used], ("no", "yes")[limit.allowed], ""))
        else:
            rows.append((limit.what, used, allowed, str(limit.allowed - limit.used)))
    click.echo("\n".join(table(rows)))
    for warning in report.warnings():
        click.echo(f"warning: {warning}")


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
