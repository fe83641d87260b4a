"""A leg has hung up: does whoever talked with it wait for a REFER that may be on its way to us?"""

from __future__ import annotations

from collections.abc import Iterator

from fsctl.session.core.board import Board
from fsctl.session.core.directory import Directory
from fsctl.session.core.leg import Leg
from fsctl.session.core.siblings import Siblings


def cannot_have_asked(board: Board, left: Leg) -> bool:
    """Whether ``left`` cannot have asked for a transfer that we have not heard of.

    Who never answered cannot; nor can a party that has no other call. That is not known where
    another controller runs calls, too.
    """
    if not left.was_connected:
        return True
    if not board.alone and (board.siblings is None or _may_be_elsewhere(board.siblings, left)):
        return False
    return not any(_may_ask(other) for other in _may_be_same(board, left) if other is not left)


def _may_ask(other: Leg) -> bool:
    return other.alive or other.left_behind is not None


def _may_be_elsewhere(siblings: Siblings, left: Leg) -> bool:
    """As `_may_be_same`, of the other workers' calls."""
    if not left.number:
        return siblings.have_any()
    return (
        siblings.may_have("number", left.number)
        or siblings.may_have("number", "")
        or (left.address is not None and siblings.may_have("address", left.address))
    )


def _may_be_same(board: Board, left: Leg) -> Iterator[Leg]:
    """The same number or the same address: a line of the same phone, or a trunk. Who has no number
    may be anybody."""
    if not left.number:
        yield from (leg for session in board.sessions.values() for leg in session.calls.values())
        return
    directory = board.part(Directory)
    yield from directory.find("number", left.number)
    yield from directory.find("number", "")
    if left.address is not None:
        yield from directory.find("address", left.address)
