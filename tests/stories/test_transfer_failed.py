"""In-session transfers that fail: the transferor is told why, and the first two talk on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

BOTH = pytest.mark.parametrize("by", ["callee", "caller"])


@BOTH
@pytest.mark.parametrize(
    ("target_does", "line"),
    [
        pytest.param(lambda p: p.refuses(486, "Gone fishing"), "486 Gone fishing", id="busy"),
        pytest.param(lambda p: p.refuses(603, "No, thanks"), "603 No, thanks", id="declined"),
        pytest.param(lambda p: p.refuses(404, "Not Found"), "404 Not Found", id="unknown"),
        pytest.param(
            lambda p: p.sends_early_media_and_refuses(486, "Busy now"),
            "486 Busy now",
            id="early media and busy",
        ),
        pytest.param(lambda p: p.rings(), "480 Temporarily Unavailable", id="no answer"),
        pytest.param(lambda p: p.unreachable(), "503 Service Unavailable", id="unreachable"),
    ],
)
def test_target_fails_and_the_first_two_talk_on(
    world: World, by: str, target_does: Callable[[Party], Party], line: str
) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    target = target_does(world.party("1002"))
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == f"SIP/2.0 {line}"
    assert hear_each_other(transferor, transferee)
    assert len(target.received("INVITE")) <= 1
    transferee.hangs_up()
    transferor.wait_over()
    assert transferor.notifies == [f"SIP/2.0 {line}"]
    assert transferor.notify_events == transferor.refer_events()


@BOTH
def test_target_that_does_not_answer_is_cancelled(world: World, by: str) -> None:
    world.serve()
    transferor, _ = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    target.wait_received("CANCEL")
    transferor.wait_notify()


@BOTH
def test_target_redirects_to_a_stranger(world: World, by: str) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    stranger = world.party("5").answers()
    world.party("1002").redirects(stranger.contact)
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 302 Moved Temporarily"
    assert not stranger.received("INVITE")
    assert hear_each_other(transferor, transferee)


def test_target_redirects_to_nobody(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.party("1002").redirects(world.uri("1999"))
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 404 Not Found"
    assert hear_each_other(alice, bob)


def test_target_is_nobody(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    bob.refers(world.refer_to("1999"))
    assert bob.wait_notify() == "SIP/2.0 404 Not Found"
    assert hear_each_other(alice, bob)


@BOTH
def test_two_failures_and_then_a_success(world: World, by: str) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    world.party("1003").refuses(603, "Decline")
    last = world.party("1004").answers()
    lines = ("486 Gone fishing", "603 Decline", "200 OK")
    for times, number in enumerate(("1002", "1003", "1004"), 1):
        transferor.refers(world.refer_to(number))
        assert transferor.wait_notify(times) == f"SIP/2.0 {lines[times - 1]}"
        if times < 3:
            assert hear_each_other(transferor, transferee)
    assert hear_each_other(transferee, last)
    transferor.wait_over()
    assert transferor.notify_events == transferor.refer_events()
    assert len(set(transferor.notify_events)) == 3


@BOTH
def test_second_refer_is_refused_with_its_own_id_and_disturbs_nothing(
    world: World, by: str
) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    other = world.party("1003").answers()
    transferor.refers(world.refer_to("1002"))
    target.wait_received("INVITE")
    transferor.refers(world.refer_to("1003"))
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    target.answers_now()
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    first, second = transferor.refer_events()
    assert transferor.notify_events == [second, first]
    assert not other.received("INVITE")
    assert hear_each_other(transferee, target)


@BOTH
@pytest.mark.parametrize(
    ("mode", "early", "killed"),
    [
        pytest.param("in-session", False, False, id="rings"),
        pytest.param("in-session", True, False, id="early media"),
        pytest.param("in-session", False, True, id="no controller"),
        pytest.param("legacy", False, False, id="legacy"),
        pytest.param("legacy", True, False, id="legacy, early media"),
        pytest.param("legacy", False, True, id="legacy, no controller"),
    ],
)
def test_a_transferee_sends_a_refer_of_its_own_while_its_target_rings(
    world: World, by: str, mode: str, early: bool, killed: bool
) -> None:
    """It is refused; the target rings on, and the first transfer ends as the target decides."""
    world.serve(transfer={"mode": mode})
    transferor, transferee = talking(world, by)
    target = world.party("1002")
    target = target.sends_early_media() if early else target.rings()
    other = world.party("1003").answers()
    transferor.refers(world.refer_to("1002"))
    world.wait(lambda: target.sent(183 if early else 180), "the target rings")
    if killed:
        world.kill()
    transferee.refers(world.refer_to("1003"))
    assert transferee.wait_notify() == "SIP/2.0 403 Forbidden"
    assert not transferor.notifies
    if early:
        target.refuses_now(486, "Busy")
        busy = "486 486" if mode == "legacy" else "486 Busy"
        assert transferor.wait_notify() == f"SIP/2.0 {busy}"
        assert hear_each_other(transferor, transferee)
    else:
        target.answers_now()
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(transferee, target)
    assert not other.received("INVITE")
    assert len(transferor.notifies) == len(transferee.notifies) == 1
