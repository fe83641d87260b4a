"""Scripted phones: what each does, what SIP it saw, and whom it hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fsctl.simulator.behaviour import NOT_ACCEPTABLE, Behaviour, Departure, Leaving, ReferBehaviour
from fsctl.simulator.causes import phrase_of
from fsctl.simulator.deflect import notify_arrived
from fsctl.simulator.dialog import Dialog
from fsctl.simulator.dtmf import parse_digits, queue_digits
from fsctl.simulator.hearing import heard_on
from fsctl.simulator.holding import phone_holds, phone_resumes
from fsctl.simulator.progress import mark_answered, mark_early, mark_ringing, redirected, refused
from fsctl.simulator.replaces import picking_up, taking_the_place
from fsctl.simulator.sip import SipMessage

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

TIMER_B_S = 32.0
"""How long an INVITE without any answer is repeated (RFC 3261 17.1.1.2)."""


class Phone:
    """One phone (one number). Behaviours given together are used call by call; the last stays."""

    def __init__(self, switch: SimulatedSwitch, number: str, display_name: str = "") -> None:
        self.switch = switch
        self.number = number
        self.display_name = display_name
        self.messages: list[SipMessage] = []
        self.codecs: tuple[str, ...] = ("PCMU", "PCMA")
        """What its calls offer; there is no media, and so no SDP. Others: 488 if `particular`."""
        self.particular = False
        self.dialogs: list[Dialog] = []
        self.directory: dict[str, str] = {}
        """The variables that its entry in the directory gives a leg that has authenticated."""
        self._behaviours: list[Behaviour] = [Behaviour()]
        self._of_dialog: dict[str, Behaviour] = {}
        self._refer = ReferBehaviour()
        self._leaving = Leaving()
        self.registered = self.authenticates = True
        self.heard_digits = ""

    # -- the script ----------------------------------------------------------------------------

    def behaves(self, *behaviours: Behaviour) -> Phone:
        """Use these for the next incoming calls, one each; the last one for all later calls."""
        self._behaviours = list(behaviours)
        return self

    def answers(self, after_s: float = 0.2, ring_after_s: float | None = 0.05) -> Phone:
        """Ring, then 200 ``after_s`` seconds after the INVITE."""
        return self.behaves(Behaviour(ring_after_s, final_after_s=after_s))

    def answers_then_hangs_up(self, after_s: float = 0.2, talk_s: float = 1.0) -> Phone:
        """As ``answers``, with a BYE ``talk_s`` seconds after the 200."""
        return self.behaves(Behaviour(final_after_s=after_s, talk_s=talk_s))

    def busy(self, after_s: float = 0.2) -> Phone:
        """Ring, then 486 Busy Here."""
        return self.refuses(486, "Busy Here", after_s)

    def declines(self, after_s: float = 0.2) -> Phone:
        """Ring, then 603 Decline."""
        return self.refuses(603, "Decline", after_s)

    def refuses(self, status: int, reason: str = "", after_s: float = 0.2) -> Phone:
        """Ring, then any final status with any phrase."""
        return self.behaves(Behaviour(final_after_s=after_s, status=status, reason=reason))

    def rings(self) -> Phone:
        """Ring for ever."""
        return self.behaves(Behaviour(final_after_s=None))

    def early_media_then_busy(self, after_s: float = 1.0) -> Phone:
        """183 with SDP, then 486."""
        return self.behaves(Behaviour(early=True, final_after_s=after_s, status=486))

    def early_media_then_answers(self, after_s: float = 1.0) -> Phone:
        """183 with SDP, then 200."""
        return self.behaves(Behaviour(early=True, final_after_s=after_s))

    def redirects(self, to: str, after_s: float = 0.1, status: int = 302) -> Phone:
        """302 with ``to`` as Contact: a URI, or the header's whole value (``<..>;q=0.5, <..>``)."""
        return self.behaves(Behaviour(None, final_after_s=after_s, status=status, contact=to))

    def silent(self) -> Phone:
        """No answer of any kind: the INVITE is lost, Timer B (32 s) ends the attempt."""
        return self.behaves(Behaviour(None, final_after_s=None, heard=False))

    def unreachable(self) -> Phone:
        """Nothing listens at its address: FreeSWITCH itself says 503 at once."""
        return self.behaves(Behaviour(None, final_after_s=None, heard=False, listening=False))

    def unregistered(self) -> Phone:
        """``user/NUMBER`` fails with USER_NOT_REGISTERED; other ways still reach it."""
        self.registered = False
        return self

    def follows_refers(self, *results: int | str, after_s: float = 0.1) -> Phone:
        """Accept a REFER (``deflect``) with 202 and report ``results``, by default 100 and 200."""
        self._refer = ReferBehaviour(202, results or (100, 200), after_s)
        return self

    def refuses_refers(self, status: int = 603) -> Phone:
        """Answer a REFER with this status."""
        self._refer = ReferBehaviour(status, ())
        return self

    def ignores_refers(self) -> Phone:
        """Accept a REFER with 202 and never say how it went."""
        self._refer = ReferBehaviour(202, ())
        return self

    def leaves_after_refer(self, departure: Departure | None) -> Phone:
        """Hang up by itself once its REFER has come so far; None: wait to be told."""
        self._leaving.departure = departure
        return self

    def speaks(self, *codecs: str) -> Phone:
        """These codecs only: an offer of others is refused with 488."""
        self.codecs, self.particular = codecs, True
        return self

    # -- what it does --------------------------------------------------------------------------

    def calls(
        self, number: str, headers: Sequence[tuple[str, str]] = (), uri_parameters: str = ""
    ) -> Dialog:
        """INVITE the switch for ``number``; custom headers become ``sip_h_*`` variables."""
        dialog = Dialog(self, number, phone_calls=True)
        dialog.uri_parameters = uri_parameters
        self.dialogs.append(dialog)
        dialog.sent("INVITE", tuple(headers))
        dialog.response_in("INVITE", 100)
        self.switch.invite_arrived(dialog, headers)
        return dialog

    def picks_up(self, leg: Dialog) -> Dialog:
        """Call the switch's own pickup feature (``intercept``) for another phone's call.

        Whoever talks in it, or rings for it, is hung up, and this phone talks in their place.
        """
        return self._takes_over(picking_up(leg), ())

    def replaces(self, leg: Dialog, *, early_only: bool = False) -> Dialog:
        """INVITE with Replaces (RFC 3891): take the place of another phone, or answer for it."""
        named = unquote(leg.replaces) + (";early-only" if early_only else "")
        return self._takes_over(taking_the_place(leg, early_only), (("Replaces", named),))

    def _takes_over(self, inline: str, headers: tuple[tuple[str, str], ...]) -> Dialog:
        dialog = Dialog(self, "pickup", phone_calls=True)
        self.dialogs.append(dialog)
        dialog.sent("INVITE", headers)
        dialog.response_in("INVITE", 100)
        self.switch.invite_arrived(dialog, (), inline)
        return dialog

    def refers(
        self,
        to: str,
        referred_by: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        dialog: Dialog | None = None,
    ) -> None:
        """REFER (RFC 3515) within its live call; ``to`` is the Refer-To's value, verbatim."""
        chosen = dialog or self._live()
        by = (("Referred-By", referred_by),) if referred_by is not None else ()
        cseq = chosen.next_cseq()
        chosen.sent("REFER", (("Refer-To", to), *by, ("CSeq", f"{cseq} REFER"), *headers))
        self._leaving.asked(chosen)
        self.switch.refer_arrived(chosen, cseq, to, referred_by)
        self._leaving.heard(chosen, "202")

    def hangs_up(self, after_s: float = 0.0, dialog: Dialog | None = None) -> None:
        """End its live call: BYE when answered, else CANCEL, or 486 for one it was called with."""
        chosen = dialog or self._live()
        if after_s:
            self.switch.clock.call_later(after_s, lambda: self._end(chosen))
        else:
            self._end(chosen)

    def answers_now(self, dialog: Dialog | None = None) -> None:
        """200 for a call that rings here."""
        self._final(dialog or self._ringing(), Behaviour())

    def refuses_now(self, status: int, reason: str = "", dialog: Dialog | None = None) -> None:
        """A final status for a call that rings here."""
        self._final(dialog or self._ringing(), Behaviour(status=status, reason=reason))

    def sends_digits(self, digits: str, dialog: Dialog | None = None) -> None:
        """DTMF by RTP, in a call with media; ``12#``, or ``1@500`` for one of 500 ms."""
        chosen = dialog or self._live()
        channel = chosen.channel
        if channel is not None and (channel.answered or channel.early):
            queue_digits(channel, parse_digits(digits, "RTP"))

    def holds(self, dialog: Dialog | None = None) -> None:
        """Re-INVITE with ``sendonly``."""
        self._reinvite(dialog or self._live(), held=True)

    def resumes(self, dialog: Dialog | None = None) -> None:
        """Re-INVITE with ``sendrecv``."""
        self._reinvite(dialog or self._live(), held=False)

    # -- what it saw ---------------------------------------------------------------------------

    def received(self, method: str, status: int | None = None) -> list[SipMessage]:
        """Requests it got; with ``status`` the responses to its own requests."""
        return [m for m in self._seen("in", method) if m.status == (status or 0)]

    def sent(self, method: str, status: int | None = None) -> list[SipMessage]:
        """Requests it sent; with ``status`` its responses."""
        return [m for m in self._seen("out", method) if m.status == (status or 0)]

    @property
    def notifies(self) -> list[tuple[str, str]]:
        """Of each NOTIFY it got: the Event header and the body without its line end."""
        got = self.received("NOTIFY")
        return [(message.header("Event"), message.body.rstrip("\r\n")) for message in got]

    @property
    def dialog(self) -> Dialog | None:
        """Its newest call, ended or not."""
        return self.dialogs[-1] if self.dialogs else None

    @property
    def in_call(self) -> bool:
        """Whether one of its calls is answered and not ended."""
        return any(dialog.state == "up" for dialog in self.dialogs)

    @property
    def hears(self) -> str:
        """Whom or what it hears in its newest call that lives.

        The number of the other phone; ``ringback`` (a tone), ``music`` (hold music),
        ``playback PATH``, ``conference NAME``, ``voicemail``; ``silence`` in a call without
        sound, ``nothing`` without a call or media.
        """
        live = [dialog for dialog in self.dialogs if dialog.state != "ended"]
        return self.hears_in(live[-1]) if live else "nothing"

    def hears_in(self, dialog: Dialog) -> str:
        """What it hears in one of its calls; see ``hears``."""
        channel = dialog.channel
        if channel is None or dialog.state == "ended":
            return "nothing"
        if dialog.held or dialog.held_by_switch:
            return "silence"
        if dialog.state == "ringing" and not channel.early:
            # The phone makes the tone itself.
            return "ringback" if dialog.phone_calls else "nothing"
        return heard_on(channel)

    def ladder(self) -> str:
        """All its messages, one a line: what to print when a story fails."""
        return "\n".join(
            f"{m.time_s:.3f} {self.number} {m.direction:>3} {m.start_line} "
            + " | ".join(f"{k}: {v}" for k, v in m.headers)
            + (f" | {m.body!r}" if m.body else "")
            for m in self.messages
        )

    # -- called by the switch ------------------------------------------------------------------

    def invited(self, channel: Channel, headers: tuple[tuple[str, str], ...]) -> Dialog:
        """The switch sends an INVITE; the phone's behaviour takes its course."""
        behaviour = self._behaviours[0]
        if self.particular and not set(self.codecs) & set(dict(headers)["SDP-Codecs"].split()):
            behaviour = NOT_ACCEPTABLE
        elif len(self._behaviours) > 1:
            self._behaviours.pop(0)
        dialog = Dialog(self, self.number, phone_calls=False)
        dialog.listens_only = dict(headers).get("SDP-Direction") == "sendonly"
        dialog.channel = channel
        self.dialogs.append(dialog)
        self._of_dialog[dialog.call_id] = behaviour
        if not behaviour.heard:
            self._unheard(dialog, behaviour)
            return dialog
        dialog.received("INVITE", headers)
        dialog.response_out("INVITE", 100)
        later = self.switch.clock.call_later
        if behaviour.ring_after_s is not None:
            later(behaviour.ring_after_s, lambda: self._ring(dialog, behaviour))
        if behaviour.final_after_s is not None:
            later(behaviour.final_after_s, lambda: self._final(dialog, behaviour))
        return dialog

    def behaves_silently(self, dialog: Dialog) -> bool:
        """Whether messages of this call never reach the phone."""
        return not self._of_dialog[dialog.call_id].heard

    def referred(self, dialog: Dialog) -> int:
        """The switch sent a REFER; the status of the answer. NOTIFYs follow by themselves."""
        behaviour = self._refer
        dialog.response_out("REFER", behaviour.status)
        last = len(behaviour.results)
        for count, result in enumerate(behaviour.results, start=1):
            text = result if isinstance(result, str) else f"SIP/2.0 {result} {phrase_of(result)}"
            self._notify_later(dialog, text + "\r\n", behaviour.after_s * count, count == last)
        return behaviour.status

    def notified(self, dialog: Dialog) -> None:
        """The switch has sent a NOTIFY, and the phone has answered it."""
        self._leaving.heard(dialog, "NOTIFY")

    # -- inside --------------------------------------------------------------------------------

    def _seen(self, direction: str, method: str) -> list[SipMessage]:
        return [m for m in self.messages if m.direction == direction and m.method == method]

    def _live(self) -> Dialog:
        for dialog in reversed(self.dialogs):
            if dialog.state != "ended":
                return dialog
        raise RuntimeError(f"phone {self.number} is in no call:\n{self.ladder()}")

    def _ringing(self) -> Dialog:
        for dialog in reversed(self.dialogs):
            if dialog.state in {"trying", "ringing", "early"} and not dialog.phone_calls:
                return dialog
        raise RuntimeError(f"nobody calls phone {self.number}:\n{self.ladder()}")

    def _notify_later(self, dialog: Dialog, sipfrag: str, delay_s: float, last: bool) -> None:
        substate = "terminated" if last else "active"
        headers = (("Event", "refer"), ("Subscription-State", substate))

        def send() -> None:
            if dialog.state == "up":
                dialog.sent("NOTIFY", headers, sipfrag)
                dialog.response_in("NOTIFY", 200)
                notify_arrived(dialog, sipfrag, substate)

        self.switch.clock.call_later(delay_s, send)

    def _unheard(self, dialog: Dialog, behaviour: Behaviour) -> None:
        def fail(status: int) -> None:
            if dialog.state != "ended" and dialog.channel is not None:
                dialog.state = "ended"
                refused(dialog.channel, status, "")

        delay_s, status = (TIMER_B_S, 408) if behaviour.listening else (0.0, 503)
        self.switch.clock.call_later(delay_s, lambda: fail(status))

    def _ring(self, dialog: Dialog, behaviour: Behaviour) -> None:
        if dialog.state != "trying" or dialog.channel is None:
            return
        dialog.state = "early" if behaviour.early else "ringing"
        dialog.response_out("INVITE", 183 if behaviour.early else 180)
        (mark_early if behaviour.early else mark_ringing)(dialog.channel)

    def _final(self, dialog: Dialog, behaviour: Behaviour) -> None:
        if dialog.state == "ended" or dialog.channel is None:
            return
        dialog.final_status, dialog.final_reason = behaviour.status, behaviour.reason
        contact = (("Contact", ", ".join(behaviour.contacts)),) if behaviour.contact else ()
        dialog.response_out("INVITE", behaviour.status, behaviour.reason, contact)
        dialog.received("ACK")
        if behaviour.status < 300:
            dialog.state = "up"
            mark_answered(dialog.channel)
            if behaviour.talk_s is not None:
                self.switch.clock.call_later(behaviour.talk_s, lambda: self._end(dialog))
            return
        dialog.state = "ended"
        if behaviour.status < 400:
            self._redirect(dialog, behaviour)
        else:
            refused(dialog.channel, behaviour.status, behaviour.reason)

    def _redirect(self, dialog: Dialog, behaviour: Behaviour) -> None:
        assert dialog.channel is not None
        if dialog.channel.is_true("outbound_redirect_fatal"):
            redirected(dialog.channel, behaviour.status, behaviour.contacts)
        else:
            self.switch.follow_redirect(dialog.channel, behaviour.contact)

    def _end(self, dialog: Dialog) -> None:
        if dialog.state == "ended":
            return
        if dialog.state == "up":
            dialog.bye()
        elif dialog.phone_calls:
            dialog.cancel()
        else:
            self._final(dialog, Behaviour(status=486, reason="Busy Here"))

    def _reinvite(self, dialog: Dialog, *, held: bool) -> None:
        dialog.held, dialog.heard_while_held = held, False
        dialog.sent("INVITE", (("SDP-Direction", "sendonly" if held else "sendrecv"),))
        dialog.response_in("INVITE", 200)
        dialog.sent("ACK")
        if dialog.channel is not None:
            (phone_holds if held else phone_resumes)(dialog.channel)
