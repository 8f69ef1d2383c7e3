"""Money: nothing is reserved or charged twice, charges are right to the last place, hostile RADIUS changes nothing."""
# ruff: noqa: S311, S608 - random cases, and statements made of names that are written here

import random
import struct
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import NamedTuple

import pytest

from tests.fleet.fleet import ACCESS, ACCOUNTING, Answer, Fleet, Request, eventually

ENGINES = {"East": ("billing-1", "198.19.1.11"), "South": ("billing-2", "198.19.1.12")}
ONE, TWO = (address for _, address in ENGINES.values())
DATABASE = "database@database-main.service"
SOCKET = "/run/tandem-database-database-main/mariadbd.sock"

ACCEPT, REJECT, ACCOUNTED = 2, 3, 5  # codes of answers
NAME, DESTINATION, STATUS, SESSION, SECONDS, MULTI = 1, 30, 40, 44, 46, 50
START, STOP, FAILED = 1, 2, 15

NO_FUNDS = Answer(REJECT, message="Not enough funds")
BAD = Answer(REJECT, message="Request not understood")
BLOCKED = Answer(REJECT, message="Account blocked")
DONE = Answer(ACCOUNTED)


def call(account: str, session: str, destination: str = "44207", address: str = ONE) -> Request:
    texts = {NAME: account, DESTINATION: destination, SESSION: session}
    return Request(address, ACCESS, [(kind, text.encode()) for kind, text in texts.items()])


def report(asked: Request, status: int, seconds: int = 0) -> Request:
    """Return the report about a call that was asked for."""
    numbers = [(STATUS, status.to_bytes(4, "big")), (SECONDS, seconds.to_bytes(4, "big"))]
    return Request(asked.address, ACCOUNTING, [*asked.attributes, *numbers])


Account = tuple[Decimal, Decimal, int, dict[str, Decimal]]
ZERO = Decimal(0)


class Books:
    """The billing engines as their clients see them, and the accounts as the database has them."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.secret = fleet.radius_secret.encode()

    def once(self, requests: Sequence[Request], patience: float) -> list[Answer | None]:
        return self.fleet.send([(request, request.packet(self.secret)) for request in requests], patience)

    def ask(self, *requests: Request) -> list[Answer]:
        """Ask everything at once, and as any client would, again what was not answered."""
        answers: dict[int, Answer] = {}
        end = time.monotonic() + 30
        while left := [number for number in range(len(requests)) if number not in answers]:
            assert time.monotonic() < end, f"no answer for half a minute: {[requests[number] for number in left]}"
            found = zip(left, self.once([requests[number] for number in left], 4), strict=True)
            answers |= {number: answer for number, answer in found if answer}
        return [answers[number] for number in range(len(requests))]

    def sql(self, statements: str) -> list[list[str]]:
        """Run statements as the database's root, and return the rows they give."""
        client = ["mariadb", "--no-defaults", f"--socket={SOCKET}", "--batch", "--skip-column-names", "billing"]
        return [line.split("\t") for line in self.fleet.do("East", *client, stdin=statements).splitlines()]

    def open(self, name: str, funds: str, longest: int | None = None, *, blocked: bool = False) -> str:
        """Make an account, and return its name."""
        columns = "name, customer_id, tariff_id, credit_limit, longest_session, blocked"
        values = f"'rating-{name}', customer.id, tariff.id, {funds}, {longest or 'NULL'}, {blocked}"
        which = "customer.name = 'rating' AND tariff.name = 'rating'"
        self.sql(f"INSERT INTO account ({columns}) SELECT {values} FROM customer, tariff WHERE {which}")
        return f"rating-{name}"

    def look(self, account: str) -> Account:
        """Return what is owed, the sum and the number of reservations, and the charges by session."""
        (owed, reserved, sessions), *charges = self.sql(
            "SELECT balance, COALESCE(SUM(amount), 0), COUNT(session) FROM account LEFT JOIN reservation"
            f" ON account_id = account.id WHERE name = '{account}' GROUP BY account.id;"
            f"SELECT session, amount FROM xdr WHERE account_name = '{account}'"
        )
        return Decimal(owed), Decimal(reserved), int(sessions), {name: Decimal(amount) for name, amount in charges}

    def state(self) -> tuple[list[list[str]], list[str]]:
        """Return what tells whether the database has changed, and the billing engines' processes."""
        contents = self.sql(
            "CHECKSUM TABLE customer, tariff, rate, account, reservation, xdr, mysql.global_priv;"
            "SHOW DATABASES; SHOW TABLES;"
            "SELECT ROUTINE_NAME, MD5(ROUTINE_DEFINITION) FROM information_schema.ROUTINES ORDER BY 1"
        )
        units = {server: f"billing-engine@{name}.service" for server, (name, _) in ENGINES.items()}
        return contents, [self.fleet.units(server)[unit]["MainPID"] for server, unit in units.items()]


@pytest.fixture(scope="module")
def books(applied: Fleet) -> Books:
    """Return the books of the small installation, with a tariff for the accounts of these tests."""
    found = Books(applied)
    found.sql(
        "INSERT INTO customer (name) VALUES ('rating'); INSERT INTO tariff (name) VALUES ('rating');"
        "INSERT INTO rate SELECT id, prefix, per_minute FROM tariff, (SELECT '44' AS prefix, 0.03 AS per_minute"
        " UNION SELECT '4470', 0.25 UNION SELECT '49', 0.034 UNION SELECT '800', 0) AS given WHERE name = 'rating'"
    )
    return found


def test_simultaneous_authorisations_reserve_exactly_the_funds(books: Books) -> None:
    """1.00 at 0.03 a minute, at most 300 s each: six sessions, one with the 200 s that are left, and no more."""
    account = books.open("many", "1.00", longest=300)
    answers = books.ask(*(call(account, f"many-{number}", address=(ONE, TWO)[number % 2]) for number in range(64)))
    assert Counter(answers) == {Answer(ACCEPT, 300): 6, Answer(ACCEPT, 200): 1, NO_FUNDS: 57}
    assert books.look(account) == (ZERO, Decimal(1), 7, {})


def test_a_session_asked_of_two_engines_at_once_has_one_answer(books: Books) -> None:
    account, other = books.open("twice", "1.00", longest=100), books.open("thief", "1.00")
    asked = [call(account, f"twice-{number}", address=address) for number in range(30) for address in (ONE, TWO)]
    answers = books.ask(*asked)
    assert answers[::2] == answers[1::2]
    assert Counter(answers[::2]) == {Answer(ACCEPT, 100): 20, NO_FUNDS: 10}
    held = asked[answers.index(Answer(ACCEPT, 100))].attributes[-1][1].decode()
    assert books.ask(call(account, held, "44208"), call(other, held)) == [BAD] * 2, "the session is another call's"
    assert books.look(account) == (ZERO, Decimal(1), 20, {})
    assert books.look(other) == (ZERO, ZERO, 0, {})


def test_a_stop_charges_once_however_often_it_comes(books: Books) -> None:
    account = books.open("stops", "1.00", longest=100)
    asked = [call(account, f"stops-{number}") for number in range(6)]
    assert books.ask(*asked) == [Answer(ACCEPT, 100)] * 6
    stops = [report(request, STOP, 60)._replace(address=address) for request in asked for address in (ONE, TWO) * 5]
    charges = {f"stops-{number}": Decimal("0.03") for number in range(6)}
    for _ in range(2):  # at once, and again when all is over
        assert books.ask(*stops) == [DONE] * 60
        assert books.look(account) == (Decimal("0.18"), ZERO, 0, charges)
    assert books.ask(asked[0]) == [BAD], "a session that begins again would be free"


def test_a_stop_charges_what_the_session_took_and_releases_the_rest(books: Books) -> None:
    account = books.open("one", "1.00")
    first, second = call(account, "one-1"), call(account, "one-2", address=TWO)
    left = "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), expires) FROM reservation WHERE session = 'one-1'"
    assert books.ask(first) == [Answer(ACCEPT, 2000)]
    assert int(books.sql(left)[0][0]) <= 180
    assert books.ask(second) == [NO_FUNDS]
    assert books.ask(report(first, START)) == [DONE]
    assert int(books.sql(left)[0][0]) > 2000, "held until the session must have ended"
    assert books.ask(report(first, STOP, 601)) == [DONE]
    owed, charges = Decimal("0.3005"), {"one-1": Decimal("0.3005")}
    assert books.look(account) == (owed, ZERO, 0, charges)
    assert books.ask(second) == [Answer(ACCEPT, 1399)]
    assert books.ask(report(second, FAILED)) == [DONE]
    assert books.look(account) == (owed, ZERO, 0, {**charges, "one-2": ZERO}), "a call that nobody answered is free"
    assert books.ask(call(account, "one-3", "+447099")) == [Answer(ACCEPT, 167)], "the longest prefix has the rate"
    assert books.ask(call(account, "one-4", "80012")) == [Answer(ACCEPT, 7200)], "what costs nothing needs no funds"
    assert books.ask(report(call("rating-nobody", "one-5"), STOP, 60)) == [DONE], "or it would come for ever"


def test_a_stop_without_a_duration_is_charged_from_the_start(books: Books) -> None:
    """As long as it was allowed to last, at most; and one that never began is free all the same."""
    account, charges = books.open("timeless", "1.00", longest=100), {}
    for number, (minutes, amount) in enumerate((("1", "0.03"), ("30", "0.05")), 1):
        asked = call(account, f"timeless-{number}")
        assert [*books.ask(asked), *books.ask(report(asked, START))] == [Answer(ACCEPT, 100), DONE]
        began = f"UTC_TIMESTAMP() - INTERVAL {minutes} MINUTE"
        books.sql(f"UPDATE reservation SET started = {began} WHERE session = 'timeless-{number}'")
        stop = Request(ONE, ACCOUNTING, [*asked.attributes, (STATUS, STOP.to_bytes(4, "big"))])
        assert books.ask(stop) == [DONE]
        charges[f"timeless-{number}"] = Decimal(amount)
    failed = call(account, "timeless-3")
    assert books.ask(failed) == [Answer(ACCEPT, 100)]
    assert books.ask(Request(ONE, ACCOUNTING, [*failed.attributes, (STATUS, FAILED.to_bytes(4, "big"))])) == [DONE]
    found = books.look(account)[3]
    assert abs(found["timeless-1"] - charges["timeless-1"]) < Decimal("0.002"), "a second or two pass here as well"
    assert found == {"timeless-1": found["timeless-1"], "timeless-2": charges["timeless-2"], "timeless-3": ZERO}


RULES = """billing_engine:
  rating: {rate_places: 2, rate_rounding: up, charge_places: 1, charge_rounding: up,
           charge_step: 60, minimum_duration: 480, minimum_charge: 0.25}
"""


def test_rounding_is_an_option_of_each_engine(small: Fleet, books: Books) -> None:
    small.write("options/cluster_suite/billing/billing-2.yml", RULES)
    small.tandem("apply")
    account, charges = books.open("rounds", "9.00"), {}
    # at 0.034 a minute, and by billing-2 at 0.04 for 8, 8 and 11 minutes, in tenths
    for lasted, one, two in ((1, "0.00057", "0.4"), (121, "0.06857", "0.4"), (601, "0.34057", "0.5")):
        for address, amount in ((ONE, one), (TWO, two)):
            session = f"rounds-{lasted}-{address}"
            assert books.ask(report(call(account, session, "49", address), STOP, lasted)) == [DONE]
            charges[session] = Decimal(amount)
    assert books.look(account)[3] == charges
    # by billing-2 only whole tenths of the funds are spent, and 0.3 is not enough for 8 minutes
    for funds, plain, rounded in (("0.49", 864, Answer(ACCEPT, 600)), ("0.39", 688, NO_FUNDS)):
        accounts = [books.open(f"{funds}-{number}", funds) for number in (1, 2)]
        calls = [call(name, name, "49", address) for name, address in zip(accounts, (ONE, TWO), strict=True)]
        assert books.ask(*calls) == [Answer(ACCEPT, plain), rounded]


def test_every_refusal_says_why(books: Books) -> None:
    rich, poor = books.open("rich", "5.00"), books.open("poor", "0.0004")
    blocked = books.open("blocked", "5.00", blocked=True)
    before = books.state()
    for address in (ONE, TWO):
        for account, destination, message in (
            ("rating-nobody", "44207", "Unknown account"),
            (rich, "33123", "Destination not available"),
            (blocked, "44207", "Account blocked"),
            (poor, "44207", "Not enough funds"),
            (rich, "anybody", "Request not understood"),
        ):
            assert books.ask(call(account, "why", destination, address)) == [Answer(REJECT, message=message)]
    assert books.state() == before


def test_without_the_database_there_is_no_answer_and_service_returns_by_itself(books: Books) -> None:
    """A reject would end the call, and a confirmed stop that nobody has written would be a free one."""
    account, (_, processes) = books.open("down", "1.00"), books.state()
    calls = [call(account, f"down-{address}", address=address) for address in (ONE, TWO)]
    stops = [report(request, STOP, 60) for request in calls]
    books.fleet.do("East", "systemctl", "stop", DATABASE)
    try:
        for _ in range(2):  # on connections that were open, and on new ones
            assert books.once([*calls, *stops], 2.5) == [None] * 4
    finally:
        books.fleet.do("East", "systemctl", "start", DATABASE)
    assert books.look(account) == (ZERO, ZERO, 0, {})
    assert books.ask(*stops) == [DONE] * 2
    assert books.look(account)[0] == Decimal("0.06")
    assert books.ask(call(account, "down", address=TWO)) == [Answer(ACCEPT, 1880)]
    assert books.state()[1] == processes


def test_an_engine_that_stops_rejects_nobody_it_was_still_working_for(books: Books) -> None:
    account, name = books.open("stopping", "1.00", longest=100), ENGINES["South"][0]
    asked = [call(account, f"stopping-{number}", address=TWO) for number in range(4)]

    def somebody(state: str) -> bool:
        return books.sql(f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE '{state}'") != [["0"]]

    with ThreadPoolExecutor() as pool:
        locked = pool.submit(books.sql, "LOCK TABLES account WRITE; DO SLEEP(6)")
        assert eventually(lambda: somebody("User sleep"))
        answers = pool.submit(books.once, asked, 6)
        assert eventually(lambda: somebody("Waiting for table %"))
        books.fleet.do("South", "systemctl", "restart", f"billing-engine@{name}.service")
        locked.result()
    assert answers.result() == [None] * 4
    assert books.ask(*asked) == [Answer(ACCEPT, 100)] * 4


SET_BALANCE, TOUCH = b"UPDATE account SET balance=-9", b"touch /run/tandem-billing-engine-billing-1/mark"
HOSTILE = [
    *(bytes([sign]) for sign in b"'\"\\`%\n\0\t\x7f"),
    *(b"\0'", b"\\'", b"%{", b"%{}", b"${x}", b"#'", b"/*", b"-- ", b"\xff\xfe", b"\xbf'", b"\xc3\xa9", b"\r\n"),
    *(b"%n%l%%", b"&User-Name ", b"%{User-Name}", b"%{client:secret}", b"x" * 200, b"' OR '1'='1"),
    *(b"');DROP TABLE xdr;-- ", b"\0');DROP TABLE xdr;-- ", b"',1);" + SET_BALANCE + b";#"),
    *(b"%{sql:" + SET_BALANCE + b"}", b"%{%{sql:" + SET_BALANCE + b"}:-x}", b"%{exec:/usr/bin/" + TOUCH + b"}"),
    *(b"%{`" + TOUCH + b"`}", b"`" + TOUCH + b"`", b"$(" + TOUCH + b")", b"|" + TOUCH),
]


@pytest.mark.parametrize("kind", [NAME, DESTINATION, SESSION, MULTI])
def test_hostile_text_is_refused_and_nothing_is_executed(books: Books, kind: int) -> None:
    """Alone, and behind what is right; what would pass is of a blocked account, whose refusal sounds otherwise."""
    right = dict(call(books.open(f"hostile-{kind}", "5.00", blocked=True), "hostile").attributes)
    before = books.state()
    texts = [start + text for start in (b"", right.get(kind, b"hostile")) for text in HOSTILE]
    asked = [Request(ONE, ACCESS, list({**right, kind: text}.items())) for text in texts]
    assert [text for text, answer in zip(texts, books.ask(*asked), strict=True) if answer != BAD] == []
    assert books.once([report(request, STOP, 60) for request in asked], 1) == [None] * len(texts)
    assert books.ask(Request(ONE, ACCESS, list(right.items()))) == [BLOCKED]
    assert books.state() == before
    assert books.fleet.do("East", "find", "/run/tandem-billing-engine-billing-1", "-name", "*mark*") == ""


def test_what_is_missing_is_refused_and_of_what_is_doubled_the_first_counts(books: Books) -> None:
    books.open("second", "5.00")
    right = call(books.open("first", "5.00", blocked=True), "doubled").attributes
    before = books.state()
    for missing in right:
        request = Request(ONE, ACCESS, [attribute for attribute in right if attribute != missing])
        assert books.ask(request) == [BAD]
        assert books.once([report(request, STOP, 60)], 0.5) == [None]
    for doubled in [(NAME, b"rating-second"), (NAME, b"x'"), (DESTINATION, b"'"), (SESSION, b"');")]:
        assert books.ask(Request(ONE, ACCESS, [*right, doubled])) == [BLOCKED]
        if doubled[1] != b"rating-second":
            assert books.ask(Request(ONE, ACCESS, [doubled, *right])) == [BAD]
    assert books.state() == before


def test_broken_packets_are_ignored(books: Books) -> None:
    """Packets of a wrong secret, cut off, overlong or random: no answer, no change, and the daemon lives."""
    access, chance = call(books.open("broken", "5.00"), "broken"), random.Random(1)
    blocked = call(books.open("broken-blocked", "5.00", blocked=True), "broken")
    before, packets, mutated = books.state(), [], []
    for request in (access, report(access, STOP, 60)):
        whole = request.packet(books.secret)
        packets += [(request, request.packet(b"not-the-shared-secret"))]
        packets += [(request, whole[:length]) for length in (0, 1, 4, 19, 20, 21, len(whole) - 1)]
        packets += [(request, whole[:2] + struct.pack("!H", length) + whole[4:]) for length in (0, 19, 60, 4097, 65535)]
        packets += [(request, bytes([code]) + whole[1:]) for code in (0, 2, 3, 5, 11, 12, 40, 43, 255)]
        tails = (b"\x01", b"\x01\x00", b"\x01\x01", b"\x01\xff", b"\x21\x03x" * 300, b"\x21\x02" * 2100)
        packets += [(request, request.packet(books.secret, tail)) for tail in tails]
    answers = books.fleet.send(packets, 1)
    assert [packet for (_, packet), answer in zip(packets, answers, strict=True) if answer] == []
    for _ in range(400):
        packet = bytearray(blocked.packet(books.secret))
        for _ in range(chance.randint(1, 4)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        mutated.append((blocked, bytes(packet)))
    assert {answer.code for answer in books.fleet.send(mutated, 1) if answer} <= {REJECT}
    assert books.ask(blocked) == [BLOCKED]
    assert books.state() == before


MODES = {"up": ROUND_UP, "down": ROUND_DOWN, "half_up": ROUND_HALF_UP}


class Case(NamedTuple):
    """What is given to the rating functions; `least` is the shortest duration that is charged."""

    number: int
    rate: Decimal
    funds: Decimal
    longest: int
    lasted: int
    places: int
    mode: str
    step: int
    least: int
    minimum: Decimal

    def price(self, seconds: int) -> Decimal:
        """Return what begun steps cost before rounding."""
        return self.rate * (-(-max(seconds, self.least) // self.step) * self.step) / 60

    def rounded(self, amount: Decimal, mode: str) -> Decimal:
        return amount.quantize(Decimal(1).scaleb(-self.places), MODES[mode])

    def charge(self, seconds: int) -> Decimal:
        return max(self.minimum, self.rounded(self.price(seconds), self.mode)) if seconds and self.rate else ZERO


def made_up(number: int, chance: random.Random) -> Case:
    rate, funds, minimum = (
        Decimal(chance.choice([often, chance.randint(0, 10 ** chance.randint(1, most))])).scaleb(-5)
        for often, most in ((3000, 6), (100000, 7), (0, 5))
    )
    longest, lasted = chance.choice([3600, 10**6]), chance.choice([0, 59, 60, 61, chance.randint(1, 86400)])
    rules = chance.randint(0, 5), chance.choice(list(MODES)), chance.choice([1, 6, 7, 60]), chance.choice([0, 0, 100])
    return Case(number, rate, funds - chance.choice([0, 1]), longest, lasted, *rules, minimum)


def test_rating_agrees_with_a_model_in_decimals(books: Books) -> None:
    """Charges are equal, and the longest session is the longest that the funds pay for, to the last second."""
    chance = random.Random(2)
    cases = [made_up(number, chance) for number in range(600)]
    values = ",".join(f"({','.join(repr(str(value)) for value in case)})" for case in cases)
    rules = "places, mode, step, least, minimum"
    answers = books.sql(
        f"WITH given (number, rate, funds, longest, lasted, {rules}) AS (VALUES {values}) SELECT"
        f" charge_of(rate, lasted, {rules}), seconds_for(funds, rate, longest, {rules}) FROM given ORDER BY number + 0"
    )
    found = [(case, Decimal(charge), int(seconds)) for case, (charge, seconds) in zip(cases, answers, strict=True)]
    for case, charge, seconds in found:
        assert charge == case.charge(case.lasted), case
        assert seconds <= case.longest, f"{case}: {seconds} s"
        assert not seconds or not case.rate or case.charge(seconds) <= case.funds, (
            f"{seconds} s cost more than the funds: {case}"
        )
        # of funds only whole units pay where a charge may be rounded up to one
        spendable = case.funds if case.mode == "down" else case.rounded(case.funds, "down")
        if seconds < case.longest and case.funds >= case.minimum:
            assert case.price(seconds + 1) > spendable, f"more than {seconds} s could be paid for: {case}"
    assert len({seconds for _, _, seconds in found}) > 100, "the cases are of many kinds"
