"""``deflect`` and ``uuid_deflect``: a REFER to the phone, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import
TARGET = "sip:1003@localhost"


@pytest.fixture
def link(lab: Lab) -> Any:
    """Alice's link, answered."""
    lab.alice.calls("1001")
    made = lab.controller.next_link(1)
    made.ask("linger")
    made.execute("answer")
    return made


def uuid(link: Any) -> str:
    return str(link.frames[0][0]["Unique-ID"])


def test_a_phone_that_follows(lab: Lab, link: Any) -> None:
    link.execute("deflect", TARGET)
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    (refer,) = lab.alice.received("REFER")
    assert refer.header("Refer-To") == TARGET
    assert lab.alice.sent("REFER", 202)
    assert [m.body for m in lab.alice.sent("NOTIFY")] == [
        "SIP/2.0 100 Trying\r\n",
        "SIP/2.0 200 OK\r\n",
    ]
    assert 'text="BLIND_TRANSFER"' in lab.alice.received("BYE")[0].header("Reason")
    assert link.ask(f"api uuid_exists {uuid(link)}") == "false"
    hangup = next(e for e in lab.switch.events if e.name == "CHANNEL_HANGUP_COMPLETE")
    assert hangup.get("variable_sip_refer_status_code") == "202"
    assert hangup.get("variable_sip_refer_target_provisional_status_code") == "100"
    assert hangup.get("variable_sip_refer_target_status_code") == "200"
    assert hangup.get("variable_sip_refer_reply") == "SIP/2.0 200 OK\r\n"


def test_its_notifies_are_events_too(lab: Lab, link: Any) -> None:
    link.execute("deflect", TARGET)
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    told = [e for e in lab.switch.events if e.subclass == "sofia::notify_refer"]
    assert [event.body for event in told] == ["SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n"]
    assert told[0].get("UniqueID") == uuid(link)
    assert told[1].get("subscription-substate") == "terminated"


def test_a_failure_ends_the_leg_as_well(lab: Lab, link: Any) -> None:
    lab.alice.follows_refers(100, 486, after_s=1)
    answer = link.ask(f"bgapi uuid_deflect {uuid(link)} {TARGET}")
    assert answer.startswith("+OK Job-UUID")
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    job = next(e for e in lab.switch.events if e.name == "BACKGROUND_JOB")
    assert job.body == "+OK:SIP/2.0 486 Busy Here\r\n\n"


@pytest.mark.parametrize("refuses", [True, False])
def test_no_report_within_ten_seconds(lab: Lab, link: Any, refuses: bool) -> None:
    if refuses:
        lab.alice.refuses_refers(603)
    else:
        lab.alice.ignores_refers()
    link.ask(f"bgapi uuid_deflect {uuid(link)} {TARGET}")
    before_s = lab.switch.clock.now_s
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    assert lab.switch.clock.now_s - before_s == pytest.approx(10)
    job = next(e for e in lab.switch.events if e.name == "BACKGROUND_JOB")
    assert job.body == "+OK:no reply\n"


@pytest.mark.parametrize("result", [200, 503])
def test_continue_after_reply_keeps_the_leg(lab: Lab, link: Any, result: int) -> None:
    lab.alice.follows_refers(result)
    link.execute("set", "sip_refer_continue_after_reply=true")
    assert link.ask(f"api uuid_deflect {uuid(link)} {TARGET}") == "+OK:(null)\n"
    lab.switch.advance(20)
    assert lab.alice.in_call
    status = link.ask(f"api uuid_getvar {uuid(link)} sip_refer_target_status_code")
    assert status == str(result)


def test_a_whole_sipfrag(lab: Lab, link: Any) -> None:
    lab.alice.follows_refers("SIP/2.0 486 Not now")
    link.execute("deflect", TARGET)
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    hangup = next(e for e in lab.switch.events if e.name == "CHANNEL_HANGUP")
    assert hangup.get("variable_sip_refer_reply") == "SIP/2.0 486 Not now\r\n"


def test_a_bridged_leg(lab: Lab) -> None:
    link, _caller, callee = lab.call()
    link.ask(f"bgapi uuid_deflect {callee} {TARGET}")
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    assert lab.bob.received("REFER")
    assert lab.alice.in_call  # back in the socket's park, as after any end of its callee


def test_nobody_to_deflect(lab: Lab, link: Any) -> None:
    assert link.ask(f"api uuid_deflect dead {TARGET}") == "-ERR No such channel dead!\n"
    assert link.ask("api uuid_deflect dead").startswith("-USAGE")


def test_a_leg_that_is_not_answered_gets_no_refer(lab: Lab) -> None:
    lab.bob.rings()
    lab.switch.spawn(lab.switch.run_api, "originate", "{origination_uuid=b}user/1001@x &park()")
    lab.switch.run_until(lambda: lab.bob.sent("INVITE", 180))
    lab.switch.spawn(lab.switch.run_api, "uuid_deflect", f"b {TARGET}")
    lab.switch.run_until(lambda: lab.bob.received("CANCEL"))
    assert not lab.bob.received("REFER")
