"""What is printed: medians over the rounds, ratios to FreeSWITCH alone, failures by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import median

from bench import svg
from bench.switch.contestants import SWITCH
from bench.switch.measure import Figures, Slot, quantile

Found = Mapping[str, Mapping[bool, Figures]]
_BASE = "alone"
_KINDS = {True: "one blind transfer a call", False: "no transfer"}


def table(found: Found, rate: float) -> str:
    """All tables of a comparison."""
    scripts = next(iter(found.values()))
    parts = [_costs(found, transfer, rate) for transfer in scripts]
    parts += [_latencies(found, transfer) for transfer in scripts]
    return "\n\n".join([*parts, _failures(found)])


def _costs(found: Found, transfer: bool, rate: float) -> str:
    """Processor time a call, by process, with the smallest and the largest of the rounds."""
    what = f"CPU ms a call, {_KINDS[transfer]}, {rate:g} calls/s"
    lines = [f"{what} (median, least..most; x FreeSWITCH alone)"]
    base = found.get(_BASE)
    for name, scripts in found.items():
        figures = scripts[transfer]
        for kind in figures.slots[0].spent_ms:
            values = figures.cpu_ms(kind)
            row = f"  {name:22} {kind:11} {median(values):7.2f}"
            row += f"  {min(values):6.2f}..{max(values):.2f}"
            if base and kind == SWITCH:
                ratios = zip(values, base[transfer].cpu_ms(kind), strict=True)
                row = f"{row:58} x {median(one / other for one, other in ratios):5.2f}"
            row = f"{row:68} idle {figures.idle_ms_a_s.get(kind, 0) / 10:.2f} %"
            lines.append(row)
        lines.append(f"  {name:22} {'(phones)':11} {figures.phones_ms():7.2f}")
    return "\n".join(lines)


def _latencies(found: Found, transfer: bool) -> str:
    lines = [f"ms on the wire, {_KINDS[transfer]} (p50, p99, of)"]
    for name, scripts in found.items():
        for what, values in scripts[transfer].latencies_ms().items():
            p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
            lines.append(f"  {name:22} {what:17} {p50:7.1f} {p99:7.1f} {len(values):6}")
    return "\n".join(lines)


def _failures(found: Found) -> str:
    lines = []
    for name, scripts in found.items():
        for transfer, figures in scripts.items():
            slots = figures.slots
            failed = sum((slot.played.failed for slot in slots), Counter[str]())
            calls = sum(slot.played.calls for slot in slots)
            resent = sum(slot.played.resent for slot in slots)
            late_ms = max(slot.played.late_ms for slot in slots)
            what = f"{name}, {_KINDS[transfer]}: {failed.total()} of {calls} failed"
            what += "".join(f"; {count} {kind}" for kind, count in failed.most_common())
            more = f" ({resent} sent again)" if resent else ""
            lines.append(f"{what}{more}; phones late by {late_ms:.0f} ms at most")
    return "\n".join(lines)


def held(found: Mapping[str, Mapping[str, float]], calls: int) -> str:
    """What calls cost in which two just talk."""
    base = found.get(_BASE, {}).get(SWITCH)
    lines = [f"CPU ms a second and call, of {calls} that just talk"]
    for name, kinds in found.items():
        for kind, spent_ms in kinds.items():
            row = f"  {name:22} {kind:11} {spent_ms:7.2f}"
            if base and kind == SWITCH:
                row += f"  x {spent_ms / base:.2f}"
            lines.append(row)
    return "\n".join(lines)


def rates(found: Mapping[str, float]) -> str:
    """The highest rates without a failure."""
    base = found.get(_BASE)
    lines = ["highest rate without a failure, calls/s (x FreeSWITCH alone)"]
    for name, rate in found.items():
        lines.append(f"  {name:22} {rate:6.1f}" + (f"  x {rate / base:.2f}" if base else ""))
    return "\n".join(lines)


def overloaded(name: str, slot: Slot) -> str:
    """What became of calls at more than it bears."""
    played = slot.played
    lines = [f"{name}: {played.failures} of {played.calls} failed"]
    lines += [f"  {count:5} {kind}" for kind, count in played.failed.most_common()]
    for what, values in played.latencies_ms.items():
        ordered = sorted(values)
        p50, p99 = quantile(ordered, 0.5), quantile(ordered, 0.99)
        lines.append(f"  {what:17} p50 {p50:7.1f} p99 {p99:7.1f} ms")
    return "\n".join(lines)


def plot(found: Found) -> str:
    """Processor time a call with a transfer, stacked by process, as SVG."""
    scripts = next(iter(found.values()))
    charts = []
    for transfer in scripts:
        rows = {
            name: {
                kind: median(each[transfer].cpu_ms(kind))
                for kind in each[transfer].slots[0].spent_ms
            }
            for name, each in found.items()
        }
        charts.append(svg.Chart(f"CPU ms a call, {_KINDS[transfer]}", rows))
    return svg.bars(charts)
