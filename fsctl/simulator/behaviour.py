"""What a scripted phone does with a call, and with a REFER."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fsctl.simulator.dialog import Dialog


_SOON_S = 1e-6
"""In a turn of its own: a phone reacts to a message, it does not act while it is being sent."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a phone does with one incoming call; seconds count from the INVITE.

    ``ring_after_s`` None: no provisional answer but 100. ``early`` sends 183 with SDP instead of
    180. ``final_after_s`` None: it never answers. ``talk_s``: it hangs up so long after its 200.
    ``heard`` False: no SIP at all (a dead network); ``listening`` False: a closed port.
    """

    ring_after_s: float | None = 0.05
    early: bool = False
    final_after_s: float | None = 0.2
    status: int = 200
    reason: str = ""
    contact: str = ""
    """Of a 3xx: a URI, or the whole value of Contact, with several of them and parameters."""
    talk_s: float | None = None
    heard: bool = True
    listening: bool = True

    @property
    def contacts(self) -> tuple[str, ...]:
        """Each contact of a 3xx as it stands in the header."""
        if "<" not in self.contact:
            return (f"<{self.contact}>",)
        return tuple(contact.strip() for contact in self.contact.split(","))


NOT_ACCEPTABLE = Behaviour(None, final_after_s=0.0, status=488, reason="Not Acceptable Here")


@dataclass(frozen=True, slots=True)
class ReferBehaviour:
    """What a phone does with a REFER: its status, then a NOTIFY with each of ``results``.

    A result is a status or a whole sipfrag; the first NOTIFY comes ``after_s`` seconds after the
    REFER, the next ones as long after each other. Without results it never says how it went.
    """

    status: int = 202
    results: tuple[int | str, ...] = (100, 200)
    after_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Departure:
    """How a phone that has sent a REFER hangs up by itself, as most do (RFC 5589 section 6).

    ``after`` is what it waits for, the ``202`` or the first ``NOTIFY``; ``delay_s`` seconds later
    it ends ``dialogs``, which may be another phone's (a line of its own), or all that it has.
    """

    after: Literal["202", "NOTIFY"] = "NOTIFY"
    delay_s: float = 0.0
    dialogs: Sequence[Dialog] = ()


class Leaving:
    """A phone's departures after its REFERs, each once."""

    def __init__(self) -> None:
        self.departure: Departure | None = None
        self._asked: set[str] = set()

    def asked(self, dialog: Dialog) -> None:
        """The phone sends a REFER in this dialog."""
        self._asked.add(dialog.call_id)

    def heard(self, dialog: Dialog, what: Literal["202", "NOTIFY"]) -> None:
        """It has the answer to that, or the first report."""
        leaves = self.departure
        if leaves is None or leaves.after != what or dialog.call_id not in self._asked:
            return
        self._asked.discard(dialog.call_id)
        for each in leaves.dialogs or tuple(dialog.phone.dialogs):
            if each.state != "ended":
                each.phone.hangs_up(leaves.delay_s or _SOON_S, each)
