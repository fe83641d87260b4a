"""Packets and messages to test with."""

from __future__ import annotations

from fsctl.hep.packet import Packet

PHONE, SWITCH = ("192.0.2.7", 5066), ("192.0.2.1", 5060)


def packet(
    payload: bytes,
    transport: str = "tcp",
    time_s: float = 1.0,
    *,
    sent: bool = False,
    **more: object,
) -> Packet:
    """Received by FreeSWITCH, or ``sent`` by it."""
    source, target = (SWITCH, PHONE) if sent else (PHONE, SWITCH)
    fields = {
        **{"source": source[0], "source_port": source[1]},
        **{"destination": target[0], "destination_port": target[1]},
        **{"transport": transport, "time_s": time_s, "capture_id": 7},
        **{"payload": payload, "truncated": False},
    }
    return Packet(**(fields | more))  # type: ignore[arg-type]


def sip(
    start: str,
    body: str = "",
    *,
    call_id: str = "c-1",
    cseq: str = "",
    tags: tuple[str, str] = ("a", "b"),
    more: tuple[str, ...] = (),
    users: tuple[str, str] = ("1001", "1002"),
) -> bytes:
    """A message as it goes over the wire."""
    method = cseq or f"1 {start.split()[0]}"
    to_tag = f";tag={tags[1]}" if tags[1] else ""
    lines = (
        start if start.startswith("SIP") else f"{start} SIP/2.0",
        f"Via: SIP/2.0/TCP 192.0.2.7:5066;branch=z9hG4bK{hash((start, cseq)) & 0xFFFF}",
        f"From: <sip:{users[0]}@h>;tag={tags[0]}",
        f"To: <sip:{users[1]}@h>{to_tag}",
        f"Call-ID: {call_id}",
        f"CSeq: {method}",
        *more,
        f"Content-Length: {len(body.encode())}",
    )
    return "\r\n".join((*lines, "", body)).encode()
