"""What a session knows of the worker that runs it (`fsctl.session.arrivals.switchboard`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from fsctl.esl.common import CommonLink
from fsctl.session.core.clock import Clock
from fsctl.settings import Settings
from fsctl.switch.origin import Origin

if TYPE_CHECKING:
    from fsctl.session.core.session import Session
    from fsctl.session.core.siblings import Siblings

T = TypeVar("T")


class Board(Protocol):
    """The worker's switchboard, as all floors see it."""

    settings: Settings
    home: str
    """Where FreeSWITCH dials when a leg of one of our calls is transferred (``HOST:PORT``)."""
    clock: Clock
    alone: bool
    """No other process runs calls of this switch: a call that we do not know of is not there. Set
    by the worker, once: it has no siblings, and the dialplan names no other controller."""
    siblings: Siblings | None
    """The parties of the other processes that run calls of this switch. Set by the worker, once;
    None: it is `alone`, or there are controllers of which nothing is known."""
    draining: bool
    """The worker is about to end: it takes no new call. Set by its order to drain, for good."""
    on_stranded: Callable[[str, str], None]
    """Called with an address (``HOST:PORT``) and a switch's name when legs on it that came home to
    that address live on, and no link leads to them. Set by the worker; without it FreeSWITCH's
    timers end what waits."""
    name_switch: Callable[[Origin], str]
    """Says what a FreeSWITCH is called. Set by the worker, which is connected to it; by itself it
    is what it calls itself."""

    share: Callable[[Origin, object], CommonLink | None]
    """Gives a part of the kept link to a FreeSWITCH, under a name for log lines; None: it has none
    now. Set by the worker, which is connected to it."""

    @property
    def sessions(self) -> Mapping[str, Session]:
        """All that run here, by their ids."""

    def sessions_on(self, origin: Origin) -> list[Session]:
        """Of these, those whose legs are on that FreeSWITCH: of others it knows nothing."""

    def part(self, kind: Callable[[Board], T]) -> T:
        """What a floor keeps for the whole worker; made when it is first asked for."""

    def session_ends(self, session: Session) -> None:
        """What is still open between this session and others ends with it."""
