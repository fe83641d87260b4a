"""Who is heard in a recording: each phone says its own mark, and nothing else."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.live.lab.media import sample

_HEADER_BYTES = 44
_PART = 800
"""Samples that are looked at together: a tenth of a second."""
_QUIET = 8
"""No sample of silence is further from zero."""


def voices(path: Path, marks: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Whom a stereo recording has on its two sides, one after the other, by the phones' ``marks``.

    The left side is the party of the leg that was recorded, the right one whom that hears. ``""``
    is silence, ``"?"`` is none of them; a part that is shared by two is left out.
    """
    data = path.read_bytes()[_HEADER_BYTES:]
    samples = array("h", data[: len(data) // 4 * 4])
    names = {sample(mark): name for name, mark in marks.items()}
    left, right = (_in_order(samples[side::2], names) for side in (0, 1))
    return left, right


def _in_order(samples: array[int], names: Mapping[int, str]) -> list[str]:
    heard: list[str] = []
    for start in range(0, len(samples) - _PART, _PART):
        value, times = Counter(samples[start : start + _PART]).most_common(1)[0]
        if times < _PART * 0.9:
            continue
        name = "" if abs(value) <= _QUIET else names.get(value, "?")
        if heard[-1:] != [name]:
            heard.append(name)
    return heard
