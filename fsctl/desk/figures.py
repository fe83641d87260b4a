"""What Prometheus scrapes: counted from the journal, so that a scrape asks nobody anything.

No number, name or Call-ID is a label. Counters begin anew with the desk, as Prometheus expects of a
process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fsctl.desk.live import Live
from fsctl.journal import Entry
from fsctl.transfer.blind_table import Stimulus

_SHORT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RING_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0)
_WATCHED = 10_000
"""Of so many transfers that go on the times are measured."""
_EVENTS = ("recall", "takeover", "rescue", "turned away")
_KINDS = ("blind", "attended", "legacy")
_OUTCOMES = (
    ("succeeded", "2xx"),
    *(("failed", code) for code in ("4xx", "5xx", "6xx")),
    *(("abandoned", code) for code in ("4xx", "5xx")),
)
"""What transfers end with."""
_SWITCHES = 100
"""More are counted as they come: they are named by themselves."""
_CALLED = {Stimulus.TARGET_CALLED.value}
_ANSWERED = {Stimulus.TARGET_ANSWERED.value, Stimulus.TARGET_HELD.value}
_JOINED = {Stimulus.LEGS_JOINED.value}

_HEARD = (
    ("sip_messages_now", "SIP messages in memory, for ladders ([hep]).", "messages"),
    ("sip_messages_bytes", "Their memory.", "bytes"),
    ("sip_messages_heard", "Copies that FreeSWITCH has sent.", "heard"),
    ("sip_messages_dropped", "Of known calls, for want of room.", "dropped"),
    ("sip_messages_refused", "Copies from somebody else, or that are none.", "refused"),
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class _Times:
    """When something came to pass in a transfer; seconds since 1970."""

    began: float
    called: float | None = None
    answered: float | None = None


class Figures:
    """Counts what the journal tells."""

    def __init__(
        self,
        live: Live,
        waiting: Callable[[], int],
        database_up: Callable[[], bool],
        heard: Callable[[], Mapping[str, int]] = dict,
        has_room: Callable[[], bool] = lambda: True,
        rules: Iterable[str] = (),
    ) -> None:
        """``waiting``: bytes of the journal that are not in the database yet; ``heard``: see
        `fsctl.desk.hearing.Hearing.figures`; ``has_room``: whether more can be noted; ``rules``:
        those of the policy that may refuse."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_Now(live, waiting, database_up, heard, has_room))
        self._times: OrderedDict[str, _Times] = OrderedDict()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"fsctl_{name}", meaning, labels, registry=self._registry)

        def times(name: str, meaning: str, buckets: Iterable[float]) -> Histogram:
            return Histogram(
                f"fsctl_{name}_seconds", meaning, registry=self._registry, buckets=tuple(buckets)
            )

        self._calls = counter("calls", "Sessions that have begun.", "switch")
        self._transfers = counter(
            "transfers", "Transfers that have ended.", "switch", "kind", "outcome", "code"
        )
        self._refused = counter("policy_refusals", "Transfers that the policy refused.", "rule")
        self._happened = counter(
            "events",
            "Recalls, takeovers of another worker's calls, rescues of what one left, new "
            "calls turned away.",
            "what",
        )
        self._ends = counter("process_ends", "Processes that have ended.", "expected")
        # One that appears with its first event would have no increase that Prometheus could see.
        for what in _EVENTS:
            self._happened.labels(what)
        for expected in ("yes", "no"):
            self._ends.labels(expected)
        for rule in rules:
            self._refused.labels(rule)
        self._switches: set[str] = set()
        """Those whose counters are there."""
        self._to_call = times(
            "transfer_request_to_call", "From the request to the call of its target.", _SHORT_S
        )
        self._rings = times("transfer_ring", "From the call of a target to its answer.", _RING_S)
        self._to_join = times(
            "transfer_answer_to_join",
            "From a target's answer to its join, and the report.",
            _SHORT_S,
        )

    def take(self, entry: Entry) -> None:
        """Count what has happened."""
        fields = entry.fields
        match entry.what:
            case "worker":
                for switch in fields.get("switches") or {}:
                    self._know(str(switch))
            case "session" if not fields.get("over"):
                self._know(str(fields.get("switch") or ""))
                self._calls.labels(str(fields.get("switch") or "")).inc()
            case "transfer":
                self._watch(str(fields.get("id")), entry.at)
            case "step":
                self._step(str(fields.get("transfer")), str(fields.get("step")), entry.at)
            case "record":
                self._record(entry)
            case "happened":
                self._happened.labels(str(fields.get("event"))).inc()
            case "process":
                self._ends.labels("no" if fields.get("status") else "yes").inc()

    def _know(self, switch: str) -> None:
        """From now on its counters are there, with nothing counted; see above."""
        if switch in self._switches or len(self._switches) >= _SWITCHES:
            return
        self._switches.add(switch)
        self._calls.labels(switch)
        for kind in _KINDS:
            for outcome, code in _OUTCOMES:
                self._transfers.labels(switch, kind, outcome, code)

    def text(self) -> bytes:
        """Return them as `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _watch(self, transfer: str, at: float) -> None:
        self._times.setdefault(transfer, _Times(at))
        if len(self._times) > _WATCHED:
            self._times.popitem(last=False)

    def _step(self, transfer: str, step: str, at: float) -> None:
        times = self._times.get(transfer)
        if times is None:
            return
        if step in _CALLED and times.called is None:
            times.called = at
            self._to_call.observe(max(0.0, at - times.began))
        elif step in _ANSWERED and times.called is not None and times.answered is None:
            times.answered = at
            self._rings.observe(max(0.0, at - times.called))
        elif step in _JOINED and times.called is not None:
            if times.answered is None:  # FreeSWITCH joins by itself: the answer is the join
                self._rings.observe(max(0.0, at - times.called))
            else:
                self._to_join.observe(max(0.0, at - times.answered))
            del self._times[transfer]

    def _record(self, entry: Entry) -> None:
        fields = entry.fields
        self._times.pop(str(fields.get("id")), None)
        names = ("switch", "kind", "outcome")
        labels = [str(fields.get(name) or "") for name in names]
        self._transfers.labels(*labels, f"{int(fields.get('code') or 0) // 100}xx").inc()
        went_on = fields.get("outcome") == "succeeded" or fields.get("shadow")
        if fields.get("rule") and not fields.get("allowed", True) and not went_on:
            self._refused.labels(str(fields["rule"])).inc()


class _Now(Collector):
    """Gauges are counts of what is there when they are asked for."""

    def __init__(
        self,
        live: Live,
        waiting: Callable[[], int],
        database_up: Callable[[], bool],
        heard: Callable[[], Mapping[str, int]],
        has_room: Callable[[], bool],
    ) -> None:
        self._has_room = has_room
        self._live, self._waiting, self._database_up = live, waiting, database_up
        self._heard = heard

    def collect(self) -> Iterable[Metric]:
        live, workers = self._live, list(self._live.workers.values())
        yield _gauge("calls_now", "Sessions that go on.", len(live.calls))
        legs = sum(
            leg.get("state") != "disconnected"
            for call in live.calls.values()
            for leg in call["legs"].values()
        )
        yield _gauge("legs_now", "Their parties.", legs)
        yield _gauge("transfers_now", "Transfers that go on.", len(live.running()))
        yield _gauge("workers", "Workers that were heard of lately.", len(workers))
        yield _gauge("database_up", "Whether the database takes records.", self._database_up())
        yield _gauge("journal_writable", "Whether there is room for more.", self._has_room())
        yield _gauge("journal_waiting_bytes", "Not in the database yet.", self._waiting())
        yield _counter("journal_lines_lost", "There was no room for them.", live.lost)
        for name, meaning, key, scale in (
            ("worker_sessions", "Sessions of a worker.", "sessions", 1),
            ("worker_links", "Links that FreeSWITCH has opened to a worker.", "links", 1),
            ("worker_loop_late_seconds", "The worst of the last seconds.", "late_ms", 1000),
            ("worker_resident_bytes", "Memory of a worker.", "resident", 1),
        ):
            yield _of_workers(GaugeMetricFamily, name, meaning, key, scale, workers)
        for name, meaning, key in (
            ("worker_cpu_seconds", "Processor time of a worker.", "cpu_s"),
            ("worker_log_lines_lost", "Nobody had read the log.", "log_lines_lost"),
        ):
            yield _of_workers(CounterMetricFamily, name, meaning, key, 1, workers)
        heard = self._heard()
        for name, meaning, key in _HEARD:
            kind = _gauge if name.endswith(("_now", "_bytes")) else _counter
            yield kind(name, meaning, heard.get(key, 0))
        family = GaugeMetricFamily(
            "fsctl_switch_connected",
            "Whether a worker is connected to FreeSWITCH's event socket.",
            labels=("worker", "pid", "switch"),
        )
        for worker in workers:
            labels = (str(worker.get("number")), str(worker.get("pid")))
            for switch, connected in (worker.get("switches") or {}).items():
                family.add_metric((*labels, switch), float(connected))
        yield family


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"fsctl_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"fsctl_{name}", meaning, value=value)


def _of_workers(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    meaning: str,
    key: str,
    scale: float,
    workers: list[dict[str, object]],
) -> Metric:
    """One that leaves is still there for some seconds, and its successor has its number."""
    family = kind(f"fsctl_{name}", meaning, labels=("worker", "pid"))
    for worker in workers:
        labels = (str(worker.get("number")), str(worker.get("pid")))
        family.add_metric(labels, float(str(worker.get(key) or 0)) / scale)
    return family
