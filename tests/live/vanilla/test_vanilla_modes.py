"""Transfers with other settings than those that an installation begins with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsctl.story import hear_each_other
from tests.live.lab.fsctl_process import Sections
from tests.live.vanilla.installation import RING_TIMEOUT_S, Installation, State
from tests.live.vanilla.kinds import ANSWERS, CALLER, RINGS
from tests.live.vanilla.scene import Kind, Scene
from tests.live.vanilla.transfers import ATTENDED, CALLEE, PARTIES, TRANSFERS

LEGACY: Sections = {"transfer": {"mode": "legacy"}, "call": {"ring_timeout_s": RING_TIMEOUT_S}}
ASKED: Sections = {"transfer": {"attended": "application"}}
RESCUED_S = 25.0
BY_LEGACY = (
    "a user",
    "a user, no phone",
    "no voicemail, busy",
    "no voicemail, ringing",
    "a closed line",
    "nobody's number",
    "hunt, nobody",
    "forwarded, no context",
    "a redirect",
    "loopback",
    "conference",
    "park, and retrieved",
    "menu, to a user",
    "domestic, busy",
    "a call from outside, domestic",
    "a call to outside, busy",
    "second call, a user",
    "second call, conference",
)
"""One of each kind."""
ALIVE = pytest.mark.parametrize("state", [State.ALIVE], ids=str)
legacy = pytest.mark.parametrize("settings", [LEGACY], ids=["legacy"])


def _kinds() -> Iterator[object]:
    for row in TRANSFERS:
        if row.name in BY_LEGACY:
            for kind in row.by_legacy():
                yield pytest.param(LEGACY, kind, id=f"legacy, {kind}")
    for row in ATTENDED:
        # where fsctl is asked, a target that rings is joined when it answers, and its call ends so
        if row.name != "second call, ringing":
            for kind in row.by_fsctl():
                yield pytest.param(ASKED, kind, id=f"asked, {kind}")


assert {row.name for row in TRANSFERS} >= {*BY_LEGACY}


@ALIVE
@pytest.mark.parametrize(("settings", "kind"), list(_kinds()))
def test_a_transfer(scene: Scene, kind: Kind) -> None:
    assert scene.play(kind) == kind.outcome


@ALIVE
@legacy
@pytest.mark.parametrize(("by", "moved"), PARTIES.values(), ids=PARTIES)
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "busy"])
def test_fsctl_dies_in_a_legacy_transfer(
    scene: Scene, installation: Installation, by: str, moved: str, answers: bool
) -> None:
    """FreeSWITCH goes on. The target has seen who asked for the transfer."""
    scene.add(CALLEE, ANSWERS)
    carol = scene.add("1002", RINGS)
    caller = scene.talk(CALLER, CALLEE)
    assert hear_each_other(caller, scene[CALLEE])
    scene[by].transfers("2040")
    assert f"<sip:{by}@" in carol.wait_received("INVITE").header("From")
    installation.kill()
    if answers:
        carol.answers_now()
        assert scene[by].wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(scene[moved], carol)
        scene[by].wait_over(RESCUED_S)
    else:
        carol.refuses_now(486, "Gone fishing")
        assert scene[by].wait_notify() == "SIP/2.0 486 486"
        assert hear_each_other(scene[moved], scene[by])
