"""``fsctl transfer``: an operator has a party transferred, which talks until the target answers."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import Asked, World

BY = pytest.mark.parametrize("by", ["callee", "caller"])
SCOPE = pytest.mark.parametrize("scope", ["transfers", "calls"])


def asked(world: World, by: str, scope: str) -> tuple[Party, Party, Party, Asked]:
    """Whom the party talks with, the party, Carol, who rings for it, and the command."""
    world.serve(scope=scope, route={"ring_timeout_s": 5})
    partner, party = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    command = world.asks(party, "1002")
    carol.wait_sent(180)
    assert hear_each_other(partner, party)
    return partner, party, carol, command


@SCOPE
@BY
def test_the_party_talks_with_the_target(world: World, by: str, scope: str) -> None:
    partner, party, carol, command = asked(world, by, scope)
    (invite,) = carol.received("INVITE")
    assert f"sip:{party.number}@" in invite.header("From")
    carol.answers_now()
    status, said = command.wait_ended()
    assert (status, said["outcome"], said["code"]) == (0, "succeeded", 200)
    assert hear_each_other(party, carol)
    partner.wait_over()
    dave = world.party("1003", "Dave").answers()
    carol.transfers("1003")
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(party, dave)
