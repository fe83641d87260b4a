"""What SIP does to a channel: ringing, early media, answer, refusal, hang-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.causes import CAUSE_NUMBERS, cause_from_status, phrase_of

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel


def hang_up(channel: Channel, hangup_cause: str) -> None:
    """``switch_channel_hangup``: once only; the channel's greenlet does the rest."""
    if not channel.up:
        return
    channel.hangup_cause = hangup_cause
    partner = partner_of(channel)
    if partner is not None:
        partner.set_variable("last_bridge_hangup_cause", hangup_cause)
        proto = channel.get_variable("proto_specific_hangup_cause")
        if proto:
            partner.set_variable("last_bridge_proto_specific_hangup_cause", proto)
    channel.set_state("CS_HANGUP")
    if channel.bridged_to is not None:
        role = "originator" if "bridge_originator" in channel.flags else "originatee"
        channel.set_variable("last_bridge_role", role)
    channel.fire("CHANNEL_HANGUP")
    channel.wake()
    for link in list(channel.links):
        link.wake()


def mark_ringing(channel: Channel) -> None:
    """A 180, 182, or 183 without SDP came (or is sent): CHANNEL_PROGRESS."""
    if channel.ringing or channel.early or channel.answered or not channel.up:
        return
    channel.ringing = True
    _nobody_has_refused(channel)
    channel.stamp("Channel-Progress")
    if channel.profile.other is not None:
        channel.profile.other.times_us.setdefault("Channel-Progress", channel.switch.now_us)
    channel.fire("CHANNEL_PROGRESS")
    channel.set_call_state("RINGING")
    channel.wake()


def mark_early(channel: Channel) -> None:
    """A 183 with SDP came (or is sent): CHANNEL_PROGRESS_MEDIA."""
    if channel.early or channel.answered or not channel.up:
        return
    channel.early = True
    _nobody_has_refused(channel)
    channel.stamp("Channel-Progress-Media")
    channel.fire("CHANNEL_PROGRESS_MEDIA")
    channel.set_call_state("EARLY")
    channel.wake()


def mark_answered(channel: Channel) -> None:
    """The call is answered: CHANNEL_ANSWER."""
    if channel.answered or not channel.up:
        return
    channel.answered = True
    _nobody_has_refused(channel)
    channel.stamp("Channel-Answered")
    channel.fire("CHANNEL_ANSWER")
    channel.set_call_state("ACTIVE")
    channel.set_variable("endpoint_disposition", "ANSWER")
    channel.wake()


def _nobody_has_refused(channel: Channel) -> None:
    """A response below 400 takes an earlier refusal, perhaps another phone's, off the caller.

    Source: sofia.c, ``sofia_handle_sip_i_state``.
    """
    partner = partner_of(channel) if channel.direction == "outbound" else None
    if partner is not None:
        partner.set_variable("sip_invite_failure_status", None)
        partner.set_variable("sip_invite_failure_phrase", None)


def send_ringing(channel: Channel) -> None:
    """The application ``ring_ready``, and what a bridge passes on to its caller."""
    if channel.ringing or channel.early or channel.answered or not channel.up:
        return
    if channel.endpoint is not None:
        channel.endpoint.ring()
    mark_ringing(channel)


def send_early_media(channel: Channel) -> None:
    """The application ``pre_answer``."""
    if channel.early or channel.answered or not channel.up:
        return
    if channel.endpoint is not None and channel.direction == "inbound":
        channel.endpoint.early_media()
    channel.set_variable("endpoint_disposition", "EARLY MEDIA")
    mark_early(channel)


def send_answer(channel: Channel) -> None:
    """The application ``answer``; an outbound leg is answered by its phone only."""
    if channel.answered or not channel.up or channel.direction == "outbound":
        return
    if channel.endpoint is not None:
        channel.endpoint.answer()
    mark_answered(channel)


def refused(channel: Channel, status: int, reason: str, hangup_cause: str = "") -> None:
    """The called phone refused with a final SIP status."""
    if not channel.up:
        return
    cause = hangup_cause or cause_from_status(status)
    reason = reason or phrase_of(status)
    channel.set_variable("sip_hangup_disposition", "recv_refuse")
    channel.set_variable("sip_invite_failure_status", str(status))
    channel.set_variable("sip_invite_failure_phrase", reason)
    channel.set_variable("sip_term_status", str(status))
    channel.set_variable("proto_specific_hangup_cause", f"sip:{status}")
    channel.set_variable("sip_term_cause", str(CAUSE_NUMBERS[cause]))
    partner = partner_of(channel)
    if partner is not None:
        # Stale for the partner's next attempt: FreeSWITCH never removes them.
        partner.set_variable("sip_invite_failure_status", str(status))
        partner.set_variable("sip_invite_failure_phrase", reason)
        partner.set_variable("sip_hangup_phrase", reason)
    hang_up(channel, cause)


def redirected(channel: Channel, status: int, contacts: tuple[str, ...]) -> None:
    """The called phone redirected and ``outbound_redirect_fatal`` forbids to follow."""
    if not channel.up:
        return
    for index, contact in enumerate(contacts):
        uri = contact.partition("<")[2].partition(">")[0]
        user, _, host = uri.removeprefix("sip:").partition("@")
        channel.set_variable(f"sip_redirect_contact_{index}", contact)
        channel.set_variable(f"sip_redirect_contact_user_{index}", user)
        channel.set_variable(f"sip_redirect_contact_host_{index}", host.split(":")[0])
    channel.set_variable("sip_redirected_to", contacts[0])
    channel.set_variable("sip_hangup_disposition", "recv_refuse")
    channel.set_variable("proto_specific_hangup_cause", f"sip:{status}")
    _nobody_has_refused(channel)
    hang_up(channel, "REQUESTED_CHAN_UNAVAIL")


def far_end_hung_up(channel: Channel, disposition: str, status: int, hangup_cause: str) -> None:
    """A BYE or a CANCEL came for the channel."""
    if not channel.up:
        return
    channel.set_variable("sip_term_status", str(status))
    channel.set_variable("proto_specific_hangup_cause", f"sip:{status}")
    channel.set_variable("sip_term_cause", str(CAUSE_NUMBERS[hangup_cause]))
    partner = partner_of(channel)
    if partner is not None:
        partner.set_variable("sip_hangup_phrase", phrase_of(status))
    hang_up(channel, hangup_cause)
    channel.set_variable("sip_hangup_disposition", disposition)


def partner_of(channel: Channel) -> Channel | None:
    """``switch_core_session_get_partner``: the leg that this one talks to or dials."""
    bond = channel.get_variable("signal_bond") or channel.get_variable("originate_signal_bond")
    return channel.switch.locate(bond) if bond else None
