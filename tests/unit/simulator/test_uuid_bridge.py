"""``uuid_bridge``: where it leaves both legs, as ``switch_ivr_bridge.c`` has it."""

from __future__ import annotations

from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import


def leg(lab: Lab, phone: Any, variables: str = "") -> str:
    """An own leg to a phone, parked; its uuid is ``leg-NUMBER``."""
    uuid = f"leg-{phone.number}"
    text = f"{{origination_uuid={uuid}{variables}}}user/{phone.number}@localhost"
    lab.switch.spawn(lab.switch.run_api, "originate", f"{text} &park()")
    lab.switch.run_until(lambda: parked(lab, uuid))
    return uuid


def parked(lab: Lab, uuid: str) -> bool:
    channel = lab.switch.locate(uuid)
    return channel is not None and "park" in channel.flags


def two_legs(lab: Lab) -> tuple[str, str]:
    """Bob and Carol, each parked on a leg of ours."""
    return leg(lab, lab.bob), leg(lab, lab.carol)


def setvar(lab: Lab, uuid: str, name: str, value: str) -> None:
    assert lab.switch.run_api("uuid_setvar", f"{uuid} {name} {value}") == "+OK\n"


def join(lab: Lab, first: str, second: str) -> None:
    assert lab.switch.run_api("uuid_bridge", f"{first} {second}") == f"+OK {second}\n"


def talk(lab: Lab) -> tuple[str, str]:
    first, second = two_legs(lab)
    join(lab, first, second)
    lab.switch.run_until(lambda: lab.bob.hears == "1002" and lab.carol.hears == "1001")
    return first, second


def test_the_numbers_that_joined_legs_show(lab: Lab) -> None:
    """As measured: each leg's caller is the originator, its callee who called the other."""
    first = leg(lab, lab.bob, ",origination_caller_id_number=4711")
    second = leg(lab, lab.carol, ",origination_caller_id_number=4712")
    join(lab, first, second)
    lab.switch.run_until(lambda: lab.bob.hears == "1002")
    told = {
        event.get("Unique-ID"): [
            event.get(f"Caller-{name}")
            for name in ("Caller-ID-Number", "Callee-ID-Number", "Logical-Direction")
        ]
        for event in lab.switch.events
        if event.get("Application") == "uuid_bridge"
    }
    assert told == {
        first: ["1001", "4712", "inbound"],
        second: ["1001", "4712", "outbound"],
    }


@pytest.mark.parametrize("stays", ["originator", "originatee"])
def test_transfer_after_bridge(lab: Lab, stays: str) -> None:
    first, second = talk(lab)
    uuid, leaver = (first, lab.carol) if stays == "originator" else (second, lab.bob)
    setvar(lab, uuid, "fsctl_home", lab.controller.address)
    setvar(lab, uuid, "transfer_after_bridge", "next:XML:fsctl_refer")
    leaver.hangs_up()
    link = lab.controller.next_link(1)
    reply = link.frames[0][0]
    assert (reply["Unique-ID"], reply["Caller-Destination-Number"]) == (uuid, "next")
    # It works once: the variable is gone (transfer_after_bridge() of the source).
    assert "variable_transfer_after_bridge" not in reply


@pytest.mark.parametrize("stays", ["caller", "callee"])
def test_transfer_after_bridge_with_the_application(lab: Lab, stays: str) -> None:
    _, caller, callee = lab.call()
    uuid, leaver = (caller, lab.bob) if stays == "caller" else (callee, lab.alice)
    setvar(lab, uuid, "transfer_after_bridge", "next:XML:fsctl_refer")
    leaver.hangs_up()
    assert lab.controller.next_link(2).frames[0][0]["Unique-ID"] == uuid


def test_the_other_leg_is_gone_before_the_originator_looks(lab: Lab) -> None:
    first, second = two_legs(lab)
    join(lab, first, second)
    lab.switch.run_api("uuid_kill", second)
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    assert "DESTINATION_OUT_OF_ORDER" in lab.bob.received("BYE")[0].header("Reason")


@pytest.mark.parametrize(
    ("variable", "value", "fate"),
    [("park_after_bridge", "true", "parked"), ("transfer_after_bridge", "n:XML:fsctl_refer", "n")],
)
def test_gone_before_the_originator_looks_with_a_wish(
    lab: Lab, variable: str, value: str, fate: str
) -> None:
    first, second = two_legs(lab)
    setvar(lab, first, "fsctl_home", lab.controller.address)
    setvar(lab, first, variable, value)
    join(lab, first, second)
    lab.switch.run_api("uuid_kill", second)
    if fate == "parked":
        lab.switch.run_until(lambda: lab.switch.locate(first).running_state == "CS_PARK")
    else:
        assert lab.controller.next_link(1).frames[0][0]["Caller-Destination-Number"] == fate
    assert lab.bob.in_call


def unanswered(lab: Lab) -> tuple[str, str]:
    """Bob parked, Carol ringing: a join waits for her answer."""
    lab.carol.rings()
    first = leg(lab, lab.bob, ",transfer_ringback=%(2000,4000,440,480)")
    second = leg(lab, lab.carol, ",return_ring_ready=true")
    join(lab, first, second)
    lab.switch.run_until(lambda: lab.bob.hears == "ringback")
    return first, second


def test_a_join_waits_for_the_answer(lab: Lab) -> None:
    unanswered(lab)
    lab.carol.answers_now()
    lab.switch.run_until(lambda: lab.bob.hears == "1002" and lab.carol.hears == "1001")


@pytest.mark.parametrize(
    ("variable", "fate"),
    [
        ("", "BYE"),
        ("uuid_bridge_continue_on_cancel", "BYE"),
        ("uuid_bridge_park_on_cancel", "CS_PARK"),
    ],
)
def test_the_other_leg_refuses_while_the_originator_waits(
    lab: Lab, variable: str, fate: str
) -> None:
    first, _ = unanswered(lab)
    if variable:
        setvar(lab, first, variable, "true")
    lab.carol.refuses_now(486)
    if fate == "CS_PARK":
        lab.switch.run_until(lambda: lab.switch.locate(first).running_state == fate)
        return
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    cause = "NORMAL_CLEARING" if variable else "ORIGINATOR_CANCEL"
    assert cause in lab.bob.received("BYE")[0].header("Reason")


def test_continue_on_cancel_goes_on_behind_socket(lab: Lab) -> None:
    link, caller, _ = lab.call()
    lab.carol.rings()
    target = leg(lab, lab.carol, ",return_ring_ready=true")
    link.ask(f"api uuid_setvar {caller} uuid_bridge_continue_on_cancel true")
    link.ask(f"api uuid_bridge {caller} {target}")
    lab.switch.settle()
    lab.carol.refuses_now(486)
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    ran = [e.get("Application") for e in lab.switch.events if e.name == "CHANNEL_EXECUTE"]
    assert ran[-1] == "execute_extension"


def test_a_leg_that_does_something_else_is_waited_for_twenty_seconds(lab: Lab) -> None:
    first, second = two_legs(lab)
    join(lab, first, second)
    lab.switch.run_api("uuid_park", second)
    before_s = lab.switch.clock.now_s
    lab.switch.run_until(lambda: lab.bob.received("BYE") and lab.carol.received("BYE"))
    assert lab.switch.clock.now_s - before_s == pytest.approx(20, abs=1)


def early_legs(lab: Lab) -> tuple[str, str]:
    for phone in (lab.bob, lab.carol):
        phone.early_media_then_answers(after_s=30)
    return leg(lab, lab.bob), leg(lab, lab.carol)


def test_legs_in_early_media_are_joined(lab: Lab) -> None:
    first, second = early_legs(lab)
    join(lab, first, second)
    lab.switch.run_until(lambda: lab.bob.hears == "1002" and lab.carol.hears == "1001")
    lab.carol.answers_now()
    lab.switch.settle()
    # Only a caller can be answered: Bob's phone decides for itself.
    assert lab.switch.locate(second).answered
    assert not lab.switch.locate(first).answered


@pytest.mark.parametrize("order", ["caller first", "target first"])
def test_the_answer_passes_to_a_caller(lab: Lab, order: str) -> None:
    lab.carol.early_media_then_answers(after_s=30)
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    link.execute("pre_answer")
    target = leg(lab, lab.carol)
    pair = (caller, target) if order == "caller first" else (target, caller)
    join(lab, *pair)
    lab.switch.run_until(lambda: lab.alice.hears == "1002")
    assert not lab.alice.in_call
    lab.carol.answers_now()
    lab.switch.run_until(lambda: lab.alice.in_call)


def test_both_legs_obey_messages_during_the_bridge(lab: Lab) -> None:
    _first, second = talk(lab)
    lab.switch.run_api("uuid_broadcast", f"{second} 'a file.wav' aleg")
    lab.switch.run_until(lambda: lab.carol.hears == "playback a file.wav")
    assert lab.bob.hears == "silence"
    lab.switch.run_until(lambda: lab.carol.hears == "1001" and lab.bob.hears == "1002")


@pytest.mark.parametrize(("flag", "moved"), [("-both", 2), ("-bleg", 1), ("", 1)])
def test_uuid_transfer(lab: Lab, flag: str, moved: int) -> None:
    first, second = talk(lab)
    for uuid in (first, second):
        setvar(lab, uuid, "fsctl_home", lab.controller.address)
    lab.switch.run_api("uuid_transfer", f"{first} {flag} 7 XML fsctl_refer".replace("  ", " "))
    lab.switch.run_until(lambda: len(lab.controller.links) == moved)
    lab.switch.settle()
    left = {link.ask("connect") and link.frames[0][0]["Unique-ID"] for link in lab.controller.links}
    assert left == {"-both": {first, second}, "-bleg": {second}, "": {first}}[flag]
    stayed = [phone.number for phone in (lab.bob, lab.carol) if phone.in_call]
    assert stayed == {"-both": ["1001", "1002"], "-bleg": ["1002"], "": ["1001"]}[flag]


def test_bleg_without_partner_moves_the_leg_itself(lab: Lab) -> None:
    first = leg(lab, lab.bob, f",fsctl_home={lab.controller.address}")
    lab.switch.run_api("uuid_transfer", f"{first} -bleg 7 XML fsctl_refer")
    assert lab.controller.next_link(1).frames[0][0]["Unique-ID"] == first


@pytest.mark.parametrize(("who", "fate"), [(0, "CS_PARK"), (1, "gone")])
def test_the_end_of_early_media(lab: Lab, who: int, fate: str) -> None:
    """``park_after_early_bridge`` counts for the originator only, and after a failure."""
    legs = early_legs(lab)
    setvar(lab, legs[who], "park_after_early_bridge", "true")
    setvar(lab, legs[who], "continue_on_fail", "true")
    join(lab, *legs)
    lab.switch.run_until(lambda: lab.bob.hears == "1002")
    (lab.carol, lab.bob)[who].refuses_now(486)
    lab.switch.settle()
    left = lab.switch.locate(legs[who])
    assert (left.state if left else "gone") == fate
