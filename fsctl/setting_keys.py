"""``[keys]``: feature codes, by which a party in a call begins a transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

_CODE: Final = kinds.text("(?:[*#][0-9A-D*#]{1,7})?", "* or #, then one to seven keys, or nothing")
_KEY: Final = kinds.text("[0-9A-D*#]?", "one key, or nothing")
_SOUND: Final = kinds.text(
    r"""[^\x00-\x20\x7f$"'<>\\{}\[\]|^]{1,256}""",
    "a tone or the path of a sound, without blanks",
)


@dataclass(frozen=True, slots=True)
class Keys:
    """``[keys]``: what a party in a call presses. A code that is empty is off.

    ``blind`` and ``attended`` begin a transfer of whoever the party talks with; the number follows,
    until the key ``end`` or a pause of ``digit_timeout_s``; ``number_timeout_s`` is how long its
    first key may take. ``prompt`` is heard meanwhile, ``error`` when nothing comes of it. While the
    party talks with the target, ``complete`` does what hanging up does, ``cancel`` goes back to the
    first (also while the target rings), ``three_way`` joins all three. ``realm`` is where
    FreeSWITCH keeps the codes of a leg (``bind_digit_action``): only one of them is in force.
    """

    blind: str = key("", _CODE)
    attended: str = key("", _CODE)
    complete: str = key("*", _KEY)
    cancel: str = key("#", _KEY)
    three_way: str = key("0", _KEY)
    end: str = key("#", kinds.choice("#", "*"))
    number_timeout_s: int = key(10, kinds.integer(2, 60))
    digit_timeout_s: int = key(3, kinds.integer(1, 30))
    prompt: str = key("tone_stream://%(10000,0,350,440)", _SOUND)
    error: str = key("tone_stream://%(250,250,480,620);loops=3", _SOUND)
    realm: str = key("local", kinds.NAME)

    @property
    def codes(self) -> dict[str, str]:
        """The codes that are on, by what they begin."""
        known = {"blind": self.blind, "attended": self.attended}
        return {kind: code for kind, code in known.items() if code}


def complete(origin: str, table: dict[str, Any]) -> None:
    """Check what belongs together. Raises SettingsError."""
    where = f"{origin}: [keys]"
    made = Keys(**table)
    if made.blind and made.attended:
        short, long = sorted((made.blind, made.attended), key=len)
        if long.startswith(short):
            raise SettingsError(
                f'{where} attended: "{made.attended}" and blind = "{made.blind}": one must not'
                " begin like the other"
            )
    meanings: dict[str, str] = {}
    for name in ("complete", "cancel", "three_way"):
        pressed = getattr(made, name)
        if pressed and meanings.setdefault(pressed, name) != name:
            raise SettingsError(f'{where} {name}: "{pressed}" is that of {meanings[pressed]}')
