"""``sched_transfer`` before ``socket``: a leg that no controller serves goes on by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fsctl.simulator import Dialplan, actions, context

Lab = Any  # the class is in conftest.py, which tests cannot import


@pytest.fixture(autouse=True)
def claimed(lab: Lab) -> None:
    """Transferees are given two seconds; ``unclaimed`` goes to the controller again."""
    contexts = dict(lab.switch.dialplan.contexts)
    hold = f"socket {lab.controller.address} async full"
    refer = actions("sched_transfer +2 unclaimed XML fsctl_rescue", hold)
    contexts["fsctl_refer"] = context(("", refer))
    contexts["fsctl_rescue"] = context(("^unclaimed$", actions(hold, "log over")))
    lab.switch.dialplan = Dialplan(contexts)


def silent(link: Any) -> None:
    pass


def closed(link: Any) -> None:
    link.sock.close()


def held(link: Any) -> None:
    link.ask("connect")


PEERS: list[Callable[[Any], None]] = [silent, closed, held]


def refer(lab: Lab, peer: Callable[[Any], None]) -> tuple[str, str]:
    """Bob transfers, and ``peer`` is who accepts the link; transferee's and transferor's uuid."""
    _, caller, callee = lab.call()
    lab.bob.refers("<sip:1002@x>")
    lab.switch.run_until(lambda: len(lab.controller.links) == 2)
    peer(lab.controller.links[1])
    lab.switch.settle()
    return caller, callee


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
def test_a_leg_that_nobody_claims_is_moved(lab: Lab, peer: Callable[[Any], None]) -> None:
    caller, callee = refer(lab, peer)
    began_s = lab.switch.clock.now_s
    reply = lab.controller.next_link(3).frames[0][0]
    moved_s = lab.switch.clock.now_s
    assert moved_s == pytest.approx(int(began_s) + 2, abs=0.1)  # it counts whole seconds
    assert (reply["Unique-ID"], reply["variable_blind_transfer_uuid"]) == (caller, callee)
    said = [reply[f"Caller-{name}"] for name in ("Destination-Number", "RDNIS", "Context")]
    assert said == ["unclaimed", "1002", "fsctl_rescue"]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
def test_the_end_of_its_new_context_still_reports(lab: Lab, peer: Callable[[Any], None]) -> None:
    refer(lab, peer)
    lab.controller.next_link(3).send("exit")
    lab.switch.run_until(lambda: lab.bob.hears == "1000" and lab.alice.hears == "1001")
    assert [body for _, body in lab.bob.notifies][-1] == "SIP/2.0 403 Forbidden"


def test_without_it_a_leg_whose_peer_closed_is_parked_for_ever(lab: Lab) -> None:
    caller, _ = refer(lab, closed)
    assert lab.switch.run_api("sched_del", caller) == "+OK Deleted: 1\n"
    lab.switch.advance(500)
    assert "park" in lab.switch.locate(caller).flags


def test_a_silent_peer_ends_the_next_link_too(lab: Lab) -> None:
    """Its own time is up after 25 s: its end ends the parking, whoever holds the leg by then."""
    refer(lab, silent)
    lab.controller.next_link(3)
    lab.switch.advance(20)
    assert not lab.bob.notifies
    lab.switch.advance(6)
    assert lab.bob.notifies[-1][1] == "SIP/2.0 403 Forbidden"


def test_inside_an_extension_the_leg_had_that_ones_number(lab: Lab) -> None:
    contexts = dict(lab.switch.dialplan.contexts)
    contexts["fsctl_inner"] = contexts["fsctl_refer"]
    contexts["fsctl_refer"] = context(("", actions("execute_extension rescue XML fsctl_inner")))
    lab.switch.dialplan = Dialplan(contexts)
    refer(lab, silent)
    reply = lab.controller.next_link(3).frames[0][0]
    assert [reply[f"Caller-{name}"] for name in ("Destination-Number", "RDNIS")] == [
        "unclaimed", "rescue"
    ]  # fmt: skip
