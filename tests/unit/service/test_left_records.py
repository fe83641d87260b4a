"""fsctl.service.left_records: one record of each transfer whose worker has died."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Literal, cast

import gevent
import pytest

from fsctl.esl.apis import ApiCommand
from fsctl.esl.client import SwitchClient
from fsctl.esl.commands import Command, UuidGetvar
from fsctl.esl.events import Event
from fsctl.service import left_records, orphans
from fsctl.service.left_records import LeftRecords
from fsctl.service.rescue import Rescue
from fsctl.session.transfers.record import Kind, TransferRecord, marking
from fsctl.settings import Settings, Switch, Transfer
from fsctl.switch.refer_variables import ASKS_TO_SAY
from tests.unit.records import Records
from tests.unit.service.fake_switch import Channel, FakeSwitch

DEAD = "127.0.0.1:9001"
TE, TR, TARGET = (f"{digit * 8}-0000-4000-8000-{digit * 12}" for digit in "abc")
EVENT = "refer;id=7"
BY_KEYS = f"attended {TR} dddddddd-0000-4000-8000-dddddddddddd keys"


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSwitch]:
    monkeypatch.setattr(orphans, "POLL_S", 0.001)
    made = FakeSwitch()
    yield made
    made.stop()


def orphans_of(switch: FakeSwitch) -> Rescue:
    """Who looks after those of this switch; it has not begun."""
    settings = Switch(port=switch.port, password="x", enabled=True)
    return Rescue(Settings(switches=(settings,)), set)


def looked(switch: FakeSwitch, made: Rescue | None = None, *, dead: bool = True) -> Rescue:
    """One that has looked until nothing more was to be done, or ten times."""
    made = made or orphans_of(switch)
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
    return {**own, "bridge_uuid": TR, **more}


@pytest.mark.parametrize(
    ("channel", "outcome", "code"),
    [
        ({"bridge_to": TARGET, "bridge_uuid": TARGET}, "succeeded", 200),
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


def test_what_keys_have_begun_says_so(switch: FakeSwitch, records: Records) -> None:
    switch.channels[TE] = transferee(bridge_to=TARGET, bridge_uuid=TARGET, fsctl_transfer=BY_KEYS)
    looked(switch)
    (record,) = records.all
    assert (record["outcome"], record["kind"], record["start"]) == ("succeeded", "attended", "keys")


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


def test_somebody_else_has_the_transferee_whose_target_was_awaited(
    switch: FakeSwitch, records: Records
) -> None:
    """It was said to have succeeded, with whomever that is."""
    told = {"fsctl_owed": f"{EVENT} 487 Request Terminated"}
    switch.channels |= {TE: transferee(bridge_to=TARGET, fsctl_stage="kept"), TR: told}
    looked(switch)
    (record,) = records.all
    assert (record["outcome"], record["code"]) == ("failed", 487)


def test_an_operator_has_asked_and_the_target_has_not_answered(
    switch: FakeSwitch, records: Records
) -> None:
    asked_by = f"blind {TR} {TARGET}"
    switch.channels[TE] = transferee(
        bridge_to=TR, fsctl_stage="joined", fsctl_transfer=asked_by, sip_invite_failure_status="486"
    )
    looked(switch)
    (record,) = records.all
    assert (record["start"], record["refer"], record["code"]) == ("command", TARGET, 503)


@pytest.mark.parametrize(
    "channels",
    [
        {TE: transferee(fsctl_recorded=f"{TR} {EVENT}", bridge_to=TARGET)},
        {TE: transferee(bridge_to=TARGET), TR: {"fsctl_refer_recorded": f"{TR} {EVENT}"}},
        {TE: transferee(fsctl_home="127.0.0.1:9002", bridge_to=TARGET)},
        {TE: transferee()},
        {TE: transferee(bridge_to=TR, fsctl_stage="kept")},
        {TE: {"fsctl_home": DEAD}},
        {TE: transferee(bridge_to=TR, fsctl_stage="kept")},
        {TE: transferee(bridge_to=TR, fsctl_transfer=BY_KEYS), TR: {"soft_holding_uuid": TE}},
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
    switch.channels[TE] = transferee(bridge_to=TARGET, bridge_uuid=TARGET)
    made = orphans_of(switch)
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
        switch.channels[TE] = transferee(bridge_to=TARGET, bridge_uuid=TARGET)
    made = orphans_of(switch)
    numbers = {"transferee": "2000"}
    made.owe(
        TransferRecord(
            "s-1", "blind", TR, TE, "", EVENT, "abandoned", 503, "", numbers, {}, "freeswitch"
        )
    )
    looked(switch, made, dead=False)
    (record,) = records.all
    assert record["outcome"] == ("succeeded" if there else "abandoned")
    assert record["numbers"] == numbers


def test_a_transferee_of_whose_end_the_switch_tells_later(
    switch: FakeSwitch, records: Records
) -> None:
    """Its bridge is not over while its partner waits: with whom it talked is not known yet."""
    switch.channels[TE] = transferee()
    made = orphans_of(switch)
    made.look_after(DEAD)
    with gevent.Timeout(10):
        while switch.looks < 2:  # the first one is over
            gevent.sleep(0.002)
        switch.channels[TE] = transferee(bridge_uuid=TARGET)
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
    switch.channels[TE] = moved | {"bridge_to": TARGET, "bridge_uuid": TARGET}
    looked(switch)
    assert not records.all


LOOPBACK = "dddddddd-0000-4000-8000-dddddddddddd"


@pytest.mark.parametrize(
    ("channels", "result"),
    [
        ({TE: {"bridge_to": TR}}, [("failed", 403)]),
        ({TE: {"bridge_to": TR}, LOOPBACK: {}}, []),
        ({TE: {"bridge_to": TARGET, "bridge_uuid": TARGET}}, [("succeeded", 200)]),
        # What an earlier transfer has left is no word of this one.
        ({TE: {"bridge_to": TR, "sip_invite_failure_status": "486"}}, [("failed", 403)]),
        (
            {TE: {"bridge_to": TARGET, "bridge_uuid": TARGET, "fsctl_stage": "done"}},
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


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
@pytest.mark.parametrize("owed", [False, True], ids=["found", "owed already"])
def test_of_a_transferee_that_has_left_one_record_is_written(
    switch: FakeSwitch, records: Records, mode: Literal["in-session", "legacy"], owed: bool
) -> None:
    """Both its worker, which has lost its link, and its parked transferor speak of it."""
    parked = {"row.state": "CS_PARK", "fsctl_home": DEAD, "fsctl_session": "s-1"}
    switch.channels[TR] = parked | {"blind_transfer_uuid": TE, "sip_blind_transfer_event": EVENT}
    made = Rescue(
        Settings(
            switches=(Switch(port=switch.port, password="x", enabled=True),),
            transfer=Transfer(mode=mode),
        ),
        set,
    )
    kind: Kind = "legacy" if mode == "legacy" else "blind"
    if owed:
        numbers = {"transferee": "2000"}
        made.owe(
            TransferRecord(
                "s-1", kind, TR, TE, "", EVENT, "abandoned", 503, "", numbers, {}, "freeswitch"
            )
        )
    looked(switch, made)
    (record,) = records.all
    assert (record["kind"], record["outcome"], record["code"]) == (kind, "abandoned", 487)
    assert bool(record["numbers"]) is owed


def test_what_was_owed_for_another_refer_is_not_this_ones(
    switch: FakeSwitch, records: Records
) -> None:
    switch.channels |= {TE: transferee(bridge_to=TR), TR: {"fsctl_owed": "refer;id=5 486 Old"}}
    looked(switch)
    (record,) = records.all
    assert record["code"] == 403


class Client:
    """FreeSWITCH, asked in the test's own greenlet."""

    def __init__(self, **channels: Channel) -> None:
        self.channels = channels
        self.living = False

    def api(self, command: ApiCommand) -> str:
        word, *arguments = command.line().split(" ")
        if word == "uuid_exists":
            return "true" if arguments[0] in self.channels else "false"
        if word == "global_getvar":
            return "yes" if self.living else ""
        raise AssertionError(word)

    def send_all(self, commands: list[Command]) -> list[SimpleNamespace]:
        return [SimpleNamespace(text=self._answer(each)) for each in commands]

    def _answer(self, command: Command) -> str:
        if not isinstance(command, UuidGetvar):
            return "+OK"
        channel = self.channels.get(command.channel_uuid)
        return (
            "-ERR No such channel!" if channel is None else channel.get(command.variable, "_undef_")
        )


def test_a_transferee_that_is_no_channel_any_more_is_heard_of_until_the_next_look(
    records: Records,
) -> None:
    """The event that says with whom it has talked may be on its way."""
    client, made = Client(**{TE: transferee()}), LeftRecords("freeswitch")
    asked = cast(SwitchClient, client)
    made.look(asked, [TE], set(), {DEAD})
    ended = client.channels.pop(TE) | {"bridge_uuid": TARGET}
    made.look(asked, [], set(), {DEAD})
    assert not records.all
    lines = [f"Unique-ID: {TE}", *(f"variable_{name}: {text}" for name, text in ended.items())]
    made.hear(Event("\n".join(lines).encode()))
    made.look(asked, [], set(), {DEAD})
    (record,) = records.all
    assert (record["outcome"], record["target"]) == ("succeeded", TARGET)


def test_whose_sign_of_life_stands_is_looked_at_again(records: Records) -> None:
    """It may have died a moment ago: the sign of life outlives it."""
    client, made = Client(**{TE: transferee(bridge_to=TARGET)}), LeftRecords("freeswitch")
    asked = cast(SwitchClient, client)
    client.living = True
    made.look_for_everybody()
    made.look(asked, [TE], set(), set())
    assert made.waiting and not records.all
    client.living = False
    for _ in range(2):  # only a talk that goes on is one
        made.look(asked, [TE], set(), set())
    assert [record["outcome"] for record in records.all] == ["succeeded"]


def outcomes(client: Client, looks: list[set[str]], held: set[str], records: Records) -> list[str]:
    """After so many looks, at which these channels were in the table."""
    made = LeftRecords("freeswitch")
    for present in looks:
        made.look(cast(SwitchClient, client), sorted(present), held, {DEAD})
    return [record["outcome"] for record in records.all]


@pytest.mark.parametrize(
    ("channel", "looks", "held", "written"),
    [
        ({"bridge_to": TARGET}, 1, set(), []),  # only a talk that goes on is one
        ({"bridge_to": TARGET}, 2, set(), ["succeeded"]),
        ({"bridge_to": TARGET}, 2, {TE}, []),
        ({"fsctl_stage": "forsaken"}, 1, set(), ["failed"]),
        ({"fsctl_stage": "done"}, 1, set(), ["failed"]),
        ({"fsctl_stage": "calling"}, 2, set(), []),
    ],
)
def test_a_transferee_that_is_there(
    records: Records, channel: Channel, looks: int, held: set[str], written: list[str]
) -> None:
    client = Client(**{TE: transferee(**channel)})
    if held:  # it was nobody's at the first look
        made = LeftRecords("freeswitch")
        for now in (set(), held):
            made.look(cast(SwitchClient, client), [TE], now, {DEAD})
        assert [record["outcome"] for record in records.all] == written
    else:
        assert outcomes(client, [{TE}] * looks, held, records) == written


@pytest.mark.parametrize(
    ("ended", "outcome", "target"),
    [
        ({"bridge_uuid": TARGET}, "succeeded", TARGET),
        ({"bridge_uuid": TR}, "abandoned", ""),
        ({"bridge_uuid": TARGET, "bridge_pre_execute_aleg_app": "eval"}, "abandoned", ""),
        ({"bridge_uuid": TARGET, **dict.fromkeys(ASKS_TO_SAY, "eval")}, "succeeded", TARGET),
    ],
)
def test_a_transferee_that_has_hung_up(
    records: Records, ended: Channel, outcome: str, target: str
) -> None:
    client, made = Client(**{TE: transferee()}), LeftRecords("freeswitch")
    asked = cast(SwitchClient, client)
    made.look(asked, [TE], set(), {DEAD})
    known = client.channels.pop(TE) | ended
    lines = [f"Unique-ID: {TE}", *(f"variable_{name}: {text}" for name, text in known.items())]
    made.hear(Event("\n".join(lines).encode()))
    made.look(asked, [], set(), {DEAD})
    (record,) = records.all
    assert (record["outcome"], record["target"]) == (outcome, target)


def test_a_transferee_that_talked_at_the_last_look_and_is_gone(records: Records) -> None:
    """Nobody has told of its end."""
    client = Client(**{TE: transferee(bridge_to=TARGET)})
    made, asked = LeftRecords("freeswitch"), cast(SwitchClient, client)
    made.look(asked, [TE], set(), {DEAD})
    del client.channels[TE]
    made.look(asked, [], set(), {DEAD})
    (record,) = records.all
    assert (record["outcome"], record["target"]) == ("succeeded", TARGET)


def test_what_is_owed_is_written_when_nobody_looks_any_more(records: Records) -> None:
    made = LeftRecords("freeswitch")
    made.owe(
        TransferRecord(
            "s-1", "blind", TR, TE, "", EVENT, "abandoned", 503, "", {}, {}, "freeswitch"
        )
    )
    made.give_up()
    assert [record["outcome"] for record in records.all] == ["abandoned"] and not made.waiting


def test_what_is_owed_is_written_when_the_switch_cannot_be_asked(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "POLL_S", 0.001)
    monkeypatch.setattr(orphans, "_CONNECT_S", 0.05)
    gone = FakeSwitch()
    gone.stop()
    made = orphans_of(gone)
    made.look_after(DEAD)
    made.owe(
        TransferRecord(
            "s-1", "blind", TR, TE, "", EVENT, "abandoned", 503, "", {}, {}, "freeswitch"
        )
    )
    with gevent.Timeout(10):
        while not records.all:
            gevent.sleep(0.005)
    assert made.busy, "the switch may come back"
    made.stop()
    assert [record["outcome"] for record in records.all] == ["abandoned"]


def test_a_dead_worker_is_not_looked_after_for_ever(
    switch: FakeSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transferee is there, and what becomes of it is never seen."""
    monkeypatch.setattr(orphans, "_GIVE_UP_S", 0.1)
    parked = {"row.state": "CS_PARK", "fsctl_home": DEAD, "blind_transfer_uuid": TE}
    switch.channels |= {TE: {"bridge_to": TR}, TR: parked}
    made = orphans_of(switch)
    made.look_after(DEAD)
    with gevent.Timeout(10):
        while made.busy:
            gevent.sleep(0.005)


def test_a_sign_of_life_that_stays_is_somebodys(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_records, "EXPIRY_S", -2.0)
    client, made = Client(**{TE: transferee(bridge_to=TARGET)}), LeftRecords("freeswitch")
    client.living = True
    made.look_for_everybody()
    made.look(cast(SwitchClient, client), [TE], set(), set())
    assert not made.waiting and not records.all


def test_what_is_owed_again_when_it_has_been_written_is_not_written_twice(
    switch: FakeSwitch, records: Records
) -> None:
    """The legs that would say so have gone meanwhile, its transferor's too."""
    switch.channels[TE] = transferee()
    made = orphans_of(switch)
    made.look_after(DEAD)
    with gevent.Timeout(10):
        while switch.looks < 2:
            gevent.sleep(0.002)
        switch.channels[TE] = transferee()
        switch.tell_hangup(TE)
        while not records.all:
            gevent.sleep(0.002)
    made.owe(
        TransferRecord(
            "s-1", "blind", TR, TE, "", EVENT, "abandoned", 487, "", {}, {}, "freeswitch"
        )
    )
    looked(switch, made, dead=False)
    assert len(records.all) == 1
