"""What the verbs do to who hears whom, and to a phone that is sent elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fsctl.scenario import (
    CallAlerting,
    OffHold,
    OnHold,
    Scenario,
    ToneReceived,
    TransferComplete,
    TransferFailed,
)
from fsctl.scenario.call import Call
from fsctl.scenario.session import Session
from fsctl.simulator import Phone
from fsctl.stage import Stage
from fsctl.testing import MakeStage

NOBODY = ("", "silence")
Body = Callable[[Session, Call, Call], None]
Serve = Callable[[Body], tuple[Stage, Phone, Phone]]


class Keys:
    """A scenario that waits for a key, and a phone that presses it then, and not before."""

    def __init__(self) -> None:
        self._asked = self._heard = 0

    def wait(self, call: Call) -> None:
        call.handle_tones(True)
        self._asked += 1
        call.wait_for(ToneReceived)
        self._heard += 1

    def press(self, switch: Stage, phone: Phone) -> None:
        before = self._heard
        switch.until(lambda: self._asked > before)
        phone.sends_digits("1")
        switch.until(lambda: self._heard > before)


@pytest.fixture
def serve(stage: MakeStage) -> Serve:
    """Alice's call is answered, Bob called for her; then ``body`` goes on with the two."""

    def start(body: Body) -> tuple[Stage, Phone, Phone]:
        scenario = Scenario()

        @scenario.on(CallAlerting)
        def alerting(event: CallAlerting) -> None:
            event.call.answer()
            bob = event.session.call_user("1001")
            bob.wait_connected()
            body(event.session, event.call, bob)

        switch = stage(scenario)
        alice, bob = switch.phone("1000"), switch.phone("1001")
        alice.calls("1001")
        switch.until(lambda: alice.in_call and bob.in_call)
        return switch, alice, bob

    return start


def test_one_way_and_both_and_the_other_way(serve: Serve) -> None:
    keys = Keys()

    def body(session: Session, alice: Call, bob: Call) -> None:
        bob.send_media_to(alice)
        keys.wait(alice)
        alice.send_media_to(bob)
        keys.wait(alice)
        bob.stop_media_to(alice)

    switch, alice, bob = serve(body)
    switch.until(lambda: alice.hears == "1001")
    assert bob.hears in NOBODY
    keys.press(switch, alice)
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    keys.press(switch, alice)
    switch.until(lambda: alice.hears in NOBODY and bob.hears == "1000")


def test_parted_and_joined_again(serve: Serve) -> None:
    """Nobody is hung up, and nobody is muted, when they talk again."""

    keys = Keys()

    def body(session: Session, alice: Call, bob: Call) -> None:
        session.send_media_between(alice, bob)
        keys.wait(bob)
        alice.stop_media_to(bob)
        bob.stop_media_to(alice)
        keys.wait(bob)
        session.send_media_between(alice, bob)

    switch, alice, bob = serve(body)
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    keys.press(switch, bob)
    switch.until(lambda: alice.hears in NOBODY and bob.hears in NOBODY)
    switch.advance(5)
    assert alice.in_call and bob.in_call
    keys.press(switch, bob)
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    alice.hangs_up()
    switch.until(lambda: not bob.in_call and not switch.worker.switchboard.sessions)


def test_keys_are_told_of_the_call_that_asked_for_them(serve: Serve) -> None:
    """Both legs' come by the same link."""
    heard: list[tuple[bool, str]] = []

    def body(session: Session, alice: Call, bob: Call) -> None:
        session.on(ToneReceived, lambda event: heard.append((event.call.outgoing, event.tone)))
        bob.handle_tones(True)
        session.send_media_between(alice, bob)

    switch, alice, bob = serve(body)
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    alice.sends_digits("1")
    bob.sends_digits("2")
    switch.until(lambda: heard)
    switch.advance(1)
    assert heard == [(True, "2")]


def test_hold_is_told(serve: Serve) -> None:
    told: list[type] = []

    def body(session: Session, alice: Call, bob: Call) -> None:
        bob.on(OnHold, lambda event: told.append(OnHold))
        bob.on(OffHold, lambda event: told.append(OffHold))
        session.send_media_between(alice, bob)

    switch, alice, bob = serve(body)
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    bob.holds()
    switch.until(lambda: told == [OnHold])
    bob.resumes()
    switch.until(lambda: told == [OnHold, OffHold])


@pytest.mark.parametrize(
    ("does", "told", "left_s"),
    [
        (lambda phone: phone.follows_refers(100, 200), ["complete"], 3),
        (lambda phone: phone.follows_refers(100, 486), [486], None),
        (lambda phone: phone.refuses_refers(603), [603], None),
        (lambda phone: phone.ignores_refers(), [408], None),
    ],
    ids=["goes there", "busy", "refuses", "says nothing"],
)
def test_a_phone_is_sent_elsewhere(
    serve: Serve, does: Callable[[Phone], object], told: list[object], left_s: int | None
) -> None:
    """It is let go when it has got there, and only then."""
    heard: list[object] = []
    keys = Keys()

    def body(session: Session, alice: Call, bob: Call) -> None:
        bob.on(TransferComplete, lambda event: heard.append("complete"))
        bob.on(TransferFailed, lambda event: heard.append(event.code))
        keys.wait(alice)
        bob.transfer_to("1002", timeout_s=10)

    switch, alice, bob = serve(body)
    does(bob)
    keys.press(switch, alice)
    switch.until(lambda: heard, 12)
    began = switch.switch.clock.now_s
    assert heard == told and bob.in_call
    if left_s is None:
        switch.advance(5)
        assert bob.in_call
    else:
        switch.until(lambda: not bob.in_call, 6)
        assert switch.switch.clock.now_s - began == pytest.approx(left_s, abs=0.5)


def test_a_phone_is_sent_elsewhere_twice(serve: Serve) -> None:
    """What it has reported of the first time is not taken for its answer to the second."""
    codes: list[int] = []
    keys = Keys()

    def body(session: Session, alice: Call, bob: Call) -> None:
        bob.on(TransferFailed, lambda event: codes.append(event.code))
        for _ in range(2):
            keys.wait(alice)
            bob.transfer_to("1002", timeout_s=10)

    switch, alice, bob = serve(body)
    bob.follows_refers(486)
    keys.press(switch, alice)
    switch.until(lambda: codes)
    bob.ignores_refers()
    keys.press(switch, alice)
    switch.until(lambda: len(codes) == 2, 15)
    assert codes == [486, 408]


def test_who_talks_is_not_sent_elsewhere(serve: Serve) -> None:
    raised: list[str] = []

    def body(session: Session, alice: Call, bob: Call) -> None:
        session.send_media_between(alice, bob)
        session.wait(lambda: bob.peer is alice)
        with pytest.raises(ValueError, match="talks with another one") as caught:
            bob.transfer_to("1002")
        raised.append(str(caught.value))

    switch, alice, bob = serve(body)
    switch.until(lambda: raised)
    assert alice.hears == "1001" and not bob.received("REFER")


def test_who_has_not_answered_cannot_be_joined(stage: MakeStage) -> None:
    scenario, raised = Scenario(), list[str]()

    @scenario.on(CallAlerting)
    def alerting(event: CallAlerting) -> None:
        bob = event.session.call_user("1001")
        with pytest.raises(ValueError, match="is not answered") as caught:
            event.session.send_media_between(event.call, bob)
        raised.append(str(caught.value))
        bob.wait_connected()
        event.session.send_media_between(event.call, bob)

    switch = stage(scenario)
    alice, bob = switch.phone("1000"), switch.phone("1001")
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    assert raised


def test_joined_legs_say_who_is_at_them(serve: Serve) -> None:
    """Whoever takes over knows from the channels who they are, and whom their REFER is by."""

    def body(session: Session, alice: Call, bob: Call) -> None:
        session.send_media_between(alice, bob)

    switch, alice, bob = serve(body)
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    for own, other in ((alice, bob), (bob, alice)):
        channel = own.dialog.channel
        assert channel.get_variable("fsctl_number") == own.number
        assert channel.get_variable("fsctl_transferor_number") == other.number
