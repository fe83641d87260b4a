"""A desk without processes: it is told what has happened, and what it was asked to do is noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fsctl.desk.figures import Figures
from fsctl.desk.live import Live
from fsctl.errors import ChannelGone
from fsctl.hep.message import Message
from fsctl.journal import Entry
from fsctl.policy.counts import Counts
from fsctl.records import find, ladders, store
from fsctl.records.schema import METADATA

AT = 1_800_000_000.0
PID = 4711
MESSAGE = Message(
    AT + 3, "192.0.2.7", 5060, "192.0.2.1", 5060, "udp",
    b"REFER sip:a@b SIP/2.0\r\nCall-ID: cid\r\nCSeq: 2 REFER\r\n\r\n",
)  # fmt: skip
A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")


class ToldDesk:
    """See `fsctl.web.app.Desk`."""

    def __init__(self, folder: Path) -> None:
        self.clock = 1000.0
        """By which the desk judges ages."""
        self.live = Live(lambda: self.clock)
        self.figures = Figures(self.live, lambda: 17, lambda: True, lambda: {"heard": 3})
        self.counts = Counts()
        self.wrong: list[str] = []
        self.done: list[tuple[str, ...]] = []
        self.tells_messages = False
        """Whether FreeSWITCH has sent a message of every call."""
        self._engine = store.open_engine(f"sqlite:///{folder}/records.sqlite")
        METADATA.create_all(self._engine)
        self._end = 0

    def note(self, what: str, at: float = AT, process: int = PID, **fields: Any) -> None:
        """Something has happened."""
        self._end += 1
        entry = Entry(f"1-{process}-1", self._end, what, at, fields)
        self.live.take(entry)
        self.figures.take(entry)
        store.keep(self._engine, [entry])

    def call(self, name: str = "s-1", *, number: str = "2000", pid: int = PID) -> None:
        """Two parties talk."""
        self.note("session", session=name, switch="pbx", process=pid)
        for leg, of in ((A, number), (B, "1001")):
            self.note(
                "leg", AT + 1, pid, session=name, leg=leg, channel=leg, number=of, state="connected"
            )

    def transfer(self, name: str = "t-1", **ended: Any) -> None:
        """B asks for 1002; ``ended`` is what its record says."""
        begun: dict[str, Any] = {
            **{"id": name, "session": "s-1", "switch": "pbx", "kind": "blind"},
            **{"transferor": B, "transferee": A, "refer_to": "<sip:1002@pbx>"},
            **{"numbers": {"transferor": "1001", "transferee": "2000"}, "call_ids": {}},
        }
        self.note("transfer", AT + 2, **begun)
        step = {"transfer": name, "step": "the application calls the target"}
        self.note("step", AT + 2.25, **step, state="calling target")
        if ended:
            self.note("record", AT + 5, **(begun | {"target": C} | ended))

    # -- as the application sees it

    def unready(self) -> list[str]:
        return [each for each in self.wrong if "worker" in each]

    def problems(self) -> list[str]:
        return self.wrong

    def transfers(self, wanted: find.Wanted) -> list[find.Row]:
        return find.transfers(self._engine, wanted)

    def one_transfer(self, name: str) -> list[find.Row]:
        return find.in_full(self._engine, name)

    def material(self, name: str) -> ladders.Material | None:
        return ladders.of_transfer(self._engine, name, self.heard)

    def heard(self, call_ids: list[str]) -> list[Message]:
        asked = [("asked", *call_ids)] if call_ids else []
        self.done += asked if self.tells_messages else []
        return [MESSAGE] if self.tells_messages else []

    def have_transferred(
        self, call: str, target: str, ring_timeout_s: int | None
    ) -> dict[str, Any]:
        if call == B:
            raise ChannelGone("it has gone")
        self.done.append(("transfer", call, target, str(ring_timeout_s)))
        told = {"call": call, "target": target, "outcome": "failed"}
        return told | {"code": 486, "reason": "Busy Here", "why": ""}

    def hang_up(self, switch: str, channel: str) -> None:
        if channel == B:
            raise ChannelGone("it has gone")
        self.done.append(("hang up", switch, channel))

    def set_log_level(self, level: str) -> None:
        self.done.append(("log level", level))

    def drain(self) -> None:
        self.done.append(("drain",))
