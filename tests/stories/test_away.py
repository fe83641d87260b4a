"""Two who rest, and the kept link is lost: what must not be missed meanwhile, nor left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsctl.esl.commands import Linger
from fsctl.esl.connection import Connection
from fsctl.simulator import refer
from fsctl.simulator.quiet import until_quiet
from fsctl.story import hear_each_other, talking
from fsctl.switch.ahead import Ahead
from tests.stories.simulated import SimulatedWorld
from tests.stories.test_attended import consulting
from tests.stories.test_keys import KEYS, records
from tests.stories.test_resting import BY, cut, serve, talking_at_rest, wait_at_rest
from tests.stories.world import World

LEGACY = {"mode": "legacy"}

DECIDES = """
from fsctl.scenario import AttendedTransferRequested, Scenario
scenario = Scenario()

@scenario.on(AttendedTransferRequested)
def requested(event):
    event.{verb}
"""


def recorded(world: World) -> list[tuple[str, str, int]]:
    world.wait(lambda: records(world), "a record is written")
    return [(each["kind"], each["outcome"], each["code"]) for each in records(world)]


@BY
def test_a_legacy_transfer_succeeds(world: World, by: str) -> None:
    """The session from before hears nothing of it: the new one writes the record."""
    serve(world, transfer=LEGACY)
    transferor, transferee = talking_at_rest(world, by)
    world.cut_kept_links()
    carol = world.party("1002", "Carol").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    assert hear_each_other(transferee, carol)
    assert recorded(world) == [("legacy", "succeeded", 200)]
    if isinstance(world, SimulatedWorld):
        world.wait_connected()
        world.let_pass(1.0)
        assert world.sessions == 1


@BY
def test_a_legacy_transfer_fails(world: World, by: str) -> None:
    serve(world, transfer=LEGACY)
    transferor, transferee = talking_at_rest(world, by)
    world.cut_kept_links()
    world.party("1002").refuses(486, "Gone fishing")
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(transferor, transferee)
    assert recorded(world) == [("legacy", "failed", 486)]


@BY
def test_the_transferee_of_a_legacy_transfer_leaves(world: World, by: str) -> None:
    """Nobody but us tells and releases its transferor."""
    serve(world, transfer=LEGACY, route={"ring_timeout_s": 20})
    transferor, transferee = talking_at_rest(world, by)
    world.cut_kept_links()
    carol = world.party("1002", "Carol").rings()
    transferor.refers(world.refer_to("1002"))
    carol.wait_sent(180)
    transferee.hangs_up()
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()


@BY
def test_the_transferee_leaves_right_behind_the_refer(world: World, by: str) -> None:
    """Of neither anything was told: it is seen when the link is back."""
    serve(world)
    transferor, transferee = talking_at_rest(world, by)
    world.cut_kept_links()
    world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    transferee.hangs_up()
    if isinstance(world, SimulatedWorld):
        world.wait_connected()
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
    assert recorded(world) == [("blind", "abandoned", 487)]


@BY
@pytest.mark.parametrize("verb", ["refuse()", "target.send_digits('1')"])
def test_an_attended_transfer_is_refused(world: World, by: str, verb: str) -> None:
    """Neither is its link left, nor its channel. The target's session is away, too: a verb fails,
    and nobody's session ends by it."""
    serve(world, scenario=DECIDES.format(verb=verb))
    transferor, transferee, line, carol = consulting(world, by)
    wait_at_rest(world, transferor, transferee, line, carol)
    world.cut_kept_links()
    transferor.refers(world.replacing(line, "1002"))
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferor, transferee)
    assert hear_each_other(line, carol)
    assert recorded(world) == [("attended", "failed", 403)]
    assert "link lost" not in world.log()


@BY
def test_what_cdrs_say_of_an_attended_transfer(world: World, by: str) -> None:
    serve(world)
    world.keep_cdrs()
    transferor, transferee, line, carol = consulting(world, by)
    wait_at_rest(world, transferor, transferee, line, carol)
    world.cut_kept_links()
    transferor.refers(world.replacing(line, "1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferee.hangs_up()
    carol.wait_over()
    written = records(world)[0]
    world.wait(lambda: len(world.cdrs()) == 3, "of both and the transferor")
    found = {each["role"]: (each["id"], each["kind"]) for each in world.cdrs()}
    told = written["id"], "attended"
    assert found == {"transferor": told, "transferee": told, "target": told}


@BY
def test_a_leg_that_nobody_has_marked_stays(tmp_path: Path, by: str) -> None:
    """In scope transfers the transferor of one that has failed is not: it is no other worker's."""
    world = SimulatedWorld(tmp_path)
    serve(world, scope="transfers")
    world.party("1002").refuses(486, "Gone fishing")
    transferor, transferee = talking(world, by)
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 486 Gone fishing"
    wait_at_rest(world, transferor, transferee)
    world.cut_kept_links()
    world.wait_connected()
    world.let_pass(1.0)
    world.cut_kept_links()
    world.wait_connected()
    world.let_pass(1.0)
    assert world.log().count("the link to its switch is back") == 2
    assert world.sessions == 1
    world.finish(passed=True)


@BY
@pytest.mark.parametrize("how", ["kept", "dies"])
def test_the_transferor_leaves_as_the_loopback_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, how: str
) -> None:
    """FreeSWITCH joins nobody then (sofia.c, nightmare_xfer_thread_run), and ends the loopback.

    Its link is the session's, and lingers. The transferee waits for 0.4 s.
    """
    world = SimulatedWorld(tmp_path)
    serve(world)
    transferor, transferee, line, carol = consulting(world, by)
    wait_at_rest(world, transferor, transferee, line, carol)
    cut(world, how)
    dial = refer.originate

    def left_meanwhile(*arguments: Any, **options: Any) -> Any:
        answered = dial(*arguments, **options)
        transferor.hangs_up()
        return answered

    monkeypatch.setattr(refer, "originate", left_meanwhile)
    transferor.refers(world.replacing(line, "1002"))
    world.wait(lambda: hear_each_other(transferee, carol), "they are joined")
    assert "the loopback ends: answered" in world.log()
    world.finish(passed=True)


@BY
@pytest.mark.parametrize("how", ["operator", "keys"])
def test_a_transfer_that_is_asked_for_fails(world: World, by: str, how: str) -> None:
    """The link of who has asked, which has served, is let go: its channel goes. They rest again."""
    serve(world, keys=KEYS)
    one, other = talking_at_rest(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    if how == "keys":
        one.presses("*1")
        assert one.hears_ringback(), "the prompt"
        world.cut_kept_links()
        one.presses("1002#")
    else:
        world.cut_kept_links()
        assert world.asks(other, "1002").wait_ended()[1]["code"] == 486
    assert recorded(world) == [("blind", "failed", 486)]
    assert hear_each_other(one, other)
    if isinstance(world, SimulatedWorld):
        world.wait_connected()
    world.wait(lambda: len(world.applications()) == 2, "the leg that has asked is gone")
    carol = world.party("1003", "Carol").answers()
    one.transfers("1003")
    assert one.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(other, carol)
    assert "taking over" not in world.log()


@BY
def test_the_transferee_has_left_when_its_request_is_read(world: World, by: str) -> None:
    """And the kept link is lost by then."""
    serve(world)
    transferor, transferee = talking_at_rest(world, by)
    world.freeze()
    try:
        transferor.refers(world.refer_to("1002"))
        world.wait_application("socket")
        transferee.hangs_up()
        world.wait(lambda: len(world.applications()) == 1, "it has left")
        world.cut_kept_links()
    finally:
        world.thaw()
    if isinstance(world, SimulatedWorld):
        world.wait_connected()
    assert transferor.wait_notify(limit_s=5.0) == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
    assert recorded(world) == [("blind", "abandoned", 487)]


@BY
@pytest.mark.parametrize("how", ["leaves", "leaves a link that lingers", "loses its link"])
@pytest.mark.parametrize("kept", ["stays away", "comes back", "is there"])
def test_a_request_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, how: str, kept: str
) -> None:
    """A transferor is told, by whoever can: its transferee has left, or has only lost its link."""
    world = SimulatedWorld(tmp_path)
    serve(world)
    transferor, transferee = talking_at_rest(world, by)
    if kept != "is there":
        world.lose_switch()
    claim = Ahead.claim
    links: list[Connection] = []

    def claimed(ahead: Ahead, stranger: bool | None = None) -> bool:
        if not links:
            if "lingers" in how:
                ahead.link.send(Linger(600))
            if "leaves" in how:
                transferee.hangs_up()
                until_quiet(lambda: world.switch.activity)
            else:
                ahead.link.close()
        links.append(ahead.link)
        return claim(ahead, stranger)

    monkeypatch.setattr(Ahead, "claim", claimed)
    carol = world.party("1002").answers()
    transferor.refers(world.refer_to("1002"))
    if kept == "comes back":
        world.find_switch()
    by_us = kept != "stays away" or how != "leaves"
    told = transferor.wait_notify(limit_s=3.0 if by_us else 15.0)  # else by a timer of FreeSWITCH
    if "leaves" in how:
        assert told == "SIP/2.0 487 Request Terminated"
    else:
        assert told == "SIP/2.0 200 OK"
        assert hear_each_other(transferee, carol)
    transferor.wait_over()
    assert [each["code"] for each in records(world)] == ([int(told.split()[1])] if by_us else [])
    world.find_switch()
    world.let_pass(1.0)
    assert world.sessions == ("leaves" not in how)
    world.finish(passed=True)
