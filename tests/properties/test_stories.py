"""Whatever happens in a story, the invariants hold (``FSCTL_STORIES=10000`` plays that many).

So many want ``-p no:logging``: pytest keeps every line that is logged until the test has ended, and
after some 6,000 stories the process has been seen to stand still for 5 s.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings

from tests.properties.player import play
from tests.properties.stories import Device, Leaves, Move, Story, read_story, stories

COUNT = int(os.environ.get("FSCTL_STORIES", "0"))
USUAL = 120
IN_FULL = 0.5
"""In so many of the stories each REFER's report, its code and record, and who was dropped must have
been judged: a generator or judge that lets more of them pass unseen proves little."""


def test_whatever_happens() -> None:
    judged: list[bool] = []

    @settings(
        max_examples=COUNT or USUAL,
        derandomize=not COUNT,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(stories())
    def whatever(story: Story) -> None:
        judged.append(play(story, rests=len(judged) % 2 == 1).in_full)

    whatever()
    print(f"{sum(judged)} of {len(judged)} stories were judged in full")
    assert sum(judged) >= IN_FULL * len(judged)


def test_a_story_is_printed_as_one_line_that_plays_it_again() -> None:
    moves = (
        Move("refers", "bob", "carol", turns=3),
        Move("hangs up", "bob"),
        Move("delays", "", "event CUSTOM"),
        Move("dies", seconds=0.5),
    )
    leaves, device = Leaves("202", 0.1, "both"), Device("busy", "|")
    for story in (
        Story("legacy", "answers", "busy", moves, False, leaves, device),
        Story("connect", "answers", "busy", ()),
    ):
        assert "\n" not in repr(story)
        assert read_story(repr(story)) == story
