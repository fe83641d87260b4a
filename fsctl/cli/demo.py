"""``fsctl demo``: see calls and transfers on a simulated switch."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from contextlib import suppress

from fsctl.demo.ladder import Ladder
from fsctl.demo.play import Performance, Watch, perform
from fsctl.demo.stories import STORIES, Story
from fsctl.simulator import SipMessage


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo", help="play calls and transfers on a simulated switch, as SIP ladders"
    )
    parser.add_argument("--fast", action="store_true", help="do not wait where people would")
    parser.add_argument("--json", action="store_true", help="one JSON object for each story")
    parser.add_argument(
        "stories", nargs="*", metavar="STORY", help="of " + ", ".join(s.name for s in STORIES)
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play; 0 when every call went as it should, 1 when any did not, 2 for an unknown story."""
    known = {story.name: story for story in STORIES}
    unknown = [name for name in arguments.stories if name not in known]
    if unknown:
        print(f"fsctl demo: no story {', '.join(unknown)}", file=sys.stderr)
        return 2
    chosen = [known[name] for name in arguments.stories] or list(STORIES)
    show = _as_json if arguments.json else _as_ladder
    if not arguments.json:
        print("The switch and the phones are SIMULATED; the controller is fsctl itself, over TCP.")
    results = [show(story, not arguments.fast) for story in chosen]
    good = sum(result.ok for result in results)
    if not arguments.json:
        print(f"\n{good} of {len(results)} stories went as they should (simulated switch).")
    return 0 if good == len(results) else 1


def _as_json(story: Story, real_time: bool) -> Performance:
    result = perform(story, lambda name, message: None, real_time=real_time)
    print(json.dumps(result.as_json()), flush=True)
    return result


def _as_ladder(story: Story, real_time: bool) -> Performance:
    names = ["Alice", "Bob", "Carol"] + (["Dave"] if story.name == "chain" else [])
    ladder = Ladder(names, shutil.get_terminal_size((100, 24)).columns)
    print(f"\n{story.name}: {story.text}\n\n{ladder.head()}")
    result = perform(story, _drawing(ladder), real_time=real_time)
    print(f"\n{'ok' if result.ok else 'FAILED: ' + result.failure}", flush=True)
    return result


def _drawing(ladder: Ladder) -> Watch:
    first_s: list[float] = []

    def draw(name: str, message: SipMessage) -> None:
        first_s.append(message.time_s)
        # Called in greenlets, too. That nobody reads any more is found out after the story.
        with suppress(BrokenPipeError):
            print(ladder.message(name, message, message.time_s - first_s[0]), flush=True)

    return draw
