"""What plays, records, mutes and sends digits, and what a phone hears of it."""

from __future__ import annotations

from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import


@pytest.fixture
def bob_leg(lab: Lab) -> str:
    """A parked leg to Bob."""
    lab.switch.spawn(lab.switch.run_api, "originate", "{origination_uuid=b}user/1001@x &park()")
    lab.switch.run_until(lambda: lab.switch.locate("b") and "park" in lab.switch.locate("b").flags)
    return "b"


def api(lab: Lab, name: str, arguments: str) -> str:
    answer = str(lab.switch.run_api(name, arguments))
    lab.switch.settle()
    return answer


def execute(lab: Lab, uuid: str, application: str, argument: str = "") -> None:
    """As ``sendmsg`` does it."""
    channel = lab.switch.locate(uuid)
    message = {"execute-app-name": application, "execute-app-arg": argument}
    channel.pending.append({"call-command": "execute", **message})
    channel.wake()
    lab.switch.settle()


def of_kind(lab: Lab, *names: str) -> list[Any]:
    return [event for event in lab.switch.events if event.name in names]


def digits_told(lab: Lab) -> str:
    return "".join(event.get("DTMF-Digit") for event in of_kind(lab, "DTMF"))


# -- playing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "heard"),
    [
        ("tone_stream://%(2000,4000,440,480);loops=-1", "ringback"),
        ("local_stream://moh", "music"),
        ("/sounds/hello.wav", "playback /sounds/hello.wav"),
        ("silence_stream://-1", "silence"),
    ],
)
def test_what_is_played_is_heard(lab: Lab, bob_leg: str, path: str, heard: str) -> None:
    execute(lab, bob_leg, "playback", path)
    assert lab.bob.hears == heard


def test_playback_tells_its_ends(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "playback", "local_stream://moh")
    api(lab, "uuid_break", bob_leg)
    start, stop = of_kind(lab, "PLAYBACK_START", "PLAYBACK_STOP")
    assert start.get("Playback-File-Path") == "local_stream://moh"
    assert start.get("Playback-File-Type") == "local_stream"
    assert stop.get("Playback-Status") == "break"
    execute(lab, bob_leg, "playback", "hello.wav")
    lab.switch.advance(6)
    assert of_kind(lab, "PLAYBACK_STOP")[-1].get("Playback-Status") == "done"


def test_a_digit_ends_a_playback(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "playback", "local_stream://moh")
    lab.bob.sends_digits("1")
    lab.switch.settle()
    assert lab.bob.hears == "music"
    lab.bob.sends_digits("*")
    lab.switch.settle()
    assert lab.bob.hears == "silence"
    assert api(lab, "uuid_getvar", f"{bob_leg} playback_terminator_used") == "*"


def test_endless_playback_survives_a_break(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "endless_playback", "hello.wav")
    lab.switch.advance(30)
    api(lab, "uuid_break", bob_leg)
    assert lab.bob.hears == "playback hello.wav"


def test_loops_count_only_when_they_take_time(lab: Lab, bob_leg: str) -> None:
    for application, argument in (("playback", "hello.wav"), ("set", "a=b")):
        message = {"execute-app-name": application, "execute-app-arg": argument, "loops": "3"}
        lab.switch.locate(bob_leg).pending.append({"call-command": "execute", **message})
    lab.switch.locate(bob_leg).wake()
    lab.switch.advance(20)
    ran = [event.get("Application") for event in of_kind(lab, "CHANNEL_EXECUTE")]
    assert ran == ["park", "playback", "set", "playback", "playback"]


def test_a_broadcast_locks_later_messages(lab: Lab, bob_leg: str) -> None:
    api(lab, "uuid_broadcast", f"{bob_leg} hello.wav aleg")
    execute(lab, bob_leg, "set", "a=b")
    assert api(lab, "uuid_getvar", f"{bob_leg} a") == "_undef_"
    lab.switch.advance(6)
    assert api(lab, "uuid_getvar", f"{bob_leg} a") == "b"


def test_a_break_ends_all_loops_of_a_broadcast(lab: Lab, bob_leg: str) -> None:
    channel = lab.switch.locate(bob_leg)
    message = {"execute-app-name": "playback", "execute-app-arg": "a.wav", "loops": "-1"}
    channel.pending.append({"call-command": "execute", **message})
    channel.wake()
    lab.switch.advance(12)
    assert lab.bob.hears == "playback a.wav"
    api(lab, "uuid_break", bob_leg)
    assert lab.bob.hears == "silence"


def test_a_broadcast_may_hang_up_afterwards(lab: Lab, bob_leg: str) -> None:
    api(lab, "uuid_broadcast", f"{bob_leg} playback!user_busy::hello.wav")
    lab.switch.advance(6)
    assert "USER_BUSY" in lab.bob.received("BYE")[0].header("Reason")


# -- recording -------------------------------------------------------------------------------------


def test_uuid_record(lab: Lab, bob_leg: str) -> None:
    assert api(lab, "uuid_record", f"{bob_leg} start '/tmp/a b.wav'") == "+OK Success\n"
    assert api(lab, "uuid_record", f"{bob_leg} mask '/tmp/a b.wav'") == "+OK Success\n"
    assert api(lab, "uuid_record", f"{bob_leg} stop '/tmp/a b.wav'") == "+OK Success\n"
    start, stop = of_kind(lab, "RECORD_START", "RECORD_STOP")
    assert {start.get("Record-File-Path"), stop.get("Record-File-Path")} == {"/tmp/a b.wav"}
    assert stop.get("Unique-ID") == bob_leg
    again = api(lab, "uuid_record", f"{bob_leg} stop all")
    assert again == "-ERR Cannot stop record session!\n"


def test_a_recording_ends_with_its_limit_or_its_leg(lab: Lab, bob_leg: str) -> None:
    api(lab, "uuid_record", f"{bob_leg} start short.wav 5")
    api(lab, "uuid_record", f"{bob_leg} start long.wav")
    lab.switch.advance(6)
    assert [event.get("Record-File-Path") for event in of_kind(lab, "RECORD_STOP")] == ["short.wav"]
    lab.bob.hangs_up()
    lab.switch.settle()
    names = [event.name for event in of_kind(lab, "RECORD_STOP", "CHANNEL_HANGUP_COMPLETE")]
    assert names == ["RECORD_STOP", "RECORD_STOP", "CHANNEL_HANGUP_COMPLETE"]


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [("dead start x", "-ERR Cannot locate session!\n"), ("b start", "-USAGE"), ("b x y", "-USAGE")],
)
def test_uuid_record_of_nothing(lab: Lab, bob_leg: str, arguments: str, answer: str) -> None:
    assert api(lab, "uuid_record", arguments).startswith(answer)


def test_record_ends_by_digit_or_limit(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "record", "m.wav 60")
    lab.switch.advance(7)
    lab.bob.sends_digits("*")
    lab.switch.settle()
    assert [event.name for event in of_kind(lab, "RECORD_START", "RECORD_STOP")] == [
        "RECORD_START",
        "RECORD_STOP",
    ]
    assert api(lab, "uuid_getvar", f"{bob_leg} record_seconds") == "7"
    execute(lab, bob_leg, "record", "m.wav 3")
    lab.switch.advance(4)
    assert len(of_kind(lab, "RECORD_STOP")) == 2


def test_a_leg_that_is_moved_out_of_record_is_hung_up(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "record", "m.wav")
    api(lab, "uuid_park", bob_leg)
    assert "DESTINATION_OUT_OF_ORDER" in lab.bob.received("BYE")[0].header("Reason")


def test_record_session(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "record_session", "s.wav +10")
    execute(lab, bob_leg, "stop_record_session", "s.wav")
    assert len(of_kind(lab, "RECORD_START", "RECORD_STOP")) == 2


# -- digits ----------------------------------------------------------------------------------------


def test_a_parked_leg_tells_its_digits(lab: Lab, bob_leg: str) -> None:
    lab.bob.sends_digits("1@500+2#")
    lab.switch.settle()
    assert digits_told(lab) == "12#"
    first, second, _ = of_kind(lab, "DTMF")
    assert (first.get("DTMF-Duration"), second.get("DTMF-Duration")) == ("4000", "2000")
    assert (first.get("DTMF-Source"), first.get("Unique-ID")) == ("RTP", bob_leg)


def test_digits_pass_through_a_bridge(lab: Lab) -> None:
    lab.call()
    lab.alice.sends_digits("12")
    lab.bob.sends_digits("#")
    lab.switch.settle()
    assert (lab.alice.heard_digits, lab.bob.heard_digits) == ("#", "12")
    assert sorted(digits_told(lab)) == ["#", "1", "2"]


def test_bound_digits_are_held_back(lab: Lab) -> None:
    """In either direction; what turns out to be none goes on, after a pause at the latest."""
    _link, caller, callee = lab.call()
    for who, presses in (("self", lab.alice), ("peer", lab.bob)):
        execute(lab, caller, "bind_digit_action", f"r,*1,exec:set,pressed={who},{who},{who}")
        presses.sends_digits("*2*")
        lab.switch.settle()
        hears = lab.bob if presses is lab.alice else lab.alice
        assert hears.heard_digits == "*2"
        lab.switch.advance(2)
        assert hears.heard_digits == "*2*"
        presses.sends_digits("*1")
        lab.switch.settle()
        assert hears.heard_digits == "*2*"
        leg = caller if presses is lab.alice else callee
        assert api(lab, "uuid_getvar", f"{leg} pressed") == who


def test_digits_can_be_filtered_in_a_bridge(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.ask(f"api uuid_setvar {caller} bridge_filter_dtmf true")
    lab.alice.sends_digits("12")
    lab.switch.settle()
    assert (digits_told(lab), lab.bob.heard_digits) == ("12", "")


def test_digits_wait_until_the_leg_looks(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "sleep", "10000")
    lab.switch.advance(1)
    lab.bob.sends_digits("5")
    lab.switch.settle()
    # The sleep is over, the digit was left to what follows.
    assert digits_told(lab) == "5"
    ran = [event.name for event in of_kind(lab, "CHANNEL_EXECUTE_COMPLETE", "DTMF")]
    assert ran == ["CHANNEL_EXECUTE_COMPLETE", "DTMF"]


def test_digits_to_the_phone(lab: Lab, bob_leg: str) -> None:
    assert api(lab, "uuid_send_dtmf", f"{bob_leg} 12w#@100") == "+OK b sent DTMF 12w#@100.\n"
    execute(lab, bob_leg, "send_dtmf", "9")
    assert lab.bob.heard_digits == "12#9"
    assert api(lab, "uuid_send_dtmf", "dead 1") == "-ERR Cannot locate session!\n"
    assert api(lab, "uuid_send_dtmf", f"{bob_leg} x") == "-ERR Operation failed\n"
    assert api(lab, "uuid_send_dtmf", bob_leg).startswith("-USAGE")


def test_digits_as_if_from_the_phone(lab: Lab, bob_leg: str) -> None:
    assert api(lab, "uuid_recv_dtmf", f"{bob_leg} 4") == "+OK b received DTMF 4.\n"
    assert of_kind(lab, "DTMF")[0].get("DTMF-Source") == "APP"


@pytest.mark.parametrize(
    ("typed", "value", "result"),
    [("123#", "123", "success"), ("12345", "1234", "success"), ("", "_undef_", "failure")],
)
def test_read(lab: Lab, bob_leg: str, typed: str, value: str, result: str) -> None:
    execute(lab, bob_leg, "read", "2 4 prompt.wav pin 3000 #")
    assert lab.bob.hears == "playback prompt.wav"
    if typed:
        lab.bob.sends_digits(typed)
    lab.switch.advance(10)
    assert api(lab, "uuid_getvar", f"{bob_leg} pin") == value
    assert api(lab, "uuid_getvar", f"{bob_leg} read_result") == result


def test_play_and_get_digits(lab: Lab, bob_leg: str) -> None:
    execute(lab, bob_leg, "play_and_get_digits", r"1 3 2 2000 # p.wav bad.wav choice [12]")
    lab.bob.sends_digits("9#")
    lab.switch.settle()
    assert lab.bob.hears == "playback bad.wav"
    lab.switch.advance(5.5)
    lab.bob.sends_digits("2#")
    lab.switch.settle()
    assert api(lab, "uuid_getvar", f"{bob_leg} choice") == "2"


# -- muting ----------------------------------------------------------------------------------------


def test_uuid_audio(lab: Lab) -> None:
    link, caller, _ = lab.call()
    assert link.ask(f"api uuid_audio {caller} start read mute 1") == "+OK\n"
    assert (lab.alice.hears, lab.bob.hears) == ("1001", "silence")
    link.ask(f"api uuid_audio {caller} start write mute 1")
    link.ask(f"api uuid_audio {caller} start read mute 0")
    assert (lab.alice.hears, lab.bob.hears) == ("silence", "1000")
    link.ask(f"api uuid_audio {caller} stop")
    assert (lab.alice.hears, lab.bob.hears) == ("1001", "1000")
    assert link.ask("api uuid_audio dead stop") == "-ERR No such channel!\n"
    assert link.ask(f"api uuid_audio {caller} start both mute 1").startswith("-USAGE")
