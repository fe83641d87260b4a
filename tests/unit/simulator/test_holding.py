"""Hold by the phone and by the switch."""

from __future__ import annotations

from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import


def told(lab: Lab, uuid: str) -> list[str]:
    """What was said of the leg's being held."""
    out = []
    for event in lab.switch.events:
        if event.get("Unique-ID") != uuid:
            continue
        if event.name in {"CHANNEL_HOLD", "CHANNEL_UNHOLD"}:
            out.append(event.name)
        elif event.name == "CHANNEL_CALLSTATE" and event.get("Channel-Call-State") != "HANGUP":
            out.append(event.get("Channel-Call-State"))
    return out


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_phone_holds_and_resumes(lab: Lab, who: str) -> None:
    _link, caller, callee = lab.call()
    holder, other = (lab.alice, lab.bob) if who == "alice" else (lab.bob, lab.alice)
    uuid = caller if who == "alice" else callee
    before = len(told(lab, uuid))
    holder.holds()
    lab.switch.settle()
    assert (holder.hears, other.hears) == ("silence", "music")
    assert told(lab, uuid)[before:] == ["HELD", "CHANNEL_HOLD"]
    holder.holds()
    holder.resumes()
    lab.switch.settle()
    assert (holder.hears, other.hears) == (other.number, holder.number)
    assert told(lab, uuid)[before:] == [
        "HELD",
        "CHANNEL_HOLD",
        "UNHELD",
        "CHANNEL_UNHOLD",
        "ACTIVE",
    ]


def test_silence_as_hold_music(lab: Lab) -> None:
    link, _, callee = lab.call()
    link.ask(f"api uuid_setvar {callee} hold_music silence")
    lab.bob.holds()
    lab.switch.settle()
    assert lab.alice.hears == "silence"


def test_the_music_does_not_keep_messages_waiting(lab: Lab) -> None:
    link, caller, _ = lab.call()
    lab.bob.holds()
    lab.switch.settle()
    link.execute("set", "a=b")
    lab.switch.settle()
    assert link.ask(f"api uuid_getvar {caller} a") == "b"
    assert lab.alice.hears == "music"


@pytest.mark.parametrize("variable", ["", "park_after_bridge"])
def test_a_holder_who_leaves_ends_the_other(lab: Lab, variable: str) -> None:
    """Even ``park_after_bridge`` does not save it (the end of ``audio_bridge_thread``)."""
    link, caller, callee = lab.call()
    if variable:
        link.ask(f"api uuid_setvar {caller} {variable} true")
    lab.bob.holds()
    lab.switch.settle()
    lab.bob.hangs_up()
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    assert told(lab, callee)[-1] == "CHANNEL_UNHOLD"


def test_hold_hangup_xfer_exten(lab: Lab) -> None:
    link, caller, callee = lab.call()
    link.ask(f"api uuid_setvar {callee} hold_hangup_xfer_exten 5:XML:fsctl_refer")
    lab.bob.holds()
    lab.switch.settle()
    lab.bob.hangs_up()
    assert lab.controller.next_link(2).frames[0][0]["Unique-ID"] == caller


def test_the_held_one_may_leave(lab: Lab) -> None:
    _, _, _callee = lab.call()
    lab.bob.holds()
    lab.switch.settle()
    lab.alice.hangs_up()
    lab.switch.run_until(lambda: lab.bob.received("BYE"))


def test_the_switch_holds(lab: Lab) -> None:
    link, _caller, callee = lab.call()
    assert link.ask(f"api uuid_hold {callee}") == "+OK Success\n"
    lab.switch.settle()
    assert lab.bob.received("INVITE")[-1].header("X-Direction") == "sendonly"
    assert (lab.alice.hears, lab.bob.hears) == ("music", "silence")
    assert link.ask(f"api uuid_hold {callee}") == "-ERR Operation failed\n"
    assert link.ask(f"api uuid_hold off {callee}") == "+OK Success\n"
    lab.switch.settle()
    assert (lab.alice.hears, lab.bob.hears) == ("1001", "1000")
    assert told(lab, callee)[-3:] == ["UNHELD", "CHANNEL_UNHOLD", "ACTIVE"]
    assert link.ask("api uuid_hold dead") == "+OK Success\n"


def test_the_application_hold(lab: Lab) -> None:
    lab.call()
    lab.controller.links[0].execute("hold")
    lab.switch.settle()
    assert lab.alice.hears == "silence"
    lab.controller.links[0].execute("unhold")
    lab.switch.settle()
    assert (lab.alice.hears, lab.bob.hears) == ("1001", "1000")


def test_a_join_takes_a_leg_off_the_switchs_hold(lab: Lab) -> None:
    link, caller, callee = lab.call()
    link.ask(f"api uuid_hold {callee}")
    link.ask(f"api uuid_bridge {caller} {callee}")
    lab.switch.run_until(lambda: lab.alice.hears == "1001" and lab.bob.hears == "1000")
