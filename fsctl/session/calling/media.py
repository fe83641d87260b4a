"""What a call's verbs send to FreeSWITCH: applications and API commands on its channel."""

from __future__ import annotations

from uuid import uuid4

from fsctl.esl.commands import (
    Command,
    UuidBreak,
    UuidRecord,
    UuidSendDtmf,
    UuidSetvar,
)
from fsctl.esl.events import Event
from fsctl.session.calling import safe_answers, sounds
from fsctl.session.calling.applications import run, send
from fsctl.session.calling.calls import Calls
from fsctl.session.core.leg import Leg
from fsctl.session.core.movers import Mover
from fsctl.switch.end_status import returned_by_itself, was_taken
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.timers import disarm

_MUSIC_S = 30
"""How long music plays at a time, and so how long it may outlive us."""


def answer(call: Leg, scheme: str) -> None:
    """Answer a caller, where it can be with the codecs of ``scheme``."""
    wanted = call.codecs.wanted(scheme)
    if wanted and call.unanswered:
        send(call, UuidSetvar(call.channel_uuid, "absolute_codec_string", wanted))
    run(call, "answer")


def play(call: Leg, path: str, *, loop: bool = False) -> None:
    """Play to the party until the end, or for ever."""
    session, event_uuid = call.session, str(uuid4())

    def finished(_: Event) -> None:
        session.tell.playback_finished(call, path)

    session.part(Calls).executions[event_uuid] = finished
    run(call, "endless_playback" if loop else "playback", path, event_uuid)


def entertain(transfer: Mover) -> None:
    """Let a transferee hear ringback while its target is being called, until it is joined."""
    if transfer.entertain():
        _ringback(transfer)


def _ringback(transfer: Mover) -> None:
    """A round of it, and again: ``playback`` does not see the end of our link, so what has no end
    would keep the transferee from its dialplan when we die (switch_ivr_play_say.c)."""
    call = transfer.transferee
    sound = sounds.known(call, call.session.settings.transfer.ringback)
    event_uuid = str(uuid4())

    def over(event: Event) -> None:
        if was_taken(event) and transfer.entertained and transfer.awaits_target:
            transfer.taken()
        elif transfer.entertained and transfer.awaits_target and call.alive:
            _ringback(transfer)

    call.session.part(Calls).executions[event_uuid] = over
    if not sound.startswith("%"):  # a tone is played once
        limit = UuidSetvar(call.channel_uuid, "playback_timeout_sec", str(_MUSIC_S))
        call.session.link.send(limit)
    run(call, "playback", sounds.playable(sound), event_uuid)


def stop_playback(call: Leg) -> None:
    """Stop what is played, and what waits to be played."""
    send(call, UuidBreak(call.channel_uuid, everything=True))


def send_digits(call: Leg, digits: str) -> None:
    """Send DTMF to the party. Raises CommandError (a ValueError) for anything else."""
    send(call, UuidSendDtmf(call.channel_uuid, digits))


def handle_tones(call: Leg, enabled: bool) -> None:
    """Subscribe to the party's keys; other calls of the session are not concerned."""
    if enabled:
        call.session.part(Calls).tone_calls.add(call)
        call.session.want("DTMF")
    else:
        call.session.part(Calls).tone_calls.discard(call)


def record(call: Leg, path: str, limit_s: int | None) -> None:
    """Begin a recording."""
    call.session.want("RECORD_STOP")
    send(call, UuidRecord(call.channel_uuid, "start", path, limit_s))


def stop_recording(call: Leg, path: str) -> None:
    """End a recording."""
    send(call, UuidRecord(call.channel_uuid, "stop", path))


def execute(call: Leg, application: str, argument: str) -> None:
    """Leave a party to an application; what is played to it stops.

    Should this process die, the call ends with the application (``fsctl_stage``: rescue context).
    """
    session = call.session
    if call.peer is not None and call.peer.alive:
        raise ValueError("this call talks with another one: stop_media_to comes first")
    event_uuid = str(uuid4())
    transfer = session.movers.moving(call)
    if transfer is not None:
        transfer.stop_entertaining()

    def ended(event: Event) -> None:
        call.application = None
        if returned_by_itself(event):  # else it was picked up: from a queue, or a parking place
            safe_answers.forsaken(session, call, call.uses)

    session.part(Calls).executions[event_uuid] = ended
    call.application = (application, argument)
    commands: list[Command] = [
        UuidBreak(call.channel_uuid, everything=True),
        UuidSetvar(call.channel_uuid, Mark.STAGE, Stage.HELD),
        *disarm(call.channel_uuid),
    ]
    session.link.send_all(commands)
    session.want_end_of(application)
    run(call, application, argument, event_uuid)
