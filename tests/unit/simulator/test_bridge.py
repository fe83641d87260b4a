"""Who stays and who goes when one side of a bridge hangs up (measured on the real switch)."""

from __future__ import annotations

from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import


@pytest.mark.parametrize(
    ("who", "variable_of", "variable", "fate"),
    [
        ("alice", "callee", "", "hung up"),
        ("alice", "caller", "park_after_bridge", "hung up"),
        ("alice", "callee", "park_after_bridge", "CS_PARK"),
        ("bob", "caller", "", "CS_EXECUTE"),
        ("bob", "caller", "hangup_after_bridge", "hung up"),
        ("bob", "caller", "park_after_bridge", "CS_PARK"),
    ],
)
def test_bye_in_a_bridge(lab: Lab, who: str, variable_of: str, variable: str, fate: str) -> None:
    link, caller, callee = lab.call()
    uuids = {"caller": caller, "callee": callee}
    if variable:
        link.ask(f"api uuid_setvar {uuids[variable_of]} {variable} true")
    getattr(lab, who).hangs_up()
    lab.switch.settle()
    left = lab.switch.locate(callee if who == "alice" else caller)
    assert (left.state if left else "hung up") == fate


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_bye_after_uuid_bridge_ends_both(lab: Lab, who: str) -> None:
    link, caller, callee = lab.call()
    assert link.ask(f"api uuid_bridge {caller} {callee}") == f"+OK {callee}\n"
    lab.switch.run_until(lambda: lab.alice.hears == "1001")
    getattr(lab, who).hangs_up()
    lab.switch.settle()
    assert [lab.switch.locate(caller), lab.switch.locate(callee)] == [None, None]


def test_the_originator_of_uuid_bridge_goes_on_behind_socket(lab: Lab) -> None:
    link, caller, callee = lab.call()
    link.ask(f"api uuid_setvar {caller} fsctl_stage joined")
    link.ask(f"api uuid_bridge {caller} {callee}")
    lab.switch.run_until(lambda: lab.bob.hears == "1000")
    lab.bob.hangs_up()
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    ran = [e.get("Application") for e in lab.switch.events if e.name == "CHANNEL_EXECUTE"]
    assert ran[-2:] == ["execute_extension", "hangup"]


def test_who_is_left_behind_by_uuid_bridge_is_hung_up(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.send("bgapi originate {origination_uuid=c}user/1002@x &park()")
    lab.switch.run_until(lambda: lab.carol.in_call)
    link.ask(f"api uuid_bridge {caller} c")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")
    (bye,) = lab.bob.received("BYE")
    assert bye.header("Reason") == 'Q.850;cause=16;text="NORMAL_CLEARING"'


def test_two_unanswered_legs_cannot_be_joined(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    link, caller, callee = lab.handle()
    lab.switch.run_until(lambda: lab.bob.sent("INVITE", 180))
    assert link.ask(f"api uuid_bridge {caller} {callee}") == "-ERR Invalid uuid\n"


def test_a_tone_ends_with_the_bridge(lab: Lab) -> None:
    _, caller, callee = lab.call()
    lab.bob.refers("<sip:1002@h>")
    new = lab.controller.next_link(2)
    new.execute("playback", "tone_stream://%(2000,4000,440,480);loops=-1")
    lab.switch.settle()
    assert lab.alice.hears == "ringback"
    new.ask(f"api uuid_bridge {caller} {callee}")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")


def test_broadcast_and_break(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    link.execute("answer")
    link.ask(f"api uuid_broadcast {caller} tone_stream://x;loops=-1 aleg")
    lab.switch.settle()
    assert lab.alice.hears == "ringback"
    link.ask(f"api uuid_break {caller}")
    lab.switch.settle()
    assert lab.alice.hears == "silence"


def test_a_message_during_a_bridge_is_obeyed(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.execute("set", "during=yes")
    lab.switch.settle()
    assert link.ask(f"api uuid_getvar {caller} during") == "yes"
    assert lab.alice.hears == "1001"


def test_uuid_transfer_of_one_leg_ends_the_other(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.ask(f"api uuid_transfer {caller} 5 XML fsctl_refer")
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    assert lab.controller.next_link(2).frames[0][0]["Unique-ID"] == caller


def test_an_unknown_application_ends_the_leg(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.controller.next_link(1).execute("nonsense")
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 502))


def test_the_variables_of_a_bridge(lab: Lab) -> None:
    """``bridge_to`` says who talks now; what else a bridge sets says who talked last."""

    def said(uuid: str) -> dict[str, str]:
        names = ("bridge_to", "last_bridge_to", "bridge_uuid", "signal_bond")
        return {n: lab.switch.run_api("uuid_getvar", f"{uuid} {n}") for n in names}

    _, caller, callee = lab.call()
    assert set(said(caller).values()) == {callee}
    assert set(said(callee).values()) == {caller}
    lab.bob.refers("<sip:1002@x>")
    lab.controller.next_link(2)
    for uuid, other in ((caller, callee), (callee, caller)):
        now, last, bridge, bond = said(uuid).values()
        assert (now, last, bridge, bond) == ("_undef_", other, other, "_undef_")


def test_what_is_executed_when_a_bridge_begins(lab: Lab) -> None:
    """FreeSWITCH copies the caller's variables then, and obeys them when media have passed."""
    link, caller, callee = lab.call()
    link.ask(f"api uuid_setvar {caller} bridge_pre_execute_aleg_app set")
    link.ask(f"api uuid_setvar {caller} bridge_pre_execute_aleg_data said=yes")

    def said(name: str) -> str:
        return lab.switch.run_api("uuid_getvar", f"{caller} {name}")

    lab.switch.run_api("uuid_bridge", f"{caller} {callee}")
    assert said("bridge_uuid") == callee
    assert said("bridge_pre_execute_app") == "_undef_"  # uuid_bridge was obeyed, and has not begun
    lab.switch.run_until(lambda: said("bridge_pre_execute_app") == "set")
    assert said("said") == "_undef_"
    lab.switch.run_until(lambda: said("said") == "yes")


def test_a_bridge_that_ends_is_no_more_to_be_seen(lab: Lab) -> None:
    link, caller, callee = lab.call()
    link.ask(f"api uuid_setvar {callee} park_after_bridge true")
    lab.alice.hangs_up()
    lab.switch.run_until(lambda: lab.switch.locate(callee).running_state == "CS_PARK")
    assert link.ask(f"api uuid_getvar {callee} bridge_to") == "_undef_"
    # A leg that has been hung up does not exist, though its link still lingers.
    assert [link.ask(f"api uuid_exists {uuid}") for uuid in (caller, callee)] == ["false", "true"]
