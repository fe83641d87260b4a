"""Phones that must be told otherwise: by the settings' ``[[device]]``s."""

from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Final

from fsctl.errors import LinkError
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.setting_devices import KNOWN, Device
from fsctl.sip.status import SipStatus
from fsctl.switch.variables import read

_AS_ALL: Final = Device()
_TRYING: Final = SipStatus(100)


def _device_of(session: Session, leg: Leg) -> Device:
    """Return what the settings say of this leg's phone, which is asked for its name.

    Source: ``sip_user_agent`` of its INVITE, or of its answer (sofia.c).
    """
    if not leg.alive:
        return _AS_ALL
    named = None
    with suppress(LinkError):
        named = read(session.link, leg.channel_uuid, "sip_user_agent")
    text = (named or "").lower()
    devices = (*session.settings.devices, *KNOWN)
    return next((d for d in devices if fnmatchcase(text, d.user_agent.lower())), _AS_ALL)


def told(session: Session, leg: Leg, status: SipStatus) -> SipStatus:
    """Return what this phone is told of a transfer that has ended with ``status``."""
    if status.is_success or _device_of(session, leg).failure == "result":
        return status
    return _TRYING
