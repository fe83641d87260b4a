"""Transfers that are only observed: FreeSWITCH's own, with what fsctl would have done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.simulated import SimulatedWorld
from tests.stories.test_web_decides import SECRET, answering
from tests.stories.world import World
from tests.unit.decide.services import Service, serving

HOUSE = {"mode": "enforce", "inside": ["network:127.0.0.0/8"]}
OBSERVE = {"mode": "observe"}
REFUSING = {"name": "no-carol", "to": ["number:1002"], "then": "refuse", "code": 603}
SCOPES = pytest.mark.parametrize("scope", ["transfers", "calls"])
REFUSES = """
from fsctl.scenario import BlindTransferRequested, Scenario

scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    tell("asked")
    event.call.notify_blind_transfer_failed(603)
"""
WANTS_THEM = (
    REFUSES.replace("import Blind", "import CallAlerting, Blind")
    + """
@scenario.on(CallAlerting)
def alerting(event):
    event.call.handle_blind_transfer(True)
    event.session.connect(event.call, event.destination)
"""
)
BY = pytest.mark.parametrize("by", ["callee", "caller"])


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as made:
        yield made


def records(world: World) -> list[dict[str, Any]]:
    found = re.findall(r'^.*?(\{"session".*\})', world.log(), re.MULTILINE)
    return [json.loads(text) for text in found]


def record(world: World) -> dict[str, Any]:
    """That of the only transfer."""
    world.wait(lambda: records(world), "it is recorded")
    (found,) = records(world)
    return found


@SCOPES
@BY
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "refuses"])
def test_what_the_policy_would_refuse_goes_on(
    world: World, scope: str, by: str, answers: bool
) -> None:
    world.serve(scope=scope, transfer=OBSERVE, rules=[REFUSING], policy=HOUSE)
    transferor, transferee = talking(world, by)
    carol = world.party("1002")
    (carol.answers if answers else lambda: carol.refuses(486, "Gone fishing"))()
    transferor.transfers("1002")
    told = transferor.wait_notify()
    if answers:
        assert hear_each_other(transferee, carol)
        transferor.wait_over()
    # By itself FreeSWITCH reports at once; in scope calls as [transfer] legacy_report says.
    assert told == ("SIP/2.0 486 486" if not answers and scope == "calls" else "SIP/2.0 200 OK")
    written = record(world)
    assert (written["kind"], written["rule"], written["allowed"]) == ("legacy", "no-carol", False)
    if scope == "transfers":
        assert written["numbers"]["target"] == "1002"
    assert (written["outcome"], written["code"]) == (
        ("succeeded", 200) if answers else ("failed", 486)
    )
    assert written["numbers"]["transferor"] == transferor.number
    assert written["shadow"] == {
        "would": "refuse",
        "code": 603,
        "reason": "Transfer Not Allowed",
        "why": written["shadow"]["why"],
        "decided_by": "settings",
    }


@SCOPES
def test_what_the_web_service_would_do_is_noted(world: World, service: Service, scope: str) -> None:
    """It is asked beside the transfer, and knows that its answer has no effect."""
    answering(service, decision="connect", targets=["1003"], caller_id="4711")
    decide = {"url": service.url, "secret": SECRET}
    world.serve(scope=scope, transfer=OBSERVE, decide=decide)
    bob, alice = talking(world)
    carol, dave = world.party("1002").rings(), world.party("1003").answers()
    bob.transfers("1002")
    carol.wait_sent(180)
    world.wait_really(lambda: service.asked, "it is asked")
    ((_, body),) = service.asked
    question = json.loads(body)
    assert (question["number"], question["observed"]) == ("1002", True)
    carol.answers_now()
    assert hear_each_other(alice, carol)
    bob.wait_over()
    assert not dave.received("INVITE")
    shadow = record(world)["shadow"]
    assert (shadow["would"], shadow["decided_by"]) == ("connect", "web")
    assert (shadow["number"], shadow["caller_id"]) == ("1003", "4711")
    assert shadow["exchange"]["decision"] == "connect 1003"


def test_what_would_be_connected_is_planned_and_no_scenario_runs(world: World) -> None:
    world.serve(scope="transfers", transfer=OBSERVE, scenario=REFUSES)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    written = record(world)
    planned = {name: written["shadow"][name] for name in ("would", "route", "kind", "number")}
    assert planned == {"would": "connect", "route": "users", "kind": "user", "number": "1002"}
    assert written["shadow"]["caller_id"] == alice.number
    assert written["shadow"]["decided_by"] == "scenario"
    assert not world.told()
    assert not world.is_armed()
    if isinstance(world, SimulatedWorld):
        listens = ("Event-Subclass", "sofia::transferor")
        links = (each for each in world.switch.links if listens in each.subscription.filters)
        (link,) = links
        sent = [each["command"] for each in link.obeyed]
        assert {each.partition(" ")[0] for each in sent} == {"auth", "filter", "event", "api"}
        of_cdrs = re.compile(r"api uuid_setvar_multi [0-9a-f-]{36} (fsctl_cdr_[a-z_]+='[^']*';?)+")
        assert all(of_cdrs.fullmatch(each) for each in sent if each.startswith("api"))
        assert not [each for each in world.switch.links_made if each.channel is not None]


@BY
def test_no_scenario_nor_route_makes_it_ours(world: World, by: str) -> None:
    """In scope calls a scenario wants the caller's transfers, the route those of who is called."""
    world.serve(transfer=OBSERVE, scenario=WANTS_THEM, route={"transfer_mode": "in-session"})
    transferor, transferee = talking(world, by)
    carol = world.party("1002").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    written = record(world)
    assert (written["kind"], written["shadow"]["decided_by"]) == ("legacy", "scenario")
    assert world.told() == []


@SCOPES
@pytest.mark.parametrize("number", ["1002", "1003", "1004"])
def test_a_legacy_transfer_has_one_record_with_its_rule(
    world: World, scope: str, number: str
) -> None:
    """Refused, answered, and busy."""
    legacy = {"mode": "legacy", "release_transferor_after_s": 1}
    world.serve(scope=scope, transfer=legacy, rules=[REFUSING], policy=HOUSE)
    bob, alice = talking(world)
    world.party("1003").answers()
    world.party("1004").is_busy()
    bob.transfers(number)
    code = {"1002": 603, "1003": 200, "1004": 486}[number]
    assert bob.wait_notify().startswith(f"SIP/2.0 {code} ")
    written = record(world)
    assert (written["kind"], written["code"], written["shadow"]) == ("legacy", code, {})
    refused = number == "1002"
    assert (written["rule"], written["allowed"]) == (
        ("no-carol", False) if refused else ("inside", True)
    )
    if code == 200:
        bob.wait_over()
    alice.hangs_up()
    world.wait(lambda: not world.legs(), "all is over")
    assert records(world) == [written]
