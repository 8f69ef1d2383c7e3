"""What a server does with license and allocation: what starts, what replaces what, and whom it asks."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from tandem_guard.document import HEAD, Refused
from tandem_guard.license import Allocation
from tandem_guard.verdict import Seen
from tandem_server import allocating, judgement, refresh
from tandem_server.documents import Documents
from tandem_server.failure import Failure
from tandem_server.fetching import fetch
from tandem_server.files import digest
from tandem_server.judgement import foreign, judge, why_not
from tandem_server.licenses import Licenses
from tandem_server.serving import Answers
from tandem_server.state import State
from tandem_server.store import Store
from tandem_server.transaction import put_files_back

from tandem.license import keys, signature
from tandem.license.write import allocation_element, license_element
from tests.license.vendor import Signed, allocation, made

ENGINE = {"application": "billing_engine", "address": "198.18.1.11", "kind": "billing_engine"}
SETTINGS = {
    "installation": "example",
    "site": "primary",
    "server": "Alpha",
    "address": "198.18.0.11",
    "keeper": False,
    "name": "one",
    "servers": [],
    "port": 443,
    "timeout": 2,
    "instances": {"billing-1": {**ENGINE, "options": {"cluster": True, "engines": 3}}},
}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return made(tmp_path_factory.mktemp("vendor"))


@pytest.fixture
def documents(tmp_path: Path, signed: Signed) -> Documents:
    """Return what is kept on a server that an apply has been to."""
    configured = tmp_path / "etc/tandem/license"
    configured.mkdir(parents=True)
    (tmp_path / "var/lib/tandem").mkdir(parents=True)
    (configured / "authority.pem").write_bytes(signed.authority)
    (configured / "server.json").write_text(json.dumps(SETTINGS))
    found = Documents(str(tmp_path))
    found.offer_license(signed.license, "example")
    found.propose(signed.allocation)
    found.accept()
    return found


def licensed(signed: Signed, **changed: object) -> bytes:
    """Return the license with something else in it, signed by the vendor."""
    said = replace(signed.said, **changed)  # type: ignore[arg-type]
    directory = signed.vendor.directory
    signer = keys.certificate_in(directory / "signer.pem")
    return signature.sign(license_element(said), keys.load(directory / "signer.key"), signer)


def allocated(signed: Signed, found: Allocation) -> bytes:
    return signature.sign(allocation_element(found), signed.key, None)


def without_engine(number: int) -> Allocation:
    found = allocation()
    others = {name: use for name, use in found.instances.items() if name != "billing-1"}
    return replace(found, number=number, instances=others)


def test_what_is_licensed_and_allocated_starts(documents: Documents):
    assert why_not(documents, "billing-1") == []
    assert documents.seen().allocation == allocation().number


def test_what_the_configuration_does_not_know_does_not(documents: Documents):
    [reason] = why_not(documents, "billing-2")
    assert reason.startswith("billing-2 is not in ")


def test_an_instance_added_by_hand_does_not(documents: Documents, tmp_path: Path):
    added = {**SETTINGS["instances"], "billing-9": {**ENGINE, "options": {}}}  # type: ignore[dict-item]
    (tmp_path / "etc/tandem/license/server.json").write_text(json.dumps({**SETTINGS, "instances": added}))
    assert why_not(documents, "billing-9") == ["billing-9 is not in the allocation"]


def test_without_documents_nothing_starts(documents: Documents):
    Path(documents.allocation).unlink()
    assert why_not(documents, "billing-1") == [f"{documents.allocation} is not there yet; an apply brings it"]
    Path(documents.license).unlink()
    assert why_not(documents, "billing-1") == [f"{documents.license} is not there yet; an apply brings it"]


def test_an_older_allocation_than_was_here_is_refused(documents: Documents, signed: Signed):
    older = Path(documents.allocation).read_bytes()
    documents.propose(allocated(signed, replace(allocation(), number=13)))
    documents.accept()
    assert why_not(documents, "billing-1") == []
    Path(documents.allocation).write_bytes(older)
    assert why_not(documents, "billing-1") == ["the allocation is of apply 12; that of apply 13 was here already"]


def test_while_a_transaction_is_at_work_both_allocations_count(documents: Documents, signed: Signed):
    documents.propose(allocated(signed, without_engine(13)))
    assert why_not(documents, "billing-1") == []  # by the committed one, which undoing comes back to
    documents.withdraw()
    assert why_not(documents, "billing-1") == []
    documents.propose(allocated(signed, without_engine(14)))
    documents.accept()
    assert why_not(documents, "billing-1") == ["billing-1 is not in the allocation"]


@pytest.mark.parametrize("state", [None, "staging", "settling", "committed"])
def test_what_a_killed_transaction_proposed_is_forgotten_unless_it_was_committed(
    documents: Documents, signed: Signed, tmp_path: Path, state: str | None
):
    before, proposed = Path(documents.allocation).read_bytes(), allocated(signed, without_engine(13))
    documents.propose(proposed)
    here = State(str(tmp_path))
    if state:
        bundle = {"installation": "example", "server": "Alpha", "files": [], "units": [], "addresses": []}
        journal = {"run": 1, "operations": [], "made": [], "bundle": bundle, "state": state}
        here.write_journal({**journal, "number": 1, "retired": [], "hold": []})
    put_files_back(here)
    assert Path(documents.allocation).read_bytes() == (proposed if state == "committed" else before)
    assert not Path(documents.proposed).exists()


def test_what_is_not_this_installations_or_not_valid_yet_replaces_nothing(documents: Documents, signed: Signed):
    other = licensed(signed, serial=8, installation="other")
    with pytest.raises(Refused, match="is of installation other; this one is example"):
        documents.offer_license(other, "example")
    early = licensed(signed, serial=8, valid_from=datetime.now(UTC) + timedelta(hours=2))
    with pytest.raises(Refused, match="is not valid before"):
        documents.offer_license(early, "example")
    assert Path(documents.license).read_bytes() == signed.license


def test_a_license_for_another_key_of_the_installation_comes_with_an_apply(documents: Documents, signed: Signed):
    rekeyed = licensed(signed, serial=8, certificate=b"another")
    with pytest.raises(Refused, match="is for another key of the installation"):
        documents.offer_license(rekeyed, "example")
    documents.offer_license(rekeyed, "example", rekey=True)
    assert documents.read_license().serial == 8


def test_an_apply_brings_what_another_authority_has_signed(documents: Documents, tmp_path: Path):
    other = made(tmp_path / "other")
    documents.bring_license(other.license)
    assert Path(documents.license).read_bytes() == other.license


def test_a_full_disk_keeps_nothing_from_starting(documents: Documents, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tandem_server.documents.write_durably", full)
    assert why_not(documents, "billing-1") == []


def test_a_clock_that_went_back_stops_starts_alone(documents: Documents, signed: Signed):
    ahead = Seen(datetime.now(UTC) + timedelta(hours=5), signed.said.order, signed.said.valid_until, 12)
    Path(documents.directory, "seen").write_text(ahead.text())
    verdict = judge(documents)
    assert verdict.reasons[0].startswith("the clock was turned back")
    assert not verdict.past


def test_the_newest_license_stays(documents: Documents, signed: Signed):
    newer = licensed(signed, serial=8, servers=11)
    documents.offer_license(newer, "example")
    assert why_not(documents, "billing-1") == []
    documents.offer_license(signed.license, "example")
    documents.bring_license(signed.license)
    assert documents.read_license().serial == 8
    Path(documents.license).write_bytes(signed.license)
    [reason] = why_not(documents, "billing-1")
    assert reason.startswith("the license is older than one that was here: serial 7, of ")


def test_a_damaged_license_stops_starts_and_is_replaced(documents: Documents, signed: Signed):
    assert why_not(documents, "billing-1") == []
    Path(documents.license).write_bytes(signed.license.replace(b'serial="7"', b'serial="9"'))
    [reason] = why_not(documents, "billing-1")
    assert reason == f"{documents.license} its signature is not good: it was changed, or is of somebody else"
    assert not judge(documents).past  # what runs goes on
    documents.bring_license(signed.license)
    assert why_not(documents, "billing-1") == []


def test_a_damaged_license_is_forgiven_no_longer_than_the_last_good_one_was_valid(documents: Documents, signed: Signed):
    now = datetime.now(UTC)
    old = licensed(signed, serial=8, valid_from=now - timedelta(9), valid_until=now - timedelta(1))
    documents.offer_license(old, "example")
    verdict = judge(documents)
    assert verdict.past
    assert verdict.reasons[0].startswith("the license was valid until ")
    documents.remember(documents.read_license(), 12)
    Path(documents.license).write_bytes(b"")
    assert judge(documents).past


def test_an_allocation_that_comes_by_itself_stops_nothing(documents: Documents, signed: Signed):
    unwanted = allocated(signed, without_engine(13))
    assert list(foreign(documents, unwanted)) == ["billing-1 is not in the allocation"]
    newer = allocated(signed, replace(allocation(), number=14))
    assert list(foreign(documents, newer)) == []
    documents.offer_allocation(newer)
    assert judge(documents).reasons == []
    assert documents.seen().allocation == 14


def test_what_was_seen_outlives_the_process_and_damage(documents: Documents):
    judge(documents)
    assert Seen.of(documents.seen().text()) == documents.seen() != Seen()
    Path(documents.directory, "seen").write_bytes(b"\xff nothing")
    assert documents.seen() == Seen()
    assert why_not(documents, "billing-1") == []


class Licensing:
    """A licensing server that answers each connection with the same bytes."""

    def __init__(self, file: Path, answer: bytes) -> None:
        self.answer, self.asked = answer, 0
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.trust.load_cert_chain(file, file.with_suffix(".key"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                self.asked += 1
                with contextlib.suppress(OSError), self.trust.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(self.answer)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@pytest.fixture(scope="module")
def certificate(signed: Signed) -> Path:
    file = signed.vendor.directory / "server.pem"
    signed.vendor.certify_server(file, None)
    return file


@pytest.fixture
def asked(signed: Signed) -> dict[str, object]:
    """Return what a controller tells of the licensing servers, on this machine."""
    trusted = (signed.vendor.directory / "servers-ca.pem").read_text()
    return {**SETTINGS, "servers": ["127.0.0.1"], "servers_authority": trusted, "authority": signed.authority.decode()}


@contextlib.contextmanager
def serving(certificate: Path, answer: bytes) -> Iterator[Licensing]:
    server = Licensing(certificate, answer)
    try:
        yield server
    finally:
        server.listener.close()


def test_a_license_is_fetched(tmp_path: Path, signed: Signed, certificate: Path, asked: dict[str, object]):
    (tmp_path / "var/lib/tandem").mkdir(parents=True)
    documents = Documents(str(tmp_path), "one")
    with serving(certificate, http(signed.license)) as server:
        assert fetch(documents, {**asked, "port": server.port}) == ([], True)
    assert Path(documents.license).read_bytes() == signed.license


def test_the_first_that_answers_is_the_last_to_be_asked(
    documents: Documents, signed: Signed, certificate: Path, asked: dict[str, object]
):
    with serving(certificate, http(signed.license)) as server:
        servers = ["127.0.0.1", "127.0.0.1"]
        assert fetch(documents, {**asked, "servers": servers, "port": server.port}) == ([], True)
        assert server.asked == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(b"", "404 Not Found"), "does not answer: one.xml: 404 Not Found"),
        (http(b"<License/>"), "its license does not begin with"),
        (b"nonsense", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_what_is_no_license_replaces_none(
    documents: Documents, signed: Signed, certificate: Path, asked: dict[str, object], answer: bytes, said: str
):
    with serving(certificate, answer) as server:
        [problem], heard = fetch(documents, {**asked, "port": server.port})
    assert not heard
    assert problem.startswith("licensing server 127.0.0.1")
    assert said in problem
    assert Path(documents.license).read_bytes() == signed.license


def test_an_older_license_than_is_here_is_told_of(
    documents: Documents, signed: Signed, certificate: Path, asked: dict[str, object]
):
    newer = licensed(signed, serial=8)
    documents.offer_license(newer, "example")
    with serving(certificate, http(signed.license)) as server:
        [problem], heard = fetch(documents, {**asked, "port": server.port})
    assert not heard
    assert problem == "licensing server 127.0.0.1 has an older license than is here"
    assert Path(documents.license).read_bytes() == newer


def test_a_server_of_another_authority_is_not_believed(
    documents: Documents, signed: Signed, asked: dict[str, object], tmp_path: Path
):
    other = made(tmp_path / "other")
    file = other.vendor.directory / "server.pem"
    other.vendor.certify_server(file, None)
    with serving(file, http(signed.license)) as server:
        [problem], heard = fetch(documents, {**asked, "port": server.port})
    assert not heard
    assert "does not answer" in problem
    assert "certificate verify failed" in problem


def test_nobody_there(documents: Documents, asked: dict[str, object]):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    [problem], _ = fetch(documents, {**asked, "port": port})
    assert "Connection refused" in problem


@pytest.fixture
def store(tmp_path: Path, documents: Documents, signed: Signed) -> tuple[Store, str]:
    """Return a store with the installation's key in it, and the name of that blob; its server has the license."""
    assert Path(documents.license).exists()
    store = Store(str(tmp_path / "var/lib/tandem/store"))
    for number in (3, 4):
        Path(store.path(number)).parent.mkdir(parents=True, exist_ok=True)
        Path(store.path(number)).write_text("{}")
    return store, put(store, (signed.vendor.directory.parent / "installation.key").read_bytes())


def put(store: Store, data: bytes) -> str:
    import base64  # noqa: PLC0415

    name = digest(data)
    store.put({name: base64.b64encode(data).decode()})
    return name


def text(found: Allocation) -> str:
    return HEAD.decode() + etree.tostring(allocation_element(found), encoding="unicode")


def test_an_allocation_is_signed_with_the_key_of_the_installation(store: tuple[Store, str], signed: Signed):
    allocate(store, signed, 3, allocation())
    assert signature.allocation_in(allocation_of(store, 3).read_bytes(), signed.said) == allocation()


def allocation_of(store: tuple[Store, str], number: int) -> Path:
    return Path(Licenses(store[0]).allocation("one", number))


def test_an_allocation_that_says_the_same_stays(store: tuple[Store, str], signed: Signed):
    allocate(store, signed, 3, allocation())
    before = allocation_of(store, 3).read_bytes()
    later = replace(allocation(), number=13, made=datetime(2027, 1, 1, tzinfo=UTC))
    allocate(store, signed, 3, later)
    assert allocation_of(store, 3).read_bytes() == before
    allocate(store, signed, 4, replace(later, number=14))
    again = replace(later, number=15)
    allocate(store, signed, 3, again)  # 14 is newer than what is here
    assert signature.allocation_in(allocation_of(store, 3).read_bytes(), signed.said) == again


def allocate(store: tuple[Store, str], signed: Signed, number: int, found: Allocation, name: str = "one") -> None:
    """Have an allocation signed; configuration 3 needs two licenses, every other one of them."""
    names = NAMES if number == 3 else dict.fromkeys(NAMES, name)
    by = {"key": store[1], "authority": signed.authority.decode()}
    allocating.allocate(store[0], number=number, name=name, text=text(found), names=names, **by)


NAMES = {"Alpha": "one", "Omega": "one", "Lambda": "site"}
OF_SITE = replace(allocation(), servers={"Lambda": "198.18.8.12"}, sites={"Lambda": "secondary"}, instances={})


@pytest.fixture
def site(store: tuple[Store, str], signed: Signed) -> Documents:
    """Let the configuration server have the license of a site, too."""
    found = Licenses(store[0]).documents("site")
    found.offer_license(licensed(signed, site="secondary"), "example", signed.authority)
    return found


def test_each_server_gets_its_license_and_the_allocation_by_that(
    store: tuple[Store, str], signed: Signed, documents: Documents, site: Documents
):
    allocate(store, signed, 3, allocation())
    allocate(store, signed, 3, OF_SITE, "site")
    answer = Licenses(store[0]).told_to(3, ["Alpha", "Lambda", "Stranger"])
    assert answer["of"] == {"Alpha": "one", "Lambda": "site"}
    for name, kept, used in (("one", documents, allocation()), ("site", site, OF_SITE)):
        told = answer["documents"][name]
        assert b64decode(told["license"]) == Path(kept.license).read_bytes()
        assert signature.allocation_in(b64decode(told["allocation"]), signed.said) == used
    assert Licenses(store[0]).told_to(4, ["Alpha"]) == {"of": {}, "documents": {}}


@pytest.mark.parametrize(
    ("on", "named", "allocated"),
    [(3, "site", True), ([3, 4], "site", False), ([3, 5], None, False), (None, None, False)],
)
def test_the_door_tells_a_server_of_the_license_that_it_needs_where_it_is(
    store: tuple[Store, str], signed: Signed, site: Documents, on: object, named: str | None, *, allocated: bool
):
    assert site.read_license(signed.authority).site == "secondary"
    for number in (3, 4):
        allocate(store, signed, number, OF_SITE, "site")
    Licenses(store[0]).note(5, {"Lambda": "one"})
    Path(store[0].directory, "servers.json").write_text(json.dumps({"Lambda": on}))
    found = Answers(store[0], "Lambda").to({"ask": "license", "number": None, "known": []})
    assert found.get("name") == named
    assert ("allocation" in found) == allocated
    assert ("license" in found) == bool(named)


def test_what_no_configuration_needs_any_more_is_forgotten(store: tuple[Store, str], signed: Signed, site: Documents):
    allocate(store, signed, 3, OF_SITE, "site")
    allocate(store, signed, 4, allocation())
    assert Licenses(store[0]).names() == ["one", "site"], "configuration 3 is there to come back to"
    Path(store[0].path(3)).unlink()
    allocate(store, signed, 4, replace(allocation(), servers={"Omega": "198.18.0.10"}))
    assert Licenses(store[0]).names() == ["one"]
    assert Licenses(store[0]).of(3) == {}
    assert not Path(site.license).exists()


def test_what_was_used_longest_ago_is_told(store: tuple[Store, str], signed: Signed, asked: dict[str, object]):
    wanted = {**asked, "servers": [], "names": ["one"]}
    assert allocating.licenses_now(store[0], **wanted)["one"]["before"] is None  # type: ignore[arg-type]
    allocate(store, signed, 4, allocation())
    allocate(store, signed, 3, replace(allocation(), number=13, instances={}, made=datetime(2027, 1, 1, tzinfo=UTC)))
    found = allocating.licenses_now(store[0], **wanted)["one"]["before"]  # type: ignore[arg-type]
    assert (found["at"], found["sites"]) == ("2026-11-26T00:00:00Z", ["primary"])
    assert (found["used"]["server"], found["used"]["billing_engine"]) == (2, 1)


def test_who_did_not_answer_is_not_asked_for_the_next_license(store: tuple[Store, str], asked: dict[str, object]):
    with socket.create_server(("127.0.0.2", 0)) as nobody:
        port = nobody.getsockname()[1]
    wanted = {**asked, "servers": ["127.0.0.2"], "port": port, "names": ["one", "site"]}
    found = allocating.licenses_now(store[0], **wanted)  # type: ignore[arg-type]
    assert "127.0.0.2 does not answer" in found["one"]["problems"][0]
    assert found["site"]["problems"][0] == "licensing server 127.0.0.2 has just not answered"


def test_a_license_that_is_exchanged_leaves_the_other_to_come_back_to(
    documents: Documents, signed: Signed, tmp_path: Path
):
    """Whatever a killed transaction leaves: what counts is what belongs to the configuration that is there."""
    configured, state = tmp_path / "etc/tandem/license/server.json", State(str(tmp_path))
    before = configured.read_bytes()
    state.write_journal({"state": "staging", "operations": [], "made": []})
    other, alone = Documents(str(tmp_path), "site"), allocation().instances["billing-1"]
    other.bring_license(licensed(signed, site="primary", serial=1, servers=1))
    here = {"servers": {"Alpha": "198.18.0.11"}, "sites": {"Alpha": "primary"}, "instances": {"billing-1": alone}}
    other.propose(allocated(signed, replace(allocation(), number=13, **here)))  # type: ignore[arg-type]
    assert why_not(documents, "billing-1") == [], "as it was, until the files are exchanged"
    configured.write_text(json.dumps({**SETTINGS, "name": "site"}))
    assert why_not(Documents(str(tmp_path)), "billing-1") == []
    configured.write_bytes(before)
    put_files_back(state)
    assert why_not(Documents(str(tmp_path)), "billing-1") == []
    assert not Path(other.proposed).exists()


@pytest.mark.parametrize("said", [b"", b"{damaged"])
@pytest.mark.parametrize("journal", [None, "staging", "committed"])
def test_what_says_nothing_of_licenses_stops_no_recovery(tmp_path: Path, said: bytes, journal: str | None):
    """The file is empty where an installation needs no license."""
    (tmp_path / "etc/tandem/license").mkdir(parents=True)
    (tmp_path / "etc/tandem/license/server.json").write_bytes(said)
    state = State(str(tmp_path))
    state.prepare()
    bundle = {"files": [], "units": []}
    if journal:
        left = {
            "state": journal,
            "operations": [],
            "made": [],
            "bundle": bundle,
            "number": 1,
            "retired": [],
            "hold": [],
        }
        state.write_journal(left)
    assert bool(put_files_back(state)) == (journal == "staging")
    assert (state.manifest() is not None) == (journal == "committed")
    if not said:
        assert Documents(str(tmp_path)).settings() == {}


def test_another_key_than_the_certified_one_is_told_of(store: tuple[Store, str], signed: Signed):
    _, other = keys.made()
    with pytest.raises(Failure, match=r"configuration_server.license.key must be the key whose certificate"):
        allocate((store[0], put(store[0], other)), signed, 3, allocation())
    assert not allocation_of(store, 3).exists()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """Return the state of a server with two instances, of which monitoring reads in a directory of the test's."""
    monkeypatch.setattr(judgement, "RUNTIME", str(tmp_path / "run"))
    monkeypatch.setattr(judgement, "STATUS", str(tmp_path / "run/license.json"))
    two = {**SETTINGS["instances"], "billing-2": {**ENGINE, "options": {}}}  # type: ignore[dict-item]
    (tmp_path / "etc/tandem/license/server.json").write_text(json.dumps({**SETTINGS, "instances": two}))
    state = State(str(tmp_path))
    units = [{"name": f"{name}.service", "instance": name, "addresses": []} for name in ("billing-1", "billing-2")]
    state.commit({"units": units, "hold": []})
    return state


class Systemd:
    """Units that run, or do not; of some, what is asked fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, running: set[str], failing: str = "") -> None:
        self.running, self.failing = running, failing
        monkeypatch.setattr(refresh.units, "active_states", lambda _: dict.fromkeys(running, "active"))
        monkeypatch.setattr(refresh.units, "stop", lambda name, _: self.do(name, running.discard))
        monkeypatch.setattr(refresh.units, "act", lambda name, _: self.do(name, running.add))

    def do(self, name: str, what: Callable[[str], None]) -> None:
        if name == self.failing:
            raise Failure(name, "does not")
        what(name)


BOTH = {"billing-1.service", "billing-2.service"}
PAST, WELL = judgement.Verdict(["the license is over"], past=True), judgement.Verdict([], past=False)


def test_one_unit_that_does_not_stop_keeps_no_other_running(
    documents: Documents, here: State, monkeypatch: pytest.MonkeyPatch
):
    systemd = Systemd(monkeypatch, set(BOTH), failing="billing-2.service")
    assert refresh.enforce(documents, here, PAST) == ["billing-2.service: does not"]
    assert systemd.running == {"billing-2.service"}
    assert judgement.stopped(documents) == ["billing-1", "billing-2"]


def test_what_the_license_had_stopped_starts_again_and_nothing_else(
    documents: Documents, here: State, monkeypatch: pytest.MonkeyPatch
):
    systemd = Systemd(monkeypatch, {"billing-1.service"})
    refresh.enforce(documents, here, PAST)
    refresh.enforce(documents, here, WELL)
    assert systemd.running == {"billing-1.service"}, "billing-2 was stopped by somebody else"


def test_only_time_stops_what_runs(documents: Documents, here: State, monkeypatch: pytest.MonkeyPatch):
    systemd = Systemd(monkeypatch, set(BOTH))
    refresh.enforce(documents, here, judgement.Verdict(["it is damaged"], past=False))
    assert systemd.running == BOTH
