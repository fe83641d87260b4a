"""fsctl.service.left_records: one record of each transfer whose worker has died."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from fsctl.service import orphans
from fsctl.service.orphans import Orphans
from fsctl.session.transfers.record import TransferRecord, marking
from fsctl.settings import Settings, Switch
from tests.unit.records import Records
from tests.unit.service.fake_switch import Channel, FakeSwitch

DEAD = "127.0.0.1:9001"
TE, TR, TARGET = (f"{digit * 8}-0000-4000-8000-{digit * 12}" for digit in "abc")
EVENT = "refer;id=7"


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSwitch]:
    monkeypatch.setattr(orphans, "POLL_S", 0.01)
    made = FakeSwitch()
    yield made
    made.stop()


def looked(switch: FakeSwitch, made: Orphans | None = None, *, dead: bool = True) -> Orphans:
    """One that has looked until nothing more was to be done, or ten times."""
    settings = Switch(host="127.0.0.1", port=switch.port, password="x", enabled=True)
    made = made or Orphans(Settings(switch=settings), set)
    if dead:
        made.look_after(DEAD)
    until = switch.looks + 10
    with gevent.Timeout(10):
        while made.busy and switch.looks < until:
            gevent.sleep(0.002)
    made.stop()
    return made


def transferee(**more: str) -> Channel:
    own = {"fsctl_home": DEAD, "fsctl_session": "s-1", "fsctl_transfer": f"blind {TR} {EVENT}"}
    return {**own, "last_bridge_to": TR, **more}


@pytest.mark.parametrize(
    ("channel", "outcome", "code"),
    [
        ({"bridge_to": TARGET, "last_bridge_to": TARGET}, "succeeded", 200),
        ({"bridge_to": TR, "sip_invite_failure_status": "486"}, "failed", 486),
        ({"bridge_to": TR}, "failed", 403),
        ({"fsctl_failed": "true"}, "failed", 403),
        ({"fsctl_stage": "recall", "bridge_to": TARGET}, "failed", 403),
    ],
)
def test_the_end_is_read_from_the_channels(
    switch: FakeSwitch, records: Records, channel: Channel, outcome: str, code: int
) -> None:
    switch.channels[TE] = transferee(**channel)
    looked(switch)
    (record,) = records.all
    assert (record["outcome"], record["code"]) == (outcome, code)
    assert record["target"] == (TARGET if outcome == "succeeded" else "")
    assert (record["session"], record["refer"], record["transferor"]) == ("s-1", EVENT, TR)
    assert f"uuid_setvar {TE} fsctl_recorded '{TR} {EVENT}'" in switch.told


def test_what_its_worker_was_to_tell_is_what_the_record_says(
    switch: FakeSwitch, records: Records
) -> None:
    switch.channels |= {
        TE: transferee(bridge_to=TR),
        TR: {"fsctl_owed": f"{EVENT} 486 Gone fishing"},
    }
    looked(switch)
    (record,) = records.all
    assert (record["code"], record["reason"]) == (486, "Gone fishing")


@pytest.mark.parametrize(
    "channels",
    [
        {TE: transferee(fsctl_recorded=f"{TR} {EVENT}", bridge_to=TARGET)},
        {TE: transferee(bridge_to=TARGET), TR: {"fsctl_refer_recorded": f"{TR} {EVENT}"}},
        {TE: transferee(fsctl_home="127.0.0.1:9002", bridge_to=TARGET)},
        {TE: transferee()},
        {TE: {"fsctl_home": DEAD}},
    ],
)
def test_what_is_written_undecided_or_somebody_elses_is_not_written(
    switch: FakeSwitch, records: Records, channels: dict[str, Channel]
) -> None:
    switch.channels |= channels
    looked(switch)
    assert not records.all


def test_who_comes_up_looks_for_what_everybody_has_left(
    switch: FakeSwitch, records: Records
) -> None:
    switch.channels[TE] = transferee(bridge_to=TARGET, last_bridge_to=TARGET)
    settings = Switch(host="127.0.0.1", port=switch.port, password="x", enabled=True)
    made = Orphans(Settings(switch=settings), set)
    made.look_for_records()
    looked(switch, made, dead=False)
    (record,) = records.all
    assert record["outcome"] == "succeeded"


@pytest.mark.parametrize("there", [True, False])
def test_a_transfer_whose_worker_has_lost_its_link(
    switch: FakeSwitch, records: Records, there: bool
) -> None:
    """What the worker knew stands where nobody knows better."""
    if there:
        switch.channels[TE] = transferee(bridge_to=TARGET, last_bridge_to=TARGET)
    settings = Switch(host="127.0.0.1", port=switch.port, password="x", enabled=True)
    made = Orphans(Settings(switch=settings), set)
    numbers = {"transferee": "2000"}
    made.owe(TransferRecord("s-1", "blind", TR, TE, "", EVENT, "abandoned", 503, "", numbers, {}))
    looked(switch, made, dead=False)
    (record,) = records.all
    assert record["outcome"] == ("succeeded" if there else "abandoned")
    assert record["numbers"] == numbers


def test_a_transferee_of_whose_end_the_switch_tells_later(
    switch: FakeSwitch, records: Records
) -> None:
    """Its bridge is not over while its partner waits: with whom it talked is not known yet."""
    switch.channels[TE] = transferee()
    settings = Switch(host="127.0.0.1", port=switch.port, password="x", enabled=True)
    made = Orphans(Settings(switch=settings), set)
    made.look_after(DEAD)
    with gevent.Timeout(10):
        while switch.looks < 2:  # the first one is over
            gevent.sleep(0.002)
        switch.channels[TE] = transferee(last_bridge_to=TARGET)
        switch.hung_up.add(TE)
        until = switch.looks + 5
        while switch.looks < until:
            gevent.sleep(0.002)
        assert not records.all
        switch.tell_hangup(TE)
    looked(switch, made, dead=False)
    (record,) = records.all
    assert (record["outcome"], record["target"]) == ("succeeded", TARGET)


@pytest.mark.parametrize("recorded", ["", f"{TR} {EVENT}"])
def test_a_transferee_that_has_left_before_anybody_listened(
    switch: FakeSwitch, records: Records, recorded: str
) -> None:
    """It took what is owed with it: its transferor is told, and stands in the record."""
    parked = {"row.state": "CS_PARK", "fsctl_home": DEAD, "fsctl_session": "s-1"}
    switch.channels[TR] = parked | {"blind_transfer_uuid": TE, "sip_blind_transfer_event": EVENT}
    if recorded:
        switch.channels[TR]["fsctl_refer_recorded"] = recorded
    looked(switch)
    assert [(each["outcome"], each["code"], each["session"]) for each in records.all] == (
        [] if recorded else [("abandoned", 487, "s-1")]
    )


def test_who_has_been_moved_and_moves_somebody_keeps_both_marks(
    switch: FakeSwitch, records: Records
) -> None:
    """Written over, the first one would be taken for a transfer without a record."""
    own = TransferRecord(
        "s-1", "blind", TE, TARGET, "", "refer;id=9", "succeeded", 200, "OK", {}, {}
    )
    lines = [command.lines()[0] for command in marking(own)]
    assert not [line for line in lines if f"{TE} fsctl_recorded" in line]
    moved = transferee(fsctl_recorded=f"{TR} {EVENT}", fsctl_refer_recorded=f"{TE} refer;id=9")
    switch.channels[TE] = moved | {"bridge_to": TARGET, "last_bridge_to": TARGET}
    looked(switch)
    assert not records.all


LOOPBACK = "dddddddd-0000-4000-8000-dddddddddddd"


@pytest.mark.parametrize(
    ("channels", "result"),
    [
        ({TE: {"bridge_to": TR}}, [("failed", 403)]),
        ({TE: {"bridge_to": TR}, LOOPBACK: {}}, []),
        ({TE: {"bridge_to": TARGET, "last_bridge_to": TARGET}}, [("succeeded", 200)]),
        # What an earlier transfer has left is no word of this one.
        ({TE: {"bridge_to": TR, "sip_invite_failure_status": "486"}}, [("failed", 403)]),
        (
            {TE: {"bridge_to": TARGET, "last_bridge_to": TARGET, "fsctl_stage": "done"}},
            [("succeeded", 200)],
        ),
    ],
    ids=["refused", "undecided", "joined", "refused-after-another", "joined-after-another"],
)
def test_an_attended_transfer(
    switch: FakeSwitch,
    records: Records,
    channels: dict[str, Channel],
    result: list[tuple[str, int]],
) -> None:
    """The first two talk on until it is granted: only when nobody is asked any more it is over."""
    mark = {"fsctl_transfer": f"attended {TR} {LOOPBACK}"}
    channels[TE] = transferee(**mark) | channels[TE]
    switch.channels |= channels
    looked(switch)
    assert [(each["outcome"], each["code"]) for each in records.all] == result
    assert all((each["kind"], each["refer"]) == ("attended", LOOPBACK) for each in records.all)
