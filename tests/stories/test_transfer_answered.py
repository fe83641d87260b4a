"""In-session transfers that succeed."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

BOTH = pytest.mark.parametrize("by", ["callee", "caller"])


@BOTH
def test_target_answers(world: World, by: str) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    target.wait_received("INVITE")
    assert transferee.hears_ringback()
    assert not transferor.notifies
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    assert hear_each_other(transferee, target)
    assert transferor.notifies == ["SIP/2.0 200 OK"]
    target.hangs_up()
    transferee.wait_received("BYE")


@BOTH
def test_order_on_the_wire_is_202_invite_notify_bye(world: World, by: str) -> None:
    world.serve()
    transferor, _ = talking(world, by)
    target = world.party("1002").answers()
    transferor.refers(world.refer_to("1002"))
    transferor.wait_received("BYE")
    wanted = ("SIP/2.0 202 Accepted", "NOTIFY", "BYE")
    lines = [m.start_line for m in transferor.messages if m.direction == "in"]
    assert [line for line in lines if line in wanted] == list(wanted)
    invited_s = target.received("INVITE")[0].time_s
    assert transferor.received(202)[0].time_s <= invited_s
    assert invited_s < transferor.received("NOTIFY")[0].time_s


def test_notify_carries_the_event_of_the_refer_and_ends_the_subscription(world: World) -> None:
    world.serve()
    transferor, _ = talking(world)
    world.party("1002").answers()
    transferor.refers(world.refer_to("1002"))
    transferor.wait_notify()
    assert transferor.notify_events == transferor.refer_events()
    notify = transferor.received("NOTIFY")[0]
    assert notify.header("Subscription-State") == "terminated;reason=noresource"
    assert notify.header("Content-Type").startswith("message/sipfrag")


@BOTH
def test_target_sees_who_is_transferred_and_what_was_chosen(world: World, by: str) -> None:
    world.serve(transfer={"headers": {"X-Chosen": "by the application"}})
    transferor, transferee = talking(world, by)
    target = world.party("1002").answers()
    referred_by = f"<sip:{transferor.number}@example.org>"
    headers = "X-Account=42&User-to-User=04c8%3Bencoding%3Dhex&Subject=no"
    transferor.refers(f"<{world.uri('1002')}?{headers}>", referred_by)
    invite = target.wait_received("INVITE")
    assert f"<sip:{transferee.number}@" in invite.header("From")
    assert invite.header("X-Chosen") == "by the application"
    assert invite.header("X-Account") == "42"
    assert invite.header("User-to-User") == "04c8;encoding=hex"
    assert invite.header("Referred-By") == referred_by
    assert not invite.header("Subject")
    text = str(invite.headers) + invite.body
    assert "X-FS-" not in text and "fsctl" not in text.lower()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"


@pytest.mark.parametrize(
    ("transfer", "seen"),
    [
        pytest.param({"caller_id": "transferee"}, '"Alice" <sip:2000@', id="transferee"),
        pytest.param({"caller_id": "transferor"}, "<sip:1001@", id="transferor"),
        pytest.param({"caller_id": "dialled"}, "<sip:1001@", id="dialled"),
        pytest.param(
            {
                "caller_id": "template",
                "caller_id_number": "+49{dialled}",
                "caller_id_name": "{transferee} via {transferor}",
            },
            '"Alice via 1001" <sip:+491001@',
            id="template",
        ),
        pytest.param(
            {"caller_id": "fixed", "caller_id_number": "4711", "caller_id_name": "Reception"},
            '"Reception" <sip:4711@',
            id="fixed",
        ),
    ],
)
def test_target_sees_the_configured_caller(
    world: World, transfer: dict[str, Any], seen: str
) -> None:
    world.serve(transfer=transfer)
    bob, _ = talking(world)
    target = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    assert seen in target.wait_received("INVITE").header("From")
    assert bob.wait_notify() == "SIP/2.0 200 OK"


def test_target_sees_no_false_name_of_a_callee_who_is_transferred(world: World) -> None:
    world.serve()
    alice, _bob = talking(world, "caller")
    target = world.party("1002").answers()
    alice.refers(world.refer_to("1002"))
    seen = target.wait_received("INVITE").header("From")
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert "<sip:1001@" in seen
    assert "Outbound Call" not in seen and "Alice" not in seen, seen


def test_the_target_is_told_who_has_sent_the_call_there(world: World) -> None:
    """By what FreeSWITCH vouches for, never by what the REFER says."""
    world.serve(
        transfer={"referred_by": "rewrite", "diversion": True, "history_info": True},
        route={"asserted_identity": "pai"},
    )
    transferor, transferee = talking(world)
    target = world.party("1002").answers()
    forged = f"<{world.uri('1002')}?Diversion=%3Csip:9%40a.example%3E&X-Account=42>"
    transferor.refers(forged, "<sip:9999@example.org>")
    invite = target.wait_received("INVITE")
    assert invite.header("X-Account") == "42"
    shown = f"<sip:{transferor.number}@127.0.0.1>"
    assert invite.header("Referred-By") == shown
    assert invite.header("Diversion") == f"{shown};reason=unconditional;counter=1"
    assert invite.header("History-Info") == (
        f"{shown};index=1, <sip:1002@127.0.0.1;cause=302>;index=1.1;mp=1"
    )
    assert f"<sip:{transferee.number}@" in invite.header("P-Asserted-Identity")
    assert not invite.header("Remote-Party-ID")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"


def test_referred_by_is_kept_from_the_target_when_so_configured(world: World) -> None:
    world.serve(transfer={"referred_by": "drop"})
    bob, _ = talking(world)
    target = world.party("1002").answers()
    bob.refers(world.refer_to("1002"), "<sip:1001@example.org>")
    assert not target.wait_received("INVITE").header("Referred-By")
    assert bob.wait_notify() == "SIP/2.0 200 OK"


@BOTH
def test_target_sends_early_media_and_answers(world: World, by: str) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    target = world.party("1002").sends_early_media()
    transferor.refers(world.refer_to("1002"))
    target.wait_received("INVITE")
    assert transferee.hears_ringback()
    assert not transferor.notifies
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)


@BOTH
def test_target_redirects_to_somebody_our_routes_admit(world: World, by: str) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    carol = world.party("1003").answers()
    world.party("1002").redirects(world.uri("1003"))
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)


def test_chain_of_three(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    carol, dave, erin = (world.party(number).answers() for number in ("1002", "1003", "1004"))
    for transferor, target in ((bob, carol), (carol, dave)):
        transferor.refers(world.refer_to(target.number))
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, target)
        transferor.wait_over()
    alice.refers(world.refer_to("1004"))  # who was moved twice transfers in turn
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(dave, erin)
    alice.wait_over()
    dave.hangs_up()
    erin.wait_received("BYE")


@pytest.mark.parametrize(
    "refer_to",
    [
        '"Carol, of \\"Sales\\"" <sip:1002@example.org:5099;user=phone>',
        "<sip:%31002@example.org>",
        "<sip:1002:secret@example.org>",
        "<sip:1002@[::1]:5070>",
        "<tel:1002>",
        "sip:1002@example.org",
    ],
)
def test_refer_to_is_served_whatever_its_form(world: World, refer_to: str) -> None:
    world.serve()
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.refers(refer_to)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
