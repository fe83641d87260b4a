"""One SIP dialog between the switch (a channel's endpoint) and a phone."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from fsctl.simulator.causes import phrase_of, reason_header, status_from_cause
from fsctl.simulator.deflect import refer_answered
from fsctl.simulator.holding import leaves_on_hold
from fsctl.simulator.progress import far_end_hung_up
from fsctl.simulator.sip import SipMessage

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.dtmf import Digit
    from fsctl.simulator.phone import Phone

_FIRST_CSEQ = 1


class Dialog:
    """One call at one phone; the switch's side is the ``Endpoint`` of its channel.

    ``phone_calls`` says who sent the INVITE. ``state`` is ``trying``, ``ringing``, ``early``,
    ``up`` or ``ended``; ``final_status`` is the answer to the INVITE once there is one.
    """

    def __init__(self, phone: Phone, number: str, *, phone_calls: bool) -> None:
        self.phone = phone
        self.number = number
        self.phone_calls = phone_calls
        self.call_id = str(uuid.uuid4())
        self.tag = uuid.uuid4().hex[:8]
        self.switch_tag = uuid.uuid4().hex[:8]
        self.channel: Channel | None = None
        self.state = "trying"
        self.final_status = 0
        self.final_reason = ""
        self.uri_parameters = ""
        """Those of the Request-URI of its INVITE."""
        self.held = False
        self.listens_only = False
        """It was called with ``a=sendonly``: it does not speak, whoever resumes."""
        self.heard_while_held = False
        self.held_by_switch = False
        self.cseq = _FIRST_CSEQ

    @property
    def replaces(self) -> str:
        """The Replaces that names this dialog in a Refer-To of the phone (RFC 3891 section 6.1)."""
        return f"{self.call_id}%3Bto-tag%3D{self.switch_tag}%3Bfrom-tag%3D{self.tag}"

    # -- the record ----------------------------------------------------------------------------

    def received(
        self, method: str, headers: tuple[tuple[str, str], ...] = (), body: str = ""
    ) -> None:
        """The phone got a request."""
        self._record("in", method, 0, "", headers, body)

    def sent(self, method: str, headers: tuple[tuple[str, str], ...] = (), body: str = "") -> None:
        """The phone sent a request."""
        self._record("out", method, 0, "", headers, body)

    def response_in(
        self, method: str, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """The phone got a response to its own request."""
        self._record("in", method, status, reason or phrase_of(status), headers, "")

    def response_out(
        self, method: str, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """The phone answered a request."""
        self._record("out", method, status, reason or phrase_of(status), headers, "")

    def _record(
        self,
        direction: str,
        method: str,
        status: int,
        reason: str,
        headers: tuple[tuple[str, str], ...],
        body: str,
    ) -> None:
        now_s = self.phone.switch.clock.now_s
        message = SipMessage(now_s, direction, self.call_id, method, status, reason, headers, body)
        self.phone.messages.append(message)

    # -- the switch's side: Endpoint -----------------------------------------------------------

    def ring(self) -> None:
        """180 to the calling phone."""
        if self.phone_calls and self.state == "trying":
            self.state = "ringing"
            self.response_in("INVITE", 180)

    def early_media(self) -> None:
        """183 with a session description to the calling phone."""
        if self.phone_calls and self.state in {"trying", "ringing"}:
            self.state = "early"
            self.response_in("INVITE", 183)

    def answer(self) -> None:
        """200 to the calling phone, which acknowledges it."""
        if self.phone_calls and self.state not in {"up", "ended"}:
            self.state, self.final_status, self.final_reason = "up", 200, "OK"
            self.response_in("INVITE", 200)
            self.sent("ACK")

    def hang_up(self, hangup_cause: str) -> None:
        """BYE, CANCEL or a refusal, as ``sofia_on_hangup`` chooses."""
        if self.state == "ended" or self.channel is None:
            return
        headers = (("Reason", reason_header(hangup_cause)),)
        if self.state == "up":
            self.channel.set_variable("sip_hangup_disposition", "send_bye")
            self.received("BYE", headers)
            self.response_out("BYE", 200)
        elif self.phone_calls:
            self._refuse_caller(hangup_cause, headers)
        else:
            self._cancel_callee(headers)
        self.state = "ended"

    def _refuse_caller(self, hangup_cause: str, headers: tuple[tuple[str, str], ...]) -> None:
        assert self.channel is not None
        status, reason = status_from_cause(hangup_cause), ""
        # The other leg's own refusal wins over the cause, a `respond` over both.
        proto = self.channel.get_variable("last_bridge_proto_specific_hangup_cause") or ""
        if proto.startswith("sip:") and proto[4:].isdigit() and int(proto[4:]):
            status = int(proto[4:])
        if self.channel.respond_with:
            code, _, reason = self.channel.respond_with.partition(" ")
            status = int(code)
        self.channel.set_variable("sip_hangup_disposition", "send_refuse")
        self.final_status, self.final_reason = status, reason or phrase_of(status)
        self.response_in("INVITE", status, reason, headers)
        self.sent("ACK")

    def _cancel_callee(self, headers: tuple[tuple[str, str], ...]) -> None:
        assert self.channel is not None
        # mod_sofia writes a refusal of its own making over whatever was there.
        self.channel.set_variable("sip_hangup_disposition", "send_cancel")
        self.channel.set_variable("sip_invite_failure_status", "487")
        self.channel.set_variable("sip_invite_failure_phrase", "CANCEL")
        if self.phone.behaves_silently(self):
            return
        self.received("CANCEL", headers)
        self.response_out("CANCEL", 200)
        self.response_out("INVITE", 487)
        self.received("ACK")
        self.final_status, self.final_reason = 487, phrase_of(487)

    def notify(self, event: str, content_type: str, body: str) -> None:
        """NOTIFY within the dialog; FreeSWITCH always ends the subscription with it."""
        if self.state == "ended":
            return
        headers = (
            ("Event", event),
            ("Subscription-State", "terminated;reason=noresource"),
            ("Content-Type", content_type),
        )
        self.received("NOTIFY", headers, body)
        self.response_out("NOTIFY", 200)
        self.phone.notified(self)

    def unhold(self) -> None:
        """Re-INVITE a phone that holds; it is heard again, but hears nothing until it resumes."""
        if self.held:
            self.received("INVITE")
            self.response_out("INVITE", 200)
            self.heard_while_held = True

    def hold(self, *, held: bool) -> None:
        """Re-INVITE: the switch puts the phone on hold, or takes it back."""
        if self.state == "up":
            self.held_by_switch = held
            self.received("INVITE", (("X-Direction", "sendonly" if held else "sendrecv"),))
            self.response_out("INVITE", 200)

    def send_digit(self, digit: Digit) -> None:
        """The phone hears a DTMF digit."""
        if self.state in {"up", "early"}:
            self.phone.heard_digits += digit.char

    def refer(self, refer_to: str) -> None:
        """REFER to the phone (``deflect``), which answers as it was told to."""
        if self.state != "up" or self.channel is None:
            return
        headers = (("Refer-To", refer_to), ("Referred-By", "<sip:mod_sofia@127.0.0.1:5060>"))
        self.received("REFER", headers)
        refer_answered(self.channel, 100)
        refer_answered(self.channel, self.phone.referred(self))

    def heard_by(self, asker: Channel) -> str:
        """The number of the phone, or silence while it holds or is held."""
        silent = (
            self.held_by_switch or self.listens_only or (self.held and not self.heard_while_held)
        )
        return "silence" if silent else self.phone.number

    # -- the phone's side ----------------------------------------------------------------------

    def bye(self) -> None:
        """The phone hangs up an answered call."""
        self.sent("BYE")
        self.response_in("BYE", 200)
        self.state = "ended"
        if self.channel is not None:
            leaves_on_hold(self.channel)
            far_end_hung_up(self.channel, "recv_bye", 200, "NORMAL_CLEARING")

    def cancel(self) -> None:
        """The phone gives up a call that nobody has answered."""
        self.sent("CANCEL")
        self.response_in("CANCEL", 200)
        self.response_in("INVITE", 487)
        self.sent("ACK")
        self.state, self.final_status, self.final_reason = "ended", 487, phrase_of(487)
        if self.channel is not None:
            far_end_hung_up(self.channel, "recv_cancel", 487, "ORIGINATOR_CANCEL")

    def next_cseq(self) -> int:
        """The CSeq of the phone's next request."""
        self.cseq += 1
        return self.cseq
