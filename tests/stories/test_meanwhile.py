"""What the first two hear while the target rings."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

MUSIC = "tone_stream://%(1000,0,300);loops=-1"


def ringing(world: World, by: str, sound: str) -> tuple[Party, Party, Party]:
    """Transferor and transferee hear it, and the target rings."""
    world.serve(
        transfer={"release_transferor_after_s": 1, "ringback": sound, "transferor_hears": sound},
        dialplan=[f"export hold_music={MUSIC}"],
    )
    transferor, transferee = talking(world, by)
    carol = world.party("1002").rings()
    transferor.transfers("1002")
    assert transferor.hears_ringback() and transferee.hears_ringback()
    return transferor, transferee, carol


@pytest.mark.parametrize(("by", "sound"), [("callee", "gb"), ("caller", "music")])
def test_the_transferor_hears_something_too(world: World, by: str, sound: str) -> None:
    """And is back at once when the target fails, and told; the next transfer works as this one."""
    transferor, transferee, carol = ringing(world, by, sound)
    carol.refuses_now(486, "Gone fishing")
    assert transferor.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferor, transferee)
    transferor.transfers("1002")
    carol.wait_received("INVITE", 2)
    assert transferor.hears_ringback()
    carol.answers_now()
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferor.wait_over()


@pytest.mark.parametrize("then", ["target fails", "target answers", "transferee leaves"])
def test_every_controller_dies_while_it_hears_something(world: World, then: str) -> None:
    """FreeSWITCH ends that by itself, and lets nobody wait for it."""
    transferor, transferee, carol = ringing(world, "callee", "de")
    world.kill()
    if then == "target fails":
        carol.refuses_now(486, "Busy Here")
        assert transferor.wait_notify() == "SIP/2.0 486 486"
        assert hear_each_other(transferor, transferee)
    elif then == "target answers":
        carol.answers_now()
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(transferee, carol)
    else:
        transferee.hangs_up()
        assert transferor.wait_notify(limit_s=90) == "SIP/2.0 487 Request Terminated"
    transferor.hangs_up()
    transferor.wait_over()
