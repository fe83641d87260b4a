"""An office in the forenoon, for who looks at the page."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from tests.unit.web.desk import ToldDesk

_CALLED, _ANSWERED = "the application calls the target", "the target answers"
_FAILED, _BACK = "the target fails", "transferee and transferor are bridged again"
_JOINED, _LEFT = "transferee and target are bridged", "the transferor hangs up"
_ENDS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("1001", "+4989123456", "1002", {"outcome": "failed", "code": 486, "reason": "Gone fishing"}),
    ("1014", "+493055512", "1020", {"outcome": "succeeded", "code": 200, "reason": "OK"}),
    (
        *("1007", "1031", "+4990012345"),
        {
            **{"outcome": "failed", "code": 403, "reason": "Forbidden"},
            **{"rule": "premium", "allowed": False, "target": ""},
        },
    ),
    ("1003", "+4917055501", "1011", {"outcome": "succeeded", "code": 200, "reason": "OK"}),
    ("1022", "+442079460", "1040", {"outcome": "failed", "code": 480, "reason": "Unavailable"}),
    (
        *("1009", "+33140205", "1012"),
        {"outcome": "abandoned", "code": 487, "reason": "Request Terminated"},
    ),
    (
        *("1001", "1016", "1099"),
        {
            **{"outcome": "failed", "code": 603, "reason": "After hours", "decided_by": "web"},
            "exchange": {
                **{"id": "q-7", "host": "crm.example.com", "ms": 84, "status": 200},
                "decision": "refuse 603 After hours",
            },
        },
    ),
    ("1014", "+4930901820", "1002", {"outcome": "succeeded", "code": 200, "reason": "OK"}),
)


def uuid(number: int) -> str:
    return str(UUID(int=(0x7CC85E78780A4B73AD56F4D1FC1C8B59 * (number + 1)) % (1 << 128)))


def workers(desk: ToldDesk, count: int = 2) -> None:
    now = time.time()
    for number in range(1, count + 1):
        desk.note(
            *("worker", now, 4700 + number),
            **{"pid": 4700 + number, "number": number, "began": now - 93_784, "sessions": 11},
            **{"late_ms": 0.8 + number / 3, "resident": 61_000_000 + number * 900_000},
            **{"cpu_s": 81.2, "switches": {"pbx-1": True, "pbx-2": True}},
        )


def call(desk: ToldDesk, number: int, caller: str, called: str, began: float) -> None:
    session, process = f"s-{number}", 4701 + number % 2
    desk.note("session", began, process, session=session, switch=f"pbx-{1 + number % 2}")
    for place, party in enumerate((caller, called)):
        leg = uuid(10 * number + place)
        desk.note(
            *("leg", began + 3, process),
            **{"session": session, "leg": leg, "channel": leg, "number": party, "began": began},
            **{"call_id": f"{leg[:13]}@192.0.2.{number}", "outgoing": bool(place)},
            state="connected",
        )


def transfer(
    desk: ToldDesk, number: int, parties: tuple[str, str, str], began: float, **ended: Any
) -> str:
    """Call ``number`` is to be with the third party; returns the transfer's id."""
    by, of, to = parties
    name, legs = uuid(1000 + number), [uuid(10 * number + place) for place in (1, 0, 2)]
    begun: dict[str, Any] = {
        **{"id": name, "session": f"s-{number}", "switch": f"pbx-{1 + number % 2}"},
        **{"kind": "blind", "transferor": legs[0], "transferee": legs[1]},
        **{"refer_to": f"<sip:{to}@pbx.example.com>"},
        **{"numbers": {"transferor": by, "transferee": of}},
        "call_ids": {"transferor": f"{legs[0][:13]}@192.0.2.{number}"},
    }
    desk.note("transfer", began, **begun)
    if not ended:
        return name
    steps: list[tuple[float, str, str]] = []
    told = f"{ended['code']} {ended['reason']}"
    if ended.get("target") != "":
        steps.append((0.043, _CALLED, "calling target"))
    if ended["outcome"] == "succeeded":
        steps.append((4.1, _ANSWERED, "joining"))
        steps.append((4.14, _JOINED, "releasing, reporting 200 OK"))
        steps.append((4.3, _LEFT, "succeeded, reporting 200 OK"))
    elif ended["outcome"] == "abandoned":
        steps.append((6.2, "the transferee hangs up", f"abandoned, reporting {told}"))
    else:
        steps.append((1.27, _FAILED, "reconnecting"))
        steps.append((1.334, _BACK, f"failed, reporting {told}"))
    for after, what, state in steps:
        desk.note("step", began + after, transfer=name, step=what, state=state)
    record = {"rule": "inside", "allowed": True, "decided_by": "settings", "target": legs[2]}
    if ended.get("target") != "":
        begun["numbers"]["target"] = to
    desk.note("record", began + steps[-1][0], **(begun | record | ended))
    return name


def forenoon(desk: ToldDesk, rounds: int = 1) -> str:
    """Calls, transfers that go on and that have ended; returns the id of one that failed."""
    now = time.time()
    workers(desk)
    for number in range(22):
        party = f"+49{30 + number}{5550100 + 137 * number}" if number % 3 else f"10{40 + number}"
        call(desk, number, party, f"10{number:02}", now - 1400 + 63 * number)
    shown = ""
    ends = rounds * _ENDS
    for number, (by, of, to, ended) in enumerate(reversed(ends)):
        began = now - 110 * (len(ends) - number)
        shown = transfer(desk, number, (by, of, to), began, **ended)
    for number, state in ((20, "calling target"), (21, "joining")):
        name = transfer(desk, number, (f"10{number}", "+4940317", f"1{number}"), now - 30 + number)
        desk.note("step", now - 29.9 + number, transfer=name, step=_CALLED, state="calling target")
        if state == "joining":
            desk.note("step", now - 0.2, transfer=name, step=_ANSWERED, state=state)
    return shown
