"""FreeSWITCH's own CDRs show of each leg which transfer it was in, as what, and how that ended."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

OBSERVE = {"mode": "observe"}


def record(world: World) -> dict[str, Any]:
    """That of the only transfer."""
    found: list[str] = []

    def written() -> bool:
        found[:] = re.findall(r'^.*?(\{"session".*\})', world.log(), re.MULTILINE)
        return bool(found)

    world.wait(written, "it is recorded")
    return dict(json.loads(found[0]))


def cdrs(world: World, *roles: str) -> dict[str, dict[str, str]]:
    """By role; waits for these."""
    world.wait(lambda: {*roles} <= {each["role"] for each in world.cdrs()}, f"{roles} have ended")
    return {each["role"]: each for each in world.cdrs()}


def test_of_a_transfer_that_succeeds(world: World) -> None:
    """The Refer-To is the network's: it must not be anything else to who makes a line of it."""
    world.serve()
    bob, alice = talking(world)
    world.keep_cdrs()
    carol = world.party("1002", "Carol").answers()
    refer_to = world.refer_to("1002").replace("1002@", "1002;x=a$b'c@")
    bob.refers(refer_to)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    written = record(world)
    uuid = world.leg(carol)
    kept = world.api(f"uuid_getvar {uuid} fsctl_cdr_refer_to")
    assert "1002;x=" in kept and not {"$", "'", '"', "\\"} & {*kept}
    alice.hangs_up()
    told = cdrs(world, "transferor", "transferee", "target")
    for cdr in told.values():
        assert (cdr["id"], cdr["kind"], cdr["start"]) == (written["id"], "blind", "refer")
        assert (cdr["transferor"], cdr["transferee"]) == ("1001", "2000")
        assert "1002;x=" in cdr["refer_to"] and re.fullmatch("[0-9]{10}", cdr["epoch"])
        assert (cdr["outcome"], cdr["code"]) == ("succeeded", "200")
    assert told["transferee"]["target"] == told["target"]["target"] == "1002"


def test_of_one_that_fails_and_of_the_next(world: World) -> None:
    """A target that never talked has a CDR, too; what the next transfer does not say is not there
    any more."""
    world.serve()
    bob, alice = talking(world)
    world.keep_cdrs()
    world.party("1002", "Carol").refuses(486, "Gone fishing")
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    failed = record(world)["id"]
    told = cdrs(world, "target")
    assert (told["target"]["id"], told["target"]["target"]) == (failed, "1002")
    of_bob = f"uuid_getvar {world.leg(bob)} fsctl_cdr_"
    world.wait(lambda: world.api(of_bob + "outcome") == "failed", "that is said of Bob's leg")
    assert world.api(of_bob + "code") == "486"
    world.party("1003", "Dave").rings()
    bob.transfers("1003")
    world.wait(lambda: world.api(of_bob + "id") != failed, "the next one has begun")
    for name in ("outcome", "code", "target"):
        assert world.api(of_bob + name) == "_undef_"
    alice.hangs_up()
    assert bob.wait_notify(2) == "SIP/2.0 487 Request Terminated"


@pytest.mark.parametrize("scope", ["transfers", "calls"])
def test_of_one_that_is_only_observed(world: World, scope: str) -> None:
    world.serve(scope=scope, transfer=OBSERVE)
    bob, alice = talking(world)
    world.keep_cdrs()
    carol = world.party("1002", "Carol").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    written = record(world)
    alice.hangs_up()
    told = cdrs(world, "transferee", "target")
    for cdr in told.values():
        assert (cdr["id"], cdr["kind"], cdr["outcome"]) == (written["id"], "legacy", "succeeded")


def test_of_an_attended_one_and_of_a_command(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.keep_cdrs()
    carol = world.party("1002", "Carol").answers()
    line = bob.consults("1002")
    assert hear_each_other(line, carol)
    bob.refers(world.replacing(line, "1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    written = record(world)
    for leg, role in ((alice, "transferee"), (carol, "target")):
        read = f"uuid_getvar {world.leg(leg)} fsctl_cdr_"
        world.wait(lambda read=read: world.api(read + "outcome") == "succeeded", role)  # type: ignore[misc]
        found = [world.api(read + name) for name in ("id", "kind", "start", "role")]
        assert found == [written["id"], "attended", "refer", role]
        assert "Replaces" in world.api(read + "refer_to")
    assert written["consultation"] not in ("", written["transferor"], written["target"])
    world.wait(lambda: world.legs() == 2, "Bob's legs are gone")
    dave = world.party("1003", "Dave").answers()
    assert world.asks(alice, "1003").wait_ended()[0] == 0
    assert hear_each_other(alice, dave)
    read = f"uuid_getvar {world.leg(dave)} fsctl_cdr_"
    world.wait(lambda: world.api(read + "outcome") == "succeeded", "the command's target")
    found = [world.api(read + name) for name in ("kind", "start", "role", "target")]
    assert found == ["blind", "command", "target", "1003"]
