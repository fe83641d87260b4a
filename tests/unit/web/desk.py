"""A desk without processes: it is told what has happened, and what it was asked to do is noted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fsctl.desk.figures import Figures
from fsctl.desk.live import Live
from fsctl.errors import ChannelGone
from fsctl.journal import Entry
from fsctl.records import find, store
from fsctl.records.schema import METADATA

AT = 1_800_000_000.0
PID = 4711
A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")


class ToldDesk:
    """See `fsctl.web.app.Desk`."""

    def __init__(self, folder: Path) -> None:
        self.live = Live()
        self.figures = Figures(self.live, lambda: 17, lambda: True)
        self.wrong: list[str] = []
        self.done: list[tuple[str, ...]] = []
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

    def problems(self) -> list[str]:
        return self.wrong

    def transfers(self, wanted: find.Wanted) -> list[find.Row]:
        return find.transfers(self._engine, wanted)

    def one_transfer(self, name: str) -> list[find.Row]:
        return [
            row
            | {"legs": find.legs(self._engine, row), "steps": find.steps(self._engine, row["id"])}
            for row in find.one_transfer(self._engine, name)
        ]

    def hang_up(self, switch: str, channel: str) -> None:
        if channel == B:
            raise ChannelGone("it has gone")
        self.done.append(("hang up", switch, channel))

    def set_log_level(self, level: str) -> None:
        self.done.append(("log level", level))

    def drain(self) -> None:
        self.done.append(("drain",))
