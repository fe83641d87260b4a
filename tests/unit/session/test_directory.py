"""fsctl.session.core.directory: it finds what a walk would, and nothing is left in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsctl.session.core.directory import INDEXED, Directory
from fsctl.session.core.leg import Leg
from fsctl.stage import Stage
from fsctl.story import talking


def walked(directory: Directory) -> dict[tuple[str, object], set[Leg]]:
    """What is to be found, by what."""
    found: dict[tuple[str, object], set[Leg]] = {}
    for session in directory._board.sessions.values():
        for leg in session.calls.values():
            for name in INDEXED if leg.session is session else ():
                found.setdefault((name, getattr(leg, name)), set()).add(leg)
    return found


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as playing:
        yield playing


def test_it_finds_what_a_walk_would(stage: Stage) -> None:
    board = stage.worker.switchboard
    directory = board.part(Directory)

    def is_true() -> bool:
        for (name, value), legs in walked(directory).items():
            assert set(directory.find(name, value)) == legs, (name, value)
        return bool(board.sessions)

    transferor, _ = talking(stage)
    other, _ = stage.party("1003").answers(), stage.party("1004").calls("1003")
    stage.until(lambda: other.received("ACK") and is_true())
    assert len(board.sessions) == 2
    known = [leg for legs in walked(directory).values() for leg in legs]
    assert any(leg.sip_call_id for leg in known)
    target = stage.party("1002").rings()
    transferor.refers(stage.refer_to("1002"))
    target.wait_received("INVITE")
    assert is_true()
    target.answers_now()
    transferor.wait_over()
    assert is_true()
    for leg in known:
        leg.number, leg.address, leg.sip_call_id = "4711", ("192.0.2.1", "5060"), "another"
    assert is_true()
    assert set(directory.find("number", "4711")) >= {leg for leg in known if leg.alive}
    target.hangs_up()
    other.hangs_up()
    stage.until(lambda: not board.sessions)
    assert not directory._legs
