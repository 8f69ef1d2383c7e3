"""What was changed by hand, in words, and as Markdown."""

from __future__ import annotations

from typing import Any

from tandem.plan.drift import lines
from tandem.plan.markdown import markdown
from tests.unit.plan.test_markdown import NOTHING

Json = dict[str, Any]
DRIFT: Json = {
    "changes": {
        "West": {
            "files": [{"path": "/etc/hosts", "action": "change"}],
            "units": [{"name": "web@web-1.service", "action": "start"}],
            "addresses": [{"address": "198.19.1.31", "action": "add"}],
        }
    },
    "unseen": {"East": "no connection to 198.19.0.12\nwith more to say"},
}


def test_lines() -> None:
    assert list(lines(DRIFT)) == [
        "",
        "  not as it was applied; applying puts it back:",
        "      West         change /etc/hosts, start web@web-1.service, add 198.19.1.31",
        "  East could not be looked at: no connection to 198.19.0.12",
    ]
    assert list(lines({"changes": {}, "unseen": {}})) == []


def test_markdown() -> None:
    page = markdown({"number": 8, "active": 7, "id": None, "places": {}, "plan": NOTHING, "drift": DRIFT})
    assert "| West | change /etc/hosts, start web@web-1.service, add 198.19.1.31 |" in page
    assert "| East | no connection to 198.19.0.12 |" in page
