"""What is no row of a table, while fsctl is alive in a switch of somebody's own."""

from __future__ import annotations

import json
import re

import pytest

from fsctl.story import hear_each_other
from tests.live.lab import Phone, wait_for
from tests.live.lab.tap import Tap
from tests.live.vanilla.installation import Installation, State
from tests.live.vanilla.kinds import ANSWERS, CALLER, DECLINES, RINGS
from tests.live.vanilla.scene import Scene
from tests.live.vanilla.switch import VanillaSwitch
from tests.live.vanilla.transfers import CALLEE, PARTIES

pytestmark = pytest.mark.parametrize("state", [State.ALIVE], ids=str)
SIGNS = {"global_setvar", "sched_del", "sched_api"}
"""What a controller says every second, about itself and no call."""
RESCUED_S = 20.0
_RECORD = re.compile(r"fsctl\.session\.record: (.*)")

by_each = pytest.mark.parametrize(("by", "moved"), PARTIES.values(), ids=PARTIES)


def _ring(scene: Scene, by: str, to: str) -> Phone:
    """The first two talk, and one has transferred the other to where 1002 rings; 1002."""
    scene.add(CALLEE, ANSWERS)
    carol = scene.add("1002", RINGS)
    caller = scene.talk(CALLER, CALLEE)
    assert hear_each_other(caller, scene[CALLEE])
    scene[by].transfers(to)
    carol.wait_received("INVITE")
    return carol


def _said(tap: Tap, since: int) -> set[str]:
    """The commands since then, when signs of life have been given twice more."""
    sign = next(each for each in reversed(tap.commands) if "force_transfer_context" in each)
    wanted = tap.commands.count(sign) + 2
    wait_for(lambda: tap.commands.count(sign) >= wanted, 10.0, "signs of life")
    return set(tap.commands[since:])


def _is_sign(command: str) -> bool:
    return command.split()[1] in SIGNS


def _signs_in_peace(tap: Tap) -> set[str]:
    """All signs of a controller that no longer looks for what others may have left behind.

    What is set is given time by most of them, and set anew by some.
    """
    wait_for(lambda: all(map(_is_sign, _said(tap, len(tap.commands)))), 20.0, "only signs of life")
    return set(filter(_is_sign, tap.commands))


def test_a_call_without_a_transfer_costs_nothing(
    scene: Scene, switch: VanillaSwitch, installation: Installation
) -> None:
    """No event, no command, no connection, nothing on its channels."""
    tap = installation.tap
    signs = _signs_in_peace(tap)
    log, events, start = len(switch.log_text()), tap.events, len(tap.commands)
    scene.add(CALLEE, ANSWERS)
    scene.add("1002", DECLINES)
    assert scene.talk(CALLER, CALLEE).hears(scene[CALLEE])
    assert scene.talk("1006", "1002").hears_ringback()
    dumps = [switch.esl(f"uuid_dump {row['uuid']}") for row in switch.wait_channels(5)]
    scene.phones.hang_up()
    switch.wait_no_channels()
    assert _said(tap, start) <= signs
    assert "fsctl" not in "".join(dumps)
    assert tap.events == events
    assert " socket(" not in switch.log_text()[log:]


@by_each
def test_the_loopback_leaves(scene: Scene, switch: VanillaSwitch, by: str, moved: str) -> None:
    """Two that talk have two channels, and each may transfer the other on."""
    _ring(scene, by, "1002").answers_now()
    carol = scene["1002"]
    switch.wait_channels(2)
    assert hear_each_other(scene[moved], carol)
    carol.transfers("2091")
    assert carol.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(scene[moved], carol)
    scene.add("1004", ANSWERS)
    scene[moved].transfers("1004")
    assert hear_each_other(scene["1004"], carol)


@by_each
def test_a_recording_goes_on(scene: Scene, switch: VanillaSwitch, by: str, moved: str) -> None:
    """The extension has begun it; mod_loopback takes it along when it leaves."""
    _ring(scene, by, "2032").answers_now()
    assert scene[by].wait_notify() == "SIP/2.0 200 OK"

    def recorded() -> bool:
        phones = (str(row["uuid"]) for row in switch.channels() if "sofia/" in str(row["name"]))
        return any("session_record" in switch.esl(f"uuid_buglist {uuid}") for uuid in phones)

    switch.wait(recorded, what="a phone's own leg is recorded")
    assert hear_each_other(scene[moved], scene["1002"])


@by_each
def test_a_record_knows_all_three(
    scene: Scene, installation: Installation, by: str, moved: str
) -> None:
    """Also the one that sent the REFER, of whom fsctl has heard nothing before."""
    start = installation.controller.log_size
    _ring(scene, by, "2040").refuses_now(486, "Gone fishing")
    assert scene[by].wait_notify() == "SIP/2.0 486 Gone fishing"
    record = wait_for(lambda: _RECORD.search(installation.controller.log_text(start)), 5.0)
    numbers = json.loads(record[1])["numbers"]
    assert numbers == {"transferor": by, "transferee": moved, "target": "2040"}


@by_each
def test_the_transferee_gives_up(scene: Scene, by: str, moved: str) -> None:
    carol = _ring(scene, by, "1002")
    scene[moved].hangs_up()
    carol.wait_received("CANCEL")
    assert scene[by].wait_notify() == "SIP/2.0 487 Request Terminated"


@by_each
def test_fsctl_dies_while_the_target_rings(
    scene: Scene, installation: Installation, by: str, moved: str
) -> None:
    """FreeSWITCH finishes what has begun."""
    carol = _ring(scene, by, "1002")
    installation.kill()
    carol.answers_now()
    assert scene[by].wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(scene[moved], carol)
    scene[by].wait_over(RESCUED_S)


@by_each
def test_fsctl_dies_and_the_target_refuses(
    scene: Scene, installation: Installation, by: str, moved: str
) -> None:
    carol = _ring(scene, by, "2040")
    installation.kill()
    carol.refuses_now(486, "Gone fishing")
    assert scene[by].wait_notify().startswith("SIP/2.0 486 ")
    assert hear_each_other(scene[moved], scene[by])


@pytest.mark.parametrize("number", [CALLEE, "2040"], ids=["a user", "no voicemail"])
def test_the_caller_refers_while_it_waits(scene: Scene, number: str) -> None:
    """Nobody is there to be transferred yet: refused, and the dialplan calls once more."""
    called = "1002" if number == "2040" else CALLEE
    bob, dave = scene.add(called, RINGS), scene.add("1003", ANSWERS)
    alice = scene.dial(CALLER, number)
    bob.wait_received("INVITE")
    alice.refers_early(scene.phones.refer_to("1003"))
    assert alice.wait_notify() == "SIP/2.0 491 Request Pending"
    bob.wait_received("INVITE", 2)
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    assert not dave.received("INVITE")
    alice.transfers("1003")
    assert alice.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(bob, dave)
