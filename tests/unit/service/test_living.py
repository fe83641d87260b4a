"""fsctl.service.living: FreeSWITCH knows who serves, and forgets who does not say so."""

from __future__ import annotations

from dataclasses import replace

import gevent
import pytest

from fsctl.service import living
from fsctl.service.living import scope_of
from fsctl.service.presence import Presence
from fsctl.settings import Dialplan, Settings, Switch
from tests.unit.service.fake_switch import FakeSwitch

ONE, TWO = "127.0.0.1:8084", "127.0.0.1:9001"


@pytest.fixture
def switch():
    made = FakeSwitch()
    yield made
    made.stop()


@pytest.fixture
def served() -> set[str]:
    return {ONE}


@pytest.fixture
def shown(switch, served, monkeypatch):
    monkeypatch.setattr(living, "PERIOD_S", 0.01)
    made = Presence(of(switch.port), lambda: served)
    made.start()
    yield made
    made.stop()


def of(port: int, **plan: str) -> Settings:
    switch = Switch(port=port, password="x", enabled=True)
    calls = {"scope": "calls", "inbound_match": ".*"}
    return Settings(switches=(switch,), dialplan=Dialplan(**calls | plan))


def until(switch: FakeSwitch, *lines: str) -> None:
    """Wait until FreeSWITCH is told these, one after the other, from now on."""
    told = len(switch.told)
    with gevent.Timeout(30):
        for line in lines:
            while line not in switch.told[told:]:
                gevent.sleep(0.005)
            told += switch.told[told:].index(line) + 1


def signs(address: str) -> tuple[str, ...]:
    name, group = f"fsctl_living_{address}", "fsctl-living-" + address.replace(":", "-")
    return (
        f"global_setvar {name}='yes'",
        f"sched_del {group}",
        f"sched_api +4 {group} global_setvar {name}=",
    )


def test_the_first_signs_are_given_at_the_start(switch, shown) -> None:
    assert tuple(switch.told[:3]) == signs(ONE)


def test_they_are_given_time_again_and_again(switch, shown) -> None:
    until(switch, *signs(ONE)[1:], *signs(ONE)[1:])
    assert switch.told.count(signs(ONE)[0]) == 2, "at the start, and at the first connection"


def test_what_has_lapsed_is_set_again(switch, shown) -> None:
    until(switch, *signs(ONE)[1:])
    switch.timers.clear()
    until(switch, *signs(ONE))


@pytest.mark.parametrize("limit", ["_SURE_S", "_ANEW_S"])
def test_all_is_set_anew_after_a_while_or_when_a_timer_may_have_fired(
    switch, request, monkeypatch, limit
) -> None:
    monkeypatch.setattr(living, limit, 0.0)
    request.getfixturevalue("shown")
    until(switch, *signs(ONE), *signs(ONE))


def test_a_switch_that_has_begun_anew_is_told_all(switch, shown) -> None:
    until(switch, *signs(ONE)[1:])
    switch.stop()
    anew = FakeSwitch(port=switch.port)
    until(anew, *signs(ONE))
    anew.stop()


def test_who_serves_no_more_is_taken_back_at_once(switch, shown, served) -> None:
    served.add(TWO)
    until(switch, *signs(TWO))
    served.remove(TWO)
    _, forget, _ = signs(TWO)
    until(switch, forget, f"global_setvar fsctl_living_{TWO}=")
    told = len(switch.told)
    until(switch, *signs(ONE)[1:])
    assert not any(TWO in line for line in switch.told[told:])


def test_the_end_takes_all_back(switch, served) -> None:
    made = Presence(of(switch.port), lambda: served)
    made.start()
    made.stop()
    assert switch.told[-1] == f"global_setvar fsctl_living_{ONE}="


def test_a_switch_that_is_not_there_is_no_error(served, monkeypatch, caplog) -> None:
    monkeypatch.setattr(living, "_FIRST_S", 0.05)
    made = Presence(of(1), lambda: served)
    made.start()
    made.stop()
    assert "will not dial us" in caplog.text


ARMED = ("force_transfer_context", "force_transfer_dialplan", "confirm_blind_transfer")
RENEWED = (
    "global_setvar force_transfer_context='fsctl_refer'",
    "global_setvar force_transfer_dialplan='XML'",
    "global_setvar confirm_blind_transfer='true'",
    "sched_del fsctl-armed",
    *(f"sched_api +4 fsctl-armed global_setvar {name}=" for name in reversed(ARMED)),
)
"""Who is held without being sent to us is not let go: held last, let go first."""
UNSET = ("sched_del fsctl-armed", *(f"global_setvar {name}=" for name in reversed(ARMED)))
TRANSFERS = {"scope": "transfers", "inbound_match": ""}


def test_in_scope_transfers_all_legs_are_armed_for_as_long_as_somebody_serves(
    switch, served, monkeypatch
) -> None:
    monkeypatch.setattr(living, "PERIOD_S", 0.01)
    made = Presence(of(switch.port, **TRANSFERS), lambda: served)
    made.start()
    assert tuple(switch.told[:10]) == (*signs(ONE), *RENEWED)
    until(switch, *signs(ONE)[1:], *RENEWED[3:])
    served.clear()
    until(switch, f"global_setvar fsctl_living_{ONE}=")
    told = len(switch.told)
    served.add(ONE)
    until(switch, *signs(ONE), *RENEWED)
    assert not any("armed" in line for line in switch.told[told : told + 3])
    made.stop()


@pytest.mark.parametrize("others", [True, False])
def test_who_stops_disarms_unless_another_one_is_there(switch, served, others) -> None:
    other = f"fsctl_living_{TWO}=yes\n" if others else ""
    switch.globals = (
        f"domain=x\nfsctl_living_{ONE}=yes\n{other}force_transfer_context=fsctl_refer\n"
    )
    made = Presence(of(switch.port, **TRANSFERS), lambda: served)
    made.start()
    told = len(switch.told)
    made.disarm()
    assert tuple(switch.told[told:]) == (() if others else UNSET)
    made.show()
    made.stop()
    assert not any(RENEWED[0] == line for line in switch.told[told:]), "it is not armed again"


@pytest.mark.parametrize(
    ("plan", "enabled", "line"),
    [
        ({}, True, "scope calls: calls to .* in default, and their transfers"),
        (TRANSFERS, True, "scope transfers: all legs of FreeSWITCH are armed for as long as"),
        (TRANSFERS, False, "scope transfers: the dialplan arms the calls that enter in default"),
    ],
)
def test_what_comes_to_us_is_said_in_a_line(plan, enabled, line) -> None:
    settings = of(1, **plan)
    told = scope_of(replace(settings, switches=settings.switches if enabled else ()))
    assert told.startswith(line) and "\n" not in told
