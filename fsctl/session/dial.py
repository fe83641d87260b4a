"""Calling somebody for a leg that waits: FreeSWITCH's ``bridge`` application, executed on that leg.

FreeSWITCH itself passes ringing and early media on, makes ringback for an answered leg, cancels
the callee when the waiting leg leaves, and joins the two on answer: all of that goes on when this
process dies. The callee may have several phones (see :mod:`fsctl.session.branches`): their events
are subscribed before they exist, and we learn the outcome from ``CHANNEL_EXECUTE_COMPLETE``
(matched by its Application-UUID).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from fsctl.esl.commands import Command, Execute, UuidSetvar, UuidSetvarMulti
from fsctl.esl.events import Event
from fsctl.session.call import Call
from fsctl.session.grace import WAITS
from fsctl.session.headers import REFERRED_BY, merged
from fsctl.session.identity import Shown, origination
from fsctl.session.redirect import Redirections
from fsctl.session.routing import Routed
from fsctl.settings import RouteKind, Settings, TransferMode
from fsctl.sip.status import SipStatus
from fsctl.switch.dialstring import (
    DialString,
    carried_caller_name,
    carried_caller_number,
    carried_value,
)
from fsctl.switch.end_status import bridge_status
from fsctl.switch.marks import Context, Mark, Stage
from fsctl.switch.refer_variables import STALE


@dataclass(slots=True)
class Dial:
    """One destination being reached for ``waiting``; ``outgoing`` is the callee's call."""

    waiting: Call
    outgoing: Call
    ring_timeout_s: int
    shown: Shown
    headers: Mapping[str, str]
    """Those of the settings and of the scenario."""
    for_transfer: bool
    """The waiting leg is a transferee: it hears ringback, whatever the target's early media."""
    redirections: Redirections
    codecs: str
    """Offered, in order; empty: what the waiting leg speaks, then the rest of the profile's."""
    native: bool = False
    """The waiting leg is the transferee of a transfer that FreeSWITCH itself reports."""
    answered: bool = False
    routed: Routed | None = None
    """Where the attempt goes; set by what starts it."""
    execution: str = ""
    """Event-UUID of the ``bridge`` that runs for this attempt."""
    then: Callable[[], None] | None = None
    """What begins when the ``bridge`` returns: somebody else is to be called."""
    interrupted: bool = False
    """A REFER of the waiting leg has ended the attempt; another one begins when the leg is back."""
    asked: bool = False
    """The party that left has asked for an attended transfer, which has not come to us yet."""
    passed_on: Mapping[str, str] = field(default_factory=dict)
    """What of the headers of the waiting leg's own INVITE this attempt's route lets through."""

    def commands(self, routed: Routed, home: str, settings: Settings) -> list[Command]:
        """Return what starts the next attempt."""
        self.execution = str(uuid4())
        self.outgoing.number = routed.number
        waiting = self.waiting.channel_uuid
        armed = self._waiting_variables(settings) | arming(
            self.waiting, self.outgoing, home, settings
        )
        dial_string = DialString(
            routed.endpoint, self._leg_variables(home, settings, routed.route.kind)
        ).format()
        return [
            UuidSetvarMulti(waiting, tuple(armed.items())),
            Execute("bridge", dial_string, event_uuid=self.execution, channel_uuid=waiting),
        ]

    def status(self, complete: Event) -> SipStatus:
        """Return why the attempt failed, once ``bridge`` has returned."""
        otherwise, branches = bridge_status(complete), self.outgoing.branches
        return branches.status(otherwise) if branches is not None else otherwise

    @property
    def contacts(self) -> list[str]:
        """Where the callee is to be looked for instead (3xx)."""
        return self.outgoing.branches.contacts if self.outgoing.branches is not None else []

    def _waiting_variables(self, settings: Settings) -> dict[str, str]:
        section = settings.transfer if self.for_transfer else settings.call
        variables = {
            "continue_on_fail": "true",
            "hangup_after_bridge": "false",
            "transfer_ringback": section.ringback,
            # Headers reach the callee by our allow-list only (mod_sofia.c, sofia_outgoing_channel).
            "sip_copy_custom_headers": "false",
            # FreeSWITCH copies the callee's answer here; an older one must not be taken for it.
            "sip_invite_failure_status": "",
            "sip_invite_failure_phrase": "",
            # FreeSWITCH adds to these at each attempt (switch_ivr_originate.c).
            "originated_legs": "",
            "originate_causes": "",
        }
        variables |= dict.fromkeys(STALE, "")
        if self.for_transfer:
            return variables | {Mark.STAGE: Stage.CALLING}
        # Should we die, a native transfer that fails must reach the end of its context.
        return variables | {Mark.STAGE: Stage.DONE if self.native else Stage.DIALLING}

    def _leg_variables(self, home: str, settings: Settings, kind: RouteKind) -> dict[str, str]:
        variables = arming(self.outgoing, self.waiting, home, settings) | called_variables(
            self.outgoing,
            shown=origination(self.shown, kind),
            ring_timeout_s=self.ring_timeout_s,
            headers=merged(self.passed_on, self.headers),
            codecs=self.codecs,
        )
        if self.for_transfer or self.native:
            # bridge returns at 183 otherwise, and FreeSWITCH would report success.
            variables |= {"ignore_early_media": "true", "instant_ringback": "true"}
            variables |= _without_partner(self.waiting)
        return variables


def called_variables(
    call: Call,
    *,
    shown: Mapping[str, str],
    ring_timeout_s: int,
    headers: Mapping[str, str],
    codecs: str,
) -> dict[str, str]:
    """Return the variables with which any party is called: whom it sees, how long it may ring."""
    variables = {
        Mark.CALLEE: call.callee,
        **shown,
        "originate_timeout": str(ring_timeout_s),
        "outbound_redirect_fatal": "true",
        # A waiting leg on hold would have the party called with a=sendonly, for good.
        "origination_audio_mode": "sendrecv",
    }
    if codecs:
        variables["absolute_codec_string"] = codecs
    else:
        # Else FreeSWITCH offers what the waiting leg speaks, and nothing besides
        # (switch_core_media.c, switch_core_media_prepare_codecs).
        variables["media_mix_inbound_outbound_codecs"] = "true"
    for name in headers:
        if name.lower() == REFERRED_BY.lower():
            # FreeSWITCH keeps that of a later REFER in the same variable of this leg.
            variables["execute_on_pre_bridge_fsctl"] = f"unset sip_h_{name}"
    return variables | {f"sip_h_{name}": value for name, value in headers.items()}


def arming(call: Call, peer: Call, home: str, settings: Settings) -> dict[str, str]:
    """Return the variables that make a REFER of either party come home (sofia.c, REFER).

    Where ``call`` is sent as a transferee depends on what its *peer*, the transferor, asked for;
    whether FreeSWITCH waits for the result depends on ``call``'s own wish as a transferor.
    """
    return {
        "confirm_blind_transfer": _confirm(call.transfer_mode, settings),
        "force_transfer_context": _context(peer.transfer_mode),
        "force_transfer_dialplan": "XML",
        **WAITS,
        Mark.HOME: home,
        Mark.SESSION: call.session.id,
        Mark.SCENARIO: call.session.scenario.name,
        Mark.CALL_DOMAIN: carried_value(call.session.domain),
        Mark.OWN_HOSTS: carried_value(" ".join(sorted(call.session.own_hosts))),
        Mark.NUMBER: carried_value(call.number),
        Mark.NAME: carried_caller_name(call.display_name),
        Mark.PRIVACY: call.caller_privacy,
        Mark.TRANSFEROR_NUMBER: carried_caller_number(peer.number),
        Mark.TRANSFEROR_NAME: carried_caller_name(peer.display_name),
        Mark.TRANSFEROR_PRIVACY: peer.caller_privacy,
    }


def _without_partner(waiting: Call) -> dict[str, str]:
    """Return what has FreeSWITCH refuse a REFER of ``waiting``, itself a transferee meanwhile.

    It would move the leg that rings for the sender, and write over ``blind_transfer_uuid``, by
    which the first transfer is reported. A party without a partner gets 403 at once (sofia.c,
    "1 Legged calls"), and the target rings on: ``originate_signal_bond`` is all that names it until
    it answers (switch_core_session.c, ``switch_core_session_outgoing_channel``).
    """
    forgotten = f"uuid_setvar {waiting.channel_uuid} originate_signal_bond"
    return {"api_on_originate_fsctl": forgotten}


def rearming(transferor: Call, peer: Call, settings: Settings) -> list[Command]:
    """Return the commands that change what a REFER by ``transferor`` does to ``peer``, now."""
    mode = transferor.transfer_mode
    confirm = _confirm(mode, settings)
    return [
        UuidSetvar(transferor.channel_uuid, "confirm_blind_transfer", confirm),
        UuidSetvar(peer.channel_uuid, "force_transfer_context", _context(mode)),
    ]


def _confirm(mode: TransferMode, settings: Settings) -> str:
    at_once = mode == "legacy" and settings.transfer.legacy_report == "at-once"
    return "false" if at_once else "true"


def _context(mode: TransferMode) -> str:
    return Context.REFER if mode == "in-session" else Context.LEGACY
