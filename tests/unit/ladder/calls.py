"""A blind transfer that fails, as records and as SIP messages of all its legs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fsctl.hep.message import Message
from tests.unit.hep.messages import sip

AT = 1_800_000_000.0
SWITCH = ("192.0.2.1", 5060)
ALICE, BOB, CAROL = ("192.0.2.7", 5061), ("192.0.2.8", 5062), ("192.0.2.9", 5063)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(AT + seconds, UTC)


def leg(number: str, call_id: str | None, began: float, *, outgoing: bool, **more: Any) -> Any:
    row = {
        **{"id": f"ch-{number}", "channel": f"ch-{number}", "call": "s-1", "number": number},
        **{"name": None, "call_id": call_id, "outgoing": outgoing, "dialled": None},
        **{"began": at(began), "answered": None, "ended": None},
    }
    return row | more


LEGS = [
    leg("2000", "c-alice", 0, outgoing=False, dialled="1001", answered=at(1)),
    leg("1001", "c-bob", 0.1, outgoing=True, answered=at(1)),
    leg("1002", None, 5.1, outgoing=True, id="callee-1", channel=None, ended=at(6)),
]
TRANSFER = {
    **{"id": "764fbaab-1", "kind": "blind", "outcome": "failed", "code": 486, "call": "s-1"},
    **{"reason": "Gone fishing", "refer_to": "<sip:1002@h>", "began": at(5), "ended": at(6)},
    **{"transferor": "ch-1001", "transferee": "ch-2000", "target": "callee-1"},
    **{"transferor_number": "1001", "transferee_number": "2000", "target_number": "1002"},
    **{"transferor_call_id": "c-bob", "transferee_call_id": "c-alice", "target_call_id": None},
}
STEPS = [
    {"at": at(5.05), "what": "the application calls the target", "state": "calling target"},
    {"at": at(5.9), "what": "the target fails", "state": "reconnecting"},
]


def message(
    seconds: float, ends: tuple[tuple[str, int], tuple[str, int]], text: bytes, **more: Any
) -> Message:
    (source, source_port), (target, target_port) = ends
    return Message(AT + seconds, source, source_port, target, target_port, "udp", text, **more)


def _sip(call_id: str, start: str, cseq: str, caller: bool, **more: Any) -> bytes:
    """``caller``: the request is of whoever has called."""
    tags = ("tag-1", "tag-2") if caller else ("tag-2", "tag-1")
    tags = (tags[0], "") if start.startswith("INVITE") else tags
    return sip(start, call_id=call_id, cseq=cseq, tags=tags, **more)


FRAG = ("Content-Type: message/sipfrag", "Event: refer")
IN, OUT = 0, 1


def heard() -> list[Message]:
    """What FreeSWITCH would tell, in the order of time."""
    told: list[tuple[float, tuple[str, int], int, bytes]] = []

    def say(seconds: float, who: tuple[str, int], way: int, text: bytes) -> None:
        told.append((seconds, who, way, text))

    one = {"users": ("2000", "1001")}
    sdp = {"body": "v=0\r\n", "more": ("Content-Type: application/sdp",)}
    invite = _sip("c-alice", "INVITE sip:1001@h", "1 INVITE", True, **one, **sdp)
    say(0.00, ALICE, IN, invite)
    say(0.50, ALICE, IN, invite)
    say(0.10, BOB, OUT, _sip("c-bob", "INVITE sip:1001@b", "7 INVITE", True, **one))
    say(1.00, BOB, IN, _sip("c-bob", "SIP/2.0 200 OK", "7 INVITE", True, **one))
    say(1.01, ALICE, OUT, _sip("c-alice", "SIP/2.0 200 OK", "1 INVITE", True, **one))
    say(1.02, ALICE, IN, _sip("c-alice", "ACK sip:1001@h", "1 ACK", True, **one))
    refer = {"more": ("Refer-To: <sip:1002@h>",), "users": ("1001", "2000")}
    say(5.00, BOB, IN, _sip("c-bob", "REFER sip:fs", "2 REFER", False, **refer))
    say(5.01, BOB, OUT, _sip("c-bob", "SIP/2.0 202 Accepted", "2 REFER", False, **refer))
    target = {"users": ("2000", "1002")}
    say(5.10, CAROL, OUT, _sip("c-carol", "INVITE sip:1002@c", "9 INVITE", True, **target))
    say(5.80, CAROL, IN, _sip("c-carol", "SIP/2.0 486 Gone fishing", "9 INVITE", True, **target))
    for seconds, body in ((5.02, "SIP/2.0 100 Trying"), (5.95, "SIP/2.0 486 Gone fishing")):
        users = {"users": ("2000", "1001"), "more": FRAG, "body": body}
        cseq = f"{8 if seconds < 5.5 else 9} NOTIFY"
        say(seconds, BOB, OUT, _sip("c-bob", "NOTIFY sip:1001@b", cseq, True, **users))
    return [
        message(seconds, ((who, SWITCH), (SWITCH, who))[way], text)
        for seconds, who, way, text in sorted(told, key=lambda each: each[0])
    ]
