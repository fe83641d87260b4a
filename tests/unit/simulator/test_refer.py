"""REFER in all its forms: confirmed, native, odd, hostile, attended."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from fsctl.simulator import Departure, Dialplan, actions, context

Lab = Any  # the class is in conftest.py, which tests cannot import


def ok(lab: Lab, status: str = "SIP/2.0 200 OK") -> Any:
    return lambda: any(body == status for _, body in lab.bob.notifies)


@pytest.mark.parametrize(
    "refer_to",
    ["", "*", "garbage", "<sip:1@a>, <sip:2@b>", "<sip:a|b@h>", "<sip:host>", "<sip:[::1]>",
     "<urn:x>", "<http://x>"],
)  # fmt: skip
def test_refers_without_a_user_get_202_and_silence(lab: Lab, refer_to: str) -> None:
    lab.call()
    seen = len(lab.switch.events)
    lab.bob.refers(refer_to)
    lab.switch.advance(30)
    assert lab.bob.received("REFER", 202)
    assert lab.bob.notifies == []
    assert lab.switch.events[seen:] == []
    assert lab.alice.hears == "1001"


@pytest.mark.parametrize(
    ("refer_to", "number"),
    [
        ("<sip:@host>", "service"),
        ("<tel:+15551234>", "+15551234"),
        ("mailto:a@b.c", "a"),
        ("sips:3@h", "3"),
        ('"An, nie" <sip:3@[::1]:99999;x=y>', "3"),
        ("<sip:3000:secret@h>", "3000"),
        ("<sip:*97#@h>", "*97#"),
        ("<sip:%7Ba%7D%0D%0Ab@h>", "%7Ba%7D%0D%0Ab"),
        ("<sip:3@h;method=BYE?X-Foo=bar>", "3"),
    ],
)
def test_what_becomes_of_the_number(lab: Lab, refer_to: str, number: str) -> None:
    _, caller, _ = lab.call()
    lab.bob.refers(refer_to)
    link = lab.controller.next_link(2)
    assert lab.switch.channels[caller].profile.destination_number == number
    assert link.ask(f"api uuid_getvar {caller} sip_refer_to") == refer_to.strip()


def test_plain_headers_cannot_tell_an_escape_from_the_real_thing(lab: Lab) -> None:
    lab.call()
    lab.bob.refers("<sip:30%0D%0Ax@h>")
    link = lab.controller.next_link(2)
    assert link.frames[0][0]["Channel-Destination-Number"] == "30%0D%0Ax"


def test_a_variable_in_the_number_leaves_a_stale_refer_to(lab: Lab) -> None:
    lab.carol.busy()
    _, caller, callee = lab.call()
    link, _, identity = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: link.completed(identity))
    lab.report_failure(link, caller, callee, "joined")
    lab.switch.run_until(lambda: lab.bob.hears == "1000")
    lab.bob.refers("<sip:${system(id)}@h>")
    again = lab.controller.next_link(3)
    assert again.ask(f"api uuid_getvar {caller} sip_refer_to") == "<sip:1002@127.0.0.1:25502>"
    assert lab.switch.channels[caller].profile.destination_number == "${system(id)}"
    assert lab.switch.expanded_apis == []


def test_a_dialplan_that_uses_the_number_executes_it(lab: Lab) -> None:
    contexts = dict(lab.switch.dialplan.contexts)
    contexts["fsctl_refer"] = context(("^(.*)$", actions("set x=$1", "park")))
    lab.switch.dialplan = Dialplan(contexts)
    lab.call()
    lab.bob.refers("<sip:${system(touch x)}@h>")
    lab.switch.settle()
    assert lab.switch.expanded_apis == [("system", "touch x")]


def test_arguments_of_executed_applications_are_expanded(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    link.execute("set", "x=${caller_id_number}-${system(id)}")
    lab.switch.settle()
    assert link.ask(f"api uuid_getvar {caller} x") == "1000-"
    assert lab.switch.expanded_apis == [("system", "id")]


def test_native_without_confirmation_claims_success_at_once(lab: Lab) -> None:
    contexts = dict(lab.switch.dialplan.contexts)
    contexts["public"] = context(
        ("^1001$", actions("bridge sofia/lab/1001@x")),
        ("^1002$", actions("bridge sofia/lab/1002@x")),
    )
    lab.switch.dialplan = Dialplan(contexts)
    lab.carol.busy()
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")
    lab.bob.refers("<sip:1002@h>")
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    assert lab.carol.sent("INVITE", 486) == []
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    (bye,) = lab.alice.received("BYE")
    assert bye.header("Reason") == 'Q.850;cause=17;text="USER_BUSY"'


@pytest.mark.parametrize(("ack", "body"), [("true", "200 OK"), ("false", "403 Forbidden")])
def test_blind_transfer_ack(lab: Lab, ack: str, body: str) -> None:
    lab.call()
    lab.bob.refers("<sip:1002@h>")
    link = lab.controller.next_link(2)
    link.execute("blind_transfer_ack", ack)
    lab.switch.run_until(lambda: lab.bob.notifies)
    assert lab.bob.notifies == [("refer;id=2", f"SIP/2.0 {body}")]
    lab.switch.settle()
    assert lab.alice.hears == ("silence" if ack == "true" else "1001")


def test_unsetting_before_the_bridge_keeps_the_switch_silent(lab: Lab) -> None:
    _, caller, callee = lab.call()
    lab.bob.refers("<sip:1002@h>")
    link = lab.controller.next_link(2)
    link.ask(f"api uuid_setvar {caller} blind_transfer_uuid")
    link.ask(f"api uuid_bridge {caller} {callee}")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")
    assert lab.bob.notifies == []


def test_dead_controller_after_unset_loses_the_transferee(lab: Lab) -> None:
    _, caller, _ = lab.call()
    lab.bob.refers("<sip:1002@h>")
    link = lab.controller.next_link(2)
    link.ask(f"api uuid_setvar {caller} blind_transfer_uuid")
    lab.controller.server.stop()
    link.sock.close()
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    assert lab.bob.notifies == []
    assert lab.bob.in_call


def test_a_chain_of_transfers(lab: Lab) -> None:
    _, caller, callee = lab.call()
    link, target, _ = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(ok(lab))
    lab.bob.hangs_up()
    dave = lab.switch.phone("1003")
    lab.carol.refers("<sip:1003@h>", "<sip:1002@h>")
    third = lab.controller.next_link(3)
    assert third.frames[0][0]["Unique-ID"] == caller
    assert third.frames[0][0]["variable_max_forwards"] == "68"
    third.execute("bridge", f"{{{lab.leg}}}sofia/lab/sip:1003@127.0.0.1:1")
    lab.switch.run_until(lambda: dave.hears == "1000")
    assert lab.carol.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    assert target in lab.switch.channels
    assert link.eof is False


def test_max_forwards_ends_a_loop_of_transfers(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.ask(f"api uuid_setvar {caller} max_forwards 1")
    lab.bob.refers("<sip:1002@h>")
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    (bye,) = lab.alice.received("BYE")
    assert "EXCHANGE_ROUTING_ERROR" in bye.header("Reason")


def test_a_transferor_on_hold_is_heard_again_but_hears_nothing(lab: Lab) -> None:
    lab.carol.busy()
    _, caller, callee = lab.call()
    lab.bob.holds()
    assert lab.alice.hears == "silence"
    link, _, identity = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: link.completed(identity))
    lab.report_failure(link, caller, callee, "joined")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")
    assert lab.bob.hears == "silence"
    lab.bob.resumes()
    assert lab.bob.hears == "1000"


# -- attended ------------------------------------------------------------------------------------


def two_calls(lab: Lab) -> tuple[Any, str, str]:
    """Alice talks to Bob, Bob on a second line to Carol; the dialog that Bob would replace."""
    _, caller, _ = lab.call()
    second = lab.bob.calls("1002")
    _, line, target = lab.handle("1002")
    lab.switch.run_until(lambda: lab.carol.hears == "1001")
    assert line == second.channel.uuid
    return second, caller, target


def replaces(dialog: Any) -> str:
    return f"<sip:1002@127.0.0.1?Replaces={dialog.call_id}%3Bto-tag%3Dx%3Bfrom-tag%3Dy>"


def attended(lab: Lab, refer_to: str | None = None) -> tuple[Any, Any, str, str]:
    lab.attended_transfers_ask()
    second, caller, target = two_calls(lab)
    first = lab.bob.dialogs[0]
    lab.bob.refers(refer_to or replaces(second), "<sip:1001@h>", dialog=first)
    return lab.controller.next_link(3), second, caller, target


def test_a_refer_with_replaces_comes_to_the_controller_over_loopback(lab: Lab) -> None:
    link, second, caller, _ = attended(lab)
    head = link.frames[0][0]
    own = head["Unique-ID"]
    assert head["Channel-Name"] == "loopback/attended-b"
    assert head["Caller-Destination-Number"] == "attended"
    asked = {
        name: link.ask(f"api uuid_getvar {own} {name}")
        for name in ("sip_refer_to", "_sofia_replaces_", "Referred-By", "sip_h_X-FS-Refer-For")
    }
    assert asked == {
        "sip_refer_to": replaces(second),
        "_sofia_replaces_": f"{second.call_id};to-tag=x;from-tag=y",
        "Referred-By": "<sip:1001@h>",
        "sip_h_X-FS-Refer-For": caller,
    }
    assert (lab.alice.hears, lab.carol.hears) == ("1001", "1001")


def test_accepting_an_attended_transfer(lab: Lab) -> None:
    link, second, caller, target = attended(lab)
    link.execute("answer")
    lab.switch.run_until(lambda: lab.bob.notifies)
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    link.ask(f"api uuid_bridge {caller} {target}")
    lab.switch.run_until(lambda: lab.alice.hears == "1002" and lab.carol.hears == "1000")
    assert len(lab.bob.received("BYE")) == 1
    # The line that was replaced fell back into its own socket's park.
    assert second.state == "up"
    names = {channel.name for channel in lab.switch.channels.values() if channel.up}
    assert not any(name.startswith("loopback") for name in names)


def test_refusing_an_attended_transfer_leaves_everybody_talking(lab: Lab) -> None:
    link, _, _, _ = attended(lab)
    link.execute("hangup", "CALL_REJECTED")
    lab.switch.run_until(lambda: lab.bob.notifies)
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 403 Forbidden")]
    assert (lab.alice.hears, lab.carol.hears) == ("1001", "1001")


def test_nobody_decides_for_sixty_seconds(lab: Lab) -> None:
    attended(lab)
    lab.switch.advance(61)
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 403 Forbidden")]
    assert lab.alice.hears == "1001"


def test_an_unknown_dialog_is_dialled_where_the_phone_says(lab: Lab) -> None:
    """The hole: without configuration any phone transfers to any host."""
    lab.call()
    mallory = lab.switch.phone("666")
    lab.bob.refers("<sip:666@evil.example?Replaces=x>")
    lab.switch.run_until(lambda: lab.alice.hears == "666")
    assert mallory.received("INVITE")
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]


def test_two_local_calls_are_joined_without_asking(lab: Lab) -> None:
    second, _, _ = two_calls(lab)
    lab.bob.refers(replaces(second), dialog=lab.bob.dialogs[0])
    lab.switch.run_until(lambda: lab.alice.hears == "1002")
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    lab.switch.run_until(lambda: lab.bob.dialogs[0].state == "ended" == second.state)


@pytest.mark.parametrize("after", ["202", "NOTIFY"])
def test_a_phone_that_hangs_up_after_its_refer(lab: Lab, after: Literal["202", "NOTIFY"]) -> None:
    """Once, by itself: 0.03 s after the 202, or after the NOTIFY."""
    lab.carol.busy()
    lab.bob.leaves_after_refer(Departure(after, 0.03))
    lab.call()
    lab.bob.refers("<sip:1002@h?Replaces=nobody%3Bto-tag%3Dx%3Bfrom-tag%3Dy>")
    lab.switch.run_until(lambda: lab.bob.sent("BYE"))
    began = lab.bob.received("REFER", 202) if after == "202" else lab.bob.received("NOTIFY")
    assert round(lab.bob.sent("BYE")[0].time_s - began[0].time_s, 3) == 0.03


def test_to_a_leg_with_an_application_the_transferee_is_sent_to_its_number(lab: Lab) -> None:
    """Left to the switch: nobody to be joined with; in whatever context, and success is told."""
    _, caller, _ = lab.call()
    first, second = lab.bob.dialogs[0], lab.bob.calls("1002")
    alone, line, _ = lab.handle("1002")
    alone.ask(f"api uuid_setvar {caller} force_transfer_context elsewhere")
    moved, left = lab.switch.channels[caller], lab.switch.channels[line]
    left.set_variable("signal_bond", None)
    lab.bob.refers(replaces(second), dialog=first)
    lab.switch.run_until(lambda: lab.bob.notifies and not left.up)
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    assert (moved.get_variable("transfer_source") or "").endswith(":bl_xfer:1002/elsewhere/XML")
    assert "Replaces=" in (moved.get_variable("sip_refer_to") or "")
