"""What fsctl alone costs, on a replayed FreeSWITCH, beside greenswitch and bare gevent; see
bench/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
from pathlib import Path
from statistics import median

from bench import svg
from bench.exclusive import exclusive
from bench.replay import record
from bench.replay.contestants import CORES, Contestant, Fsctl, Other
from bench.replay.measure import MEASURES, WARM_CALLS, Figures
from bench.switch.phones import Script
from tests.live.lab.fsctl_process import REPOSITORY

Found = dict[str, dict[str, list[float]]]
"""By contestant and figure: a value for each round."""


def make(name: str, scope: str, beside: list[Path]) -> list[Contestant]:
    """The contestants of that name; fsctl once more from each source in ``beside``."""
    if name == "fsctl":
        others = [Fsctl(f"fsctl {folder.name}", scope, folder.resolve()) for folder in beside]
        return [Fsctl("fsctl", scope), *others]
    if name == "two":
        return [Fsctl("two workers", scope, workers=2)]
    if name == "bare":
        return [Other("bare gevent", scope, ["bench.replay.bare", scope, str(REPOSITORY)])]
    if name == "greenswitch":
        return [Other("greenswitch", scope, ["bench.switch.greenswitch_pbx"])]
    raise SystemExit(f"no such contestant: {name}")


def compare(running: list[Contestant], measures: list[str], rounds: int, calls: int) -> Found:
    """All in turn, round by round."""
    found: Found = {each.name: {} for each in running}
    for name in measures:
        for _ in range(rounds if name in ("saturated", "latency", "burst") else 1):
            for each in running:
                figures: Figures = MEASURES[name](each, calls)
                for what, figure in figures.items():
                    found[each.name].setdefault(what, []).append(figure)
        print(f"{name} is done", file=sys.stderr, flush=True)
    return found


def table(found: Found) -> str:
    """A row for each figure, a column for each contestant: medians (sums of what failed)."""
    names = list(found)
    rows = list(dict.fromkeys(what for figures in found.values() for what in figures))
    lines = [f"{'':36}" + "".join(f"{name:>16}" for name in names)]
    for what in rows:
        cells = []
        for name in names:
            values = found[name].get(what)
            figure = (sum(values) if what == "failed" else median(values)) if values else None
            cells.append(f"{'-' if figure is None else f'{figure:.2f}':>16}")
        lines.append(f"{what:36}" + "".join(cells))
    return "\n".join([*lines, *_ratios(found)])


def _ratios(found: Found) -> list[str]:
    """fsctl's calls per core against the others', by the rounds of one run."""
    what = "CPU ms a call"
    own = found.get("fsctl", {}).get(what)
    lines = []
    for name, figures in found.items():
        if own and name != "fsctl" and what in figures:
            ratio = median(other / ours for other, ours in zip(figures[what], own, strict=True))
            lines.append(f"fsctl does x {ratio:.2f} the calls of {name} with the same CPU")
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    add = parser.add_argument
    add("--scope", choices=("calls", "transfers"), default="calls")
    add("--only", default="fsctl,bare,greenswitch", help="some of these")
    add("--measure", default="saturated,latency,burst,idle,memory,held", help="some of these")
    add("--rounds", type=int, default=3)
    add("--calls", type=int, default=300, help="of each contestant in a round")
    add("--beside", type=Path, action="append", default=[], metavar="FOLDER",
        help="another checkout of fsctl with its .venv, compared in the same run")  # fmt: skip
    add("--record", action="store_true", help="record anew, on a real FreeSWITCH, and end")
    add("--plot", type=Path, metavar="FILE.svg", help="draw CPU a call, too")
    return parser.parse_args()


def main() -> int:
    """Run, and print what was found."""
    arguments = _arguments()
    if arguments.record:
        for scope in ("calls", "transfers"):
            print(record.save(scope, record.record(scope, Script())))
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    names = arguments.only.split(",")
    if arguments.scope == "transfers":
        names = [name for name in names if name != "greenswitch"]  # it runs whole calls only
    with contextlib.ExitStack() as stack:
        stack.enter_context(exclusive())
        running = [one for name in names for one in make(name, arguments.scope, arguments.beside)]
        for each in running:
            stack.callback(each.stop)
            each.start()
        os.sched_setaffinity(0, CORES[-1:])
        for each in running:
            MEASURES["saturated"](each, WARM_CALLS)
        measures = arguments.measure.split(",")
        found = compare(running, measures, arguments.rounds, arguments.calls)
    print(f"scope {arguments.scope}, one transfer a call, one core for the controller")
    print(table(found))
    if arguments.plot:
        rows = {
            name: {"controller": median(figures["CPU ms a call"])}
            for name, figures in found.items()
        }
        chart = svg.Chart(f"controller: CPU ms a call, scope {arguments.scope}", rows)
        arguments.plot.write_text(svg.bars([chart]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
