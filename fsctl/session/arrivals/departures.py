"""A leg has hung up: does whoever talked with it wait for a REFER that may be on its way to us?"""

from __future__ import annotations

from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg


def cannot_have_asked(board: Board, left: Leg) -> bool:
    """Whether ``left`` cannot have asked for a transfer that we have not heard of.

    Who never answered cannot; nor can a party that has no other call. That is known only where
    nobody but this process runs calls.
    """
    if not left.was_connected:
        return True
    if not board.alone:
        return False
    calls = (call for session in board.sessions.values() for call in session.calls.values())
    return not any(_may_be_same(left, other) for other in calls if other is not left)


def _may_be_same(left: Leg, other: Leg) -> bool:
    """The same number or the same address: a line of the same phone, or a trunk."""
    if not other.alive and other.left_behind is None:
        return False
    same_address = left.address is not None and left.address == other.address
    return same_address or left.number == other.number or not (left.number and other.number)
