"""Writes SIPp's XML: messages with the right headers, and the receives of a hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.live.lab.steps import COMMAND_PREFIX, PhoneIdentity

PAYLOADS = {"PCMU": 0, "PCMA": 8}
"""Payload types (RFC 3551)."""
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port]"


@dataclass(slots=True)
class Script:
    """The growing text of one scenario; ``local`` is this phone's side of the dialog, with tag."""

    phone: PhoneIdentity
    local: str
    lines: list[str] = field(default_factory=list)
    _nodes: int = 0

    def add(self, *lines: str) -> None:
        """Append lines."""
        self.lines.extend(lines)

    def label(self, name: str) -> None:
        """Name this place, for branches."""
        self.add(f'  <label id="{name}"/>')

    def go(self, label: str, test: str = "") -> None:
        """Branch to a label; with ``test`` only when that variable is set."""
        condition = f' test="{test}"' if test else ""
        self.add(f'  <nop next="{label}"{condition}/>')

    def send(self, lines: Iterable[str], then: str = "", retransmit: bool = False) -> None:
        """Send, and be at label ``then`` at once: what arrives at a <nop> would be unexpected."""
        attributes = ' retrans="500"' if retransmit else ""
        attributes += f' next="{then}"' if then else ""
        text = "\n".join(lines)
        self.add(f"  <send{attributes}><![CDATA[\n\n{text}\n\n]]></send>")

    def request(
        self, method: str, then: str, extra: Iterable[str] = (), sdp: str = "", branch: str = ""
    ) -> None:
        """An in-dialog request. SIPp's own [branch] would repeat when a hub comes back here."""
        self._nodes += 1
        via = branch or f"{self._nodes}-[cseq]"
        self.send(
            (
                f"{method} [$target] SIP/2.0",
                f"{_VIA};branch={self.branch(via)}",
                f"From: {self.local}",
                "To:[$remote]",
                "Call-ID: [call_id]",
                f"CSeq: {'[$acked]' if method == 'ACK' else '[cseq]'} {method}",
                "[routes]",
                *self._tail(extra, sdp),
            ),
            then,
            retransmit=method != "ACK",
        )

    def notify(self, then: str) -> None:
        """NOTIFY of a REFER that the phone has accepted; ``[$lines]`` is the status line."""
        self._nodes += 1
        self.send(
            (
                "NOTIFY [$target] SIP/2.0",
                f"{_VIA};branch={self.branch('n-[cseq]')}",
                f"From: {self.local}",
                "To:[$remote]",
                "Call-ID: [call_id]",
                "CSeq: [cseq] NOTIFY",
                "[routes]",
                "Max-Forwards: 70",
                f"Contact: {self.phone.contact}",
                "Event: refer",
                "Subscription-State: active;expires=60",
                "Content-Type: message/sipfrag;version=2.0",
                "Content-Length: [len]",
                "",
                "[$lines]",
            ),
            then,
            retransmit=True,
        )

    def response(self, status: str, then: str = "", sdp: str = "") -> None:
        """A response to the message that came last."""
        self.send(
            (
                f"SIP/2.0 {status}",
                *(f"[last_{name}:]" for name in ("Via", "From", "To", "Call-ID", "CSeq")),
                *self._tail((), sdp),
            ),
            then,
        )

    def invite_response(
        self,
        status: str,
        then: str = "",
        extra: Iterable[str] = (),
        sdp: str = "",
        at_once: bool = False,
    ) -> None:
        """A response to the INVITE, however many messages have come since.

        Only ``at_once``, when none has come, it finds its way back through proxies (RFC 3261
        18.2.2) and tells the caller of them (12.1.1): SIPp stores one line of each header.
        """
        self.send(
            (
                f"SIP/2.0 {status}",
                "[last_Via:]" if at_once else "Via:[$inv_via]",
                "From:[$remote]",
                f"To: {self.local}",
                "Call-ID: [call_id]",
                "CSeq:[$inv_cseq]",
                *(["[last_Record-Route:]"] if at_once else []),
                *self._tail(extra, sdp),
            ),
            then,
            retransmit=bool(sdp) and status.startswith("200"),
        )

    def branch(self, suffix: str) -> str:
        """A Via branch of this call."""
        return f"z9hG4bK-{self.phone.number}-[pid]-[call_number]-{suffix}"

    def _tail(self, extra: Iterable[str], sdp: str) -> list[str]:
        lines = ["Max-Forwards: 70", *extra]
        if not any(line.startswith("Contact:") for line in lines):
            lines.append(f"Contact: {self.phone.contact}")
        if not sdp:
            return [*lines, "Content-Length: 0"]
        return [
            *lines,
            "Content-Type: application/sdp",
            "Content-Length: [len]",
            "",
            *sdp_lines(self, sdp),
        ]

    def receive(
        self,
        what: str,
        to: str = "",
        actions: Iterable[str] = (),
        test: str = "",
        challenge: bool = False,
        routes: bool = False,
    ) -> None:
        """One optional ``<recv>`` of a hub: stay there, or branch to label ``to``.

        With ``test`` it branches only when that variable is set, by the actions or before. A
        ``challenge`` is kept for the ``[authentication]`` of the next request, and a route set
        for ``[routes]`` (RFC 3261 12.1.2).
        """
        kind = "response" if what.isdigit() else "request"
        branch = f' next="{to}"' if to else ""
        branch += f' test="{test}"' if test else ""
        branch += ' auth="true"' if challenge else ""
        branch += ' rrs="true"' if routes else ""
        if what.startswith(COMMAND_PREFIX):
            via = '<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="taken"/>'
            actions = (*actions, via, '<log message="[$taken]"/>')
        body = "".join(f"\n      {action}" for action in actions)
        inner = f"<action>{body}\n    </action>" if body else ""
        self.add(f'  <recv {kind}="{what}" optional="true"{branch}>{inner}</recv>')

    def close_hub(self) -> None:
        """SIPp wants the last ``<recv>`` of a group to be mandatory: one that never comes."""
        self.add('  <recv request="LAB-never"/>')

    def text(self) -> str:
        """The whole scenario."""
        body = "\n".join(self.lines)
        names = "whole" if self.phone.dial else "whole,offers"
        unused = f'  <Reference variables="{names}"/>'
        header = '<?xml version="1.0" encoding="UTF-8"?>'
        return f'{header}\n<scenario name="{self.phone.number}">\n{body}\n{unused}\n</scenario>\n'


def sdp_lines(script: Script, direction: str) -> tuple[str, ...]:
    """The phone's offer or answer; ``direction`` is ``sendrecv``, ``sendonly`` or ``recvonly``."""
    codec = script.phone.codec
    return (
        "v=0",
        # the version must grow with each offer and answer
        f"o={script.phone.number} 1 [clock_tick] IN IP4 [local_ip]",
        "s=-",
        "c=IN IP4 [local_ip]",
        "t=0 0",
        f"m=audio {script.phone.rtp_port} RTP/AVP {PAYLOADS[codec]} 101",
        f"a=rtpmap:{PAYLOADS[codec]} {codec}/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=ptime:20",
        f"a={direction}",
    )
