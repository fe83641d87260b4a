"""API commands on one leg's media and SIP (mod_commands): record, digits, mute, hold, deflect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.deflect import deflect
from fsctl.simulator.dtmf import parse_digits, queue_digits, send_digits
from fsctl.simulator.holding import hold, unhold
from fsctl.simulator.parking import broadcast
from fsctl.simulator.progress import send_early_media
from fsctl.simulator.recording import start_recording, stop_recording
from fsctl.simulator.words import leading_number, separate

if TYPE_CHECKING:
    from fsctl.simulator.switch import SimulatedSwitch

_NO_SESSION = "-ERR Cannot locate session!\n"
_NO_CHANNEL = "-ERR No such channel!\n"
_SUCCESS = "+OK Success\n"
_RECORD_USAGE = "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
_AUDIO_USAGE = "-USAGE: <uuid> [start [read|write] [mute|level <level>]|stop]\n"


def _uuid_record(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 5)
    if len(words) < 3 or not all(words[:3]):
        return _RECORD_USAGE
    channel = switch.locate(words[0])
    if channel is None:
        return _NO_SESSION
    action, path = words[1].lower(), words[2]
    if action == "start":
        limit_s = leading_number(words[3]) if len(words) > 3 else 0
        done = start_recording(channel, path, limit_s)
        return _SUCCESS if done else "-ERR Cannot record session!\n"
    if action == "stop":
        done = stop_recording(channel, path)
        return _SUCCESS if done else "-ERR Cannot stop record session!\n"
    if action not in {"pause", "resume", "mask", "unmask"}:
        return _RECORD_USAGE
    known = path in channel.recordings
    return _SUCCESS if known else f"-ERR Cannot {action} recording session!\n"


def _uuid_buglist(switch: SimulatedSwitch, arguments: str) -> str:
    channel = switch.locate(arguments.strip())
    if channel is None:
        return ""
    bugs = "".join(
        " <media-bug>\n  <function>session_record</function>\n"
        f"  <target>{path}</target>\n </media-bug>\n"
        for path in channel.recordings
    )
    return f"<media-bugs>\n{bugs}</media-bugs>\n"


def _uuid_send_dtmf(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 2)
    if len(words) < 2 or not words[1]:
        return "-USAGE: <uuid> <dtmf_data>\n"
    channel = switch.locate(words[0])
    if channel is None:
        return _NO_SESSION
    sent = send_digits(channel, words[1])
    return f"+OK {words[0]} sent DTMF {words[1]}.\n" if sent else "-ERR Operation failed\n"


def _uuid_recv_dtmf(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 2)
    if len(words) < 2 or not words[1]:
        return "-USAGE: <uuid> <dtmf_data>\n"
    channel = switch.locate(words[0])
    if channel is None:
        return _NO_SESSION
    queue_digits(channel, parse_digits(words[1]))
    return f"+OK {words[0]} received DTMF {words[1]}.\n"


def _uuid_audio(switch: SimulatedSwitch, arguments: str) -> str:
    """``start read mute N``: nobody hears the phone; ``write``: the phone hears nothing; 0: both.

    Levels (``level N``) make no difference that a story could see.
    """
    words = arguments.split(" ")
    if len(words) < 2:
        return _AUDIO_USAGE
    channel = switch.locate(words[0])
    if channel is None:
        return _NO_CHANNEL
    if words[1].lower() == "stop":
        channel.muted.clear()
        return "+OK\n"
    action = [word.lower() for word in words[1:]]
    if action[0] != "start" or len(action) < 4 or action[1] not in {"read", "write"}:
        return _AUDIO_USAGE
    send_early_media(channel)
    if action[2] == "mute":
        muted = leading_number(action[3]) != 0
        (channel.muted.add if muted else channel.muted.discard)(action[1])
    return "+OK\n" if action[2] in {"mute", "level"} else _AUDIO_USAGE


def _uuid_hold(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 4)
    if not words or not words[0]:
        return "-USAGE: [off|toggle] <uuid> [<display>]\n-ERR Operation failed\n"
    action = words.pop(0).lower() if words[0].lower() in {"off", "toggle"} else ""
    channel = switch.locate(words[0]) if words else None
    if channel is None:
        # Success, says the source, whoever that may be.
        return _SUCCESS
    if action == "off" or (action == "toggle" and channel.call_state == "HELD"):
        done = unhold(channel)
    else:
        done = hold(channel)
    return _SUCCESS if done else "-ERR Operation failed\n"


def _uuid_deflect(switch: SimulatedSwitch, arguments: str) -> str:
    channel_uuid, _, target = arguments.partition(" ")
    if not channel_uuid or not target:
        return "-USAGE: <uuid> <uri>\n"
    channel = switch.locate(channel_uuid)
    if channel is None:
        return f"-ERR No such channel {channel_uuid}!\n"
    return f"+OK:{deflect(channel, target)}\n"


def _uuid_broadcast(switch: SimulatedSwitch, arguments: str) -> str:
    """``UUID PATH [aleg|bleg|both]``; without a word the partner hears hold music meanwhile.

    A path with blanks stands in quotes: its second word is taken for the legs otherwise, and with
    none of them in it nothing is executed, and the answer is the same.
    """
    words = separate(arguments, 4)
    if len(words) < 2:
        return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
    channel = switch.locate(words[0])
    if channel is None:
        return "-ERR invalid uuid\n"
    asked = words[2].lower() if len(words) > 2 else "aleg"
    bleg = ("bleg" in asked or "both" in asked) and "holdb" not in asked
    aleg = "aleg" in asked or "both" in asked
    broadcast(channel, words[1], legs="a" * aleg + "b" * bleg)
    return "+OK Message sent\n"


LEG_APIS: dict[str, Callable[[SimulatedSwitch, str], str]] = {
    "uuid_buglist": _uuid_buglist,
    "uuid_record": _uuid_record,
    "uuid_send_dtmf": _uuid_send_dtmf,
    "uuid_recv_dtmf": _uuid_recv_dtmf,
    "uuid_audio": _uuid_audio,
    "uuid_hold": _uuid_hold,
    "uuid_deflect": _uuid_deflect,
    "uuid_broadcast": _uuid_broadcast,
}
"""By name."""
