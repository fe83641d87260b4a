"""What a call that is being made knows of the two legs that it is for."""

from __future__ import annotations

from typing import cast

import pytest

from fsctl.esl.commands import UuidSetvarMulti
from fsctl.session.calling import dial as dial_module
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


@pytest.mark.parametrize("name", ["Ann", "O'Hara", "a) {b"])
def test_what_the_argument_cannot_carry_has_a_command_of_its_own(name: str) -> None:
    """And so has what a leg is armed with, which may change before FreeSWITCH comes to that."""
    wanted = {"fsctl_name": name, "confirm_blind_transfer": "true", "transfer_ringback": "%(1,2)"}
    commands, (does,) = dial_module._by_argument({"u": wanted})
    carried = dict(does.variables)
    (separate,) = commands
    assert isinstance(separate, UuidSetvarMulti)
    assert carried | dict(separate.variables) == wanted
    assert ("fsctl_name" in carried) is (name == "Ann")
    assert "confirm_blind_transfer" not in carried
    assert "transfer_ringback" in carried
