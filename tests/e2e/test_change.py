"""One option of one instance: the plan says exactly what the apply then does, and a rollback brings the bytes back."""

from tests.fleet.fleet import Fleet, told
from tests.fleet.traces import all_traces, files

BILLING_2 = "options/cluster_suite/billing/billing-2.yml"
NO_FUNDS = "billing_engine:\n  replies:\n    no_funds: Nothing left\n"
RADIUSD = "/etc/freeradius/billing-2/radiusd.conf"
UNIT = "billing-engine@billing-2.service"


def test_one_option_is_one_file_and_one_unit(small: Fleet) -> None:
    before, units, number = all_traces(small), small.all_units(), small.active()
    small.write(BILLING_2, NO_FUNDS)

    plan = small.json("plan")["results"]["plan"][-1]["plan"]
    [option] = plan["options"]
    assert (option["option"], option["old"], option["new"]) == (
        "billing_engine.replies.no_funds",
        "Not enough funds",
        "Nothing left",
    )
    assert option["instances"] == [{"name": "billing-2", "server": "South"}]
    assert option["origin"] == f"{BILLING_2}:3"
    assert plan["files"] == [{"server": "South", "path": RADIUSD, "change": "changed", "secret": True}]
    assert plan["units"] == [
        {"server": "South", "unit": UNIT, "instance": "billing-2", "action": "restart", "because": [RADIUSD]}
    ]
    assert (plan["addresses"], plan["instances"], plan["servers"], plan["touched"]) == ([], [], [], ["South"])
    shown = small.tandem("plan")
    assert "billing_engine.replies.no_funds" in shown
    assert f"{RADIUSD} " in shown
    assert f"{UNIT} " in shown
    assert small.restarted(units) == set(), "a plan only looks"
    assert files(all_traces(small)) == files(before)

    shown = small.tandem("apply")
    assert [line.split()[1] for line in told(shown, *small.servers) if "nothing to do" not in line] == ["South"]
    assert small.restarted(units) == {("South", UNIT)}
    after = all_traces(small)
    assert {server for server in small.servers if after[server] != before[server]} == {"South"}
    assert differing(before["South"], after["South"]) == {RADIUSD, f"/run/tandem/units/{UNIT}.restart"}
    assert 'Reply-Message = "Nothing left"' in small.radius("198.19.1.12", "1002")
    assert 'Reply-Message = "Not enough funds"' in small.radius("198.19.1.11", "1002")

    small.tandem("rollback", str(number))
    assert all_traces(small) == before
    assert 'Reply-Message = "Not enough funds"' in small.radius("198.19.1.12", "1002")


def test_a_reload_keeps_the_process(small: Fleet) -> None:
    units = small.all_units()
    small.write("options/web_suite/web/web-1.yml", "web:\n  timeouts:\n    keepalive: 40\n")
    [unit] = small.json("plan")["results"]["plan"][-1]["plan"]["units"]
    assert (unit["server"], unit["unit"], unit["action"]) == ("West", "web@web-1.service", "reload")
    assert "reload web@web-1.service" in small.tandem("apply")
    assert small.restarted(units) == set()
    assert "keepalive_timeout 40" in small.text("West", "/etc/tandem/web/web-1/nginx.conf")


def test_a_file_that_no_process_reads_interrupts_nothing(small: Fleet) -> None:
    units = small.all_units()
    small.write("options/web_suite/web/web-1.yml", "web:\n  page:\n    title: Renamed\n")
    small.tandem("apply")
    assert small.restarted(units) == set()
    assert "Renamed" in small.from_controller("curl", "-s", "-m", "5", "http://198.19.1.31/")


def test_what_has_no_effect_is_an_empty_plan(small: Fleet) -> None:
    """A comment, and a value equal to the inherited one."""
    small.write(BILLING_2, "# why\nbilling_engine:\n  log:\n    level: info\n")
    result = small.json("plan")["results"]["plan"][-1]["plan"]
    assert (result["empty"], result["options"], result["files"], result["touched"]) == (True, [], [], [])
    assert "Nothing changes" in small.tandem("plan", "--exit-code")


def test_differences_have_status_3_when_asked_for(small: Fleet) -> None:
    small.write(BILLING_2, NO_FUNDS)
    small.tandem("plan")
    small.tandem("plan", "--exit-code", status=3)


def test_a_stored_configuration_can_be_cloned_and_compiles_to_the_same(small: Fleet) -> None:
    number = small.active()
    clone = small.directory.parent / "clone"
    small.tandem("clone", str(number), str(clone))
    assert {
        str(path.relative_to(clone)): path.read_bytes()
        for path in clone.rglob("*.yml")
        if "group_vars" not in path.parts
    } == {
        str(path.relative_to(small.pristine)): path.read_bytes()
        for path in small.pristine.rglob("*.yml")
        if "group_vars" not in path.parts
    }


def differing(one: dict[str, list[object]], other: dict[str, list[object]]) -> set[str]:
    """Return the paths that are not the same in both."""
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
