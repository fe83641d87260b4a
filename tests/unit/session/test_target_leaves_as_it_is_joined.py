"""The target leaves in the moment of its join: FreeSWITCH has reported that, or gives it up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fsctl.esl.events import Event
from fsctl.scenario import CallAlerting, Connected, Scenario
from fsctl.scenario.loader import load
from fsctl.session.arrivals import legs
from fsctl.session.arrivals.events import _TAKERS
from fsctl.settings import Transfer
from fsctl.simulator import bridge
from fsctl.simulator.channel import Channel
from fsctl.simulator.faults import late
from fsctl.simulator.phone import Phone
from fsctl.simulator.signals import wait_for
from fsctl.stage import CALLS, Stage

SAMPLE = Path(__file__).parents[3] / "examples" / "call_user_transfer.py"
"""It calls the target by itself for Bob, the callee; the settings do so for Alice."""


def joins_only() -> Scenario:
    """The settings serve the transfers of both."""
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event: CallAlerting) -> None:
        callee = event.session.call_user(event.destination)

        @callee.on(Connected)
        def connected(joined: Connected) -> None:
            event.call.answer()
            event.session.send_media_between(event.call, joined.call)

    return scenario


def talking(playing: Stage, transferor: str) -> tuple[Stage, list[Phone], Phone]:
    """1000 and 1001 talk; return all phones, 1002 too, and who is to send the REFER."""
    phones = [playing.phone(number) for number in ("1000", "1001", "1002")]
    alice, bob, _ = phones
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    return playing, phones, alice if transferor == alice.number else bob


def leaves(monkeypatch: pytest.MonkeyPatch, moment: str, who: str = "target") -> None:
    """Whoever was called under 1002 leaves at that moment of a join, or the other one does."""
    joining, parting = getattr(bridge, moment), bridge._part

    def leave(caller: Channel, peer: Channel) -> None:
        joining(caller, peer)
        if "1002" in peer.name:
            bridge.hang_up(peer if who == "target" else caller, "NORMAL_CLEARING")
            wait_for(
                [], bool, peer.switch.clock, 0.05
            )  # the news of it are there before the bridge returns

    def part(caller: Channel, peer: Channel) -> None:
        parting(caller, peer)
        if "1002" in peer.name:  # switch_ivr_bridge.c, audio_bridge_thread, does not find it
            caller.set_variable("bridge_to", peer.uuid)

    monkeypatch.setattr(bridge, moment, leave)
    monkeypatch.setattr(bridge, "_part", part)


def news_are_late(playing: Stage, late_s: float) -> None:
    """Of all events, on every link."""
    delay = late(late_s)
    playing.switch.faults.append(lambda frame: delay(frame) if frame.kind == "event" else None)


@pytest.mark.parametrize("made", [lambda: load(SAMPLE), joins_only], ids=["sample", "joins only"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("moment", ["_introduce", "_bond"])
def test_the_transferee_leaves_as_it_is_joined(stage, monkeypatch, moment, transferor, made):
    """FreeSWITCH has told us of the join, and tells the transferor nothing if it leaves by then."""
    playing, phones, sender = talking(stage(made()), transferor)
    leaves(monkeypatch, moment, "transferee")
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: not any(phone.in_call for phone in phones))
    told = "487 Request Terminated" if moment == "_introduce" else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]


@pytest.mark.parametrize("made", [lambda: load(SAMPLE), joins_only], ids=["sample", "joins only"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("moment", ["_introduce", "_bond"])
def test_the_target_leaves_as_it_is_joined(stage, monkeypatch, moment, transferor, made):
    """A join that was given up is no success: the first two talk on, and one report is sent."""
    playing, (alice, bob, _carol), sender = talking(stage(made()), transferor)
    leaves(monkeypatch, moment)
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: sender.notifies)
    if moment == "_introduce":
        playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    else:
        playing.until(lambda: not alice.in_call and not bob.in_call)
    told = "487 Request Terminated" if moment == "_introduce" else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]


@pytest.mark.parametrize("late_s", [0.03, 0.3])
@pytest.mark.parametrize("made", [lambda: load(SAMPLE), joins_only], ids=["sample", "joins only"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("moment", ["_introduce", "_bond"])
def test_the_transferee_is_back_before_the_news_of_its_join(
    stage, monkeypatch, moment, transferor, made, late_s
):
    """It comes by a link of its own; FreeSWITCH looks at another's events every 20 ms."""
    playing, (alice, bob, _carol), sender = talking(stage(made()), transferor)
    leaves(monkeypatch, moment)
    news_are_late(playing, late_s)
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: sender.notifies, 10.0)
    if moment == "_introduce":
        playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    else:
        playing.until(lambda: not alice.in_call and not bob.in_call, 10.0)
    told = "487 Request Terminated" if moment == "_introduce" else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]


@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("moment", ["_introduce", "_bond"])
def test_the_transferee_of_a_legacy_transfer_leaves(stage, monkeypatch, moment, transferor):
    """FreeSWITCH alone reports it; where it does not, somebody must."""
    legacy = replace(CALLS, transfer=Transfer(mode="legacy"))
    playing, phones, sender = talking(stage(settings=legacy), transferor)
    leaves(monkeypatch, moment, "transferee")
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: not any(phone.in_call for phone in phones))
    told = "487 Request Terminated" if moment == "_introduce" else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]


@pytest.mark.parametrize("late_s", [0.0, 0.3])
@pytest.mark.parametrize("made", [lambda: None, joins_only], ids=["settings", "scenario"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("moment", ["_introduce", "_bond"])
def test_the_target_of_a_legacy_transfer_leaves(
    stage, monkeypatch, moment, transferor, made, late_s
):
    """Also where a scenario joins: FreeSWITCH reports, and joins the first two again."""
    legacy = replace(CALLS, transfer=Transfer(mode="legacy"))
    playing, (alice, bob, _carol), sender = talking(stage(made(), settings=legacy), transferor)
    leaves(monkeypatch, moment)
    news_are_late(playing, late_s)
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: sender.notifies, 10.0)
    if moment == "_introduce":
        playing.until(lambda: alice.hears == "1001" and bob.hears == "1000", 10.0)
    else:
        playing.until(lambda: not alice.in_call and not bob.in_call, 10.0)
    told = "487 487" if moment == "_introduce" else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]


def test_a_join_that_was_given_up_is_none_when_its_time_is_over(stage, monkeypatch):
    """Neither the news of it have come, nor those of the transferee's return."""
    tell, back = _TAKERS["CHANNEL_BRIDGE"], legs.came_back
    monkeypatch.setitem(
        _TAKERS,
        "CHANNEL_BRIDGE",
        lambda session, event: None if is_late(event) else tell(session, event),
    )
    monkeypatch.setattr(
        legs,
        "came_back",
        lambda session, call: None if call.number == "1000" else back(session, call),
    )

    def is_late(event: Event) -> bool:
        return "1002" in (event.get("Other-Leg-Channel-Name") or "")

    playing = stage(load(SAMPLE))
    alice, bob = playing.phone("1000"), playing.phone("1001")
    playing.phone("1002")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    leaves(monkeypatch, "_introduce")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies)
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    assert [body for _, body in bob.notifies] == ["SIP/2.0 503 Service Unavailable"]


@pytest.mark.parametrize("transferor", ["1000", "1001"])
def test_in_a_legacy_transfer_whoever_is_told_late_is_not_hung_up_before(
    stage, monkeypatch, transferor
):
    playing = stage(settings=replace(CALLS, transfer=Transfer(mode="legacy")))
    phones = [playing.phone(number) for number in ("1000", "1001", "1002")]
    phones[0].calls("1001")
    playing.until(lambda: phones[0].hears == "1001" and phones[1].hears == "1000")
    joining = bridge._introduce

    def introduce(caller: Channel, peer: Channel) -> None:
        joining(caller, peer)
        if "1002" in peer.name:
            wait_for([], bool, peer.switch.clock, 8.0)

    monkeypatch.setattr(bridge, "_introduce", introduce)
    (sender,) = (phone for phone in phones if phone.number == transferor)
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: sender.notifies or not sender.in_call)
    assert [body for _, body in sender.notifies] == ["SIP/2.0 200 OK"]
    playing.until(lambda: not sender.in_call, 8.0)


@pytest.mark.parametrize("made", [lambda: load(SAMPLE), joins_only], ids=["sample", "joins only"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("leaves_meanwhile", [False, True])
def test_whoever_is_told_late_is_not_hung_up_before(
    stage, monkeypatch, transferor, made, leaves_meanwhile
):
    """FreeSWITCH executes what waits on the transferee before it reports the join."""
    playing = stage(made())
    alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    joining = bridge._introduce

    def introduce(caller: Channel, peer: Channel) -> None:
        joining(caller, peer)
        if "1002" in peer.name:
            wait_for([], bool, peer.switch.clock, 8.0)
            if leaves_meanwhile:
                bridge.hang_up(peer, "NORMAL_CLEARING")

    monkeypatch.setattr(bridge, "_introduce", introduce)
    sender, other = (alice, bob) if transferor == alice.number else (bob, alice)
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: sender.notifies or not sender.in_call)
    told = "487 Request Terminated" if leaves_meanwhile else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]
    partner = sender if leaves_meanwhile else carol
    playing.until(lambda: other.hears == partner.number)
    playing.until(lambda: leaves_meanwhile or not sender.in_call)
    assert other.in_call and partner.in_call


def hears_for_ever(monkeypatch: pytest.MonkeyPatch, sound: str) -> list[Channel]:
    """Somebody lets the transferee hear this as it is joined with whom was called under 1002.

    Return where it stands as soon as it is.
    """
    joining, hears = bridge._introduce, list[Channel]()

    def introduce(caller: Channel, peer: Channel) -> None:
        joining(caller, peer)
        if "1002" in peer.name:
            said = {"call-command": "execute", "execute-app-name": "playback"}
            caller.pending.append(said | {"execute-app-arg": sound})
            hears.append(caller)

    monkeypatch.setattr(bridge, "_introduce", introduce)
    return hears


@pytest.mark.parametrize("made", [lambda: load(SAMPLE), joins_only], ids=["sample", "joins only"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
@pytest.mark.parametrize("target_leaves", [False, True])
def test_what_holds_a_join_up_is_broken_off(
    stage, monkeypatch, caplog, transferor, made, target_leaves
):
    """What somebody lets the transferee hear has no end: the search for the report has one."""
    playing, (alice, bob, carol), sender = talking(stage(made()), transferor)
    hears = hears_for_ever(monkeypatch, "tone_stream://%(4000,0,440);loops=-1")
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: hears)
    if target_leaves:
        carol.hangs_up()
    playing.until(lambda: sender.notifies, 16.0)
    if target_leaves:
        playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    else:
        other = bob if sender is alice else alice
        playing.until(lambda: other.hears == "1002" and carol.in_call)
        playing.until(lambda: not sender.in_call)
    told = "487 Request Terminated" if target_leaves else "200 OK"
    assert [body for _, body in sender.notifies] == [f"SIP/2.0 {told}"]
    assert target_leaves or "not reported it" in caplog.text


@pytest.mark.parametrize("made", [lambda: load(SAMPLE), joins_only], ids=["sample", "joins only"])
@pytest.mark.parametrize("transferor", ["1000", "1001"])
def test_a_join_that_nothing_brings_about_is_given_up(stage, monkeypatch, transferor, made):
    """What holds it up does not end when it is broken off: the first two have each other again."""
    playing, (alice, bob, carol), sender = talking(stage(made()), transferor)
    joining = bridge._introduce

    def introduce(caller: Channel, peer: Channel) -> None:
        joining(caller, peer)
        if "1002" in peer.name:
            wait_for(
                [caller.signal], lambda: bool(caller.flags & bridge.MOVED), playing.switch.clock
            )

    monkeypatch.setattr(bridge, "_introduce", introduce)
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: sender.notifies, 20.0)
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    assert [body for _, body in sender.notifies] == ["SIP/2.0 503 Service Unavailable"]
    assert not carol.in_call
