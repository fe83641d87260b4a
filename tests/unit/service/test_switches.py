"""Several FreeSWITCHes: signs, rescue and names on each, whatever has become of the others."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket

from fsctl.control import LEGS, Channel
from fsctl.service import living, orphans, presence
from fsctl.service.presence import Presence
from fsctl.service.rescue import Rescue
from fsctl.service.switches import Switches
from fsctl.service.worker_process import WorkerProcess
from fsctl.session.transfers.record import TransferRecord
from fsctl.settings import Settings, Switch
from fsctl.switch.origin import Origin
from tests.unit.records import Records
from tests.unit.service.fake_switch import FakeSwitch

HOME = "127.0.0.1:9001"
LIVING = f"sched_del fsctl-living-{HOME.replace(':', '-')}"
ARMED = "sched_del fsctl-armed"
"""What the signs, and the arming of all legs, are renewed by."""
TR = "aaaaaaaa-0000-4000-8000-aaaaaaaaaaaa"
TE = "bbbbbbbb-0000-4000-8000-bbbbbbbbbbbb"
EVENT = "refer;id=7"
OTHER = {uuid: uuid.replace("0000", "1111") for uuid in (TR, TE)}
"""The legs on the second switch."""


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeSwitch]]:
    monkeypatch.setattr(living, "PERIOD_S", 0.01)
    monkeypatch.setattr(living, "_FIRST_S", 0.1)
    monkeypatch.setattr("fsctl.esl.client.LAST_DELAY_S", 0.02)
    monkeypatch.setattr(presence, "_WAIT_S", 0.2)
    monkeypatch.setattr(orphans, "POLL_S", 0.001)
    made = [FakeSwitch("core-1"), FakeSwitch("core-2")]
    yield made
    for each in made:
        each.stop()


def settings_of(two: list[FakeSwitch]) -> Settings:
    names = (f"pbx-{number}" for number in (1, 2))
    pairs = zip(names, two, strict=True)
    return Settings(switches=tuple(Switch(n, port=s.port, password="x") for n, s in pairs))


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.002)


# -- signs of life ----------------------------------------------------------------------------


@contextmanager
def shown(two: list[FakeSwitch]) -> Iterator[Presence]:
    made = Presence(settings_of(two), lambda: {HOME})
    made.start()
    yield made
    made.stop()


def renewed(switch: FakeSwitch) -> None:
    """It is told of us, and armed, three times from now on."""
    told = len(switch.told)
    until(lambda: min(switch.told[told:].count(line) for line in (LIVING, ARMED)) >= 3)


def test_every_switch_knows_of_us(two: list[FakeSwitch]) -> None:
    with shown(two):
        assert all(switch.told[0] == f"global_setvar fsctl_living_{HOME}='yes'" for switch in two)
        assert all("global_setvar confirm_blind_transfer='true'" in each.told for each in two)
        for switch in two:
            renewed(switch)
    assert all(switch.told[-1] == f"global_setvar fsctl_living_{HOME}=" for switch in two)
    assert all("global_setvar confirm_blind_transfer=" in switch.told for switch in two)


def test_one_that_is_not_there_at_the_start_is_told_when_it_comes(two: list[FakeSwitch]) -> None:
    one, gone = two
    gone.stop()
    with shown(two):
        renewed(one)
        two[1] = FakeSwitch("core-3", port=gone.port)
        renewed(two[1])
        two[1].stop()
        renewed(one)
        two[1] = FakeSwitch("core-4", port=gone.port)
        renewed(two[1])


@pytest.mark.parametrize("hangs_first", [True, False])
def test_one_that_hangs_delays_nobody(two: list[FakeSwitch], hangs_first: bool) -> None:
    """Neither the start, nor the other's signs, nor a worker's, nor the end."""
    hung, one = two
    hung.hangs = hangs_first
    served = {HOME}
    began = time.monotonic()
    made = Presence(settings_of(two), lambda: served)
    made.start()
    hung.hangs = True
    gevent.sleep(0.05)  # it is asked, and silent
    renewed(one)
    served.add("127.0.0.1:9002")
    made.show()
    assert "global_setvar fsctl_living_127.0.0.1:9002='yes'" in one.told
    made.disarm()
    assert "global_setvar confirm_blind_transfer=" in one.told
    told = len(hung.told)
    made.stop()
    assert time.monotonic() - began < 4.0, "less than a command's deadline"
    hung.hangs = False
    assert f"global_setvar fsctl_living_{HOME}=" in one.told
    gevent.sleep(0.05)
    assert hung.told[told:].count(LIVING) <= 1, "what was on its way, and then no more"


# -- rescue -----------------------------------------------------------------------------------


def parked(uuids: dict[str, str]) -> dict[str, dict[str, str]]:
    """A transferor that is parked, and its transferee, which talks with a target already."""
    tr, te = uuids[TR], uuids[TE]
    mark = f"blind {tr} {EVENT}"
    transferor = {"blind_transfer_uuid": te, "sip_blind_transfer_event": EVENT}
    talks = {"bridge_to": "cccccccc-0000", "bridge_uuid": "cccccccc-0000"}
    return {
        tr: {"row.state": "CS_PARK", "fsctl_home": HOME, **transferor},
        te: {"fsctl_home": HOME, "fsctl_session": "s", "fsctl_transfer": mark, **talks},
    }


SAME = {TR: TR, TE: TE}


@pytest.mark.parametrize("trouble", ["", "gone", "hangs"])
def test_after_a_death_each_switch_is_looked_after(
    two: list[FakeSwitch], records: Records, trouble: str
) -> None:
    """The other one's state is nothing to it, and no leg is touched on the wrong switch."""
    two[0].channels |= parked(SAME)
    two[1].channels |= parked(OTHER)
    first_hangs = trouble == "hangs"
    two[0].hangs = first_hangs
    if trouble == "gone":
        two[0].stop()
    made = Rescue(settings_of(two), set)
    made.look_after(HOME)
    expected = ["pbx-2"] if trouble else ["pbx-1", "pbx-2"]
    until(lambda: sorted(each["switch"] for each in records.all) == expected)
    legs = {each["switch"]: (each["transferor"], each["transferee"]) for each in records.all}
    assert legs["pbx-2"] == (OTHER[TR], OTHER[TE])
    released = f"sched_hangup +3 {OTHER[TR]} BLIND_TRANSFER"
    until(lambda: released in two[1].told)
    assert [line for line in two[1].told if TR in line or TE in line] == []
    assert [line for line in two[0].told if OTHER[TR] in line or OTHER[TE] in line] == []
    if first_hangs:
        two[0].hangs = False
        until(lambda: len(records.all) == 2)
    made.stop()


def owed(switch: str) -> TransferRecord:
    return TransferRecord("s", "blind", TR, TE, "", EVENT, "abandoned", 503, "", {}, {}, switch)


def test_a_record_is_owed_where_the_legs_are(two: list[FakeSwitch], records: Records) -> None:
    """One of a switch that is not configured is written at once: nobody could look."""
    talks = {"bridge_to": "cccccccc-0000", "bridge_uuid": "cccccccc-0000"}
    two[1].channels[TE] = talks
    made = Rescue(settings_of(two), set)
    made.owe(owed("elsewhere"))
    assert [(each["switch"], each["outcome"]) for each in records.all] == [
        ("elsewhere", "abandoned")
    ]
    made.owe(owed("pbx-2"))
    until(lambda: len(records.all) == 2)
    assert (records.all[1]["switch"], records.all[1]["outcome"]) == ("pbx-2", "succeeded")
    assert two[0].looks == 0, "the other one is not even asked"
    until(lambda: not made.busy)


def test_stranded_legs_are_looked_for_on_their_own_switch(two: list[FakeSwitch]) -> None:
    two[1].channels |= parked(OTHER)
    made = Rescue(settings_of(two), set)
    made.look_after_legs(HOME, "elsewhere")
    assert not made.busy
    made.look_after_legs(HOME, "pbx-2")
    until(lambda: not made.busy)
    assert (two[0].looks, two[1].looks > 0) == (0, True)


def test_a_reload_takes_a_switch_away_and_adds_one(two: list[FakeSwitch]) -> None:
    both = settings_of(two)
    first, second = (Settings(switches=(each,)) for each in both.switches)
    made = Rescue(first, set)
    made.look_after(HOME)
    made.take(second)
    assert not made.busy, "the first one is FreeSWITCH's own again"
    made.look_after(HOME)
    until(lambda: not made.busy)
    assert two[1].looks > 0


def test_each_who_asks_a_worker_for_its_legs_is_answered_in_turn() -> None:
    """Two switches are looked after at once, and both ask; the second question is no answer."""
    worker = WorkerProcess.__new__(WorkerProcess)
    ours, theirs = socket.socketpair()
    worker._channel, worker._asked = Channel(ours), deque()
    worker.ready_since = 0.0
    worker._hang_timeout_s = 1.0
    asking = [gevent.spawn(worker.legs) for _ in range(2)]
    gevent.idle()
    assert theirs.recv(100) == f"{LEGS}\n{LEGS}\n".encode()
    worker._take(f"{LEGS} one")
    worker._take(f"{LEGS} one two")
    gevent.joinall(asking, timeout=5)
    assert [each.value for each in asking] == [{"one"}, {"one", "two"}]
    theirs.close()


# -- whose leg it is --------------------------------------------------------------------------


def test_a_leg_is_known_by_its_switchs_core_uuid(two: list[FakeSwitch]) -> None:
    made = Switches(settings_of(two), "127.0.0.1:8084")
    assert made.name_of(Origin("core-1", "host")) == "host", "not known yet"
    made.start()
    until(lambda: made.name_of(Origin("core-1", "x")) == "pbx-1")
    until(lambda: made.name_of(Origin("core-2", "x")) == "pbx-2")
    until(lambda: len(made._asked) == 2)
    assert made.name_of(Origin("core-9", "host")) == "host", "one beside them"
    assert made.is_connected("pbx-1") and not made.is_connected("third")
    two[0].stop()
    until(lambda: not made.is_connected("pbx-1"))
    assert made.name_of(Origin("core-3", "host")) == "pbx-1", "it has come back before our link"
    assert made.name_of(Origin("core-3", "third")) == "third"
    assert made.state(Counter({"pbx-1": 2, "third": 1})) == (
        "pbx-1 not connected, 2 sessions; pbx-2 connected, 0 sessions;"
        " third not configured, 1 sessions"
    )
    two[0] = FakeSwitch("core-3", port=two[0].port)
    until(lambda: made.name_of(Origin("core-3", "x")) == "pbx-1")
    assert made.name_of(Origin("core-1", "x")) == "pbx-1", "its legs may still have a session"
    until(lambda: made.name_of(Origin("core-9", "host")) == "host")
    made.stop()


def test_of_two_that_are_away_and_call_themselves_alike_none_is_known(
    two: list[FakeSwitch],
) -> None:
    made = Switches(settings_of(two), "127.0.0.1:8084")
    made.start()
    until(lambda: len(made._asked) == 2)
    for switch in two:
        switch.stop()
    until(lambda: not made.is_connected("pbx-1") and not made.is_connected("pbx-2"))
    assert made.name_of(Origin("core-9", "host")) == "host"
    made.stop()


def test_one_switch_under_two_names_is_said(
    two: list[FakeSwitch], caplog: pytest.LogCaptureFixture
) -> None:
    two[1].core_uuid = "core-1"
    made = Switches(settings_of(two), "127.0.0.1:8084")
    made.start()
    until(lambda: "are one FreeSWITCH" in caplog.text)
    made.stop()
