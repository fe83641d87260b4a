"""Two who have talked for a while have no link any more, and all goes on as with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsctl.esl.common import CommonLink
from fsctl.esl.events import Reply
from fsctl.simulator.faults import Nth, missing
from fsctl.simulator.quiet import until_quiet
from fsctl.story import Party, hear_each_other, talking
from tests.stories.simulated import SimulatedWorld
from tests.stories.test_attended import consulting
from tests.stories.test_keys import KEYS
from tests.stories.world import Asked, World

BY = pytest.mark.parametrize("by", ["callee", "caller"])
CONNECTS = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Disconnected, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    event.session.connect(event.call, event.destination)
    more(event)

@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.connect(event.transferee, event.transfer_to)

def more(event):
    {more}
"""
ACTS = {
    "hears of the end": "scenario.on(Disconnected)(lambda event: None)",
    "hears of one's end": "event.call.on(Disconnected, lambda event: None)",
    "hears of an end in the session": "event.session.on(Disconnected, lambda event: None)",
    "has set a timer": "event.session.set_timeout(600, lambda: None)",
    "waits": "event.session.sleep(600)",
}


def serve(world: World, **sections: object) -> None:
    if isinstance(world, SimulatedWorld):
        world.knows_switch = True
    world.serve(**sections)  # type: ignore[arg-type]  # any of its own


def rests(world: World, *parties: Party) -> bool:
    """Whether each of their channels says so."""
    legs = [world.leg(party) for party in parties]
    return all(":" in world.api(f"uuid_getvar {leg} fsctl_rests") for leg in legs)


def wait_at_rest(world: World, *parties: Party) -> None:
    world.wait(lambda: rests(world, *parties), "they rest")


def talking_at_rest(world: World, by: str) -> tuple[Party, Party]:
    """Transferor and transferee."""
    pair = talking(world, by)
    wait_at_rest(world, *pair)
    assert hear_each_other(*pair)
    return pair


@BY
def test_whoever_is_left_is_hung_up(world: World, by: str) -> None:
    serve(world)
    one, other = talking_at_rest(world, by)
    one.hangs_up()
    other.wait_over()


@BY
def test_blind_transfers(world: World, by: str) -> None:
    """One fails, they rest again, and the next one succeeds; its two rest as well."""
    serve(world)
    transferor, transferee = talking_at_rest(world, by)
    world.party("1005", "Eve").refuses(486, "Gone fishing")
    transferor.transfers("1005")
    assert transferor.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferor, transferee)
    wait_at_rest(world, transferor, transferee)
    carol = world.party("1002", "Carol").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    transferor.wait_over()
    wait_at_rest(world, transferee, carol)
    dave = world.party("1003", "Dave").answers()
    carol.transfers("1003")
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    transferee.hangs_up()
    dave.wait_over()


def test_an_attended_transfer_to_whom_rings(world: World) -> None:
    serve(world, route={"ring_timeout_s": 10})
    transferor, transferee = talking_at_rest(world, "callee")
    carol = world.party("1002", "Carol").rings()
    line = transferor.consults("1002")
    line.wait_received(180)
    transferor.refers(world.replacing(line, "1002"))
    carol.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)


def being_transferred(world: World) -> tuple[Party, Party, Party, Asked]:
    """An operator has one of two transferred, and the target rings."""
    serve(world, route={"ring_timeout_s": 5})
    partner, party = talking_at_rest(world, "caller")
    carol = world.party("1002", "Carol").rings()
    command = world.asks(party, "1002")
    carol.wait_sent(180)
    assert hear_each_other(partner, party)
    return partner, party, carol, command


def test_an_operator_has_one_transferred(world: World) -> None:
    partner, party, carol, command = being_transferred(world)
    carol.answers_now()
    status, said = command.wait_ended()
    assert (status, said["outcome"], said["code"]) == (0, "succeeded", 200)
    assert hear_each_other(party, carol)
    partner.wait_over()


def test_keys(world: World) -> None:
    serve(world, keys=KEYS, route={"ring_timeout_s": 30})
    one, other = talking_at_rest(world, "callee")
    carol = world.party("1002", "Carol").rings()
    one.presses("*1")
    assert one.hears_ringback(), "the prompt"
    one.presses("1002#")
    carol.answers_now()
    assert hear_each_other(other, carol)


def test_the_controller_dies_and_nobody_notices(world: World) -> None:
    serve(world)
    transferor, transferee = talking_at_rest(world, "callee")
    world.kill()
    assert hear_each_other(transferor, transferee)
    world.restart()
    carol = world.party("1002", "Carol").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferee.hangs_up()
    carol.wait_over()


def test_an_operators_transfer_whose_session_ends(world: World) -> None:
    """Nothing of it is left, and the next one works."""
    partner, party, carol, command = being_transferred(world)
    world.cut_kept_links()
    status, said = command.wait_ended()
    assert (status, said["outcome"]) == (2, "unknown")
    assert hear_each_other(partner, party)
    carol.wait_received("CANCEL")
    world.wait_really(lambda: "fsctl_living_" in world.api("global_getvar"), "it lives again")
    dave = world.party("1003", "Dave").answers()
    status, said = world.asks(party, "1003").wait_ended()
    assert (status, said["outcome"]) == (0, "succeeded")
    assert hear_each_other(party, dave)


def cut(world: World, how: str) -> None:
    if how == "dies":
        world.kill()
        world.restart()
    elif how == "all":
        world.cut_links()
    elif how == "kept":
        world.cut_kept_links()


CUT = pytest.mark.parametrize("how", ["kept", "all", "dies"])


@CUT
@BY
def test_links_are_lost_before_a_blind_transfer(world: World, by: str, how: str) -> None:
    """Where the worker lives the session that rests serves it; else another one takes it over."""
    serve(world)
    transferor, transferee = talking_at_rest(world, by)
    cut(world, how)
    assert hear_each_other(transferor, transferee)
    carol = world.party("1002", "Carol").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    assert ("taking over" in world.log()) == (how == "dies")
    carol.hangs_up()
    transferee.wait_over()


@BY
@pytest.mark.parametrize("how", ["none", "kept", "all", "dies"])
@pytest.mark.parametrize("leaves", [False, True])
def test_an_attended_transfer(world: World, by: str, how: str, leaves: bool) -> None:
    """Both calls rest, and where no link is lost the next one does, too."""
    serve(world)
    transferor, transferee, line, carol = consulting(world, by)
    wait_at_rest(world, transferor, transferee, line, carol)
    cut(world, how)
    transferor.refers(world.replacing(line, "1002"))
    if leaves:
        transferor.hangs_up()
        world.wait(lambda: hear_each_other(transferee, carol), "they are joined")
    else:
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    if how == "none":
        wait_at_rest(world, transferee, carol)
    dave = world.party("1003", "Dave").answers()
    transferee.transfers("1003")
    assert transferee.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(carol, dave)
    dave.hangs_up()
    carol.wait_over()


@CUT
def test_links_are_lost_before_keys_are_pressed(world: World, how: str) -> None:
    serve(world, keys=KEYS, route={"ring_timeout_s": 30})
    one, other = talking_at_rest(world, "callee")
    cut(world, how)
    carol = world.party("1002", "Carol").rings()
    one.presses("*1")
    assert one.hears_ringback(), "the prompt"
    one.presses("1002#")
    carol.answers_now()
    assert hear_each_other(other, carol)


@CUT
def test_links_are_lost_before_an_operator_asks(world: World, how: str) -> None:
    serve(world, route={"ring_timeout_s": 5})
    partner, party = talking_at_rest(world, "caller")
    cut(world, how)
    carol = world.party("1002", "Carol").answers()
    status, said = world.asks(party, "1002").wait_ended()
    assert (status, said["outcome"], said["code"]) == (0, "succeeded", 200)
    assert hear_each_other(party, carol)
    partner.wait_over()


def resting_away(tmp_path: Path) -> tuple[SimulatedWorld, Party, Party]:
    """Two who rest, and a controller that does not reach the switch."""
    world = SimulatedWorld(tmp_path)
    serve(world)
    one, other = talking_at_rest(world, "callee")
    world.lose_switch()
    world.let_pass(20.0)
    assert world.sessions == 1
    assert hear_each_other(one, other)
    return world, one, other


def test_the_link_comes_back(tmp_path: Path) -> None:
    """And the session hears of what becomes of its calls; twice."""
    world, one, other = resting_away(tmp_path)
    world.find_switch()
    world.let_pass(1.0)
    world.lose_switch()
    world.let_pass(1.0)
    world.find_switch()
    world.let_pass(1.0)
    assert world.log().count("the link to its switch is back") == 2
    one.hangs_up()
    other.wait_over()
    assert world.sessions == 0
    world.finish(passed=True)


def test_who_has_hung_up_is_seen_when_the_link_comes_back(tmp_path: Path) -> None:
    world, one, other = resting_away(tmp_path)
    one.hangs_up()
    other.wait_over()
    assert world.sessions == 1
    world.find_switch()
    world.let_pass(1.0)
    assert world.sessions == 0
    world.finish(passed=True)


def test_the_link_does_not_come_back(tmp_path: Path) -> None:
    world, one, other = resting_away(tmp_path)
    world.let_pass(300.0)
    assert world.sessions == 0
    assert hear_each_other(one, other)
    world.find_switch()
    one.hangs_up()
    other.wait_over()
    world.finish(passed=True)


def test_an_attended_transfer_while_the_link_is_away(tmp_path: Path) -> None:
    """The link by which FreeSWITCH asks serves meanwhile; the transferor has left unheard."""
    world = SimulatedWorld(tmp_path)
    serve(world)
    transferor, transferee, line, carol = consulting(world, "callee")
    wait_at_rest(world, transferor, transferee, line, carol)
    world.lose_switch()
    world.let_pass(2.0)
    transferor.refers(world.replacing(line, "1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    world.wait(lambda: hear_each_other(transferee, carol), "they are joined")
    world.find_switch()
    carol.hangs_up()
    transferee.wait_over()
    world.let_pass(3.0)
    assert world.sessions == 0
    world.finish(passed=True)


@BY
def test_a_scenario_that_decides_on_calls_and_transfers_only(world: World, by: str) -> None:
    serve(world, scenario=CONNECTS.format(more="pass"))
    transferor, transferee = talking_at_rest(world, by)
    carol = world.party("1002", "Carol").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    wait_at_rest(world, transferee, carol)
    carol.hangs_up()
    transferee.wait_over()


@pytest.mark.parametrize("acts", ACTS)
def test_where_a_scenario_may_act_the_link_stays(tmp_path: Path, acts: str) -> None:
    world = SimulatedWorld(tmp_path)
    serve(world, scenario=CONNECTS.format(more=ACTS[acts]))
    one, other = talking(world, "callee")
    world.let_pass(9.0)
    assert not rests(world, one, other)
    one.hangs_up()
    other.wait_over()
    world.finish(passed=True)


CONFIRMED = """
from fsctl.scenario import AttendedTransferRequested, Scenario, ToneReceived
scenario = Scenario()

@scenario.on(AttendedTransferRequested)
def requested(event):
    event.transferee.handle_tones(True)
    event.transferee.on(ToneReceived, lambda pressed: event.accept())
    tell("asked")
"""


def test_keys_that_a_scenario_wants_to_hear_from_then_on(world: World) -> None:
    serve(world, scenario=CONFIRMED)
    transferor, transferee, line, carol = consulting(world, "callee")
    wait_at_rest(world, transferor, transferee, line, carol)
    transferor.refers(world.replacing(line, "1002"))
    world.wait_told("asked")
    transferee.presses("1")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)


@BY
def test_who_leaves_as_the_rest_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The kept link tells of it, as the channels are marked; their own one is let go by then."""
    world = SimulatedWorld(tmp_path)
    serve(world)
    one, other = talking(world, by)
    for link in world.switch.links:
        if link.channel is not None:
            link.faults.append(Nth(missing(), about="CHANNEL_HANGUP"))
    mark = CommonLink.send_all

    def marked(link: CommonLink, *commands: Any) -> list[Reply]:
        replies = mark(link, *commands)
        if one.live_dialogs:
            one.hangs_up()
            until_quiet(lambda: world.switch.activity)
        return replies

    monkeypatch.setattr(CommonLink, "send_all", marked)
    other.wait_over()
    world.finish(passed=True)


@pytest.mark.parametrize("number", [1, 2])
def test_news_of_one_end_are_missing(tmp_path: Path, number: int) -> None:
    """The other one's suffices."""
    world = SimulatedWorld(tmp_path)
    serve(world)
    one, other = talking_at_rest(world, "callee")
    for link in world.switch.links:
        if link.channel is None:
            link.faults.append(Nth(missing(), about="CHANNEL_HANGUP", number=number))
    one.hangs_up()
    other.wait_over()
    world.finish(passed=True)


def test_another_worker_has_taken_them(tmp_path: Path) -> None:
    """It is told of their end, and our session ends before."""
    world = SimulatedWorld(tmp_path)
    serve(world)
    one, other = talking_at_rest(world, "callee")
    for leg in (world.leg(one), world.leg(other)):
        world.api(f"uuid_setvar {leg} fsctl_rests 127.0.0.1:1")
    world.let_pass(310.0)
    assert hear_each_other(one, other)
    one.hangs_up()
    other.wait_over()
    world.finish(passed=True)


@BY
def test_another_worker_is_seen_to_have_one_of_two_first(world: World, by: str) -> None:
    """It may be about to take the other one: that is looked at soon, and not in five minutes."""
    serve(world)
    one, other = talking_at_rest(world, by)
    world.api(f"uuid_setvar {world.leg(one)} fsctl_rests 127.0.0.1:1")
    world.cut_kept_links()
    if isinstance(world, SimulatedWorld):
        world.wait_connected()
    world.wait_logged("is another's now: let go")
    world.api(f"uuid_setvar {world.leg(other)} fsctl_rests 127.0.0.1:1")
    world.wait(lambda: world.log().count("is another's now: let go") == 2, "so is the other one")
    one.hangs_up()
    other.wait_over()
