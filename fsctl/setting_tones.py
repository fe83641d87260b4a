"""What may be heard while somebody waits: the ringing tones of the countries (pure).

Source: ITU-T E.180, Supplement 2 ("Various tones used in national networks", 01/1994, and the
Operational Bulletin 781), in FreeSWITCH's words (libteletone: milliseconds of tone and of silence,
then the frequencies in Hz); where that allows several, as in FreeSWITCH's conf/vanilla/vars.xml.
Modulated tones have the two frequencies that are heard.
"""

from __future__ import annotations

from typing import Final

_EVERY_FIVE: Final = "%(1000,4000,425)"
_TWICE: Final = "%(400,200,400,450);%(400,2000,400,450)"

RINGING: Final = {
    "at": "%(1000,5000,420)",
    "au": "%(400,200,383,417);%(400,2000,383,417)",
    "be": "%(1000,3000,425)",
    "br": _EVERY_FIVE,
    "ca": "%(2000,4000,440,480)",
    "ch": _EVERY_FIVE,
    "cn": "%(1000,4000,450)",
    "cz": _EVERY_FIVE,
    "de": _EVERY_FIVE,
    "dk": _EVERY_FIVE,
    "es": "%(1500,3000,425)",
    "fi": _EVERY_FIVE,
    "fr": "%(1500,3500,440)",
    "gb": _TWICE,
    "gr": _EVERY_FIVE,
    "hu": "%(1250,3750,425)",
    "ie": _TWICE,
    "il": "%(1000,3000,400)",
    "in": "%(400,200,375,425);%(400,2000,375,425)",
    "it": _EVERY_FIVE,
    "jp": "%(1000,2000,380,420)",
    "mx": _EVERY_FIVE,
    "nl": _EVERY_FIVE,
    "no": _EVERY_FIVE,
    "nz": _TWICE,
    "pl": _EVERY_FIVE,
    "pt": "%(1000,5000,425)",
    "ru": "%(800,3200,425)",
    "se": "%(1000,5000,425)",
    "tr": "%(2000,4000,450)",
    "us": "%(2000,4000,440,480)",
}
"""By country (ISO 3166)."""

MUSIC: Final = "music"
"""FreeSWITCH's hold music, the channel variable ``hold_music``."""
SILENCE: Final = "silence"
