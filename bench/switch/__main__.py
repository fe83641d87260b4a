"""What fsctl costs a real FreeSWITCH, beside FreeSWITCH alone; see bench/README.md."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from statistics import mean

from bench.exclusive import exclusive
from bench.switch import contestants, report
from bench.switch.contestants import Alone
from bench.switch.limits import in_real_time, overload, search
from bench.switch.measure import Figures, held, idle, play
from bench.switch.phones import Script

WARM_CALLS = 10
HELD_S = 10.0
DEFAULT = "alone,transfers,calls,greenswitch"


def compare(running: list[Alone], arguments: argparse.Namespace) -> dict[str, dict[bool, Figures]]:
    """All in turn, round by round; by name, with and without a transfer."""
    scripts = [Script(transfer=True), Script(transfer=False)]
    if arguments.no_plain:
        scripts.pop()
    found = {each.name: {script.transfer: Figures() for script in scripts} for each in running}
    idles: list[list[dict[str, float]]] = []
    for number in range(1, arguments.rounds + 1):
        idles.append(idle(running, arguments.calls / arguments.rate + 2))
        for script in scripts:
            for each in running:
                slot = play(each, arguments.calls, arguments.rate, script)
                found[each.name][script.transfer].slots.append(slot)
        print(f"round {number} of {arguments.rounds}", file=sys.stderr, flush=True)
    for index, each in enumerate(running):
        kinds = idles[0][index]
        calm = {kind: mean(one[index][kind] for one in idles) for kind in kinds}
        for figures in found[each.name].values():
            figures.idle_ms_a_s = calm
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.switch", description=__doc__)
    add = parser.add_argument
    add("--rate", type=float, default=5, help="calls a second")
    add("--calls", type=int, default=40, help="in each slot")
    add("--rounds", type=int, default=5)
    add("--only", default=DEFAULT, help=f"some of {','.join(contestants.MAKERS)}")
    add("--beside", type=Path, action="append", default=[], metavar="FOLDER",
        help="another checkout of fsctl with its .venv, compared in the same run")  # fmt: skip
    add("--no-plain", action="store_true", help="no calls without a transfer")
    add("--rate-search", action="store_true", help="the highest rate at which no call fails")
    add("--overload", action="store_true", help="what becomes of calls at twice that rate")
    add("--held", type=int, default=0, metavar="N", help="what N calls that just talk cost")
    add("--plot", type=Path, metavar="FILE.svg", help="draw it, too")
    return parser.parse_args()


def main() -> int:
    """Run, and print what was found."""
    arguments = _arguments()
    with contextlib.ExitStack() as stack:
        stack.enter_context(exclusive())
        running = contestants.make(arguments.only.split(","), arguments.beside)
        for each in running:
            stack.callback(each.stop)
        for each in running:
            each.start()
            play(each, WARM_CALLS, arguments.rate, Script())
        if arguments.held:
            found_held = {each.name: held(each, arguments.held, HELD_S) for each in running}
            print(report.held(found_held, arguments.held))
        elif arguments.rate_search or arguments.overload:
            in_real_time()
            rates = {each.name: search(each) for each in running}
            print(report.rates(rates))
            if arguments.overload:
                for each in running:
                    print(report.overloaded(each.name, overload(each, 2 * rates[each.name])))
        else:
            found = compare(running, arguments)
            print(report.table(found, arguments.rate))
            if arguments.plot:
                arguments.plot.write_text(report.plot(found), encoding="utf-8")
        for each in running:
            if problems := each.problems():
                print(f"{each.name} has logged {problems}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
