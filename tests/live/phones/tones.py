"""Every phone has a voice, a tone of its own; a Goertzel filter tells whose are in a sound."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Collection, Sequence
from pathlib import Path

RATE = 8000
"""Samples a second."""
TONES = (600, 750, 900, 1050, 1350, 1650)
"""Hz. Multiples of 50, so that they repeat every 160 samples; no ringback, nobody's harmonic."""
AMPLITUDE = 8000
TAIL = 1200
"""Samples at the end of a recording that say what is heard now: 150 ms."""
ENOUGH = 800
"""Samples in which a tone can be told from its neighbours: 100 ms."""
_HEADER = 44
_SHARE = 0.2
"""Of a sound's energy that a tone must have to be heard in it."""
_FAINT = 300.0
"""Root of the mean square below which a sound is silence."""


def sine(hertz: int, samples: int) -> list[int]:
    """So many samples of a tone."""
    step = 2 * math.pi * hertz / RATE
    return [round(AMPLITUDE * math.sin(step * number)) for number in range(samples)]


def write_wav(path: Path, hertz: int, duration_s: float) -> None:
    """A file that plays that tone for so long."""
    samples = sine(hertz, RATE // 50) * round(duration_s * 50)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def tones_in(samples: Sequence[int]) -> Collection[int]:
    """Those of `TONES` that are heard in it; none in what is too short, or silence."""
    if len(samples) < ENOUGH:
        return set()
    energy = sum(sample * sample for sample in samples)
    if energy < _FAINT * _FAINT * len(samples):
        return set()
    return {hertz for hertz in TONES if _energy_at(hertz, samples) > _SHARE * energy}


def _energy_at(hertz: int, samples: Sequence[int]) -> float:
    """Goertzel: how much of the sum of squares is a sine of that frequency."""
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    last, before = 0.0, 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    return 2 * (last * last + before * before - factor * last * before) / len(samples)


def read_wav(path: Path, start: int) -> Sequence[int]:
    """The samples of a file that is still written, from that byte on.

    Its header may be written last, so nothing of it is read: 44 bytes, as all these phones write.
    """
    with path.open("rb") as file:
        file.seek(max(start - start % 2, _HEADER))
        sound = file.read()
    return struct.unpack(f"<{len(sound) // 2}h", sound[: len(sound) // 2 * 2])
