"""What records cost: the worker's part of a call with one transfer, and the desk's.

``python bench/records.py``: the same entries that such a call notes, 2,000 times. Processor time of
this process, its thread that writes included.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from fsctl import journal
from fsctl.desk.figures import Figures
from fsctl.desk.keeping import Keeping
from fsctl.desk.live import Live
from fsctl.settings import Records
from fsctl.web.streams import Streams

CALLS = 2000


def entries(number: int) -> list[tuple[str, dict[str, Any]]]:
    """What is noted of one call: two parties talk, one is transferred, all hang up."""
    session, caller, callee, target = (
        f"{name}{number:06d}-f1bf-4b5a-bb83-98f71cdc5148" for name in ("s1", "a1", "b1", "c1")
    )
    noted: list[tuple[str, dict[str, Any]]] = [("session", {"session": session, "switch": "pbx"})]

    def leg(name: str, text: str, state: str) -> None:
        fields = {"leg": name, "channel": name, "session": session, "began": 1.8e9, "number": text}
        fields |= {"name": "", "call_id": f"{name}@192.0.2.7", "outgoing": name != caller}
        noted.append(("leg", fields | {"dialled": "1001", "state": state}))

    parties = {"transferor": callee, "transferee": caller}
    known = {
        "numbers": {"transferor": "1001", "transferee": "2000", "target": "1002"},
        "call_ids": {role: f"{name}@192.0.2.7" for role, name in parties.items()},
    }
    leg(caller, "2000", "ringing")
    leg(callee, "1001", "connected")
    leg(caller, "2000", "connected")
    begun = {"id": f"t1{number:06d}", "session": session, "switch": "pbx", "kind": "blind"}
    noted.append(("transfer", begun | parties | known | {"refer_to": "<sip:1002@pbx.example>"}))
    for step in ("the application calls the target", "the target answers", "bridged", "hangs up"):
        noted.append(("step", {"transfer": begun["id"], "step": step, "state": "calling target"}))
    leg(target, "1002", "connected")
    leg(callee, "1001", "disconnected")
    ended = {"refer": "refer;id=2", "outcome": "succeeded", "code": 200, "reason": "OK"}
    ended |= {"rule": "inside", "allowed": True, "decided_by": "settings", "exchange": {}}
    noted.append(("record", begun | parties | known | {"target": target} | ended))
    leg(caller, "2000", "disconnected")
    leg(target, "1002", "disconnected")
    noted.append(("session", {"session": session, "over": True}))
    return noted


def main() -> None:
    calls = [entries(number) for number in range(CALLS)]
    with tempfile.TemporaryDirectory() as folder:
        settings = Records(folder=Path(folder))

        def plain() -> None:
            for call in calls:
                for what, fields in call:
                    json.dumps({"what": what, **fields})

        def note() -> None:
            journal.begin(settings.journal, settings.backlog_bytes)
            for call in calls:
                for what, fields in call:
                    journal.note(what, **fields)
            journal.end()

        def show() -> None:
            live = Live()
            figures, _ = Figures(live, lambda: 0, lambda: True), Streams(live)
            for file in journal.files(settings.journal):
                for entry in journal.read(settings.journal, file, 0, 1 << 30):
                    live.take(entry)
                    figures.take(entry)

        def keep() -> None:
            desk = Keeping(settings)
            while desk.keep():
                pass

        first = None
        print(f"{CALLS} calls with a transfer, {len(calls[0])} entries each")
        for name, work in (
            ("JSON alone", plain),
            ("worker: noted and written", note),
            ("desk: shown and counted", show),
            ("desk: kept in SQLite", keep),
        ):
            began = time.process_time()
            work()
            spent = (time.process_time() - began) / CALLS * 1e6
            first = first or spent
            print(f"{name:28}{spent:10.0f} us a call   x {spent / first:5.1f}")


if __name__ == "__main__":
    main()
