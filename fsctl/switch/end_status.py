"""Why a channel ended, as the SIP status that its party, or its caller, should see."""

from __future__ import annotations

from fsctl.esl.events import Event
from fsctl.sip.status import SipStatus, best_failure, failure_in, status_of_cause

_CS_EXECUTE = "4"
"""The state that a channel is to be in next (``Channel-State`` is the one that it still runs)."""
_CS_HANGUP = 10


_BUSY = SipStatus(486)


def hangup_status(event: Event) -> SipStatus:
    """Return the true status of a ``CHANNEL_HANGUP``.

    The peer's own code and phrase are in ``sip_invite_failure_status`` and ``_phrase``, but only
    when ``sip_hangup_disposition`` is ``recv_refuse``: FreeSWITCH invents a 487 for legs that it
    cancelled itself (mod_sofia.c, sofia_on_hangup). Else the hangup cause is mapped.
    """
    if event.variable("sip_hangup_disposition") == "recv_refuse":
        status = _answer(event)
        if status is not None:
            return status
    cause = event.variable("proto_specific_hangup_cause") or ""
    redirected = failure_in(cause.removeprefix("sip:"), "") if cause.startswith("sip:3") else None
    return redirected or status_of_cause(event.get("Hangup-Cause") or "NORMAL_CLEARING")


def extension_status(event: Event, response: SipStatus | None = None) -> SipStatus:
    """Return the true status of the ``CHANNEL_HANGUP`` of a leg that has executed an extension.

    ``response`` is what its application ``respond`` has said: no code of SIP's stays on a loopback.
    Of whom the extension has called last FreeSWITCH copies code and phrase to the leg (sofia.c);
    they count if the leg ends for their reason, and not when the extension hangs up for another.
    """
    cause = event.get("Hangup-Cause") or "NORMAL_CLEARING"
    called = event.variable("originate_disposition") or ""
    if cause == "NORMAL_CLEARING" and called not in ("", "SUCCESS"):
        cause = called  # it has ended by itself
    if response is not None:
        return response
    reasons = (called, event.variable("last_bridge_hangup_cause"))
    answer = _answer(event) if cause in reasons else None
    return answer or status_of_cause(cause)


def bridge_status(event: Event) -> SipStatus:
    """Return why ``bridge`` failed, from its ``CHANNEL_EXECUTE_COMPLETE`` alone.

    Used when no channel was ever made for the callee (user not registered, no such gateway), or
    its hang-up has not been seen: FreeSWITCH copies the answer's code to the leg that waits.
    """
    cause = event.variable("originate_disposition")
    if cause == "failure":  # of several dial strings
        cause = event.variable("hangup_cause")
    status = _answer(event) or status_of_cause(cause or "NORMAL_TEMPORARY_FAILURE")
    # What FreeSWITCH heard last stands there, though another phone of the same user was busy.
    busy = ";USER_BUSY" in (event.variable("originate_causes") or "")
    return best_failure([status, _BUSY], status) if busy else status


def returned_by_itself(complete: Event) -> bool:
    """Whether the leg goes on behind an application that has ended (``CHANNEL_EXECUTE_COMPLETE``).

    Else somebody has taken it out of the application: a transfer, or a bridge of another leg's.
    """
    return complete.get("Channel-State-Number") == _CS_EXECUTE


def was_taken(complete: Event) -> bool:
    """Whether somebody has taken the leg out of an application; not so a leg that hangs up."""
    number = complete.get("Channel-State-Number") or ""
    return number.isdecimal() and int(number) < _CS_HANGUP and not returned_by_itself(complete)


def redirect_contacts(event: Event) -> list[str]:
    """Return the contacts of a 3xx answer, best first (``sip_redirect_contact_N``)."""
    contacts = []
    for index in range(16):
        contact = event.variable(f"sip_redirect_contact_{index}")
        if not contact:
            break
        contacts.append(contact)
    first = event.variable("sip_redirected_to")
    return contacts or ([first] if first else [])


def _answer(event: Event) -> SipStatus | None:
    """The peer's own code and phrase."""
    names = ("sip_invite_failure_status", "sip_invite_failure_phrase")
    code, reason = (event.variable(name) for name in names)
    return failure_in(code, reason)
