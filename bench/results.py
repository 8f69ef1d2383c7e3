"""Make medians, ratios and verdicts of measurements. Pure: nothing is measured here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

Json = Mapping[str, Any]
TANDEM = {"tandem": "tandem apply", "tandem_playbook": "ansible-playbook"}
SCENARIOS = ("cold", "noop", "change")
MEASURED = 20  # servers that the targets are about
SCALE = 1000  # logical servers
OWN_KEYS = ("pyinfra",)  # brings its own ssh, with a key exchange of its own: its runs count for each
LONG_LINE = 0.1  # seconds of round trip


@dataclass(frozen=True)
class Target:
    """What was wanted and what was found; `held` is None where it was not measured."""

    what: str
    wanted: str
    found: str
    held: bool | None


class Results:
    """The measurements of one run of the benchmark."""

    def __init__(self, measurements: list[Json]) -> None:
        self.all = measurements

    def of(self, contender: str, scenario: str, servers: int, line: float = 0.0, keys: str = "default") -> list[Json]:
        """Return the runs of a contender: `line` is the round trip in seconds, `keys` the key exchange of ssh."""
        wanted = {
            "contender": contender,
            "scenario": scenario,
            "servers": servers,
            "round_trip": line,
            "key_exchange": keys,
        }
        if contender in OWN_KEYS:
            del wanted["key_exchange"]
        return [each for each in self.all if all(each[name] == value for name, value in wanted.items())]

    def seconds(
        self, contender: str, scenario: str, servers: int, line: float = 0.0, keys: str = "default"
    ) -> float | None:
        """Return the median wall time in seconds; None where there is no run."""
        return _median(self.of(contender, scenario, servers, line, keys), "seconds")

    def cpu(
        self, contender: str, scenario: str, servers: int, line: float = 0.0, keys: str = "default"
    ) -> float | None:
        """Return the median seconds of processors, controller and servers together; None where there is no run."""
        return _median(self.of(contender, scenario, servers, line, keys), "cpu")

    def ratio(
        self, slow: str, fast: str, scenario: str, servers: int, line: float = 0.0, keys: str = "default"
    ) -> float | None:
        """Return how many times longer one contender takes than another; None where either was not measured."""
        above = self.seconds(slow, scenario, servers, line, keys)
        below = self.seconds(fast, scenario, servers, line, keys)
        return above / below if above and below else None

    def sizes(self, contender: str, scenario: str) -> dict[int, float]:
        """Return the median seconds by number of servers, on the short line with ssh's own key exchange."""
        numbers = sorted({each["servers"] for each in self.all if each["contender"] == contender})
        found = {number: self.seconds(contender, scenario, number) for number in numbers}
        return {number: seconds for number, seconds in found.items() if seconds is not None}


def _median(runs: list[Json], name: str) -> float | None:
    return median(each[name] for each in runs) if runs else None


def targets(results: Results) -> list[Target]:
    """Return every target with what was found."""
    return [*_faster(results), *_floors(results), *_counts(results)]


def _faster(results: Results) -> Iterator[Target]:
    """Compare with the peers: at least so many times faster."""
    for contender, name in _measured(results).items():
        for keys in _keys(results, contender):
            for scenario, wanted in (("noop", 7), ("change", 7), ("cold", 9)):
                ratio = results.ratio("pyinfra", contender, scenario, MEASURED, keys=keys)
                what = f"{name}, {scenario}, {MEASURED} servers, {keys} key exchange: times faster than pyinfra"
                yield _at_least(what, wanted, ratio)
        number = max([*results.sizes("tuned", "noop"), *results.sizes("tuned", "cold")], default=MEASURED)
        for scenario in SCENARIOS:
            ratio = results.ratio("tuned", contender, scenario, number)
            what = f"{name}, {scenario}, {number} servers: times faster than the tuned role"
            yield _at_least(what, 100, ratio)
    for scenario in SCENARIOS:
        numbers = sorted({each["servers"] for each in results.all if each["round_trip"] == LONG_LINE})
        ratios = [results.ratio("pyinfra", "tandem", scenario, number, LONG_LINE) for number in numbers]
        what = f"{TANDEM['tandem']}, {scenario}, 100 ms round trip: times faster than pyinfra"
        yield _at_least(what, 12, next(filter(None, ratios), None))


def _measured(results: Results) -> Mapping[str, str]:
    """Return Tandem's contenders: the command always, the playbook where it was measured beside the peers."""
    beside = {each["contender"] for each in results.all if each["servers"] == MEASURED}
    return {contender: name for contender, name in TANDEM.items() if contender in {"tandem", *beside}}


def _keys(results: Results, contender: str) -> list[str]:
    """Return the key exchanges that one was measured with beside pyinfra, whose own is always curve25519."""
    runs = [each for each in results.all if each["servers"] == MEASURED and each["contender"] == contender]
    return sorted({each["key_exchange"] for each in runs}, reverse=True) or ["default"]


def _floors(results: Results) -> Iterator[Target]:
    """Compare with the floor: at most so many times slower."""
    for contender, name in _measured(results).items():
        for keys in _keys(results, contender):
            ratio = results.ratio(contender, "ssh_new", "noop", MEASURED, keys=keys)
            what = f"{name}, noop, {MEASURED} servers: times `ssh true` on new connections ({keys} key exchange)"
            yield _at_most(what, 4, ratio)
    ratio = results.ratio("tandem_playbook", "python", "noop", SCALE)
    yield _at_most("noop, 1,000 logical servers: times the bare fan-out of `python3 -c pass`", 1.5, ratio)


def _counts(results: Results) -> list[Target]:
    runs = [each for each in results.all if each["contender"] in TANDEM and each["servers"] < SCALE]
    most = max((each["execs"] for each in runs), default=0)
    wrong = sum(not each["exact"] for each in runs)
    execs = Target("ssh execs on each server, in every run", "exactly 1", str(most), _verdict(runs, lambda: most == 1))
    units = f"{len(runs) - wrong} of {len(runs)} runs"
    return [execs, Target("exactly the units concerned restart", "every run", units, _verdict(runs, lambda: not wrong))]


def _verdict(runs: list[Json], held: Callable[[], bool]) -> bool | None:
    return held() if runs else None


def _at_least(what: str, wanted: float, ratio: float | None) -> Target:
    return Target(what, f"≥ {wanted:g}", _number(ratio), None if ratio is None else ratio >= wanted)


def _at_most(what: str, wanted: float, ratio: float | None) -> Target:
    return Target(what, f"≤ {wanted:g}", _number(ratio), None if ratio is None else ratio <= wanted)


def _number(ratio: float | None) -> str:
    return "not measured" if ratio is None else f"{ratio:.3g}" if ratio < 100 else f"{ratio:.0f}"


class Compiles:
    """The runs of one benchmark of compiling; medians are of the full number of servers unless another is given."""

    def __init__(self, found: Json) -> None:
        self._runs: list[Json] = found["runs"]
        self.servers: int = found["sizes"]["servers"]
        self.checked: Mapping[str, int] = found["checked"]

    @property
    def rounds(self) -> int:
        """Return how often each figure was measured."""
        return max((run["round"] for run in self._runs), default=0) + 1

    def seconds(self, scenario: str, servers: int | None = None) -> float | None:
        """Return the median wall time in seconds; None where there is no run."""
        return self._median(scenario, "seconds", servers)

    def cpu(self, scenario: str) -> float | None:
        """Return the median seconds of processors, of all processes together; None where there is no run."""
        return self._median(scenario, "cpu")

    def memory(self, scenario: str) -> float | None:
        """Return the median peak of memory in MiB, of all processes together; None where there is no run."""
        return self._median(scenario, "memory")

    def growth(self) -> dict[int, float]:
        """Return the median seconds of a compile without a cache, by number of servers."""
        found = {servers: self.seconds("cold", servers) for servers in sorted({run["servers"] for run in self._runs})}
        return {servers: seconds for servers, seconds in found.items() if seconds is not None}

    def _median(self, scenario: str, name: str, servers: int | None = None) -> float | None:
        wanted = scenario, servers or self.servers
        runs = [run for run in self._runs if (run["scenario"], run["servers"]) == wanted and run[name] is not None]
        return _median(runs, name)


def compile_targets(results: Compiles) -> list[Target]:
    """Return every target of compiling with what was found."""
    peaks = [peak for scenario in ("cold", "warm", "one") if (peak := results.memory(scenario)) is not None]
    digests, values = results.checked.get("digests"), results.checked.get("values")
    growth = results.growth()
    few, many = min(growth, default=0), max(growth, default=0)
    times = growth[many] / growth[few] if few < many else None
    same = "the digest, with the cache cold, warm and absent"
    return [
        _at_most("compile, no cache: seconds", 10, results.seconds("cold")),
        _at_most("plan, one option of one instance changed: seconds", 2, results.seconds("one")),
        _at_most("peak memory of all processes together: MiB", 1024, max(peaks, default=None)),
        _at_most(f"time of {many:,} servers: times that of {few:,}", many / few if few else 1, times),
        Target(same, "the same", "the same" if digests else "not checked", bool(digests) or None),
        Target("values that a naive resolver has too", "all", f"all of {values or 0:,}", bool(values) or None),
    ]
