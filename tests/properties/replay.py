"""Plays one story again: ``python -m tests.properties.replay "Story(...)" [--strict] [--rests]``.

The line is printed with each violation. ``--strict`` forgives nothing that is known; ``--rests``:
two who talk have no link any more.
"""

from __future__ import annotations

import argparse
import sys

from tests.properties.player import Violation, play
from tests.properties.stories import read_story


def main() -> int:
    """Print what was wrong, and all that was said; 1 if something was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("story")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--rests", action="store_true")
    arguments = parser.parse_args()
    try:
        record = play(read_story(arguments.story), strict=arguments.strict, rests=arguments.rests)
    except Violation as violation:
        print(violation)
        return 1
    print("nothing wrong;", "judged in full" if record.in_full else "not judged in full")
    return 0


if __name__ == "__main__":
    sys.exit(main())
