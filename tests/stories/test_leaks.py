"""What belongs to one call or transfer stays there: nothing of it reaches another party."""

from __future__ import annotations

import pytest

from fsctl.simulator import SipMessage
from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import DOMAIN, World

LEGACY = {"mode": "legacy"}
BY_USER = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    callee = event.session.call_user(event.destination)
    callee.wait_connected()
    event.session.send_media_between(event.call, callee)

@scenario.on(BlindTransferRequested)
def requested(event):
    target = event.session.call_user(event.transfer_to, headers={"X-Given": "yes"})
    target.wait_connected()
    event.session.send_media_between(event.transferee, target)
"""
CONNECTING = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    tell(event.transfer_to, event.headers.get("Refer-To"), event.headers.get("Referred-By"))
    tell(sorted(name.lower() for name in event.headers))
    event.session.connect(event.transferee, event.transfer_to, headers={"X-Given": "yes"})
"""


def names(invite: SipMessage) -> set[str]:
    """The headers of an INVITE that somebody has chosen, in lower case."""
    chosen = ("x-", "user-to-user", "referred-by", "diversion", "p-", "privacy", "subject")
    return {name.lower() for name, _ in invite.headers if name.lower().startswith(chosen)}


def invite_of(party: Party) -> set[str]:
    return names(party.wait_received("INVITE"))


@pytest.mark.parametrize("scenario", ["", CONNECTING, BY_USER], ids=["settings", "connect", "user"])
def test_one_transfers_headers_do_not_reach_the_next(world: World, scenario: str) -> None:
    given = {"x-given"} if scenario else set()
    world.serve(scenario=scenario)
    bob, carol, dave = (world.party(number).answers() for number in ("1001", "1002", "1003"))
    alice = world.party("2000", "Alice")
    alice.calls("1001", [("X-Secret", "s"), ("User-to-User", "u"), ("Diversion", "<sip:1@x.y>")])
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    assert invite_of(bob) == set()
    bob.refers(f"<{world.uri('1002')}?X-Account=42>", f"<sip:1001@{DOMAIN}>")
    expected = given or {"x-account", "referred-by"}
    assert invite_of(carol) == expected
    assert hear_each_other(alice, carol)
    # The second REFER says another, or none: the target is told what this one says.
    second = "" if scenario else f"<sip:2000@{DOMAIN}>"
    alice.refers(world.refer_to("1003"), second or None)
    assert invite_of(dave) == given | ({"referred-by"} if second else set())
    assert dave.received("INVITE")[0].header("Referred-By") == second
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(carol, dave)


@pytest.mark.parametrize("scenario", ["", BY_USER], ids=["settings", "user"])
def test_the_callers_own_headers_go_by_the_allow_list(world: World, scenario: str) -> None:
    world.serve(scenario=scenario, route={"pass_headers": ["X-Case*"]})
    bob, carol = (world.party(number).answers() for number in ("1001", "1002"))
    alice = world.party("2000", "Alice")
    value = "a%41, b=c; {x}"
    alice.calls("1001", [("X-Secret", "s"), ("X-Case-No", value), ("User-to-User", "u")])
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1002"))
    given = {"x-given"} if scenario else set()
    for party, more in ((bob, set()), (carol, given)):
        assert invite_of(party) == {"x-case-no"} | more
        assert party.received("INVITE")[0].header("X-Case-No") == value
    assert hear_each_other(alice, carol)


def test_a_value_that_freeswitch_does_not_take_is_not_that_of_the_transfer_before(
    world: World,
) -> None:
    world.serve()
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over()
    assert hear_each_other(alice, carol)
    carol.refers(f"<sip:10@{DOMAIN}?X=${{x}}>")
    assert carol.wait_notify() == "SIP/2.0 400 Bad Request"
    assert hear_each_other(alice, carol)
    assert len(carol.received("INVITE")) == 1


@pytest.mark.parametrize("transfer", [{}, LEGACY], ids=["in-session", "legacy"])
def test_a_failure_is_not_told_again_for_the_next(world: World, transfer: dict[str, str]) -> None:
    world.serve(transfer=transfer)
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Gone fishing")
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify().startswith("SIP/2.0 486")
    assert hear_each_other(alice, bob)
    world.kill()
    bob.refers(world.refer_to("9"))  # no route: nobody is called
    assert bob.wait_notify(2) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)


def test_without_a_controller_nothing_reaches_the_next_target(world: World) -> None:
    world.serve(transfer=LEGACY, route={"pass_headers": ["X-*"]})
    world.kill()
    bob, carol, dave = (world.party(number).answers() for number in ("1001", "1002", "1003"))
    alice = world.party("2000", "Alice")
    alice.calls("1001", [("X-Case", "7"), ("User-to-User", "u"), ("P-Access", "p")])
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    assert invite_of(bob) == {"x-case"}
    bob.refers(world.refer_to("1002") + ";x=y", f"<sip:1001@{DOMAIN}>")
    assert invite_of(carol) == {"x-case", "referred-by"}
    assert hear_each_other(alice, carol)
    carol.refers(world.refer_to("1003"))
    assert invite_of(dave) == {"x-case"}
    assert hear_each_other(alice, dave)


@pytest.mark.parametrize("alone", [True, False], ids=["no controller", "killed"])
def test_without_a_controller_who_asked_before_is_not_shown_again(
    world: World, alone: bool
) -> None:
    """The party that asked for a legacy transfer is shown, in each the one that asked for it."""
    world.serve(transfer=LEGACY)
    if alone:
        world.kill()
    bob, alice = talking(world)
    if not alone:
        world.kill()
    carol, dave, erin = (world.party(number).answers() for number in ("1002", "1003", "1004"))
    transferor, transferee, seen = bob, alice, "1001"
    for target in (carol, dave):
        transferor.refers(world.refer_to(target.number))
        assert f"<sip:{seen}@" in target.wait_received("INVITE").header("From")
        assert hear_each_other(transferee, target)
        transferor.hangs_up()
        transferor, seen = target, target.number
    alice.refers(world.refer_to("1004"))
    assert "<sip:2000@" in erin.wait_received("INVITE").header("From")
    assert hear_each_other(dave, erin)
    alice.hangs_up()


EMBEDDED = "Refer-To=%3Csip:0900123@h%3E&referred-by=%3Csip:ceo@h%3E&From=%3Csip:ceo@h%3E&X-A=1"


@pytest.mark.parametrize("referred_by", [None, f"<sip:1001@{DOMAIN}>"])
def test_embedded_headers_never_stand_for_the_refers_own(
    world: World, referred_by: str | None
) -> None:
    world.serve(scenario=CONNECTING)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    refer_to = f"<{world.uri('1002')}?{EMBEDDED}&P-Asserted-Identity=%3Csip:ceo@h%3E>"
    bob.refers(refer_to, referred_by)
    world.wait_told(f"1002 {refer_to} {referred_by}")
    own = ["referred-by"] if referred_by else []
    world.wait_told(str(["refer-to", *own, "x-a"]))
    assert invite_of(carol) == {"x-given"}
    assert hear_each_other(alice, carol)


@pytest.mark.parametrize("way", ["controller", "no controller", "legacy without controller"])
def test_what_vouches_for_one_call_stays_there(world: World, way: str) -> None:
    """Of Identity (RFC 8224) and Date FreeSWITCH keeps copies for tags of their own."""
    legacy = way.startswith("legacy")
    world.serve(transfer=LEGACY if legacy else {})
    if way == "no controller":
        world.kill()
    bob, carol = (world.party(number).answers() for number in ("1001", "1002"))
    vouched = "eyJhIjoxfQ.e30.c2ln;info=<https://cert.example/p.pem>;alg=ES256;ppt=shaken"
    alice = world.party("2000", "Alice")
    date = "Sat, 28 Nov 2026 10:00:00 GMT"
    alice.calls("1001", [("Identity", vouched), ("Date", date), ("X-A", "1")])
    alice.wait_talking()
    targets = [bob]
    if legacy:
        world.kill()
        bob.refers(world.refer_to("1002"))
        targets.append(carol)
    for party in targets:
        invite = party.wait_received("INVITE")
        passed = {name.lower() for name, _ in invite.headers} & {"identity", "date", "x-a"}
        assert not passed, invite.headers
    if legacy:
        assert bob.wait_notify() == "SIP/2.0 200 OK"
