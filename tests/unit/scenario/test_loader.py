"""Loading scenario files, good and bad."""

from __future__ import annotations

import os
import sys

import pytest

from fsctl.errors import SettingsError
from fsctl.scenario import CallAlerting, Scenario, load, load_all
from fsctl.settings import load as load_settings


def test_a_good_file(tmp_path):
    path = tmp_path / "good.py"
    path.write_text(
        "from fsctl.scenario import CallAlerting, Scenario\n"
        "scenario = Scenario()\n"
        "@scenario.on(CallAlerting)\n"
        "def alerting(event): pass\n"
    )
    scenario = load(path)
    assert isinstance(scenario, Scenario)
    assert [handler.__name__ for handler in scenario.handlers(CallAlerting)] == ["alerting"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "SyntaxError"),
        ("raise ValueError('no')", "ValueError: no"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("x = 1", "defines no `scenario = Scenario()`"),
        ("scenario = 1", "defines no `scenario = Scenario()`"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"bad\.py") as refusal:
        load(path)
    assert message in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.py"):
        load(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\n1 +", 2),
        ("x = 1\n\nraise ValueError('no')", 3),
        ("import json\n\njson.loads('{')", 3),
        ("def f():\n    return 1 / 0\nf()", 2),
    ],
)
def test_the_line_is_named(tmp_path, text, line):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(SettingsError, match=rf"bad\.py:{line}: "):
        load(path)


def test_a_file_that_changes_within_a_second_is_read_again(tmp_path):
    path = tmp_path / "mine.py"
    head = "from fsctl.scenario import Scenario\nscenario = Scenario("
    stamp = None
    for name in ("one", "two"):
        path.write_text(f"{head}{name!r})\n")
        stamp = stamp or path.stat()
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert load(path).name == name
    assert [each.name for each in tmp_path.iterdir()] == ["mine.py"]


def test_dataclasses_with_postponed_annotations(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from fsctl.scenario import Scenario\n"
        "@dataclass\n"
        "class Rule:\n"
        "    number: str\n"
        "scenario = Scenario(Rule('1').number)\n"
    )
    assert load(path).name == "1"


def test_a_broken_file_leaves_the_module_before_it(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from fsctl.scenario import Scenario\nscenario = Scenario('one')\n")
    scenario = load(path)
    path.write_text("1 / 0")
    with pytest.raises(SettingsError):
        load(path)
    mine = [m for n, m in sys.modules.items() if n.startswith("fsctl_scenario_mine_")]
    assert scenario in [getattr(module, "scenario", None) for module in mine]


# -- scenarios of routes


def files(tmp_path, *names):
    for name in names:
        text = "from fsctl.scenario import Scenario\nscenario = Scenario()\n"
        (tmp_path / f"{name}.py").write_text(text)


def settings_of(tmp_path, text):
    config = tmp_path / "fsctl.toml"
    config.write_text(text)
    return load_settings(config, {})


ROUTES = """
[scenario]
file = "all.py"
[[route]]
name = "sales"
kind = "user"
match = "1.*"
scenario = "sales.py"
[[route]]
name = "rest"
kind = "user"
"""


def test_routes_have_scenarios_of_their_own(tmp_path):
    files(tmp_path, "all", "sales")
    settings = settings_of(tmp_path, ROUTES)
    assert settings.routes[0].scenario == tmp_path / "sales.py"
    assert settings.routes[1].scenario is None
    scenarios = load_all(settings)
    assert scenarios.of_route("sales").name == "sales"
    assert scenarios.of_route("rest").name == scenarios.default.name == "all"
    assert scenarios.named("sales") is scenarios.of_route("sales")
    assert scenarios.named("unknown") is scenarios.default


def test_the_command_line_replaces_the_default_one_only(tmp_path):
    files(tmp_path, "sales", "mine")
    scenarios = load_all(settings_of(tmp_path, ROUTES), tmp_path / "mine.py")
    assert (scenarios.default.name, scenarios.of_route("sales").name) == ("mine", "sales")


def test_one_file_for_two_routes_is_one_scenario(tmp_path):
    files(tmp_path, "all")
    settings = settings_of(tmp_path, ROUTES.replace("sales.py", "all.py"))
    scenarios = load_all(settings)
    assert scenarios.of_route("sales") is scenarios.default


def test_the_key_of_a_route_is_named(tmp_path):
    files(tmp_path, "all")
    (tmp_path / "sales.py").write_text("oops")
    with pytest.raises(SettingsError, match=r"\[\[route\]\] sales scenario: .*sales\.py:1: Name"):
        load_all(settings_of(tmp_path, ROUTES))


def test_two_routes_on_a_stage(tmp_path, stage):
    """Each call is decided by the scenario of its route, and so are its transfers."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            "from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario\n"
            "scenario = Scenario()\n"
            "@scenario.on(CallAlerting)\n"
            "def alerting(event):\n"
            f"    event.session.connect(event.call, event.destination, display_name={name!r})\n"
            "@scenario.on(BlindTransferRequested)\n"
            "def requested(event):\n"
            f"    event.call.notify_blind_transfer_failed(603, {name!r})\n"
        )
    routes = "".join(
        f'[[route]]\nkind = "user"\nmatch = "{first}.*"\nscenario = "{name}.py"\n'
        for first, name in (("1", "one"), ("2", "two"))
    )
    calls = '[dialplan]\nscope = "calls"\ninbound_match = ".*"\n'
    settings = settings_of(tmp_path, calls + routes + '[[route]]\nkind = "user"\n')
    shown = {}
    for number in ("1001", "2001", "3001"):
        playing = stage(settings=settings)
        caller, callee = playing.phone("9000", "Caller"), playing.phone(number)
        playing.phone("3002").busy()
        caller.calls(number)
        playing.until(lambda: caller.hears == number)  # noqa: B023
        callee.refers("<sip:3002@example.org>")
        playing.until(lambda: callee.notifies)  # noqa: B023
        told = callee.notifies[0][1].removeprefix("SIP/2.0 ")
        shown[number] = callee.received("INVITE")[0].header("From").split('"')[1], told
    assert shown == {
        "1001": ("one", "603 one"),
        "2001": ("two", "603 two"),
        "3001": ("Caller", "486 Busy Here"),
    }
