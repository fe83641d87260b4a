"""Attended transfers (REFER with Replaces, RFC 5589 section 7): the running session decides."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

BY = pytest.mark.parametrize("by", ["callee", "caller"])

TELLS = """
from fsctl.scenario import (
    AttendedTransferRequested, Disconnected, Scenario, TransferComplete, TransferFailed,
)

scenario = Scenario()

@scenario.on(TransferComplete)
def complete(event):
    tell("complete", event.call.number, event.role)

@scenario.on(TransferFailed)
def failed(event):
    tell("failed", event.call.number, event.code)

@scenario.on(Disconnected)
def left(event):
    tell("left", event.call.number)

@scenario.on(AttendedTransferRequested)
def requested(event):
    numbers = [call.number if call else "-" for call in (
        event.call, event.transferee, event.replaced, event.target)]
    tell("asked", *numbers, sorted(event.headers))
    decide(event)

def decide(event):
"""
ACCEPTS = f"{TELLS}    event.accept()\n"
REFUSES = f"{TELLS}    event.refuse()\n"
RAISES = f"{TELLS}    raise RuntimeError('on purpose')\n"
WAITS = f"{TELLS}    pass\n"
ACCEPTS_ANYTHING = f"""{TELLS}    try:
        event.accept()
    except ValueError as error:
        tell(error)
"""


RELEASED_S = 3.0
"""So soon whoever is left is released when all controllers are dead: nobody waits for them."""


def consulting(world: World, by: str) -> tuple[Party, Party, Party, Party]:
    """Two talk, and the transferor talks with Carol (1002) on another line.

    Returns transferor, transferee, the transferor's other line, Carol.
    """
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").answers()
    line = transferor.consults("1002")
    line.wait_talking()
    assert hear_each_other(line, carol)
    return transferor, transferee, line, carol


def refer(world: World, transferor: Party, line: Party) -> None:
    transferor.refers(world.replacing(line, "1002"), "<sip:referrer@example.org>")


def asked(transferor: Party, transferee: Party) -> str:
    """What the scenario tells of the request."""
    who, whom = transferor.number, transferee.number
    return f"asked {who} {whom} {who} 1002 ['Refer-To', 'Referred-By']"


def assert_transferred(transferor: Party, transferee: Party, line: Party, carol: Party) -> None:
    """One report of success; transferee and target talk, and the transferor is rid of both."""
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    line.wait_over()
    assert transferor.notify_events == transferor.refer_events()
    assert len(transferor.notifies) == 1
    assert not line.notifies
    assert hear_each_other(transferee, carol)


def assert_refused(transferor: Party, transferee: Party, line: Party, carol: Party) -> None:
    """One report of failure; everybody talks on with whom they did."""
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferor, transferee)
    assert hear_each_other(line, carol)
    assert transferor.notify_events == transferor.refer_events()
    assert len(transferor.notifies) == 1


@BY
def test_both_dialogs_are_ours(world: World, by: str) -> None:
    """Without a handler it is accepted; who is left can hang up."""
    world.serve()
    people = consulting(world, by)
    refer(world, people[0], people[2])
    assert_transferred(*people)
    people[3].hangs_up()
    people[1].wait_over()


@BY
def test_asked_for_twice_at_once(world: World, by: str) -> None:
    """FreeSWITCH asks for each, and would have the one grant take the transferee from the other."""
    world.serve()
    transferor, transferee, line, carol = consulting(world, by)
    for _ in range(2):
        refer(world, transferor, line)
    transferor.wait_over()  # with its dialog the other report may go
    reports = sorted(transferor.notifies)
    assert reports in (["SIP/2.0 200 OK"], ["SIP/2.0 200 OK", "SIP/2.0 403 Forbidden"])
    assert hear_each_other(transferee, carol)


@BY
@pytest.mark.parametrize("turns", [0, 2, 4])
def test_a_blind_refer_comes_behind_it(world: World, by: str, turns: int) -> None:
    """Whichever counts, each REFER has one report, and only one of them success."""
    world.serve()
    transferor, transferee, line, carol = consulting(world, by)
    refer(world, transferor, line)
    world.pass_turns(turns)
    transferor.refers(world.refer_to("7"))
    world.wait(lambda: len(transferor.notifies) > 1 or not transferor.in_call, "all is told")
    told = dict(zip(transferor.notify_events, transferor.notifies, strict=True))
    # Where its dialog is over already no REFER goes out.
    attended, blind, *_ = [*(told.get(event) for event in transferor.refer_events()), None]
    if attended == "SIP/2.0 200 OK":
        assert blind in ("SIP/2.0 403 Forbidden", None)  # the report may go with its dialog
        assert hear_each_other(transferee, carol)
    else:
        assert (attended, blind) == ("SIP/2.0 403 Forbidden", "SIP/2.0 404 Not Found")
        assert hear_each_other(transferor, transferee)
        assert hear_each_other(line, carol)


@BY
def test_accepted_by_the_scenario(world: World, by: str) -> None:
    world.serve(scenario=ACCEPTS)
    people = consulting(world, by)
    refer(world, people[0], people[2])
    assert_transferred(*people)
    who, whom = people[0].number, people[1].number
    world.wait_told(asked(*people[:2]))
    world.wait_told(f"complete {who} transferor")
    people[1].hangs_up()
    people[3].wait_over()
    world.wait_told("left 1002")
    world.wait_told(f"left {whom}")


@BY
def test_refused_by_the_scenario(world: World, by: str) -> None:
    world.serve(scenario=REFUSES)
    people = consulting(world, by)
    refer(world, people[0], people[2])
    assert_refused(*people)
    world.wait_told(f"failed {people[0].number} 403")


@BY
def test_a_handler_that_raises(world: World, by: str) -> None:
    world.serve(scenario=RAISES)
    world.expect_error("on purpose")
    people = consulting(world, by)
    refer(world, people[0], people[2])
    assert_refused(*people)


def test_a_scenario_that_does_not_decide(world: World) -> None:
    world.serve(scenario=WAITS, transfer={"decision_timeout_s": 0.3})
    people = consulting(world, "callee")
    refer(world, people[0], people[2])
    assert_refused(*people)


@pytest.mark.parametrize("scenario", ["", ACCEPTS_ANYTHING], ids=["default", "accepted"])
def test_a_dialog_that_is_no_call_of_ours(world: World, scenario: str) -> None:
    world.serve(scenario=scenario)
    people = consulting(world, "callee")
    people[0].refers(world.replacing(people[2], "1002").replace("to-tag%3D", "to-tag%3Dx"))
    assert_refused(*people) if not scenario else None
    if scenario:
        world.wait_told("the REFER replaces a dialog that is no call of ours")


@BY
@pytest.mark.parametrize("next_by", ["transferee", "target"])
def test_a_blind_transfer_after_an_attended_one(world: World, by: str, next_by: str) -> None:
    world.serve()
    transferor, transferee, line, carol = consulting(world, by)
    refer(world, transferor, line)
    assert_transferred(transferor, transferee, line, carol)
    dave = world.party("1003", "Dave").answers()
    one, other = (transferee, carol) if next_by == "transferee" else (carol, transferee)
    one.refers(world.refer_to("1003"))
    assert one.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(other, dave)
    one.wait_over()
    assert len(one.notifies) == 1
    assert "traceback" not in world.log().lower()


@BY
def test_the_target_had_called_the_transferor(world: World, by: str) -> None:
    """The leg to replace is one that FreeSWITCH dialled, and the target's has a link of its own."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee = talking(world, by)
    line = world.line(transferor).answers()
    carol = world.party("3000", "Carol")
    carol.calls(transferor.number)
    carol.wait_talking()
    assert hear_each_other(line, carol)
    transferor.refers(world.replacing(line, "3000"))
    assert_transferred(transferor, transferee, line, carol)
    dave = world.party("1003", "Dave").answers()
    carol.refers(world.refer_to("1003"))
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)


@BY
def test_one_attended_transfer_after_another(world: World, by: str) -> None:
    world.serve()
    transferor, transferee, line, carol = consulting(world, by)
    refer(world, transferor, line)
    assert_transferred(transferor, transferee, line, carol)
    dave = world.party("1003", "Dave").answers()
    second = world.line(carol)
    second.calls("1003")
    second.wait_talking()
    assert hear_each_other(second, dave)
    carol.refers(world.replacing(second, "1003"))
    assert_transferred(carol, transferee, second, dave)


@BY
def test_after_a_blind_one(world: World, by: str) -> None:
    world.serve()
    first, transferee = talking(world, by)
    transferor = world.party("1003", "Dave").answers()
    first.refers(world.refer_to("1003"))
    assert first.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, transferor)
    carol = world.party("1002", "Carol").answers()
    line = transferor.consults("1002")
    line.wait_talking()
    assert hear_each_other(line, carol)
    refer(world, transferor, line)
    assert_transferred(transferor, transferee, line, carol)


def test_left_to_the_switch(world: World) -> None:
    """Then FreeSWITCH joins its own dialogs without asking."""
    world.serve(scenario=REFUSES, transfer={"attended": "switch"})
    transferor, transferee, line, carol = consulting(world, "callee")
    refer(world, transferor, line)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    line.wait_over()
    assert not any(told.startswith("asked") for told in world.told())


# -- calls that we do not run: FreeSWITCH asks us about them, too


HOUSE = {
    "1001": ["set hangup_after_bridge=true", "bridge user/1001"],
    "1002": ["set hangup_after_bridge=true", "bridge user/1002"],
    "7000": ["answer", "conference room@default"],
}
"""What the switch connects by itself, before a call comes to us."""
BY_ITSELF = ["execute_extension ${destination_number} XML house", "hangup"]


@BY
def test_dialogs_of_the_switchs_own_calls(world: World, by: str) -> None:
    """They are joined as FreeSWITCH would; no scenario is asked in scope calls."""
    world.serve(scenario=REFUSES, dialplan=BY_ITSELF, house=HOUSE)
    people = consulting(world, by)
    refer(world, people[0], people[2])
    assert_transferred(*people)
    assert not any(told.startswith("asked") for told in world.told())
    people[3].hangs_up()
    people[1].wait_over()


@BY
def test_an_extension_of_the_switchs_own(world: World, by: str) -> None:
    """It begins anew for the transferee, as FreeSWITCH would have it."""
    world.serve(dialplan=BY_ITSELF, house=HOUSE)
    transferor, transferee = talking(world, by)
    line = transferor.consults("7000")
    line.wait_talking()
    refer(world, transferor, line)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    line.wait_over()
    world.wait(lambda: world.applications() == ["conference"], "the transferee is served")
    assert len(transferor.notifies) == 1
    transferee.hangs_up()


@BY
def test_the_scenario_decides_in_scope_transfers(world: World, by: str) -> None:
    """Every call of the switch is its matter, if attended transfers are to be."""
    world.serve(scope="transfers", scenario=REFUSES, transfer={"attended": "application"})
    people = consulting(world, by)
    refer(world, people[0], people[2])
    assert_refused(*people)
    assert any(told.startswith("asked") for told in world.told())


# -- semi-attended: the target still rings when the REFER comes


def ringing(world: World, by: str) -> tuple[Party, Party, Party, Party]:
    """As ``consulting``, but Carol's phone still rings."""
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    line = transferor.consults("1002")
    line.wait_received(180)
    return transferor, transferee, line, carol


@BY
def test_the_target_answers_later(world: World, by: str) -> None:
    world.serve(scenario=ACCEPTS)
    transferor, transferee, line, carol = ringing(world, by)
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    assert hear_each_other(transferor, transferee)
    assert not transferor.notifies
    carol.answers_now()
    assert_transferred(transferor, transferee, line, carol)


@BY
def test_the_target_is_busy_after_all(world: World, by: str) -> None:
    world.serve()
    transferor, transferee, line, carol = ringing(world, by)
    refer(world, transferor, line)
    assert hear_each_other(transferor, transferee)
    carol.refuses_now(486, "Busy Here")
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    line.wait_received(486)
    assert hear_each_other(transferor, transferee)
    assert len(transferor.notifies) == 1


@BY
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "busy"])
def test_the_transferor_gives_its_second_call_up(world: World, by: str, answers: bool) -> None:
    """It sends CANCEL when its REFER has been accepted: the target is called anew."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee, line, carol = ringing(world, by)
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    assert hear_each_other(transferor, transferee)
    line.gives_up()
    line.wait_over()
    invite = carol.wait_received("INVITE", 2)
    assert f":{transferee.number}@" in invite.header("From")
    assert hear_each_other(transferor, transferee)
    if answers:
        carol.answers_now()
        assert_transferred(transferor, transferee, line, carol)
        return
    carol.refuses_now(486, "Busy Here")
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferor, transferee)
    assert len(transferor.notifies) == 1


@pytest.mark.parametrize("why", [302, 488])
def test_a_target_that_is_called_anew_is_called_again(world: World, why: int) -> None:
    """A 3xx is followed, and a 488 answered with the profile's own codecs: as in a blind one."""
    world.serve(scenario=ACCEPTS, call={"codecs": "PCMU"})
    transferor, transferee, line, target = ringing(world, "callee")
    number = "1002"
    if why == 302:
        world.party("1004").redirects(world.uri("1003"))
        number, target = "1004", world.party("1003", "Dave").answers()
    transferor.refers(world.replacing(line, number), "<sip:referrer@example.org>")
    world.wait_told(asked(transferor, transferee))
    line.gives_up()
    line.wait_over()
    if why == 488:
        target.wait_received("INVITE", 2)
        target.refuses_now(488, "Not Acceptable Here")
        target.wait_received("INVITE", 3)
        target.answers_now()
    assert_transferred(transferor, transferee, line, target)


# -- the controller dies between FreeSWITCH's report of success and the join


DIES = f"""{TELLS}    instead(event.transfer, "{{step}}")
    event.accept()

def instead(transfer, step):
    from fsctl.transfer.attended import Action

    def told(*_):
        tell(step)

    if step in Action.__members__:
        transfer.acts.by_action[Action[step]] = told
    else:
        setattr(transfer, step, told)
"""


@pytest.mark.parametrize(
    ("by", "step"),
    [("callee", "JOIN"), ("caller", "FETCH"), ("caller", "came_home")],
)
def test_the_controller_dies_before_the_join(world: World, by: str, step: str) -> None:
    """The dialplan joins the two: the target's channel is on the leg that it runs for."""
    world.serve(scenario=DIES.format(step=step))
    transferor, transferee, line, carol = consulting(world, by)
    refer(world, transferor, line)
    world.wait_told(step)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    world.kill()
    assert hear_each_other(transferee, carol)
    line.wait_over()
    transferor.wait_over()
    assert hear_each_other(transferee, carol)
    assert len(transferor.notifies) == 1
    carol.hangs_up()
    transferee.wait_over(RELEASED_S)


@BY
def test_a_blind_transfer_after_such_a_death(world: World, by: str) -> None:
    """mod_loopback leaves when it finds a bridge on both of its sides; then all is as ever."""
    world.serve(scenario=DIES.format(step="JOIN" if by == "callee" else "FETCH"))
    transferor, transferee, line, carol = consulting(world, by)
    refer(world, transferor, line)
    world.wait_told("JOIN" if by == "callee" else "FETCH")
    world.kill()
    assert hear_each_other(transferee, carol)
    world.restart()
    world.wait(lambda: world.legs() == 2, "the loopback has left")
    assert hear_each_other(transferee, carol), "and FreeSWITCH has joined the two again"
    dave = world.party("1003", "Dave").answers()
    carol.refers(world.refer_to("1003"))
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)


@BY
def test_the_controller_died_and_another_decides(world: World, by: str) -> None:
    """Nothing but the channels knows of the calls, and it is enough."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee, line, carol = consulting(world, by)
    world.kill()
    world.restart()
    refer(world, transferor, line)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    line.wait_over()
    assert asked(transferor, transferee) in world.told()
    dave = world.party("1003").answers()
    carol.refers(world.refer_to("1003"))
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    assert len(transferor.notifies) == len(carol.notifies) == 1


@BY
def test_the_controller_died_and_another_refuses(world: World, by: str) -> None:
    world.serve(scenario=REFUSES)
    transferor, transferee, line, carol = consulting(world, by)
    world.kill()
    world.restart()
    refer(world, transferor, line)
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferor, transferee)
    assert hear_each_other(line, carol)


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_the_controller_goes_before_the_decision(world: World, how: str) -> None:
    """FreeSWITCH refuses, and everybody talks on; who is left then is released as ever."""
    world.serve(scenario=WAITS)
    people = transferor, transferee, line, carol = consulting(world, "callee")
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    world.kill() if how == "kill" else world.terminate()
    assert_refused(*people)
    for leaver, left in ((transferor, transferee), (line, carol)):
        leaver.hangs_up()
        left.wait_over(RELEASED_S)


def test_the_controller_dies_while_the_target_rings(world: World) -> None:
    world.serve(scenario=ACCEPTS)
    transferor, transferee, line, carol = ringing(world, "callee")
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    world.kill()
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    carol.answers_now()
    line.wait_talking()
    assert_refused(transferor, transferee, line, carol)


# -- somebody leaves meanwhile


LEAVES = f"""{TELLS}
    from fsctl.transfer.attended import Action
    acts = event.transfer.acts.by_action
    join = acts[Action.JOIN]
    def later():
        tell("answered")
        event.session.set_timeout(1.0, join)
    acts[Action.JOIN] = later
    event.accept()
"""


@pytest.mark.parametrize("who", ["transferee", "target"])
def test_somebody_leaves_just_before_the_join(world: World, who: str) -> None:
    """Success has been reported: the call is over for all, and nothing is left."""
    world.serve(scenario=LEAVES)
    transferor, transferee, line, carol = consulting(world, "callee")
    refer(world, transferor, line)
    world.wait_told("answered")
    (transferee if who == "transferee" else carol).hangs_up()
    for party in (transferor, transferee, line, carol):
        party.wait_over()
    assert transferor.notifies == ["SIP/2.0 200 OK"]
    world.wait_told("failed 1001 503")
    world.wait(lambda: not world.legs(), "no leg is left")


@BY
def test_the_transferee_leaves_while_the_target_rings(world: World, by: str) -> None:
    """Their call is over when that has been told; the second one goes on as an ordinary call."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee, line, carol = ringing(world, by)
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    transferee.hangs_up()
    transferor.wait_over()
    assert transferor.notifies == ["SIP/2.0 403 Forbidden"]
    world.wait_told(f"failed {transferor.number} 403")
    carol.answers_now()
    line.wait_talking()
    assert hear_each_other(line, carol)


@BY
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "busy"])
def test_the_transferor_leaves_while_the_target_rings(world: World, by: str, answers: bool) -> None:
    """Its transferee waits for the target, and hears it ring."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee, line, carol = ringing(world, by)
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    transferor.hangs_up()
    assert transferee.hears_ringback()
    if not answers:
        carol.refuses_now(486, "Busy Here")
        world.wait_told(f"failed {transferor.number} 486")
        transferee.wait_over()
        return
    carol.answers_now()
    assert hear_each_other(transferee, carol)
    line.wait_over()
    world.wait_told(f"complete {transferor.number} transferor")
    assert hear_each_other(transferee, carol)
    assert not transferor.notifies


@BY
def test_the_target_leaves_before_the_decision(world: World, by: str) -> None:
    world.serve(scenario=WAITS, transfer={"decision_timeout_s": 0.5})
    transferor, transferee, line, carol = consulting(world, by)
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    carol.hangs_up()
    line.wait_over()
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferor, transferee)


# -- the transferor's phone hangs up by itself, as most phones do


@dataclass(frozen=True)
class Leaving:
    """When it hangs up which of its two calls, and how it had them."""

    after: str
    ends: str
    received: bool = False
    """The target had called the transferor."""
    in_second: bool = False
    """The REFER is sent in the second call, and replaces the first."""


LEAVINGS = {
    "202-both": Leaving("202", "both"),
    "202-this": Leaving("202", "this"),
    "202-other": Leaving("202", "other"),
    "NOTIFY-both": Leaving("NOTIFY", "both"),
    "NOTIFY-other": Leaving("NOTIFY", "other"),
    "received-202-both": Leaving("202", "both", received=True),
    "second-202-both": Leaving("202", "both", in_second=True),
    "second-received-202-other": Leaving("202", "other", received=True, in_second=True),
}


@BY
@pytest.mark.parametrize("leaving", LEAVINGS.values(), ids=LEAVINGS)
def test_the_transferor_hangs_up_by_itself(world: World, by: str, leaving: Leaving) -> None:
    """Transferee and target are not lost with the calls that it ends, and are told of as joined."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee = talking(world, by)
    line = world.line(transferor)
    if leaving.received:
        line.answers()
        carol = world.party("3000", "Carol")
        carol.calls(transferor.number)
        carol.wait_talking()
    else:
        carol = world.party("1002", "Carol").answers()
        line.calls("1002")
        line.wait_talking()
    assert hear_each_other(line, carol)
    this, other, called = transferor, line, carol
    if leaving.in_second:
        this, other, called = line, transferor, transferee
    ended = {"this": (this,), "other": (other,), "both": (this, other)}[leaving.ends]
    this.leaves_after_refer(leaving.after, *ended)
    this.refers(world.replacing(other, called.number))
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    line.wait_over()
    world.wait_told(f"complete {transferor.number} transferor")
    assert this.notifies in ([], ["SIP/2.0 200 OK"])
    assert hear_each_other(transferee, carol)
    assert '"outcome": "succeeded", "code": 200' in world.log()
    carol.hangs_up()
    transferee.wait_over()


ROOM = f"""{TELLS}    event.accept()


@scenario.on(CallAlerting)
def alerting(event):
    if event.destination != "3000":
        event.session.connect(event.call, event.destination)
        return
    event.call.answer()
    event.call.execute("conference", "room")
"""


@BY
def test_into_a_conference(world: World, by: str) -> None:
    """The transferee takes the transferor's place in what its second call is in."""
    world.serve(scenario=ROOM.replace("Disconnected,", "CallAlerting, Disconnected,", 1))
    dave = world.party("2001", "Dave")
    dave.calls("3000")
    dave.wait_talking()
    transferor, transferee = talking(world, by)
    line = transferor.consults("3000")
    line.wait_talking()
    world.wait_application("conference", 2)
    transferor.refers(world.replacing(line, "3000"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    line.wait_over()
    transferor.wait_over()
    world.wait_told(f"complete {transferor.number} transferor")
    world.wait_application("conference", 2)
    assert transferee.in_call and dave.in_call
    world.wait(lambda: world.legs() == 2, "only two are left")
