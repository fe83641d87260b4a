"""Whom a transfer's target sees: with fsctl the same as without it."""

from __future__ import annotations

import pytest

from tests.live.vanilla.installation import State
from tests.live.vanilla.kinds import ANSWERS, CALLER
from tests.live.vanilla.scene import PROVIDER, Scene
from tests.live.vanilla.transfers import CALLEE, transfers

ROWS = (
    (CALLEE, "1002", "1002", '"Extension 1005" <sip:1005@127.0.0.1>'),
    (CALLER, "1002", "1002", '"Extension 1001" <sip:1001@127.0.0.1>'),
    (CALLEE, "12125551212", PROVIDER, '"FreeSWITCH" <sip:joeuser@example.com>'),
    (CALLER, "12125551212", PROVIDER, '"FreeSWITCH" <sip:joeuser@example.com>'),
)


@pytest.mark.parametrize("state", [State.STOCK, State.ALIVE], ids=str)
@pytest.mark.parametrize(("by", "to", "target", "shown"), ROWS)
def test_the_target_sees(scene: Scene, by: str, to: str, target: str, shown: str) -> None:
    for phone in (CALLEE, target):
        scene.add(phone, ANSWERS)
    transfers(by, to)(scene)
    invite = scene[target].wait_received("INVITE")
    assert invite.header("From").partition(";")[0] == shown
