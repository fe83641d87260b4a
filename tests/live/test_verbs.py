"""What a scenario can do with its calls, on the real switch: every verb, on the wire."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other
from tests.live.lab.settings import sections

HEADER = """
from fsctl.scenario import *
scenario = Scenario()

def tell(*words):
    print("TOLD", *words, flush=True)

@scenario.on(CallAlerting)
def alerting(inc):
    session, alice = inc.session, inc.call
    bob = session.call_user("1001", caller_id=inc.caller_id, display_name=inc.display_name)
    bob.wait_connected()
"""
JOIN = """
    session.send_media_between(alice, bob)
"""
TONE = "tone_stream://%(2000,4000,440,480);loops=-1"


@pytest.fixture
def serve(controller, switch):
    """Start a controller whose scenario calls Bob (1001) for whoever calls, and then does this."""

    def start(body):
        return controller(sections(switch), scenario=HEADER + body)

    return start


@pytest.fixture
def call(phones):
    """Alice (2000) calls; both talk with the switch when it returns."""

    def start():
        bob = phones.party("1001", name="Bob").answers()
        alice = phones.caller("2000", "1001", name="Alice")
        alice.wait_talking()
        bob.wait_talking()
        return alice, bob

    return start


def test_joined_in_straight_code(serve, call, switch):
    serve(JOIN)
    alice, bob = call()
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_over()
    switch.wait_no_channels(3)


def test_the_caller_rings_while_the_callee_does(serve, phones):
    serve(JOIN)
    phones.party("1001").rings()
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)


def test_the_caller_gets_the_callees_own_refusal(serve, phones, switch):
    serve(JOIN)
    phones.party("1001").refuses(480, "Gone fishing")
    alice = phones.caller("2000", "1001")
    assert alice.wait_received(480).reason == "Gone fishing"


def test_nothing_is_left_when_the_caller_gives_up(serve, phones, switch):
    serve(JOIN)
    bob = phones.party("1001").rings()
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)
    alice.gives_up()
    bob.wait_received("CANCEL")
    switch.wait_no_channels(3)


def test_codecs_and_headers_are_the_scenarios(controller, switch, phones):
    controller(
        sections(switch),
        scenario="""
from fsctl.scenario import *
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(inc):
    bob = inc.session.call_user("1001", caller_id="4711", display_name="Chosen, name",
                                headers={"X-Ticket": "a, b=c"}, codecs="PCMA,PCMU")
    bob.wait_connected()
    inc.session.send_media_between(inc.call, bob)
""",
    )
    bob = phones.party("1001").answers()
    phones.caller("2000", "1001").wait_talking()
    invite = bob.received("INVITE")[0]
    assert invite.header("From").startswith('"Chosen, name" <sip:4711@')
    assert invite.header("X-Ticket") == "a, b=c"
    offered = next(line for line in invite.body.splitlines() if line.startswith("m=audio"))
    assert offered.split()[3:5] == ["8", "0"]
    assert not [name for name, _ in invite.headers if name.startswith("X-FS-")]
    assert "fsctl" not in str(invite.headers)


def test_play_and_stop(serve, call):
    served = serve(
        f"""
    alice.answer()
    alice.on(PlaybackFinished, lambda e: tell("finished", e.path))
    alice.play("{TONE}")
    bob.wait_for(Disconnected)
    alice.stop_playback()
"""
    )
    alice, bob = call()
    assert alice.hears_ringback()
    bob.hangs_up()
    served.wait_log(f"TOLD finished {TONE}")
    assert not alice.received("BYE")  # it was used when Bob had left
    alice.hangs_up()


def test_a_playback_ends_by_itself(serve, call):
    served = serve(
        """
    alice.answer()
    alice.play("tone_stream://%(300,0,440)")
    alice.wait_for(PlaybackFinished, 5)
    tell("over")
"""
        + JOIN
    )
    alice, bob = call()
    served.wait_log("TOLD over")
    assert hear_each_other(alice, bob)


def test_play_to_one_who_talks(serve, call):
    serve(
        JOIN
        + f"""
    alice.handle_tones(True)
    alice.wait_for(ToneReceived)
    alice.play("{TONE}")
    session.sleep(1)
    alice.stop_playback()
"""
    )
    alice, bob = call()
    assert hear_each_other(alice, bob)
    alice.presses("1")
    assert alice.hears_ringback()
    assert hear_each_other(alice, bob)


def test_keys_are_heard_and_pressed(serve, call):
    served = serve(
        """
    alice.answer()
    alice.handle_tones(True)
    tell("listens")
    tell("pin", alice.wait_tones(4, 5))
    tell("short", alice.wait_tones(4, 5))
    bob.send_digits("12w3#")
"""
        + JOIN
    )
    alice, bob = call()
    served.wait_log("TOLD listens")  # behind a reload FreeSWITCH's events are half a second late
    alice.presses("4711")
    served.wait_log("TOLD pin 4711")
    alice.presses("80#")
    served.wait_log("TOLD short 80")
    assert bob.hears_digits("123#")
    assert hear_each_other(alice, bob)


def test_keys_while_they_talk(serve, call):
    served = serve(
        JOIN
        + """
    bob.handle_tones(True)
    bob.on(ToneReceived, lambda e: tell("bob pressed", e.tone))
"""
    )
    alice, bob = call()
    assert hear_each_other(alice, bob)
    bob.presses("7*")
    served.wait_log("TOLD bob pressed 7")
    served.wait_log("TOLD bob pressed *")
    assert alice.hears_digits("7*")


def test_recording(serve, call, tmp_path):
    path = tmp_path / "a call.wav"
    served = serve(
        JOIN
        + f"""
    alice.on(RecordStopped, lambda e: tell("recorded", e.path))
    alice.record({str(path)!r})
    alice.handle_tones(True)
    tell("records")
    alice.wait_for(ToneReceived)
    alice.stop_recording({str(path)!r})
"""
    )
    alice, bob = call()
    served.wait_log("TOLD records")
    assert len(alice.media.observe(1.0)) > 40
    alice.presses("1")
    served.wait_log(f"TOLD recorded {path}")
    assert path.stat().st_size > 8000  # half a second of 16 bit at 8 kHz
    assert hear_each_other(alice, bob)


def test_hold_is_told(serve, call):
    served = serve(
        JOIN
        + """
    bob.on(OnHold, lambda e: tell("on hold"))
    bob.on(OffHold, lambda e: tell("off hold"))
"""
    )
    alice, bob = call()
    assert hear_each_other(alice, bob)
    bob.holds()
    served.wait_log("TOLD on hold")
    bob.resumes()
    served.wait_log("TOLD off hold")
    assert hear_each_other(alice, bob)


def test_one_way_and_both(serve, call):
    served = serve(
        """
    alice.answer()
    alice.handle_tones(True)
    bob.send_media_to(alice)
    tell("one way")
    alice.wait_for(ToneReceived)
    alice.send_media_to(bob)
    tell("both ways")
    alice.wait_for(ToneReceived)
    bob.stop_media_to(alice)
    tell("other way")
"""
    )
    alice, bob = call()
    served.wait_log("TOLD one way")
    assert alice.hears(bob)
    assert bob.hears_nobody()
    alice.presses("1")
    served.wait_log("TOLD both ways")
    assert hear_each_other(alice, bob)
    alice.presses("1")
    served.wait_log("TOLD other way")
    assert bob.hears(alice)
    assert alice.hears_nobody()


def test_parted_and_joined_again(serve, call, switch):
    served = serve(
        JOIN
        + """
    bob.handle_tones(True)
    bob.wait_for(ToneReceived)
    alice.stop_media_to(bob)
    bob.stop_media_to(alice)
    tell("parted")
    bob.wait_for(ToneReceived)
"""
        + JOIN
    )
    alice, bob = call()
    assert hear_each_other(alice, bob)
    bob.presses("1")
    served.wait_log("TOLD parted")
    assert alice.hears_nobody() and bob.hears_nobody()
    bob.presses("2")
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_over()
    switch.wait_no_channels(3)


@pytest.mark.parametrize("leaver", ["alice", "bob"])
def test_who_is_left_can_be_used(serve, call, switch, leaver):
    """The other party left: a survey, and a goodbye."""
    left = "bob" if leaver == "alice" else "alice"
    serve(
        JOIN
        + f"""
    {left}.handle_tones(True)
    {leaver}.wait_for(Disconnected)
    {left}.play("{TONE}")
    {left}.wait_for(ToneReceived)
    {left}.hangup()
"""
    )
    phones = dict(zip(("alice", "bob"), call(), strict=True))
    assert hear_each_other(phones["alice"], phones["bob"])
    phones[leaver].hangs_up()
    assert phones[left].hears_ringback()
    phones[left].presses("5")
    phones[left].wait_over()
    switch.wait_no_channels(3)


@pytest.mark.parametrize("leaver", ["alice", "bob"])
def test_who_is_left_and_unwanted_is_hung_up(serve, call, switch, leaver):
    serve(JOIN)
    phones = dict(zip(("alice", "bob"), call(), strict=True))
    assert hear_each_other(phones["alice"], phones["bob"])
    phones[leaver].hangs_up()
    phones["bob" if leaver == "alice" else "alice"].wait_over()
    switch.wait_no_channels(3)


def test_the_caller_leaves_and_two_others_talk_on_under_control(serve, call, phones, switch):
    """The first link's leg is gone: the session goes on with another's."""
    served = serve(
        JOIN
        + """
    alice.wait_for(Disconnected)
    carol = session.call_user("1002")
    carol.wait_connected()
    session.send_media_between(bob, carol)
    carol.wait_for(Disconnected)
    tell("carol has left")
    bob.hangup()
"""
    )
    carol = phones.party("1002").answers()
    alice, bob = call()
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    assert hear_each_other(bob, carol)
    carol.hangs_up()
    served.wait_log("TOLD carol has left")
    bob.wait_over()
    switch.wait_no_channels(3)


def test_a_conference(serve, call, switch):
    serve(
        """
    alice.answer()
    for call in (alice, bob):
        call.execute("conference", "lab@default")
"""
    )
    alice, bob = call()
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.hangs_up()
    switch.wait_no_channels(3)


def test_an_application_ends_and_so_does_the_call(serve, call):
    serve(
        """
    alice.answer()
    alice.execute("playback", "tone_stream://%(300,0,440)")
"""
    )
    alice, _ = call()
    alice.wait_over()


@pytest.mark.parametrize("report", ["SIP/2.0 200 OK", "SIP/2.0 603 Declined elsewhere"])
def test_sent_elsewhere(serve, call, report):
    served = serve(
        """
    alice.answer()
    bob.on(TransferComplete, lambda e: tell("complete", e.role))
    bob.on(TransferFailed, lambda e: tell("failed", e.role, e.code, e.reason))
    bob.transfer_to("sip:3000@example.org")
"""
    )
    alice, bob = call()
    refer = bob.wait_received("REFER")
    assert "sip:3000@example.org" in refer.header("Refer-To")
    bob.wait_sent(202)
    bob.reports("SIP/2.0 100 Trying")
    bob.reports(report)
    if report.endswith("OK"):
        served.wait_log("TOLD complete transferee")
        bob.wait_over(10)
    else:
        served.wait_log("TOLD failed transferee 603 Declined elsewhere")
        assert not bob.received("BYE")
        bob.hangs_up()
    alice.hangs_up()


def test_sent_elsewhere_and_the_phone_refuses(serve, call):
    served = serve(
        """
    alice.answer()
    bob.handle_tones(True)
    bob.on(TransferFailed, lambda e: tell("failed", e.role, e.code))
    tell("listens")
    bob.wait_for(ToneReceived)
    bob.transfer_to("3000")
"""
    )
    alice, bob = call()
    served.wait_log("TOLD listens")
    bob.refuses_refers()
    bob.presses("1")
    served.wait_log("TOLD failed transferee 603")
    bob.hangs_up()
    alice.hangs_up()


def test_a_verb_on_a_call_that_is_gone(serve, call):
    served = serve(
        """
    alice.answer()
    bob.wait_for(Disconnected)
    for verb in (bob.hangup, bob.stop_playback, lambda: bob.play("x"), lambda: bob.send_digits("1"),
                 lambda: bob.execute("park"), lambda: bob.transfer_to("1"), bob.reject,
                 lambda: session.send_media_between(alice, bob), lambda: bob.record("/tmp/x"),
                 lambda: bob.handle_blind_transfer(True), lambda: bob.handle_tones(True)):
        try:
            verb()
            tell("no error")
        except ChannelGone:
            pass
    tell("all refused")
    alice.hangup()
"""
    )
    alice, bob = call()
    bob.hangs_up()
    served.wait_log("TOLD all refused")
    assert "TOLD no error" not in served.log_text()
    alice.wait_over()
