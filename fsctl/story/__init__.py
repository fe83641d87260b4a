"""The words in which a story of calls is told, whatever switch it is played on.

A story says who calls whom and who transfers whom where, and asks what the parties were told and
whom they hear. Its words are those of :class:`Party` and :class:`World`; this package plays them on
the simulated switch (:mod:`fsctl.story.simulated`), fsctl's own laboratory on FreeSWITCH with SIPp
phones. Where the two differ, the simulator is wrong.
"""

from __future__ import annotations

from fsctl.story.party import Headers, Party
from fsctl.story.simulated import SimulatedParty, SimulatedWorld
from fsctl.story.world import World, hear_each_other, talking

__all__ = [
    "Headers",
    "Party",
    "SimulatedParty",
    "SimulatedWorld",
    "World",
    "hear_each_other",
    "talking",
]
