"""The laboratory itself: plain calls and native transfers on a FreeSWITCH without a controller."""

from __future__ import annotations

import socket
import tomllib
from contextlib import ExitStack

import pytest

from tests.live.lab import (
    Controller,
    Controllers,
    NotInTime,
    Pause,
    Phones,
    Refuse,
    Switch,
    wait_for,
)
from tests.live.lab.fsctl_process import Sections, to_toml


def test_a_plain_call_is_heard_both_ways(switch: Switch, phones: Phones) -> None:
    bob = phones.party("2000").answers()
    alice = phones.caller("1000", to="2000")
    alice.wait_talking()
    assert alice.hears(bob)
    assert bob.hears(alice)
    switch.wait_channels(2)
    alice.hangs_up()
    bob.wait_received("BYE")


@pytest.mark.parametrize("transferor", ["caller", "callee"])
def test_a_native_transfer(switch: Switch, phones: Phones, transferor: str) -> None:
    bob = phones.party("2000", name="bob").answers()
    carol = phones.party("3000", name="carol").rings()
    alice = phones.caller("1000", to="2000", name="alice")
    alice.wait_talking()
    mover, moved = (alice, bob) if transferor == "caller" else (bob, alice)
    mover.refers(phones.refer_to("3000"))
    assert mover.wait_notify() == "SIP/2.0 200 OK"
    mover.wait_received("BYE")
    carol.answers_now()
    assert moved.hears(carol)
    assert carol.hears(moved)
    assert moved.hears_nobody() is False
    assert mover.hears_nobody()
    carol.hangs_up()
    moved.wait_received("BYE")


def test_refusal_by_step_and_by_command(switch: Switch, phones: Phones) -> None:
    phones.party("2000").takes(Pause(100), Refuse(486, "Gone Fishing"))
    ringing = phones.party("2001").rings()
    first = phones.caller("1000", to="2000")
    second = phones.caller("1001", to="2001")
    first.wait_received(486)
    second.wait_received(180)
    ringing.refuses_now(404, "Not Here", (("X-Why", "test"),))
    assert ringing.sent(404)[0].start_line == "SIP/2.0 404 Not Here"
    assert ringing.sent(404)[0].header("X-Why") == "test"
    second.wait_received(404)


def test_a_caller_cancels(switch: Switch, phones: Phones) -> None:
    bob = phones.party("2000").rings()
    alice = phones.caller("1000", to="2000")
    alice.wait_received(180)
    alice.gives_up()
    alice.wait_received(487)
    bob.wait_received("CANCEL")
    bob.wait_over()


def test_early_media_is_heard(switch: Switch, phones: Phones) -> None:
    bob = phones.party("2000").sends_early_media()
    alice = phones.caller("1000", to="2000")
    alice.wait_received(183)
    assert alice.hears(bob)
    bob.answers_now()
    assert bob.hears(alice)


def test_hold_and_resume(switch: Switch, phones: Phones) -> None:
    bob = phones.party("2000").answers()
    alice = phones.caller("1000", to="2000")
    alice.wait_talking()
    alice.holds()
    assert not alice.hears(bob, limit_s=0.5)
    alice.resumes()
    assert alice.hears(bob)
    assert bob.hears(alice)


def test_the_switch_plays_a_tone(switch: Switch, phones: Phones) -> None:
    switch.reload_dialplan(
        {
            "dialplan/public/00_tone.xml": """<include>
<extension name="tone"><condition field="destination_number" expression="^9000$">
<action application="answer"/>
<action application="playback" data="tone_stream://%(2000,500,440,480);loops=-1"/>
</condition></extension>
</include>"""
        }
    )
    alice = phones.caller("1000", to="9000")
    alice.wait_talking()
    assert alice.hears_ringback()
    assert alice.hears_nobody()


CONFIRMED = """<include>
<extension name="confirmed"><condition field="destination_number" expression="^2000$">
<action application="export" data="confirm_blind_transfer=true"/>
<action application="bridge" data="user/2000@127.0.0.1"/>
</condition></extension>
</include>"""


def test_several_refers_in_one_dialog(switch: Switch, phones: Phones) -> None:
    switch.reload_dialplan({"dialplan/public/00_confirmed.xml": CONFIRMED})
    bob = phones.party("2000", name="bob").answers()
    phones.party("3000").refuses(486, "Busy Here")
    phones.party("3001").refuses(404, "Not Found")
    carol = phones.party("3002", name="carol").answers()
    alice = phones.caller("1000", to="2000", name="alice")
    alice.wait_talking()
    for count, (number, result) in enumerate((("3000", "486"), ("3001", "404")), 1):
        bob.refers(phones.refer_to(number))
        assert bob.wait_notify(count).startswith(f"SIP/2.0 {result}")
        assert alice.hears(bob)
    bob.refers(phones.refer_to("3002"), "<sip:2000@127.0.0.1>")
    assert bob.wait_notify(3) == "SIP/2.0 200 OK"
    assert alice.hears(carol)
    sequence = [int(message.header("CSeq").split()[0]) for message in bob.sent("REFER")]
    assert sequence == sorted(set(sequence))


def test_an_attended_transfer_by_replaces(switch: Switch, phones: Phones) -> None:
    bob = phones.party("2000", name="bob").answers()
    carol = phones.party("3000", name="carol").answers()
    alice = phones.caller("1000", to="2000", name="alice")
    alice.wait_talking()
    consultation = bob.consults("3000")
    consultation.wait_talking()
    bob.refers(phones.replacing(consultation, "3000"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert alice.hears(carol)
    assert carol.hears(alice)


def test_an_unknown_number_is_refused(switch: Switch, phones: Phones) -> None:
    alice = phones.caller("1000", to="4711")
    alice.wait_over()
    assert alice.messages[-2].status >= 400


def test_settings_are_written_as_toml() -> None:
    sections: Sections = {
        "call": {"codecs": 'a"b\\', "ring_timeout_s": 5, "on": True},
        "route": [{"match": "^1", "hosts": ["*"]}, {"match": "^2", "headers": {"X-A": "b"}}],
    }
    assert tomllib.loads(to_toml(sections)) == sections


def test_a_phone_reports_what_it_did_not_expect(switch: Switch) -> None:
    unfixed = Phones(switch)
    bob = unfixed.party("2000").answers()
    alice = unfixed.caller("1000", to="2000")
    alice.wait_talking()
    bob.wait_talking()
    assert bob.problems() == ""
    # a callee that talks already cannot ring once more
    bob.command("ring")
    wait_for(lambda: "LAB-ring" in bob.problems(), 5.0, "the phone complains")
    alice.hangs_up()
    bob.wait_over()
    assert alice.finish() == ""
    assert "LAB-ring" in bob.finish()


def test_a_controller_is_killed_and_replaced(
    switch: Switch, controller: Controllers, phones: Phones
) -> None:
    first = controller()
    bob = phones.party("2000").answers()
    alice = phones.caller("1000", to="2000")
    alice.wait_talking()
    assert alice.hears(bob)
    first.kill9()
    assert not first.is_running
    assert first.processes() == []
    assert alice.hears(bob)
    second = controller(port=first.port)
    assert second.address == first.address
    alice.hangs_up()
    bob.wait_over()


def test_growing_descriptors_are_noticed(controller: Controllers) -> None:
    fsctl = controller(install=False)
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(socket.create_connection(("127.0.0.1", fsctl.port)))
        # A connection stands before anybody has accepted it.
        wait_for(lambda: fsctl.state(fsctl.pid).links == 20, 5.0, "it has accepted them")
        with pytest.raises(NotInTime, match="descriptors"):
            fsctl.wait_no_growth(0.3)
    fsctl.wait_no_growth()


def test_a_controller_that_cannot_start_says_why() -> None:
    fsctl = Controller({"server": {"no_such_key": 1}})
    with pytest.raises(AssertionError, match="no_such_key"):
        fsctl.start()
    fsctl.finish()
