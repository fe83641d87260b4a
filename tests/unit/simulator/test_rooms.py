"""Conferences, parking lots, queues and mailboxes, as a caller meets them."""

from __future__ import annotations

from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import


def enter(lab: Lab, phone: Any, application: str, argument: str) -> str:
    """A leg to the phone that executes an application; its uuid is ``leg-NUMBER``."""
    uuid = f"leg-{phone.number}"
    destination = f"'&{application}({argument})'"
    text = f"{{origination_uuid={uuid}}}user/{phone.number}@localhost {destination}"
    lab.switch.spawn(lab.switch.run_api, "originate", text)
    lab.switch.run_until(lambda: phone.in_call)
    lab.switch.settle()
    return uuid


def custom(lab: Lab, subclass: str) -> list[str]:
    return [e.get("Action") for e in lab.switch.events if e.subclass == subclass]


def test_a_conference(lab: Lab) -> None:
    first = enter(lab, lab.bob, "conference", "3000@default+1234")
    enter(lab, lab.carol, "conference", "3000@default")
    assert lab.bob.hears == lab.carol.hears == "conference 3000"
    assert [member.uuid for member in lab.switch.rooms["3000"]] == [first, "leg-1002"]
    lab.bob.hangs_up()
    lab.switch.settle()
    assert [member.uuid for member in lab.switch.rooms["3000"]] == ["leg-1002"]
    assert custom(lab, "conference::maintenance") == [
        "conference-create",
        "add-member",
        "add-member",
        "del-member",
    ]


def test_a_conference_answers_its_caller_and_lets_go(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    link.execute("conference", "room", "c1")
    lab.switch.run_until(lambda: lab.alice.hears == "conference room")
    lab.alice.sends_digits("1")
    lab.switch.settle()
    assert [e.get("DTMF-Digit") for e in lab.switch.events if e.name == "DTMF"] == ["1"]
    enter(lab, lab.bob, "park", "")
    link.ask(f"api uuid_bridge {caller} leg-1001")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")
    ran = [
        event.name
        for event in lab.switch.events
        if event.get("Application") == "conference" and event.get("Unique-ID") == caller
    ]
    assert ran == ["CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"]


@pytest.mark.parametrize(
    ("application", "argument"),
    [
        ("valet_park", "lot 7001"),
        ("valet_park", "lot auto in 7001 7009"),
        ("fifo", "support in"),
        ("callcenter", "support@default"),
    ],
)
def test_waiting_with_music(lab: Lab, application: str, argument: str) -> None:
    enter(lab, lab.bob, application, argument)
    assert lab.bob.hears == "music"
    lab.bob.hangs_up()
    lab.switch.run_until(lambda: not lab.switch.channels)


def test_waiting_without_music(lab: Lab) -> None:
    lab.switch.run_api("global_setvar", "hold_music=")
    enter(lab, lab.bob, "fifo", "support in")
    assert lab.bob.hears == "silence"


def test_a_parked_leg_is_picked_up(lab: Lab) -> None:
    enter(lab, lab.bob, "valet_park", "lot auto in 7001 7009")
    enter(lab, lab.carol, "valet_park", "lot 7001")
    lab.switch.run_until(lambda: lab.bob.hears == "1002" and lab.carol.hears == "1001")
    assert custom(lab, "valet_parking::info") == ["hold", "bridge"]
    assert lab.switch.lots == {"lot": {}}


def test_a_lot_is_free_again(lab: Lab) -> None:
    enter(lab, lab.bob, "valet_park", "lot 7001")
    lab.bob.hangs_up()
    lab.switch.settle()
    enter(lab, lab.carol, "valet_park", "lot 7001")
    assert lab.carol.hears == "music"


def test_voicemail(lab: Lab) -> None:
    enter(lab, lab.bob, "voicemail", "default localhost 1000")
    assert lab.bob.hears == "voicemail"
    lab.switch.advance(10)
    lab.bob.hangs_up()
    lab.switch.settle()
    names = [e.name for e in lab.switch.events if e.name.startswith(("RECORD", "PLAYBACK"))]
    assert names == ["PLAYBACK_START", "PLAYBACK_STOP", "RECORD_START", "RECORD_STOP"]


def test_sched_transfer_as_an_application(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.execute("sched_transfer", "+30 7 XML fsctl_refer")
    lab.switch.settle()
    assert link.ask(f"api uuid_getvar {caller} last_sched_id") == "1"
    lab.switch.advance(31)
    assert lab.controller.next_link(2).frames[0][0]["Caller-Destination-Number"] == "7"


def test_a_ringing_phone_answers_or_refuses_on_command(lab: Lab) -> None:
    for phone in (lab.bob, lab.carol):
        phone.rings()
        arguments = f"user/{phone.number}@x &park()"
        lab.switch.spawn(lab.switch.run_api, "originate", arguments)
    lab.switch.run_until(lambda: lab.carol.sent("INVITE", 180) and lab.bob.sent("INVITE", 180))
    lab.bob.answers_now()
    lab.carol.refuses_now(480, "Later")
    lab.switch.settle()
    assert (lab.bob.in_call, lab.carol.dialog.final_reason) == (True, "Later")
    with pytest.raises(RuntimeError, match="nobody calls phone 1001"):
        lab.bob.answers_now()
