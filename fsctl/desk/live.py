"""What goes on now, as the journal tells it: calls, transfers, and the processes that serve them.

One for the whole desk. Everything of it is a plain value, ready to be shown; who wants to hear of
changes subscribes. It is bounded: of what has ended the latest stay.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from fsctl import moments
from fsctl.journal import Entry
from fsctl.records.words import cause
from fsctl.sip.roles import ROLES

RECENT = 500
"""So many transfers that have ended are still shown."""
MOST_CALLS = 50_000
"""More are not shown: something has gone wrong that lets none of them end."""
GONE_S = 15.0
"""A worker of which nothing was heard for so long is not there any more."""
LONGEST_S = 4 * 3600.0
"""A transfer that goes on for longer has lost its record: its worker has died, and nobody saw its
end."""
_STEPS = 100
"""So many of a transfer are shown."""
_OF_LEG = (
    "channel",
    "number",
    "name",
    "call_id",
    "outgoing",
    "dialled",
    "began",
    "answered",
    "ended",
)
_OF_TRANSFER = (
    *("id", "call", "switch", "kind", "refer_to", "began"),
    *("ended", "outcome", "code", "reason"),
)

Shown = dict[str, Any]
"""What the API shows of one thing."""


class Listener(Protocol):
    """Hears of each change."""

    def changed(self, kind: str, thing: Shown) -> None:
        """``kind``: call, call-over, transfer or worker; ``thing`` as it is now."""


class Live:
    """What goes on; `take` is called with each entry, in the order of each file."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Ages are judged by this ``clock``, which no correction of the host's time moves."""
        self._clock = clock
        self._heard: dict[int, float] = {}
        """When each worker was heard of last, by that clock."""
        self._since: dict[str, float] = {}
        """From when on we know of each transfer that goes on, by that clock."""
        self.calls: dict[str, Shown] = {}
        """Sessions that go on, by their ids."""
        self.transfers: OrderedDict[str, Shown] = OrderedDict()
        """Those that go on, and the latest that have ended; by their ids, in the order of their
        beginning."""
        self.workers: dict[int, Shown] = {}
        """Those that were heard of lately, by their process ids."""
        self.lost = 0
        """Lines that the journal had no room for."""
        self.lost_at = 0.0
        """When we heard of the last of them, by the clock; 0: never."""
        self.listeners: list[Listener] = []
        """Set by who wants to hear."""
        self._take: dict[str, Callable[[Entry], None]] = {
            "session": self._session,
            "leg": self._leg,
            "transfer": self._transfer,
            "step": self._step,
            "record": self._record,
            "worker": self._worker,
            "process": self._process,
            "lost": self._lost,
        }

    def take(self, entry: Entry) -> None:
        """Take what has happened."""
        if take := self._take.get(entry.what):
            take(entry)

    def remember(
        self,
        calls: Iterable[Mapping[str, Any]],
        legs: Iterable[Mapping[str, Any]],
        transfers: Iterable[Mapping[str, Any]],
        now: float,
    ) -> None:
        """Take what was kept before this desk began: rows as `fsctl.records.find` has them."""
        for row in calls:
            known = {name: row[name] or "" for name in ("id", "switch")}
            self.calls[row["id"]] = known | {
                "began": _shown(row["began"]),
                "legs": {},
                "process": row["process"] or 0,
            }
            # Its worker tells how it is, or is gone.
            pid = row["process"] or 0
            if pid not in self.workers:
                self.workers[pid] = {"pid": row["process"], "heard": now}
                self._heard[pid] = self._clock()
        for row in legs:
            if call := self.calls.get(row["call"]):
                said = {name: _shown(row[name]) for name in _OF_LEG if row[name] is not None}
                call["legs"][row["id"]] = {"leg": row["id"], **said, "state": _state(row)}
        for row in transfers:
            if row["outcome"] is None:
                began = row["began"].timestamp()
                if now - began > LONGEST_S:
                    continue
                self._since[row["id"]] = self._clock() - max(0.0, now - began)
            self.transfers[row["id"]] = {
                **{name: _shown(row[name]) for name in _OF_TRANSFER},
                **{role: _party(row, role) for role in ROLES},
                **{"state": None, "steps": []},
            }
            if row["outcome"] is not None:
                self.transfers[row["id"]]["cause"] = cause(row)

    def forget_silent(self, now: float) -> None:
        """Workers that were not heard of lately are not shown, nor transfers that never end.

        ``now`` in seconds since 1970: it is only shown."""
        clock = self._clock()
        for pid in [pid for pid in self.workers if clock - self._heard[pid] > GONE_S]:
            self._gone(pid, now)
        for name in [name for name, since in self._since.items() if clock - since > LONGEST_S]:
            del self._since[name]
            self.transfers.pop(name, None)

    def excuse_silence(self) -> None:
        """Nobody can have said anything: none of the workers is gone for that."""
        self._heard = dict.fromkeys(self._heard, self._clock())

    def running(self) -> list[Shown]:
        """Return the transfers that go on, the oldest first."""
        return [each for each in self.transfers.values() if each["outcome"] is None]

    # -- what the entries tell ------------------------------------------------------------------

    def _session(self, entry: Entry) -> None:
        name = str(entry.fields.get("session"))
        if entry.fields.get("over"):
            if call := self.calls.pop(name, None):
                self._tell("call-over", call | {"ended": _time(entry.at)})
            return
        call = self._call(name, entry)
        call["switch"] = entry.fields.get("switch") or call["switch"]
        self._tell("call", call)

    def _leg(self, entry: Entry) -> None:
        fields = entry.fields
        call = self.calls.get(str(fields.get("session")))
        if call is None:
            return  # its session is over
        known = call["legs"].setdefault(str(fields.get("leg")), {})
        names = ("leg", "channel", "number", "name", "call_id", "outgoing", "dialled", "state")
        known |= {name: fields[name] for name in names if fields.get(name) is not None}
        known.setdefault("began", _time(float(fields.get("began") or entry.at)))
        if known["state"] == "connected":
            known.setdefault("answered", _time(entry.at))
        elif known["state"] == "disconnected":
            known.setdefault("ended", _time(entry.at))
        self._tell("call", call)

    def _transfer(self, entry: Entry) -> None:
        self._told_of(entry)

    def _step(self, entry: Entry) -> None:
        transfer = self.transfers.get(str(entry.fields.get("transfer")))
        if transfer is None:
            return
        step = {"at": _time(entry.at), "what": entry.fields.get("step")}
        transfer["state"] = step["state"] = entry.fields.get("state")
        transfer["steps"] = [*transfer["steps"], step][-_STEPS:]
        self._tell("transfer", transfer)

    def _record(self, entry: Entry) -> None:
        fields = entry.fields
        transfer = self._told_of(entry, tell=False)
        if transfer["outcome"] is None:
            names = ("outcome", "code", "reason", "rule", "allowed", "decided_by", "exchange")
            transfer |= {name: fields.get(name) for name in names}
            transfer["ended"] = _time(entry.at)
            transfer["cause"] = _cause(transfer)
            self._since.pop(transfer["id"], None)
        self._tell("transfer", transfer)
        ended = [name for name, each in self.transfers.items() if each["outcome"] is not None]
        for name in ended[: max(0, len(ended) - RECENT)]:
            del self.transfers[name]

    def _told_of(self, entry: Entry, *, tell: bool = True) -> Shown:
        fields = entry.fields
        name = str(fields.get("id"))
        blank = dict.fromkeys(
            (*ROLES, "call", "switch", "kind", "refer_to", "outcome", "code", "reason", "state")
        )
        transfer = self.transfers.setdefault(
            name, {"id": name, "began": _time(entry.at), "steps": [], **blank}
        )
        if transfer["outcome"] is None:
            self._since.setdefault(name, self._clock())
        for key, said in (("call", "session"), ("switch",) * 2, ("kind",) * 2, ("refer_to",) * 2):
            transfer[key] = fields.get(said) or transfer[key]
        for role in ROLES:
            known = transfer[role] or {"channel": None, "number": None, "call_id": None}
            numbers, call_ids = fields.get("numbers") or {}, fields.get("call_ids") or {}
            transfer[role] = {
                "channel": fields.get(role) or known["channel"],
                "number": numbers.get(role) or known["number"],
                "call_id": call_ids.get(role) or known["call_id"],
            }
        if tell:
            self._tell("transfer", transfer)
        return transfer

    def _worker(self, entry: Entry) -> None:
        pid = int(entry.fields.get("pid") or 0)
        self._heard[pid] = self._when(entry)
        worker = self.workers[pid] = {**entry.fields, "heard": entry.at}
        worker.pop("clock", None)
        self._tell("worker", worker)

    def _process(self, entry: Entry) -> None:
        """One of ours has ended."""
        self._gone(int(entry.fields.get("pid") or 0), entry.at)

    def _lost(self, entry: Entry) -> None:
        self.lost += int(entry.fields.get("lines") or 0)
        self.lost_at = self._when(entry)

    # -- ---------------------------------------------------------------------------------------

    def _when(self, entry: Entry) -> float:
        """By our clock, which its writer has, too: a desk that begins reads what is long past."""
        said, now = entry.fields.get("clock"), self._clock()
        return said if isinstance(said, float) and said < now else now

    def _call(self, name: str, entry: Entry) -> Shown:
        if name not in self.calls and len(self.calls) >= MOST_CALLS:
            self.calls.pop(next(iter(self.calls)))
        call = self.calls.setdefault(
            name, {"id": name, "switch": "", "began": _time(entry.at), "legs": {}, "process": 0}
        )
        call["process"] = entry.process  # who has taken it over, if it was another's
        return call

    def _gone(self, pid: int, at: float) -> None:
        self._heard.pop(pid, None)
        if worker := self.workers.pop(pid, None):
            self._tell("worker", worker | {"gone": True})
        for name in [name for name, call in self.calls.items() if call["process"] == pid]:
            self._tell("call-over", self.calls.pop(name) | {"ended": _time(at)})

    def _tell(self, kind: str, thing: Shown) -> None:
        for listener in self.listeners:
            listener.changed(kind, thing)


def _cause(transfer: Shown) -> str:
    numbers = {f"{role}_number": transfer[role]["number"] for role in ROLES}
    target = {"target": transfer["target"]["channel"]}
    return cause(transfer | numbers | target | {"details": transfer}, transfer["steps"])


def _state(leg: Mapping[str, Any]) -> str:
    if leg["ended"]:
        return "disconnected"
    return "connected" if leg["answered"] else "alerting"


def _party(transfer: Mapping[str, Any], role: str) -> Shown:
    parts = {"channel": role, "number": f"{role}_number", "call_id": f"{role}_call_id"}
    return {part: transfer[name] for part, name in parts.items()}


def _shown(value: Any) -> Any:
    return moments.for_programs(value) if isinstance(value, datetime) else value


def _time(at: float) -> str:
    return moments.for_programs(moments.at(at))
