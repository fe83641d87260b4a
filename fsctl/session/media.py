"""What a call's verbs send to FreeSWITCH: applications and API commands on its channel."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import uuid4

from fsctl.errors import ChannelGone
from fsctl.esl.commands import (
    Command,
    Execute,
    Filter,
    UuidBreak,
    UuidGetvar,
    UuidRecord,
    UuidSendDtmf,
    UuidSetvar,
)
from fsctl.esl.events import Event
from fsctl.session import safety
from fsctl.session.events import PlaybackFinished
from fsctl.session.record import conclude
from fsctl.sip.status import SipStatus, parse_sipfrag
from fsctl.sip.uri import Uri, UriError, parse_address
from fsctl.switch.end_status import returned_by_itself, was_taken
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.timers import disarm
from fsctl.switch.variables import value_of

if TYPE_CHECKING:
    from fsctl.session.call import Call
    from fsctl.session.transfers import BlindTransfer

log = logging.getLogger(__name__)

_REFER_ANSWERED_S = 2.0
_RELEASE_S = 3.0
_MUSIC_S = 30
"""How long music plays at a time, and so how long it may outlive us."""


def run(call: Call, application: str, argument: str = "", event_uuid: str | None = None) -> None:
    """Have the call's channel execute an application. Raises ChannelGone, LinkError."""
    uuid = call.channel_uuid
    _send(call, Execute(application, argument, channel_uuid=uuid, event_uuid=event_uuid))


def answer(call: Call, scheme: str) -> None:
    """Answer a caller, where it can be with the codecs of ``scheme``."""
    wanted = call.codecs.wanted(scheme)
    if wanted and call.unanswered:
        call.session.link.send(
            UuidSetvar(call.channel_uuid, "absolute_codec_string", wanted)
        ).raise_for_error()
    run(call, "answer")


def play(call: Call, path: str, *, loop: bool = False) -> None:
    """Play to the party until the end, or for ever."""
    session, event_uuid = call.session, str(uuid4())

    def finished(_: Event) -> None:
        session.emit(PlaybackFinished(session, call, path))

    session.executions[event_uuid] = finished
    run(call, "endless_playback" if loop else "playback", path, event_uuid)


def entertain(transfer: BlindTransfer) -> None:
    """Let a transferee hear ringback while its target is being called, until it is joined."""
    if not transfer.entertained:
        transfer.entertained = True
        _ringback(transfer)


def _ringback(transfer: BlindTransfer) -> None:
    """A round of it, and again: ``playback`` does not see the end of our link, so what has no end
    would keep the transferee from its dialplan when we die (switch_ivr_play_say.c)."""
    call, sound = transfer.transferee, transfer.transferee.session.settings.transfer.ringback
    event_uuid = str(uuid4())

    def over(event: Event) -> None:
        if was_taken(event) and transfer.entertained and transfer.awaits_target:
            transfer.taken()
        elif transfer.entertained and transfer.awaits_target and call.alive:
            _ringback(transfer)

    call.session.executions[event_uuid] = over
    if sound.startswith("%"):
        sound = f"tone_stream://{sound}"  # once
    else:
        limit = UuidSetvar(call.channel_uuid, "playback_timeout_sec", str(_MUSIC_S))
        call.session.link.send(limit)
    run(call, "playback", sound, event_uuid)


def stop_playback(call: Call) -> None:
    """Stop what is played, and what waits to be played."""
    _send(call, UuidBreak(call.channel_uuid, everything=True))


def send_digits(call: Call, digits: str) -> None:
    """Send DTMF to the party. Raises CommandError (a ValueError) for anything else."""
    _send(call, UuidSendDtmf(call.channel_uuid, digits))


def handle_tones(call: Call, enabled: bool) -> None:
    """Subscribe to the party's keys; other calls of the session are not concerned."""
    if enabled:
        call.session.tone_calls.add(call)
        call.session.want("DTMF")
    else:
        call.session.tone_calls.discard(call)


def record(call: Call, path: str, limit_s: int | None) -> None:
    """Begin a recording."""
    call.session.want("RECORD_STOP")
    _send(call, UuidRecord(call.channel_uuid, "start", path, limit_s))


def stop_recording(call: Call, path: str) -> None:
    """End a recording."""
    _send(call, UuidRecord(call.channel_uuid, "stop", path))


def execute(call: Call, application: str, argument: str) -> None:
    """Leave a party to an application; what is played to it stops.

    Should this process die, the call ends with the application (``fsctl_stage``: rescue context).
    """
    session = call.session
    if call.peer is not None and call.peer.alive:
        raise ValueError("this call talks with another one: stop_media_to comes first")
    event_uuid = str(uuid4())
    transfer = session.transfers.moving(call)
    if transfer is not None:
        transfer.entertained = False

    def ended(event: Event) -> None:
        call.application = None
        if returned_by_itself(event):  # else it was picked up: from a queue, or a parking place
            safety.forsaken(session, call, call.uses)

    session.executions[event_uuid] = ended
    call.application = (application, argument)
    commands: list[Command] = [
        UuidBreak(call.channel_uuid, everything=True),
        UuidSetvar(call.channel_uuid, Mark.STAGE, Stage.HELD),
        *disarm(call.channel_uuid),
    ]
    session.link.send_all(commands)
    run(call, application, argument, event_uuid)


# -- sending a party elsewhere ------------------------------------------------------------------


def transfer_to(call: Call, target: str, timeout_s: float) -> None:
    """Send REFER to the party, and follow what its phone reports (sofia.c, sip_i_notify)."""
    session, uuid = call.session, call.channel_uuid
    if call.peer is not None and call.peer.alive:
        raise ValueError("this call talks with another one: stop_media_to comes first")
    session.want_custom("sofia::notify_refer")
    session.link.send_all(
        [
            Filter("UniqueID", uuid),
            # Otherwise FreeSWITCH hangs up whatever the phone reports.
            UuidSetvar(uuid, "sip_refer_continue_after_reply", "true"),
            UuidSetvar(uuid, "sip_refer_reply"),
            UuidSetvar(uuid, "sip_refer_status_code"),
        ]
    )
    session.deflected[uuid] = call
    run(call, "deflect", _refer_to(target, session.domain))
    session.after(_REFER_ANSWERED_S, lambda: deflect_reported(call))
    session.after(timeout_s, lambda: _deflect_ends(call, SipStatus(408)))


def deflect_reported(call: Call) -> None:
    """The phone has sent a NOTIFY, or has had the time to refuse the REFER: ask what it says."""
    if call.session.deflected.get(call.channel_uuid) is not call or not call.alive:
        return
    names = ("sip_refer_reply", "sip_refer_status_code")
    replies = call.session.link.send_all([UuidGetvar(call.channel_uuid, name) for name in names])
    report, answer = (value_of(reply.text) for reply in replies)
    if report:
        try:
            _deflect_ends(call, SipStatus(*parse_sipfrag(report.encode())))
        except ValueError as error:
            log.info("%s: %s reports nonsense: %s", call.session.id, call, error)
    elif answer and answer.isdecimal() and int(answer) >= 300:
        _deflect_ends(call, SipStatus(int(answer)))


def _deflect_ends(call: Call, status: SipStatus) -> None:
    session = call.session
    if session.deflected.get(call.channel_uuid) is not call:
        return
    del session.deflected[call.channel_uuid]
    if not status.is_success:
        conclude("deflected", None, call, None, "failed", status)
        return
    conclude("deflected", None, call, None, "succeeded", status)
    session.after(_RELEASE_S, lambda: session.hang_up(call))


def _refer_to(target: str, domain: str) -> str:
    """The Refer-To. Raises ValueError for what is no user, number or URI."""
    if ":" not in target:
        return str(Uri("sip", target, None, domain, None, (), ()))
    try:
        return str(parse_address(target).uri.request_uri())
    except UriError as error:
        raise ValueError(f"cannot transfer to {target!r}: {error}") from error


def _send(call: Call, command: Command) -> None:
    reply = call.session.link.send(command)
    if not reply.ok:
        raise ChannelGone(f"call {call.channel_uuid}: {reply.text.strip()}")
