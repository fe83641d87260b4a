"""In-session blind transfers on the real switch, asserted on what the phones received."""

from __future__ import annotations

import pytest

from tests.live.lab import Early, Pause, Refuse, Ring
from tests.live.lab.party import hear_each_other, sections, start_lines, talking

TRANSFER = {"headers": {"X-Chosen": "by the application"}}


@pytest.fixture(autouse=True)
def served(controller, switch):
    return controller(sections(switch, ring_timeout_s=2, transfer=TRANSFER))


@pytest.fixture(params=["callee", "caller"])
def parties(request, phones):
    """Transferor and transferee: the callee transfers the caller, and the other way round."""
    alice, bob = talking(phones)
    return (bob, alice) if request.param == "callee" else (alice, bob)


def test_answered(parties, phones, switch):
    transferor, transferee = parties
    target = phones.callee("1002", [Ring()])
    assert transferor.refer(f"<{switch.uri('1002')}>").status == 202
    target.wait_received("INVITE")
    assert transferee.hears_tone(), "the transferee must hear ringback"
    assert not transferor.notifies()
    target.answer()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    assert hear_each_other(transferee, target)
    order = [line for line in start_lines(transferor) if line in ORDER]
    assert order == list(ORDER)
    invited = target.received("INVITE")[0].time_s
    assert transferor.received(202)[-1].time_s < invited
    assert invited < transferor.received("NOTIFY")[0].time_s
    target.bye()
    transferee.wait_received("BYE")


ORDER = ("SIP/2.0 202 Accepted", "NOTIFY", "BYE")


def test_notify_carries_the_event_of_the_refer(parties, phones, switch):
    transferor, _ = parties
    phones.callee("1002")
    transferor.refer(f"<{switch.uri('1002')}>")
    transferor.wait_notify()
    refer, notify = transferor.sent("REFER")[0], transferor.received("NOTIFY")[0]
    assert notify.header("Event") == f"refer;id={refer.header('CSeq').split()[0]}"
    assert notify.header("Subscription-State") == "terminated;reason=noresource"
    assert notify.header("Content-Type").startswith("message/sipfrag")


def test_target_sees_who_is_transferred_and_what_was_chosen(parties, phones, switch):
    transferor, transferee = parties
    target = phones.callee("1002")
    referred_by = f"<sip:{transferor.number}@example.org>"
    transferor.refer(f"<{switch.uri('1002')}?X-Account=42>", referred_by)
    invite = target.wait_received("INVITE")
    assert f"<sip:{transferee.number}@" in invite.header("From")
    assert invite.header("X-Chosen") == "by the application"
    assert invite.header("X-Account") == "42"
    assert invite.header("Referred-By") == referred_by
    text = str(invite.headers) + invite.body
    assert "X-FS-" not in text and "fsctl" not in text.lower()
    transferor.wait_notify()


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        pytest.param([Ring(), Refuse(486, "Gone fishing")], "486 Gone fishing", id="busy"),
        pytest.param([Ring(), Refuse(603, "No, thanks")], "603 No, thanks", id="declined"),
        pytest.param([Refuse(404, "Not Found")], "404 Not Found", id="unknown"),
        pytest.param([Early(), Pause(200), Refuse(486, "Busy now")], "486 Busy now", id="early"),
        pytest.param([Ring()], "480 Temporarily Unavailable", id="no answer"),
    ],
)
def test_target_fails_and_the_first_two_talk_on(parties, phones, switch, steps, line):
    transferor, transferee = parties
    target = phones.callee("1002", steps)
    transferor.refer(f"<{switch.uri('1002')}>")
    assert transferor.wait_notify(timeout_s=8) == f"SIP/2.0 {line}"
    assert hear_each_other(transferor, transferee)
    assert len(target.received("INVITE")) == 1
    transferee.bye()
    transferor.wait_over()
    assert len(transferor.notifies()) == 1


def test_target_is_unreachable(parties, switch, closed_port):
    transferor, transferee = parties
    switch.add_user("1002", closed_port)
    transferor.refer(f"<{switch.uri('1002')}>")
    assert transferor.wait_notify() == "SIP/2.0 503 Service Unavailable"
    assert hear_each_other(transferor, transferee)
    switch.remove_user("1002")


def test_target_redirects_to_somebody_our_routes_admit(parties, phones, switch):
    transferor, transferee = parties
    carol = phones.callee("1003")
    contact = f"<sip:1003@{switch.domain}>"
    phones.callee("1002", [Refuse(302, "Moved Temporarily", [("Contact", contact)])])
    transferor.refer(f"<{switch.uri('1002')}>")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)


def test_target_redirects_to_somewhere_else(parties, phones, switch):
    transferor, transferee = parties
    stranger = phones.callee("5")
    contact = f"<sip:stranger@127.0.0.1:{stranger.port}>"
    phones.callee("1002", [Refuse(302, "Moved Temporarily", [("Contact", contact)])])
    transferor.refer(f"<{switch.uri('1002')}>")
    assert transferor.wait_notify() == "SIP/2.0 302 Moved Temporarily"
    assert not stranger.received("INVITE")
    assert hear_each_other(transferor, transferee)


def test_chain_of_three(phones, switch):
    alice, bob = talking(phones)
    carol, dave, erin = (phones.callee(number) for number in ("1002", "1003", "1004"))
    for transferor, target, talker in ((bob, carol, alice), (carol, dave, alice)):
        transferor.refer(f"<{switch.uri(target.number)}>")
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(talker, target)
        transferor.wait_over()
    alice.refer(f"<{switch.uri('1004')}>")  # the one who was moved twice transfers in turn
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(dave, erin)
    alice.wait_over()
    dave.bye()
    erin.wait_received("BYE")


def test_two_failures_then_a_success(parties, phones, switch):
    transferor, transferee = parties
    phones.callee("1002", [Refuse(486, "Busy")])
    phones.callee("1003", [Ring(), Refuse(603, "Never")])
    target = phones.callee("1004")
    for count, (number, line) in enumerate(
        [("1002", "486 Busy"), ("1003", "603 Never"), ("1004", "200 OK")], 1
    ):
        transferor.refer(f"<{switch.uri(number)}>")
        assert transferor.wait_notify(count) == f"SIP/2.0 {line}"
        if number != "1004":
            assert hear_each_other(transferor, transferee)
    assert hear_each_other(transferee, target)
    events = [notify.header("Event") for notify in transferor.received("NOTIFY")]
    assert len(set(events)) == 3
    transferor.wait_over()


def test_second_refer_is_refused_and_disturbs_nothing(parties, phones, switch):
    transferor, transferee = parties
    target = phones.callee("1002", [Ring()])
    other = phones.callee("1003")
    transferor.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    transferor.refer(f"<{switch.uri('1003')}>")
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    target.answer()
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    ids = [refer.header("CSeq").split()[0] for refer in transferor.sent("REFER")]
    events = [notify.header("Event") for notify in transferor.received("NOTIFY")]
    assert events == [f"refer;id={ids[1]}", f"refer;id={ids[0]}"]
    assert not other.received("INVITE")
    assert hear_each_other(transferee, target)


def test_transferee_hangs_up_while_the_target_rings(parties, phones, switch):
    transferor, transferee = parties
    target = phones.callee("1002", [Ring()])
    transferor.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    transferee.bye()
    target.wait_received("CANCEL")
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()


def test_transferor_hangs_up_while_the_target_rings(parties, phones, switch):
    transferor, transferee = parties
    target = phones.callee("1002", [Ring()])
    transferor.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    transferor.bye()
    target.answer()
    assert hear_each_other(transferee, target)


def test_transferor_on_hold_gets_its_call_back(phones, switch):
    alice, bob = talking(phones)
    phones.callee("1002", [Ring(), Refuse(486, "Busy")])
    assert bob.hold().status == 200
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 486 Busy"
    # FreeSWITCH takes Bob off hold itself; until that is done a re-INVITE of his own is too early
    bob.wait_received("ACK", 2)
    assert bob.resume().status == 200
    assert hear_each_other(alice, bob)
