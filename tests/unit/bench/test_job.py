"""The job of the benchmark is what its page says it is."""

from __future__ import annotations

import jinja2

from bench import job
from bench.job import BEFORE, FILES, UNITS, Job, Server


def rendered(values: dict[str, object]) -> dict[int, str]:
    kept = {"trim_blocks": True, "keep_trailing_newline": True}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, **kept)  # noqa: S701  configuration files
    given = {"options": {"tuning": values}, "instance": {"name": "service-1"}}
    return {number: environment.from_string(text).render(given) for number, text in Job().templates.items()}


def test_files_are_forty_of_one_to_four_kilobytes_for_five_units():
    sizes = [len(text) for text in rendered(Job().values()).values()]
    assert len(sizes) == FILES == 40
    assert min(sizes) >= 1000
    assert max(sizes) <= 4096
    assert len({job.unit_of(number) for number in range(FILES)}) == UNITS == 5


def test_the_changed_option_is_in_one_file():
    before, after = rendered(Job().values(BEFORE)), rendered(Job().values(job.AFTER))
    assert [number for number in before if before[number] != after[number]] == [job.CHANGED_FILE]


def test_the_job_is_the_same_every_time():
    assert Job().templates == Job().templates


def test_a_thousand_servers_have_addresses_of_their_own():
    servers = [Server(number) for number in range(1001)]
    assert len({address for server in servers for address in (server.management, server.service)}) == 2002
