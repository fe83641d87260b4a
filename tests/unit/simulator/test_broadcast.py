"""``uuid_broadcast``: a leg executes an application in its own thread, wherever it is."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.simulator import Dialplan, actions, context
from fsctl.simulator.dialplan import Condition, Extension

Lab = Any  # the class is in conftest.py, which tests cannot import
PARKED = "'execute_extension::parked XML fsctl_parked'"


@pytest.fixture(autouse=True)
def parked(lab: Lab) -> None:
    """A context whose one extension hangs up legs of the stage ``gone``, and does nothing else."""
    over = Condition("${fsctl_stage}", "^gone$", actions("hangup BLIND_TRANSFER"))
    contexts = {**lab.switch.dialplan.contexts, "fsctl_parked": (Extension("parked", (over,)),)}
    contexts["fsctl_moved"] = context(("^parked$", actions("transfer 7 XML fsctl_refer")))
    lab.switch.dialplan = Dialplan(contexts)


def broadcast(lab: Lab, uuid: str, path: str = PARKED, legs: str = " aleg") -> None:
    assert lab.switch.run_api("uuid_broadcast", f"{uuid} {path}{legs}") == "+OK Message sent\n"
    lab.switch.settle()


def stage(lab: Lab, uuid: str, name: str) -> None:
    assert lab.switch.run_api("uuid_setvar", f"{uuid} fsctl_stage {name}") == "+OK\n"


def where(lab: Lab, name: str) -> str:
    """The leg that is parked by ``park`` state, held by ``socket``, or bridged; its uuid."""
    if name == "socket":
        lab.alice.calls("1001")
        return str(lab.controller.next_link(1).frames[0][0]["Unique-ID"])
    _, caller, callee = lab.call()
    if name == "bridged":
        return str(caller)
    lab.bob.refers("<sip:1002@x>")
    lab.controller.next_link(2)
    assert lab.switch.locate(callee).running_state == "CS_PARK"
    return str(callee)


PLACES = ["CS_PARK", "socket", "bridged"]


@pytest.mark.parametrize("place", PLACES)
def test_an_extension_that_hangs_up_on_condition(lab: Lab, place: str) -> None:
    uuid = where(lab, place)
    stage(lab, uuid, "here")
    before = lab.switch.locate(uuid).state, lab.alice.hears, lab.bob.hears
    broadcast(lab, uuid)
    assert (lab.switch.locate(uuid).state, lab.alice.hears, lab.bob.hears) == before
    ran = [e for e in lab.switch.events if e.get("Application") == "execute_extension"]
    assert [e.get("Application-Data") for e in ran] == ["parked XML fsctl_parked"] * 2
    stage(lab, uuid, "gone")
    broadcast(lab, uuid)
    assert lab.switch.locate(uuid) is None
    assert lab.switch.channels.get(uuid) is None or (
        lab.switch.channels[uuid].hangup_cause == "BLIND_TRANSFER"
    )


def test_the_time_of_a_parked_leg_goes_on(lab: Lab) -> None:
    uuid = where(lab, "CS_PARK")
    lab.switch.advance(500)
    broadcast(lab, uuid)
    lab.switch.advance(101)
    assert lab.switch.locate(uuid) is None


@pytest.mark.parametrize("place", PLACES)
def test_an_extension_that_moves_the_leg(lab: Lab, place: str) -> None:
    uuid = where(lab, place)
    links = len(lab.controller.links)
    lab.switch.run_api("uuid_setvar", f"{uuid} fsctl_home {lab.controller.address}")
    broadcast(lab, uuid, "'execute_extension::parked XML fsctl_moved'")
    reply = lab.controller.next_link(links + 1).frames[0][0]
    assert (reply["Unique-ID"], reply["Caller-Destination-Number"]) == (uuid, "7")
    # Executed inside an extension, a transfer starts from there: not from the leg's own number.
    assert reply["Caller-RDNIS"] == "parked"


def test_without_quotes_nothing_is_executed(lab: Lab) -> None:
    uuid = where(lab, "CS_PARK")
    stage(lab, uuid, "gone")
    broadcast(lab, uuid, PARKED.strip("'"))
    assert lab.switch.locate(uuid)


def test_a_leg_whose_peer_is_silent_yet_obeys_later(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.controller.links)
    (uuid,) = lab.switch.channels
    stage(lab, uuid, "gone")
    broadcast(lab, uuid)
    assert lab.switch.locate(uuid)
    lab.controller.links[0].send("connect")
    lab.switch.run_until(lambda: not lab.switch.locate(uuid))


def test_a_parked_transferor_sleeps_once_its_link_has_gone(lab: Lab) -> None:
    """The end of a link ends the parking of its leg; in CS_PARK the thread then sleeps.

    Neither ``park_timeout`` nor a message reaches it; a transfer does.
    """
    link, caller, _ = lab.call()
    lab.alice.refers("<sip:1002@x>")
    lab.controller.next_link(2)
    link.sock.close()
    lab.switch.settle()
    stage(lab, caller, "gone")
    broadcast(lab, caller)
    broadcast(lab, caller, "set::woken=yes")
    lab.switch.advance(700)
    assert lab.switch.locate(caller).get_variable("woken") is None
    lab.switch.run_api("uuid_transfer", f"{caller} park: inline")
    lab.switch.settle()
    # What waited is obeyed first; but a leg that is being moved executes no extension.
    assert lab.switch.locate(caller).get_variable("woken") == "yes"
    assert lab.switch.locate(caller).running_state == "CS_EXECUTE"
    # Inline applications leave no trace in its number.
    profile = lab.switch.locate(caller).profile
    assert (profile.destination_number, profile.rdnis) == ("1001", "")


@pytest.mark.parametrize(
    ("path", "legs", "executed"),
    [
        ("set::x=1", "", "caller"),
        ("set::x=1", " bleg", "callee"),
        ("set::x=1", " both", "caller callee"),
        ("set::x=1", " holdb", ""),
        ("a:set::x=1", " aleg", ""),
    ],
)
def test_which_leg_executes(lab: Lab, path: str, legs: str, executed: str) -> None:
    _, caller, callee = lab.call()
    broadcast(lab, caller, path, legs)
    legs_by_name = {"caller": caller, "callee": callee}
    done = [n for n, u in legs_by_name.items() if lab.switch.locate(u).get_variable("x")]
    assert " ".join(done) == executed


def test_a_cause_hangs_the_named_leg_up_even_when_the_other_executes(lab: Lab) -> None:
    _, caller, _ = lab.call()
    broadcast(lab, caller, "set!user_busy::x=1", " bleg")
    assert lab.alice.received("BYE")
