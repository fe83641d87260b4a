"""Which hosts a SIP URI may name: this switch, those of a route, and no other."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

OWN = ["127.0.0.1", "127.0.0.1:5062", "pbx.example.org", "PBX.example.ORG"]
NAMES = {"own_hosts": ["*.example.org"]}
REFUSED = [
    ("sip:1002@evil.example", 404),
    ("sip:1002@[2001:db8::1]", 404),
    ("sip:1002@127.0.0.1.evil.example", 404),
    ("sip:1002@evil.example;transport=tls", 404),
    ("sips:1002@127.0.0.1", 416),
    ("sips:1002@evil.example", 404),
]
DIALLING = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.call_sip(event.headers["Refer-To"])
"""


@pytest.mark.parametrize("scenario", ["", DIALLING], ids=["settings", "call_sip"])
def test_an_own_host_is_the_number_here_and_another_is_dialled_by_no_route(
    world: World, scenario: str
) -> None:
    world.serve(scenario=scenario, call=NAMES)
    bob, alice = talking(world)
    carol = world.party("1002").refuses(486, "Gone fishing")
    for count, (uri, status) in enumerate(REFUSED, 1):
        bob.refers(f"<{uri}>")
        assert bob.wait_notify(count).startswith(f"SIP/2.0 {status} "), uri
        assert hear_each_other(alice, bob)
    assert not carol.received("INVITE")
    for count, host in enumerate(OWN, 1):
        bob.refers(f"<sip:1002@{host}>")
        assert bob.wait_notify(len(REFUSED) + count) == "SIP/2.0 486 Gone fishing", host
        assert hear_each_other(alice, bob)
    assert len(carol.received("INVITE")) == len(OWN)


@pytest.mark.parametrize("alone", [False, True], ids=["legacy", "no controller"])
def test_another_is_not_dialled_by_the_switch_either(world: World, alone: bool) -> None:
    world.serve(transfer={"mode": "legacy"}, call=NAMES)
    if alone:
        world.kill()
    bob, alice = talking(world)
    carol = world.party("1002").refuses(486, "Gone fishing")
    for count, (uri, status) in enumerate(REFUSED, 1):
        bob.refers(f"<{uri}>")
        told = "403 Forbidden" if alone else f"{status} {status}"
        assert bob.wait_notify(count) == f"SIP/2.0 {told}", uri
        assert hear_each_other(alice, bob)
    assert not carol.received("INVITE")
    for count, host in enumerate(OWN, 1):
        bob.refers(f'"a@b" <sip:1002@{host};x=y?X-A=1>')
        assert bob.wait_notify(len(REFUSED) + count) == "SIP/2.0 486 486", host
        assert hear_each_other(alice, bob)
    assert len(carol.received("INVITE")) == len(OWN)


def test_a_route_that_names_a_host_dials_it_and_sips_by_tls_only(world: World) -> None:
    """The laboratory's profile has no TLS: nobody may be called at all."""
    partner = {"name": "partner", "kind": "uri", "hosts": ["127.0.0.*"], "match": "1002"}
    world.serve(routes=[partner])
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.refers(f"<{carol.contact.replace('sip:', 'sips:')}>")
    assert not bob.wait_notify().startswith("SIP/2.0 2")
    assert hear_each_other(alice, bob)
    assert not carol.received("INVITE")
    bob.refers(f"<{carol.contact}>")
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
