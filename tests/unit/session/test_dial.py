"""What a call that is being made knows of the two legs that it is for."""

from __future__ import annotations

from typing import cast

import pytest

from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.dial import Dial
from fsctl.session.calling.purposes import PlainCall
from fsctl.session.core.leg import Leg, paired
from fsctl.session.core.session import Session

SESSION = cast(Session, None)


def leg(name: str) -> Leg:
    return Leg(SESSION, name, number="1", display_name="", transfer_mode="in-session")


def dial() -> Dial:
    one, other = leg("waiting"), leg("outgoing")
    purpose = PlainCall(SESSION, one)
    return Dial(one, other, headers={}, purpose=purpose, attempts=Attempts(0, ""))


@pytest.mark.parametrize("early", [False, True])
def test_who_was_bridged_for_early_media_only_talks_with_nobody(early: bool) -> None:
    made, third = dial(), leg("third")
    paired(made.waiting, made.outgoing if early else third)
    made.part()
    assert made.waiting.peer is (None if early else third)
    assert made.outgoing.peer is None
