"""Recording a whole leg: ``uuid_record`` and ``record_session`` (switch_ivr_async.c)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fsctl.simulator.progress import send_early_media

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.clock import Timer


def start_recording(channel: Channel, path: str, limit_s: int = 0) -> bool:
    """``switch_ivr_record_session_event``; True also when the path is being recorded already.

    ``limit_s`` 0: no limit.
    """
    send_early_media(channel)
    if not channel.up or not (channel.answered or channel.early):
        return False
    if path in channel.recordings:
        return True
    timer: Timer | None = None
    if limit_s:
        timer = channel.switch.clock.call_later(limit_s, partial(_expire, channel, path))
    channel.recordings[path] = timer
    channel.fire("RECORD_START", ("Record-File-Path", path))
    return True


def stop_recording(channel: Channel, path: str) -> bool:
    """End one recording, or ``all``; False when there was none."""
    chosen = list(channel.recordings) if path.lower() == "all" else [path]
    return any([_stop(channel, one) for one in chosen])


def _expire(channel: Channel, path: str) -> None:
    _stop(channel, path)


def _stop(channel: Channel, path: str) -> bool:
    if path not in channel.recordings:
        return False
    timer = channel.recordings.pop(path)
    if timer is not None:
        timer.cancel()
    channel.fire("RECORD_STOP", ("Record-File-Path", path))
    return True
