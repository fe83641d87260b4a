"""REFERs that cannot be served: refused with a NOTIFY of their own, and the call goes on.

And calls: what a phone dials is interpreted no more than what it refers to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

REFUSED = {
    "function": ("<sip:${{system(touch {trap})}}@example.org>", 400),
    "escaped function": ("<sip:$%7Bsystem(touch%20{trap})%7D@example.org>", 400),
    "line break": ("<sip:1002%0D%0AX-Evil:%20yes@example.org>", 400),
    "NUL": ("<sip:1002%00@example.org>", 400),
    "line break in a header": ("<sip:1002@example.org?X-A=1%0D%0AX-Evil:%20yes>", 400),
    "mailto": ("<mailto:carol@example.org>", 416),
    "method": ("<sip:1002@example.org;method=BYE>", 405),
    "far too long": ("<sip:" + "9" * 5000 + "@example.org>", 400),
    "no route": ("<sip:no-route@example.org>", 404),
    "no route for tel": ("<tel:+4930123456>", 404),
    "port out of range": ("<sip:1002@[::1]:99999>", 400),
}


@pytest.mark.parametrize(("refer_to", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_refer_is_refused_and_the_two_talk_on(
    world: World, tmp_path: Path, refer_to: str, status: int
) -> None:
    world.serve()
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    trap = tmp_path / "executed"
    bob.refers(refer_to.format(trap=trap))
    assert bob.wait_notify().startswith(f"SIP/2.0 {status} ")
    assert bob.notify_events == bob.refer_events()
    assert hear_each_other(alice, bob)
    assert not trap.exists()
    assert not carol.received("INVITE")
    assert len(bob.notifies) == 1


def test_replaces_of_an_unknown_dialog_reaches_nobody(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.refers(f"<{carol.contact}?Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2>")
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert not carol.received("INVITE")
    assert hear_each_other(alice, bob)
    world.wait_logged("attended transfer to an unknown dialog refused")


@pytest.mark.parametrize(
    "number", ["%24%7Bsystem(touch%20{trap})%7D", "a'b&d", "1001,1002", "*97%23"]
)
def test_a_dialled_number_is_not_interpreted(world: World, tmp_path: Path, number: str) -> None:
    world.serve()
    trap = tmp_path / "executed"
    alice = world.party("2000", "Alice")
    alice.calls(number.format(trap=trap))
    alice.wait_received(404)
    assert not trap.exists()


def test_who_is_alone_with_an_application_transfers_nobody(world: World) -> None:
    """FreeSWITCH refuses it by itself ("1 Legged calls", sofia.c), and the party stays there."""
    house = {"7000": ["answer", "playback silence_stream://-1"]}
    world.serve(dialplan=["transfer 7000 XML house"], house=house)
    alice = world.party("2000", "Alice")
    alice.calls("7000")
    alice.wait_talking()
    carol = world.party("1002").answers()
    alice.transfers("1002")
    assert alice.wait_notify() == "SIP/2.0 403 Forbidden"
    assert alice.in_call and not carol.received("INVITE")
    alice.hangs_up()
    alice.wait_over()
