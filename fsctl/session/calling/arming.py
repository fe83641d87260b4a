"""With what a leg is armed: the variables by which its REFER comes home (sofia.c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsctl.esl.commands import Command, UuidSetvar
from fsctl.esl.events import Event
from fsctl.session.core.leg import Leg
from fsctl.settings import Settings
from fsctl.switch.armed import CONFIRM, CONTEXT, KEYS, armed, armed_everywhere
from fsctl.switch.dialstring import carried_caller_name, carried_caller_number, carried_value
from fsctl.switch.grace import WAITS
from fsctl.switch.marks import Mark

_ID = ("number", "name")
_IGNORES = "ignore_display_updates"


def arming(call: Leg, peer: Leg, home: str, settings: Settings) -> dict[str, str]:
    """Return the variables that make a REFER of either party come home (sofia.c, REFER).

    Where ``call`` is sent as a transferee depends on what its *peer*, the transferor, asked for;
    whether FreeSWITCH waits for the result depends on ``call``'s own wish as a transferor. What
    global variables say is not set on the leg (and so unset): it would outlive us there.
    """
    return {
        **_armed(call, peer, settings),
        **WAITS,
        Mark.HOME: home,
        Mark.SESSION: call.session.id,
        Mark.SCENARIO: call.session.scenario_name,
        Mark.CALL_DOMAIN: carried_value(call.session.domain),
        Mark.OWN_HOSTS: carried_value(" ".join(sorted(call.session.own_hosts))),
        Mark.NUMBER: carried_value(call.number),
        Mark.NAME: carried_caller_name(call.display_name),
        Mark.PRIVACY: call.caller_privacy,
        Mark.TRANSFEROR_NUMBER: carried_caller_number(peer.number),
        Mark.TRANSFEROR_NAME: carried_caller_name(peer.display_name),
        Mark.TRANSFEROR_PRIVACY: peer.caller_privacy,
        **_display(call, peer),
        **_claimed(call, peer),
    }


_FROM_OUTSIDE = frozenset(
    {
        *(Mark.NUMBER, Mark.NAME, Mark.CALL_DOMAIN, Mark.OWN_HOSTS),
        *(Mark.TRANSFEROR_NUMBER, Mark.TRANSFEROR_NAME),
    }
)
"""What may hold a ``%``, of which a snapshot is not exact."""


def changed(variables: Mapping[str, str], snapshot: Event) -> dict[str, str]:
    """Return those of ``variables`` that a leg has not got already, by its fresh snapshot.

    FreeSWITCH reads what it is sent byte by byte.
    """
    get = snapshot.get
    return {
        name: value
        for name, value in variables.items()
        if get(f"variable_{name}") != (value or None) or (value and name in _FROM_OUTSIDE)
    }


def _claimed(call: Leg, peer: Leg) -> dict[str, str]:
    """Who has left before FreeSWITCH could say who it is would be called again by its number."""
    claimed, call.claimed = call.claimed, not (call.outgoing or peer.outgoing)
    if call.claimed:
        return {Mark.CLAIMED: "true"}
    return {Mark.CLAIMED: ""} if claimed else {}


def _display(call: Leg, peer: Leg) -> dict[str, str]:
    """FreeSWITCH tells a phone whom it talks to at each bridge (UPDATE), by what the other leg's
    caller profile says: also of one that wants to be hidden. What an operator has set is kept."""
    screened, call.screened = call.screened, bool(peer.caller_privacy)
    if call.screened:
        return {_IGNORES: "true"}
    return {_IGNORES: ""} if screened else {}


_HANDED_ON = (
    KEYS,
    "confirm_blind_transfer",
    "force_transfer_context",
    "force_transfer_dialplan",
    *WAITS,
    Mark.HOME,
    Mark.SESSION,
    Mark.SCENARIO,
    Mark.CALL_DOMAIN,
    Mark.OWN_HOSTS,
    Mark.TRANSFEROR_NUMBER,
    Mark.TRANSFEROR_NAME,
    Mark.TRANSFEROR_PRIVACY,
    "sip_cid_type",
    _IGNORES,
    "absolute_codec_string",
    "media_mix_inbound_outbound_codecs",
    *(mark for mark in Mark if mark.startswith("fsctl_cdr_")),
)
"""What whoever an extension calls is called with, too: it comes to talk with the waiting leg."""


def in_dialplan(variables: Mapping[str, str], waiting: Leg | None) -> dict[str, str]:
    """Return what is needed besides ``variables`` to call somebody in the switch's own dialplan.

    The leg there has the number that the party shall see as its caller's, and what counts more
    than that (switch_ivr_originate.c); it hands on what arms a leg. The context `fsctl_target`
    gives it the rights of ``waiting``.
    """
    names = ((f"effective_caller_id_{part}", f"origination_caller_id_{part}") for part in _ID)
    shown = {name: variables[of] for name, of in names if variables.get(of)}
    handed_on = ",".join(name for name in _HANDED_ON if variables.get(name))
    return {**shown, "export_vars": handed_on, Mark.FOR: waiting.channel_uuid if waiting else ""}


def without_partner(waiting_uuid: str) -> dict[str, str]:
    """Return the variables of a called channel that have FreeSWITCH refuse a REFER of a waiting leg
    that is a transferee meanwhile.

    It would move the leg that rings for the sender, and write over ``blind_transfer_uuid``, by
    which the first transfer is reported. A party without a partner gets 403 at once (sofia.c, "1
    Legged calls"), and the target rings on: ``originate_signal_bond`` is all that names it until it
    answers (switch_core_session.c, ``switch_core_session_outgoing_channel``). It goes as soon as
    the channel is there, before its INVITE leaves (switch_ivr_originate.c, ``api_on_originate``;
    for a ``user/`` once more, as late as at its answer).
    """
    return {"api_on_originate_fsctl": UuidSetvar(waiting_uuid, "originate_signal_bond").line()}


WAITING: Final = {
    "continue_on_fail": "true",
    "hangup_after_bridge": "false",
    # Headers reach the callee by our allow-list only (mod_sofia.c, sofia_outgoing_channel).
    "sip_copy_custom_headers": "false",
    # A loopback would send the caller 183, with silence, before anybody rings.
    "loopback_no_pre_answer": "true",
}
"""What stands on any leg for which somebody is called. The dialplan sets it on a transferee, who is
told the rest only."""


def rearming(transferor: Leg, peer: Leg, settings: Settings) -> list[Command]:
    """Return the commands that change what a REFER by ``transferor`` does to ``peer``, now."""
    confirm = _armed(transferor, peer, settings)[CONFIRM]
    context = _armed(peer, transferor, settings)[CONTEXT]
    return [
        UuidSetvar(transferor.channel_uuid, CONFIRM, confirm),
        UuidSetvar(peer.channel_uuid, CONTEXT, context),
    ]


def _armed(call: Leg, peer: Leg, settings: Settings) -> dict[str, str]:
    own = armed(peer.transfer_mode, settings)
    own[CONFIRM] = armed(call.transfer_mode, settings)[CONFIRM]
    everywhere = armed_everywhere(settings)
    return {name: "" if everywhere.get(name) == value else value for name, value in own.items()}
