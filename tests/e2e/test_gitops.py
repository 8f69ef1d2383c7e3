"""The example pipelines, run for real: the plan as a comment, what was planned is applied, drift is found."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.e2e.conftest import Busy
from tests.e2e.pipelines import GitHub, GitLab
from tests.fleet.fleet import Fleet

BILLING = "options/cluster_suite/billing/billing-2.yml"
DEBUG = "billing_engine:\n  log:\n    level: debug\n"
MORE = "billing_engine:\n  log:\n    accepted: true\n"


@pytest.fixture(params=[GitLab, GitHub])
def pipeline(request: pytest.FixtureRequest, small: Fleet, tmp_path: Path) -> GitLab | GitHub:
    """Return each of the example pipelines, for the small installation."""
    made: GitLab | GitHub = request.param(small, tmp_path)
    return made


@pytest.fixture
def comments() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Return the address of a service that takes comments, and what it was sent: path, token, text."""
    taken = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            taken.append((self.path, self.headers["PRIVATE-TOKEN"], parse_qs(body)["body"][0]))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()
        thread.join()


def test_a_merge_request_gets_its_plan_as_a_comment(
    small: Fleet, tmp_path: Path, comments: tuple[str, list[tuple[str, str, str]]]
) -> None:
    gitlab, before = GitLab(small, tmp_path), small.active()
    small.write(BILLING, DEBUG)
    assert gitlab.run("check").status == 0
    given = {"CI_MERGE_REQUEST_IID": "5", "CI_API_V4_URL": comments[0], "COMMENT_TOKEN": "token"}
    planned = gitlab.run("plan", **given)
    assert planned.status == 0, planned.output
    assert "billing_engine.log.level" in gitlab.markdown
    assert comments[1] == [("/projects/7/merge_requests/5/notes", "token", gitlab.markdown)]
    assert small.active() == before


def test_a_merge_applies_exactly_what_was_planned_and_a_second_run_changes_nothing(
    small: Fleet, pipeline: GitLab | GitHub
) -> None:
    small.write(BILLING, DEBUG)
    planned = pipeline.run("plan")
    assert planned.status == 0, planned.output
    assert f"`tandem apply --plan {pipeline.plan}`" in pipeline.markdown
    applied = pipeline.run("apply")
    assert applied.status == 0, applied.output
    assert "1 server changed." in applied.output
    refused = pipeline.run("apply")
    assert refused.status == 1
    assert f"plan {pipeline.plan} has been applied already" in refused.output
    active = small.active()
    assert pipeline.run("plan").status == 0
    assert pipeline.plan == ""
    small.write(BILLING, MORE)  # somebody applies, and then the job of the plan that changes nothing runs
    small.tandem("apply")
    newer = small.active()
    small.write(BILLING, DEBUG)
    again = pipeline.run("apply")
    assert again.status == 0, again.output
    assert (small.active(), newer) == (newer, active + 1)


def test_a_pipeline_ends_where_something_is_wrong(small: Fleet, pipeline: GitLab | GitHub) -> None:
    """Drift, a plan that is out of date, and a mistake in the tree: each by its status."""
    assert pipeline.run("drift").status == 0
    small.do("South", "sh", "-c", "echo '# by hand' >> /etc/freeradius/billing-2/radiusd.conf")
    found = pipeline.run("drift")
    assert found.status == 3
    assert "South" in found.output
    small.write(BILLING, DEBUG)
    assert pipeline.run("plan").status == 0
    small.write(BILLING, MORE)
    small.tandem("apply")
    refused = pipeline.run("apply")
    assert refused.status == 1
    assert f"plan {pipeline.plan} was made against" in refused.output
    assert "plan again" in refused.output
    small.write(BILLING, DEBUG.replace("level", "levl"))
    with small.unplugged("North"):
        refused = pipeline.run("plan")
    assert refused.status == 2
    assert "did you mean log.level?" in refused.output


def test_of_two_pipelines_at_once_the_second_is_refused_in_one_sentence(busy: Busy, tmp_path: Path) -> None:
    gitlab = GitLab(busy.fleet, tmp_path)
    assert gitlab.run("plan").status == 0
    refused = gitlab.run("apply")
    assert refused.status == 1
    found = [line for line in refused.output.splitlines() if "has been changing this installation since" in line]
    assert len(found) == 1
    assert "1 server changed." in busy.end(0)
