"""fsctl.service.living: FreeSWITCH knows who serves, and forgets who does not say so."""

from __future__ import annotations

import gevent
import pytest

from fsctl.service import living
from fsctl.service.living import SignsOfLife
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
    made = SignsOfLife("127.0.0.1", switch.port, "x", lambda: served)
    made.start()
    yield made
    made.stop()


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


def test_they_are_renewed(switch, shown) -> None:
    until(switch, *signs(ONE), *signs(ONE))


def test_who_serves_no_more_is_taken_back_at_once(switch, shown, served) -> None:
    served.add(TWO)
    until(switch, *signs(TWO))
    served.remove(TWO)
    _, forget, _ = signs(TWO)
    until(switch, forget, f"global_setvar fsctl_living_{TWO}=")
    told = len(switch.told)
    until(switch, *signs(ONE))
    assert not any(TWO in line for line in switch.told[told:])


def test_the_end_takes_all_back(switch, served) -> None:
    made = SignsOfLife("127.0.0.1", switch.port, "x", lambda: served)
    made.start()
    made.stop()
    assert switch.told[-1] == f"global_setvar fsctl_living_{ONE}="


def test_a_switch_that_is_not_there_is_no_error(served, monkeypatch, caplog) -> None:
    monkeypatch.setattr(living, "_FIRST_S", 0.05)
    made = SignsOfLife("127.0.0.1", 1, "x", lambda: served)
    made.start()
    made.stop()
    assert "will not dial us" in caplog.text
