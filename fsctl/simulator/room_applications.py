"""Applications in which a leg stays with others or alone: rooms, lots, queues, mailboxes.

Only what a caller meets: it is there, hears what one hears there (``Phone.hears``), and leaves by
hanging up or by being moved. No menus, no pins, no agents.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fsctl.simulator.events import SimEvent
from fsctl.simulator.hearing import sound_of
from fsctl.simulator.media_applications import play, record_here
from fsctl.simulator.parking import obey_until
from fsctl.simulator.progress import send_answer, send_early_media
from fsctl.simulator.uuid_bridge import uuid_bridge
from fsctl.simulator.words import leading_number, separate

if TYPE_CHECKING:
    from fsctl.simulator.applications import Application
    from fsctl.simulator.channel import Channel

_MESSAGE_LIMIT_S = 300


def _stay(channel: Channel, hears: str) -> None:
    """Until the leg hangs up or is moved."""
    channel.place = hears
    obey_until(channel, lambda: not channel.ready)
    channel.place = ""


def _conference(channel: Channel, argument: str) -> None:
    """``conference NAME[@PROFILE][+PIN]``: all members of a name hear each other."""
    name = re.split("[@+ ]", argument, maxsplit=1)[0]
    if not name:
        return
    send_answer(channel)
    members = channel.switch.rooms.setdefault(name, [])
    members.append(channel)
    _tell(channel, name, "add-member", len(members))
    _stay(channel, f"conference {name}")
    members.remove(channel)
    _tell(channel, name, "del-member", len(members))


def _tell(channel: Channel, name: str, action: str, size: int) -> None:
    event = SimEvent("CUSTOM", subclass="conference::maintenance")
    event.add("Conference-Name", name).add("Conference-Size", size)
    channel.fill(event)
    channel.switch.publish(event.add("Action", action))


def _valet_park(channel: Channel, argument: str) -> None:
    """``valet_park LOT EXTENSION`` or ``LOT auto in|out MIN MAX`` (mod_valet_parking).

    Whoever comes second to an occupied place is joined with the one who waits there.
    """
    words = separate(argument, 6)
    if len(words) < 2:
        return
    lot = channel.switch.lots.setdefault(words[0], {})
    place = words[1]
    if place == "auto":
        place = _place(channel, words[2:], lot)
    waiting = channel.switch.locate(lot.get(place, ""))
    if waiting is not None and waiting is not channel:
        _valet_event(waiting, words[0], place, "bridge")
        del lot[place]
        uuid_bridge(channel.switch, waiting.uuid, channel.uuid)
        return
    if not place:
        return
    lot[place] = channel.uuid
    send_early_media(channel)
    _valet_event(channel, words[0], place, "hold")
    music = channel.get_variable("valet_hold_music") or channel.get_variable("hold_music")
    _stay(channel, sound_of(music or "silence"))
    if lot.get(place) == channel.uuid:
        del lot[place]
        _valet_event(channel, words[0], place, "exit")


def _place(channel: Channel, words: list[str], lot: dict[str, str]) -> str:
    """The first free place of ``in MIN MAX``, the first one taken of ``out``; none: empty."""
    if len(words) < 3 or words[0].lower() not in {"in", "out"}:
        return ""
    low, high = leading_number(words[1]), leading_number(words[2])
    wanted = words[0].lower() == "out"
    for number in map(str, range(low, high + 1)):
        if (channel.switch.locate(lot.get(number, "")) is not None) == wanted:
            return number
    return ""


def _valet_event(channel: Channel, lot: str, place: str, action: str) -> None:
    event = SimEvent("CUSTOM", subclass="valet_parking::info").add("Valet-Lot-Name", lot)
    event.add("Valet-Extension", place).add("Action", action)
    channel.fire_event(event)


def _fifo(channel: Channel, argument: str) -> None:
    """``fifo NAME in``: wait with music; nobody ever comes out."""
    words = separate(argument, 4)
    if len(words) < 2 or words[1] != "in":
        return
    send_answer(channel)
    _wait_in_queue(channel, "fifo_music")


def _callcenter(channel: Channel, argument: str) -> None:
    """``callcenter QUEUE@DOMAIN``: wait with music; there are no agents."""
    send_answer(channel)
    _wait_in_queue(channel, "cc_moh_override")


def _wait_in_queue(channel: Channel, variable: str) -> None:
    music = channel.get_variable(variable) or channel.get_variable("hold_music")
    _stay(channel, sound_of(music or "silence"))


def _voicemail(channel: Channel, argument: str) -> None:
    """``voicemail [check] PROFILE DOMAIN [BOX]``: a greeting, then the message or the menu."""
    words = argument.split()
    send_answer(channel)
    channel.place = "voicemail"
    play(channel, "phrase:voicemail_record_message")
    if channel.ready and words[:1] != ["check"]:
        record_here(channel, f"voicemail/{'/'.join(words)}.wav", _MESSAGE_LIMIT_S)
    elif channel.ready:
        obey_until(channel, lambda: not channel.ready)
    channel.place = ""


ROOM_APPLICATIONS: dict[str, Application] = {
    "conference": _conference,
    "valet_park": _valet_park,
    "fifo": _fifo,
    "callcenter": _callcenter,
    "voicemail": _voicemail,
}
"""By name."""
