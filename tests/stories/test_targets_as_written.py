"""Targets as phones write them: what is plain is dialled, whatever stands beside it."""

from __future__ import annotations

from fsctl.story import hear_each_other, talking
from tests.stories.world import DOMAIN, World

NUMBERS = {"match": r"\+?[0-9]{4,11}"}
GLOBAL = "+15555550123"

REFER_TO = {
    # RFC 3515 section 2.1: its fourth example, with a header that has no value.
    f"<sip:1002@HOST?Accept-Contact=sip:bobsdesk@{DOMAIN}&Call-ID%3D55432%40alicepc>": "1002",
    "<sip:1002@HOST;>": "1002",
    "<sip:1002@HOST?>": "1002",
    "<sip:1002@HOST;;=1;user=phone;USER=x?X-A=%FF&=b&c>": "1002",
    "<sip:1002;phone-context=na@HOST;user=phone>": "1002",
    "<sip:1002;npdi;rn=1009@HOST;user=phone>": "1002",
    "<sip:10-02;phone-context=+49@HOST>": "1002",
    "<sip:(10)02@HOST>": "1002",
    "<sip:10.02@HOST>": "1002",
    "<sip:+1-555-555-0123@HOST>": GLOBAL,
    "<tel:+1.555.555-0123;ext=7>": GLOBAL,
    "<tel:10-02;phone-context=+1-914-555>": "1002",
}


def test_a_refer_to_whose_target_is_plain_is_dialled(world: World) -> None:
    """Each names a target that is busy: so the two talk on, and the next one follows."""
    world.serve(route=NUMBERS)
    bob, alice = talking(world)
    targets = {number: world.party(number).refuses(486, "Busy Here") for number in ("1002", GLOBAL)}
    host = world.uri("x").rpartition("@")[2]
    for times, (refer_to, number) in enumerate(REFER_TO.items(), 1):
        called = len(targets[number].received("INVITE"))
        bob.refers(refer_to.replace("HOST", host))
        assert bob.wait_notify(times) == "SIP/2.0 486 Busy Here", refer_to
        assert len(targets[number].received("INVITE")) == called + 1, refer_to
    assert hear_each_other(alice, bob)


def test_a_scenario_is_given_the_number_and_can_read_the_rest(world: World) -> None:
    world.serve(
        route=NUMBERS,
        scenario="""
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event):
    tell("called", event.destination)
    event.session.connect(event.call, event.destination)


@scenario.on(BlindTransferRequested)
def requested(event):
    tell("transfer", event.transfer_to, event.refer_to.target.user)
    event.session.connect(event.transferee, event.transfer_to)
""",
    )
    carol = world.party("1002").answers()
    bob = world.party("1001", "Bob").answers()
    alice = world.party("2000", "Alice")
    alice.calls("1001;phone-context=na", uri_parameters="user=phone")
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1002;phone-context=na"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    assert world.told() == ["called 1001", "transfer 1002 1002;phone-context=na"]


def test_a_request_uri_is_dialled_with_and_without_a_controller(world: World) -> None:
    """FreeSWITCH alone knows no visual separators: such a number ends with 404 there."""
    world.serve(route=NUMBERS)
    world.party("1002").refuses(486, "Busy Here")
    world.party(GLOBAL).refuses(486, "Busy Here")

    def answer(dialled: str, parameters: str = "") -> int:
        caller = world.line(world.party("2000", "Alice"))
        caller.calls(dialled, uri_parameters=parameters)
        world.wait(lambda: caller.received(486) or caller.received(404), f"{dialled} is answered")
        return 486 if caller.received(486) else 404

    assert answer("1002;phone-context=na", "user=phone") == 486
    assert answer("1002;npdi;rn=1009") == 486
    assert answer("10-02", "user=phone") == 486
    assert answer("+1-555-555-0123") == 486
    assert answer("1002;oli=00;x", "user=phone;x=y") == 486
    assert answer("no-such-user") == 404
    world.kill()
    assert answer("1002;phone-context=na", "user=phone") == 486
    assert answer("1001;phone-context=na", "user=phone") == 404


def test_a_profile_with_full_ids(world: World) -> None:
    """The destination is ``number@host`` there, and a REFER without a user part comes home."""
    teams = {"name": "teams", "kind": "uri", "match": ".*", "uri_parameters": ["x-*"]}
    world.serve(
        profile={"full-id-in-dialplan": "true"},
        transfer={"release_transferor_after_s": 1},
        routes=[{**teams, "hosts": ["127.0.0.*", "1003"]}],
    )
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    dave = world.party("1003").refuses(486, "Gone fishing")
    for count, refer_to in enumerate(
        ("<sip:service.example;transport=tcp>", "<sip:service.example?X-A=1>", "<sip:evil;x-m=1>"),
        1,
    ):
        bob.refers(refer_to)
        assert bob.wait_notify(count) == "SIP/2.0 404 Not Found"
    assert hear_each_other(alice, bob)
    by = "<sip:sip.example:5061;x-m=8:orgid:1;x-t=2>"
    bob.refers(f"<sip:{world.host_of(dave)};x-m=8:orgid:41d8-67;fs_path=sip:evil;x-t=aHR0%3D>", by)
    assert bob.wait_notify(4) == "SIP/2.0 486 Gone fishing"
    (invite,) = dave.received("INVITE")
    assert invite.uri in ("", f"sip:{world.host_of(dave)};x-m=8:orgid:41d8-67;x-t=aHR0%3D")
    assert invite.header("Referred-By") == by
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify(5) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)


def test_a_profile_with_full_ids_without_a_controller(world: World) -> None:
    world.serve(profile={"full-id-in-dialplan": "true"})
    world.kill()
    bob, alice = talking(world)
    assert hear_each_other(alice, bob)
