"""Why a party is called: whoever wants a call passes itself in.

A caller that waits, a transfer of ours and one of FreeSWITCH's own are purposes; whoever makes
calls asks nobody else for whom it does, and tells nobody else what has become of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from fsctl.policy.judge import Asking
from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.esl.commands import Command
    from fsctl.session.core.diversion import Diversion
    from fsctl.session.core.leg import Leg
    from fsctl.settings import Call, Transfer
    from fsctl.switch.marks import Stage


class Purpose(Protocol):
    """For whom a party is called, and who hears what becomes of it."""

    @property
    def transferor(self) -> Leg | None:
        """Who has asked for the called party; None where that is whoever waits for it."""

    @property
    def moves(self) -> bool:
        """Whether the waiting party is a transferee: it hears ringback, and no early media, for
        FreeSWITCH would report that as the transfer's success."""

    @property
    def asking(self) -> Asking | None:
        """What the policy judges before somebody is called for it; None: it is not asked."""

    @property
    def told_by_switch(self) -> bool:
        """Whether FreeSWITCH itself reports to the transferor, whatever becomes of the call."""

    @property
    def defaults(self) -> Call | Transfer:
        """The settings that say how long a party may ring, and what the waiting one hears."""

    @property
    def diversion(self) -> Diversion | None:
        """What the called party may be told of the transfer; None: there is none."""

    @property
    def stage(self) -> Stage:
        """What the waiting channel says meanwhile: it is what becomes of it should we die."""

    @property
    def carried(self) -> Mapping[str, str]:
        """What the channel of a party that is called by itself says besides: it is what becomes of
        it should we die."""

    @property
    def awaits_target(self) -> bool:
        """Whether somebody still waits for whom FreeSWITCH calls."""

    @property
    def awaits_call(self) -> bool:
        """Whether the application may still call somebody, or another one."""

    def timers(self, rings_s: float) -> list[Command]:
        """Return what the timers in FreeSWITCH must know of an attempt that may ring for so long.

        Raises ChannelGone: somebody else has the waiting party by now.
        """

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """``target`` is being called; it may ring for so many seconds."""

    def ring_anew(self, target: Leg, ring_timeout_s: float) -> None:
        """It is called at another address, or somebody in its place: for so many seconds."""

    def rings(self, target: Leg) -> None:
        """It rings, called by itself."""

    def hold(self, target: Leg) -> None:
        """It has answered the application, which is to join it with whoever waits."""

    def failed(self, target: Leg, status: SipStatus, *, handled: bool) -> None:
        """It did not answer the application, and nobody else is called in its place.

        ``handled``: a handler has been told so, and may be about to call the next one.
        """

    def not_reached(self, target: Leg, status: SipStatus, uses: int) -> None:
        """FreeSWITCH could not reach it for the waiting party, which had been used so often."""

    def target_handler_failed(self, target: Leg) -> None:
        """It has answered, and the handler that was told so has raised."""
