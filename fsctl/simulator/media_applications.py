"""Applications that play, record, and take or send digits (mod_dptools).

Each one obeys ``sendmsg`` and takes digits while it runs, and ends with the leg, with a transfer,
and with ``uuid_break``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.dtmf import parse_digits, queue_digits, send_digits
from fsctl.simulator.parking import has_message, obey_until, run_next_message
from fsctl.simulator.progress import hang_up, send_early_media
from fsctl.simulator.recording import start_recording, stop_recording
from fsctl.simulator.words import leading_number, separate

if TYPE_CHECKING:
    from fsctl.simulator.applications import Application
    from fsctl.simulator.channel import Channel

FILE_S = 5.0
"""How long a file or tone without end lasts."""

_SHORTEST_TIMEOUT_MS = 1000
_Digit = Callable[[str], bool]


def play(channel: Channel, path: str, on_digit: _Digit | None = None) -> bool:
    """``switch_ivr_play_file``; True when it did not come to its end.

    ``loops=-1`` and ``local_stream://`` play for ever.
    """
    send_early_media(channel)
    scheme = path.partition("://")[0]
    kind = [("Playback-File-Type", scheme)] if scheme in {"local_stream", "tone_stream"} else []
    said = (*kind, ("Playback-File-Path", path))
    before, channel.hears_tone = channel.hears_tone, path
    channel.fire("PLAYBACK_START", *said)
    endless = "loops=-1" in path or path.startswith(("local_stream://", "silence_stream://-1"))
    broken = obey_until(channel, _ended(channel), None if endless else FILE_S, on_digit)
    channel.hears_tone = before if channel.ready else ""
    channel.flags.discard("break")
    channel.fire("PLAYBACK_STOP", *said, ("Playback-Status", "break" if broken else "done"))
    return broken


def _ended(channel: Channel) -> Callable[[], bool]:
    return lambda: not channel.ready or "break" in channel.flags


def _terminator(channel: Channel) -> _Digit:
    """``on_dtmf`` of mod_dptools: ``playback_terminators``, by default the star."""
    wanted = channel.get_variable("playback_terminators") or "*"
    digits = {"any": "1234567890*#", "none": ""}.get(wanted.lower(), wanted)

    def ends(digit: str) -> bool:
        if digit in digits:
            channel.set_variable("playback_terminator_used", digit)
        return digit in digits

    return ends


def _playback(channel: Channel, argument: str) -> None:
    channel.set_variable("playback_terminator_used", None)
    play(channel, argument, _terminator(channel))
    channel.set_variable("current_application_response", "FILE PLAYED")


def _endless_playback(channel: Channel, argument: str) -> None:
    # Not even `uuid_break` ends it: it starts anew.
    while channel.ready:
        play(channel, argument)
    channel.set_variable("current_application_response", "FILE PLAYED")


def _sleep(channel: Channel, argument: str) -> None:
    """``switch_ivr_sleep``: a digit ends it and stays in the queue, unless it shall be eaten."""
    milliseconds = leading_number(argument)
    if milliseconds <= 0:
        return
    if channel.is_true("sleep_eat_digits"):
        obey_until(channel, _ended(channel), milliseconds / 1000, _terminator(channel))
        return
    over = _ended(channel)
    clock = channel.switch.clock
    deadline_s = clock.now_s + milliseconds / 1000
    while not (over() or channel.dtmf_queue) and (left_s := deadline_s - clock.now_s) > 0:
        channel.wait(lambda: over() or bool(channel.dtmf_queue) or has_message(channel), left_s)
        if has_message(channel) and not over():
            run_next_message(channel)


def _record(channel: Channel, argument: str) -> None:
    """``record PATH [SECONDS]``: a leg that is moved on meanwhile is hung up, as there."""
    words = separate(argument, 4)
    if not words:
        return
    limit_s = leading_number(words[1].lstrip("+")) if len(words) > 1 else 0
    channel.set_variable("playback_terminator_used", None)
    record_here(channel, words[0], limit_s, _terminator(channel))
    if not channel.ready:
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")


def record_here(
    channel: Channel, path: str, limit_s: int = 0, on_digit: _Digit | None = None
) -> None:
    """``switch_ivr_record_file``: the leg says, and hears nothing."""
    send_early_media(channel)
    began_s = channel.switch.clock.now_s
    channel.fire("RECORD_START", ("Record-File-Path", path))
    obey_until(channel, _ended(channel), float(limit_s) if limit_s else None, on_digit)
    channel.flags.discard("break")
    took_s = channel.switch.clock.now_s - began_s
    channel.set_variable("record_seconds", str(int(took_s)))
    channel.set_variable("record_ms", str(int(took_s * 1000)))
    channel.fire("RECORD_STOP", ("Record-File-Path", path))


def _record_session(channel: Channel, argument: str) -> None:
    words = argument.split(" ")
    if words[0]:
        limited = len(words) > 1 and words[1].startswith("+")
        start_recording(channel, words[0], leading_number(words[1]) if limited else 0)


def _stop_record_session(channel: Channel, argument: str) -> None:
    stop_recording(channel, argument)


def _read(channel: Channel, argument: str) -> None:
    """``read MIN MAX PROMPT VARIABLE TIMEOUT_MS TERMINATORS DIGIT_TIMEOUT_MS``."""
    words = [*separate(argument, 7), *[""] * 7]
    least = max(1, leading_number(words[0]))
    most = max(least, leading_number(words[1]))
    digits, result = _collect(channel, least, most, words[2], words[4:7])
    if words[3]:
        channel.set_variable(words[3], digits)
    channel.set_variable("read_result", result)


def _collect(
    channel: Channel, least: int, most: int, prompt: str, more: list[str]
) -> tuple[str, str]:
    """``switch_ivr_read``: digits and ``read_result``; the first digit ends the prompt."""
    timeout_ms = max(_SHORTEST_TIMEOUT_MS, leading_number(more[0]))
    terminators = more[1] or "#"
    between_ms = leading_number(more[2]) or timeout_ms
    got: list[str] = []
    ended: list[str] = []

    def on_digit(digit: str) -> bool:
        (ended if digit in terminators else got).append(digit)
        return True

    send_early_media(channel)
    if prompt and prompt != "silence":
        play(channel, prompt, on_digit)
    timed_out = False
    while channel.ready and not ended and not timed_out and len(got) < most:
        wait_ms = between_ms if got else timeout_ms
        timed_out = not obey_until(channel, _ended(channel), wait_ms / 1000, on_digit)
    if ended:
        channel.set_variable("read_terminator_used", ended[0])
    if len(got) < least:
        return "".join(got), "failure"
    return "".join(got), "timeout" if timed_out else "success"


def _play_and_get_digits(channel: Channel, argument: str) -> None:
    """``MIN MAX TRIES TIMEOUT TERMINATORS FILE INVALID_FILE VARIABLE REGEX DIGIT_TIMEOUT``.

    As ``switch_play_and_get_digits``; ``transfer_on_failure`` is not played.
    """
    words = [*separate(argument, 11), *[""] * 11]
    least = max(0, leading_number(words[0]))
    most = max(least, leading_number(words[1]))
    for _ in range(max(1, leading_number(words[2]))):
        more = [words[3], words[4], words[9]]
        digits, _result = _collect(channel, max(least, 1), most, words[5], more)
        if not channel.ready:
            return
        if len(digits) >= least and re.fullmatch(words[8] or ".*", digits):
            channel.set_variable(words[7] or "play_and_get_digits", digits)
            channel.set_variable("read_result", "success")
            return
        if words[6] and words[6] != "silence":
            play(channel, words[6])
    channel.set_variable("read_result", "failure")


def _send_dtmf(channel: Channel, argument: str) -> None:
    send_digits(channel, argument)


def _queue_dtmf(channel: Channel, argument: str) -> None:
    queue_digits(channel, parse_digits(argument))


def _flush_dtmf(channel: Channel, argument: str) -> None:
    channel.dtmf_queue.clear()


MEDIA_APPLICATIONS: dict[str, Application] = {
    "playback": _playback,
    "endless_playback": _endless_playback,
    "sleep": _sleep,
    "record": _record,
    "record_session": _record_session,
    "stop_record_session": _stop_record_session,
    "read": _read,
    "play_and_get_digits": _play_and_get_digits,
    "send_dtmf": _send_dtmf,
    "queue_dtmf": _queue_dtmf,
    "flush_dtmf": _flush_dtmf,
}
"""By name."""
