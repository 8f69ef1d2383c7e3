"""What `tandem agent status` says of servers."""

from tandem.ansible.actions.agent_info import report

SILENT = {"should": None, "age": None, "stale": False, "mode": None, "did": ""}


def test_a_server_that_a_run_died_on_may_be_on_either() -> None:
    places = {"Alpha": 8, "Beta": [7, 8], "Gamma": [None, 8], "Delta": None}
    lines = report({server: {**SILENT, "on": place} for server, place in places.items()})
    assert [" ".join(line.split()[1:-1]) for line in lines[1:]] == ["8", "7 or 8", "nothing or 8", "nothing"]
