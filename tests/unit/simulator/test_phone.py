"""Phones: behaviours, what they record, whom they hear."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.simulator import Behaviour

Lab = Any  # the class is in conftest.py, which tests cannot import


def outcome(lab: Lab, timeout_s: int = 10) -> dict[str, str]:
    """Alice calls Bob; the completion of the bridge."""
    lab.alice.calls("1001")
    link, _, _ = lab.handle(timeout_s=timeout_s)
    lab.switch.run_until(lambda: link.completed("e1"))
    return link.completed("e1")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("script", "cause", "status"),
    [
        (lambda p: p.busy(), "USER_BUSY", "486"),
        (lambda p: p.declines(), "CALL_REJECTED", "603"),
        (lambda p: p.refuses(404), "UNALLOCATED_NUMBER", "404"),
        (lambda p: p.refuses(600, "Busy Everywhere"), "USER_BUSY", "600"),
        (lambda p: p.refuses(408), "RECOVERY_ON_TIMER_EXPIRE", "408"),
        (lambda p: p.refuses(503), "NORMAL_TEMPORARY_FAILURE", "503"),
        (lambda p: p.refuses(488), "INCOMPATIBLE_DESTINATION", "488"),
        (lambda p: p.refuses(484), "INVALID_NUMBER_FORMAT", "484"),
        (lambda p: p.refuses(487), "ORIGINATOR_CANCEL", "487"),
        (lambda p: p.unreachable(), "NORMAL_TEMPORARY_FAILURE", "503"),
        (lambda p: p.rings(), "NO_ANSWER", None),
        (lambda p: p.silent(), "NO_ANSWER", None),
        (lambda p: p.redirects("sip:9@h"), "REQUESTED_CHAN_UNAVAIL", None),
    ],
)  # fmt: skip
def test_how_a_call_fails(lab: Lab, script: Any, cause: str, status: str | None) -> None:
    script(lab.bob)
    done = outcome(lab)
    assert done["variable_originate_disposition"] == cause
    assert done.get("variable_sip_invite_failure_status") == status


def test_the_true_phrase_is_kept(lab: Lab) -> None:
    lab.bob.refuses(480, "Schläft – später")
    assert outcome(lab)["variable_sip_invite_failure_phrase"] == "Schläft – später"


def test_timer_b_after_32_seconds(lab: Lab) -> None:
    lab.bob.silent()
    start = lab.switch.clock.now_s
    assert outcome(lab, 100)["variable_originate_disposition"] == "RECOVERY_ON_TIMER_EXPIRE"
    assert lab.switch.clock.now_s - start == pytest.approx(32, abs=0.5)
    assert lab.bob.messages == []


def test_the_fake_487_comes_with_the_completion_only(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    link, _, callee = lab.handle()
    link.ask("event plain CHANNEL_HANGUP_COMPLETE")
    lab.switch.run_until(lambda: any(e["Event-Name"].endswith("COMPLETE") for e in link.events))
    of_callee = [event for event in link.events if event.get("Unique-ID") == callee]
    hangup = next(e for e in of_callee if e["Event-Name"] == "CHANNEL_HANGUP")
    complete = next(e for e in of_callee if e["Event-Name"] == "CHANNEL_HANGUP_COMPLETE")
    assert "variable_sip_invite_failure_status" not in hangup
    assert complete["variable_sip_invite_failure_status"] == "487"
    assert complete["variable_sip_hangup_disposition"] == "send_cancel"


def test_behaviours_are_used_call_by_call(lab: Lab) -> None:
    lab.bob.behaves(Behaviour(status=486), Behaviour())
    assert outcome(lab)["variable_originate_disposition"] == "USER_BUSY"
    lab.controller.links[0].execute("bridge", f"{{{lab.leg}}}sofia/lab/1001@x", "e9")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")


def test_early_media_is_heard_and_its_end_needs_continue_on_fail(lab: Lab) -> None:
    lab.bob.early_media_then_busy(after_s=3)
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 183))
    lab.switch.settle()
    assert lab.alice.hears == "1001"
    lab.switch.run_until(lambda: link.completed("e1"))
    assert link.completed("e1")["variable_originate_disposition"] == "SUCCESS"
    assert link.completed("e1")["variable_last_bridge_hangup_cause"] == "USER_BUSY"


def test_ringing_is_heard_as_ringback(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    lab.handle()
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 180))
    assert (lab.alice.hears, lab.bob.hears) == ("ringback", "nothing")


def test_transfer_ringback_is_heard_by_an_answered_leg(lab: Lab) -> None:
    lab.carol.answers(after_s=9)
    _, caller, callee = lab.call()
    lab.refer(caller, callee, lab.bob)
    lab.switch.advance(1)
    assert (lab.alice.hears, lab.bob.hears) == ("ringback", "silence")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")


def test_the_other_legs_refusal_wins_over_the_controllers_cause(lab: Lab) -> None:
    """``sofia_on_hangup``: a plain hangup after a busy target still says 486 to the caller."""
    lab.bob.busy()
    outcome(lab)
    lab.controller.links[0].ask("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING")
    lab.switch.run_until(lambda: lab.alice.dialog.final_status)
    assert lab.alice.dialog.final_status == 486


def test_hanging_up_later(lab: Lab) -> None:
    lab.bob.answers_then_hangs_up(talk_s=4)
    lab.call()
    lab.alice.hangs_up(after_s=60)
    lab.switch.advance(3)
    assert lab.bob.in_call
    lab.switch.advance(2)
    assert lab.bob.sent("BYE")


def test_custom_headers_reach_the_channel_and_the_next_leg(lab: Lab) -> None:
    lab.alice.calls("1001", [("X-Foo", "bar")])
    link, caller, _ = lab.handle()
    assert link.ask(f"api uuid_getvar {caller} sip_h_X-Foo") == "bar"
    lab.switch.run_until(lambda: lab.bob.in_call)
    assert lab.bob.received("INVITE")[0].header("X-Foo") == "bar"


def test_caller_id_shown_to_the_target(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.execute("set", "effective_caller_id_number=4711")
    link.execute("bridge", "{origination_caller_id_name=Boss}sofia/lab/1001@x")
    lab.switch.run_until(lambda: lab.bob.in_call)
    assert lab.bob.received("INVITE")[0].header("From") == '"Boss" <sip:4711@127.0.0.1>'


def test_a_phone_in_no_call_cannot_refer(lab: Lab) -> None:
    with pytest.raises(RuntimeError, match="1002 is in no call"):
        lab.carol.refers("<sip:1@h>")
