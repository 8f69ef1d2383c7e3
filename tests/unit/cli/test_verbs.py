"""The verbs of the core as somebody runs them: what they print, and with which exit status they end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.sample import BILLING, ROLES, WHOLE, write

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the directory of a project: ansible.cfg, roles, and the sample inventory with some options."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = inventories/sample\nroles_path = roles\n")
    (tmp_path / "roles").symlink_to(ROLES)
    files = {
        WHOLE: "b2bua: {calls: {max_duration: 7200}}\nenvironments: {pb: {cards: {expiry: {notify_days: 10}}}}\n",
        BILLING: "billing_engine:\n  log:\n    level: debug\n",
    }
    write(tmp_path / "inventories" / "sample", files)
    return tmp_path


def tandem(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "TANDEM_PROJECT"}
    command = [sys.executable, "-m", "tandem", *arguments]
    surroundings = {**kept, "PYTHONPATH": str(ROOT / "src"), **environment}
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, env=surroundings, check=False)


def good(directory: Path, *arguments: str) -> str:
    run = tandem(directory, *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_check_says_in_one_line_that_nothing_is_wrong(project: Path) -> None:
    assert good(project, "check") == "sample: 4 servers, 6 instances, 6 options set; nothing wrong\n"
    counted = {"installation": "sample", "servers": 4, "instances": 6, "options_set": 6}
    assert json.loads(good(project, "check", "--json")) == counted


@pytest.mark.parametrize(
    "arguments",
    [
        ("-i", "inventories/sample", "check"),
        ("check", "-i", "inventories/sample"),
        ("check", "-i", "inventories/sample/installation.yml"),
    ],
)
def test_the_inventory_can_be_named_anywhere(project: Path, arguments: tuple[str, ...]) -> None:
    assert good(project, *arguments).startswith("sample:")


def test_a_project_is_found_from_below_and_by_its_variable(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert good(project / "inventories" / "sample" / "options", "check").startswith("sample:")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert tandem(elsewhere, "check", TANDEM_PROJECT=str(project)).stdout.startswith("sample:")
    run = tandem(elsewhere, "check")
    assert run.returncode == 2
    assert "no ansible.cfg here or in a directory above" in run.stderr


def test_mistakes_end_with_their_number_and_status_2(project: Path) -> None:
    inventory = project / "inventories" / "sample"
    (inventory / BILLING).write_text("billing_engine:\n  log:\n    levl: debug\n    file: 5\n")
    run = tandem(project, "check")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines() == [
        f"{BILLING}:3: billing_engine.log.levl is not an option of billing_engine; did you mean log.level?",
        f'{BILLING}:4: billing_engine.log.file: 5 is not text; write "5"',
        "2 errors. No server was contacted.",
    ]
    (inventory / "installation.yml").unlink()
    assert "inventories/sample/installation.yml: does not exist" in tandem(project, "check").stderr
    missing = tandem(project, "check", "-i", "nowhere")
    assert (missing.returncode, missing.stderr.splitlines()[0][:25]) == (2, "nowhere: is not a directo")


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    """The beginning of a process's memory is a file that not even root can read."""
    file = project / "inventories" / "sample" / "options" / "web_suite.yml"
    file.symlink_to("/proc/self/mem")
    run = tandem(project, "check")
    assert run.stderr.splitlines()[0] == "options/web_suite.yml: cannot be read: Input/output error"


def test_explain_prints_every_level_and_marks_the_one_that_won(project: Path) -> None:
    assert good(project, "explain", "billing-1", "billing_engine.log.level") == (
        "billing_engine.log.level = debug     for billing-1 on Alpha (primary)\n"
        "  instance       options/cluster_suite/billing/billing-1.yml   not set\n"
        "  cluster        options/cluster_suite/billing.yml:3           debug     "
        "← this one: the lowest level that sets it\n"
        "  suite          options/cluster_suite.yml                     not set\n"
        "  installation   options/installation.yml                      not set\n"
        "  default        roles/billing_engine/meta/options.yml:7       info\n"
        "How much is logged. One of error, info, debug. A change restarts billing_engine.\n"
    )


def test_explain_shows_the_sets_of_an_environment(project: Path) -> None:
    shown = good(project, "explain", "billing-1", "cards.expiry.notify_days", "--environment", "pb")
    assert shown.startswith("cards.expiry.notify_days = 10 d     for billing-1 on Alpha (primary) in environment pb\n")
    assert "  installation (pb)   options/installation.yml:2 " in shown
    assert good(project, "explain", "billing-1", "cards.expiry.notify_days").startswith(
        "cards.expiry.notify_days = 7 d"
    )


def test_explain_says_the_same_in_json(project: Path) -> None:
    record = json.loads(good(project, "explain", "billing-1", "billing_engine.log.level", "--json"))
    assert (record["value"], record["server"], record["effect"]) == ("debug", "Alpha", "restart")
    [used] = [level for level in record["levels"] if level["used"]]
    assert (used["level"], used["path"], used["line"], used["value"]) == ("cluster", BILLING, 3, "debug")


def test_explain_of_a_server_and_of_nothing_known(project: Path) -> None:
    assert good(project, "explain", "Alpha", "server.ssh.port").startswith(
        "server.ssh.port = 22     for every server\n"
    )
    run = tandem(project, "explain", "billing-1", "billing_engine.log.levl")
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "explain: billing_engine.log.levl is not an option of billing_engine; did you mean billing_engine.log.level?",
        "1 error. No server was contacted.",
    ]


def test_reach_lists_instances_and_places(project: Path) -> None:
    assert good(project, "reach", BILLING) == (
        f"{BILLING} reaches 2 instances\n"
        f"  billing-1 on Alpha      billing_engine.log.level   debug   {BILLING}:3\n"
        f"  billing-2 on Beta       billing_engine.log.level   debug   {BILLING}:3\n"
    )
    record = json.loads(good(project, "reach", "billing_engine.log.level", "--json"))
    assert [(found["instance"], found["level"]) for found in record["reaches"]] == [
        ("billing-1", "cluster"), ("billing-2", "cluster"), ("billing-3", "default"),
    ]  # fmt: skip
    assert good(project, "reach", "b2bua.calls") == "b2bua.calls reaches no instance\n"


def test_tree_shows_what_runs_where(project: Path) -> None:
    lines = good(project, "tree").splitlines()
    assert lines[0] == "sample"
    assert "    billing (billing_engine)" in lines
    assert "      billing-3        Lambda  198.18.9.11      secondary" in lines
    tree = json.loads(good(project, "tree", "--json"))
    instance = tree["suites"]["cluster_suite"]["billing_secondary"]["instances"]["billing-3"]
    assert instance == {"server": "Lambda", "site": "secondary", "address": "198.18.9.11"}


def test_schema_and_reference_write_their_files(project: Path) -> None:
    shown = good(project, "schema", "schemas")
    assert "**/options/cluster_suite/billing_secondary/*.yml" in shown
    assert "customTags" in shown
    assert json.loads((project / "schemas" / "options.json").read_text())["properties"]["server"]
    assert good(project, "reference", "reference").startswith("reference/options.md written: ")


def test_help_names_every_verb_and_an_unknown_one_is_refused(project: Path) -> None:
    shown = good(project, "--help")
    for verb in ("check", "explain", "reach", "reference", "schema", "tree"):
        assert f"\n  {verb} " in shown
    assert tandem(project, "chek").returncode == 2


def test_the_core_starts_without_what_only_apply_needs() -> None:
    """Ansible alone takes half a second to import; a check has none of it."""
    late = "[m for m in ('ansible', 'jinja2', 'rich') if m in sys.modules]"
    code = f"import sys, tandem.cli.check, tandem.cli.explain; print({late})"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}, check=True)
    assert run.stdout == "[]\n"


def test_a_reader_that_has_enough_ends_it_quietly(project: Path) -> None:
    command = f"{sys.executable} -m tandem reach billing_engine | true"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, shell=True, cwd=project, capture_output=True, text=True, env=environment, check=False)  # noqa: S602
    assert run.stderr == ""


@pytest.mark.parametrize("inventory", ["example", "small", "vendor"])
def test_the_inventories_of_the_project_have_no_mistake(inventory: str) -> None:
    assert good(ROOT, "check", "-i", f"inventories/{inventory}").endswith("; nothing wrong\n")
