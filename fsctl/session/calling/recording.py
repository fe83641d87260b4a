"""A recording over a transfer: what becomes of it when transferee and target are joined.

FreeSWITCH's own way: a recording belongs to a leg. The transferee's goes on with whomever that
talks with next; the transferor's ends when that leg does, and has nothing of the new talk. What is
to be otherwise FreeSWITCH does itself, as the two are joined (``execute_on_pre_bridge``): not
before, so that a transfer that fails changes nothing, and also without us.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Final

from fsctl.esl.commands import GlobalGetvar, UuidBuglist
from fsctl.session.core.leg import Leg
from fsctl.settings import Settings

log = logging.getLogger(__name__)

_PREFIX: Final = "execute_on_pre_bridge_fsctl_recording_"
_RECORDS: Final = "<function>session_record</function>"
"""A recording, among what listens to a channel (switch_ivr_async.c)."""
_PATH: Final = re.compile(r"/[0-9A-Za-z/_.+-]{1,1000}")
_UNSAFE: Final = re.compile("[^0-9A-Za-z+_-]")

STEPS: Final = tuple(f"{_PREFIX}{number}" for number in (1, 2, 3))
"""The variables that `at_join` sets."""


def forgotten(settings: Settings) -> dict[str, str]:
    """Return what undoes `at_join`: the transfer has failed."""
    return {} if settings.transfer.recording == "leave" else dict.fromkeys(STEPS, "")


def runs_on(leg: Leg) -> bool:
    """Return whether one runs there; not asked where that decides nothing. Raises LinkError."""
    session = leg.session
    if session.settings.transfer.recording == "leave":
        return False
    return _RECORDS in session.link.send(UuidBuglist(leg.channel_uuid)).text


def at_join(
    transferee: Leg, transferor: str, transferor_number: str, number: str, *, ran: bool = False
) -> dict[str, str]:
    """Return the variables of the transferee's channel by which its join with a target is recorded
    as the settings say; ``transferor`` is that party's channel (empty: it is not known, or has
    left, and ``ran`` says whether it was recorded).

    Empty where FreeSWITCH's way is the settings'. Raises LinkError.
    """
    section, link = transferee.session.settings.transfer, transferee.session.link
    if section.recording == "leave":
        return {}
    uuid = transferee.channel_uuid
    replies = link.send_all(
        [
            UuidBuglist(uuid),
            UuidBuglist(transferor or uuid),
            GlobalGetvar("recordings_dir"),
        ]
    )
    own, others, folder = (reply.text.strip() for reply in replies)
    recorded = _RECORDS in own, ran or (_RECORDS in others and bool(transferor))
    stops = recorded[0] and section.recording != "follow"
    starts = (
        (section.recording == "new" and any(recorded))
        or (section.recording == "follow" and recorded == (False, True))
    )  # fmt: skip
    path = _path(transferee, transferor_number, number, folder) if starts else ""
    if not (path if starts else stops):
        return forgotten(transferee.session.settings)
    if path:
        log.info("%s: the talk with the target is recorded: %s", transferee.session.id, path)
    steps = (
        "stop_record_session all" if stops else "",
        f"record_session {path}" if path else "",
        "multiunset " + " ".join(STEPS),
    )
    return dict(zip(STEPS, steps, strict=True))


def _path(transferee: Leg, transferor_number: str, number: str, folder: str) -> str:
    """Where a recording is begun; empty: there can be no such file, and nothing is changed."""
    session = transferee.session
    section = session.settings.transfer
    path = section.recording_file.format(
        recordings_dir=folder,
        time=datetime.now(UTC).strftime("%Y%m%d-%H%M%S"),
        transferee=_safe(transferee.number),
        transferor=_safe(transferor_number),
        target=_safe(number),
        what="new" if section.recording == "new" else "followed",
        session=session.id,
    )
    if _PATH.fullmatch(path):
        return path
    log.warning("%s: the recording stays as it is, there can be no %r", session.id, path)
    return ""


def _safe(number: str) -> str:
    return _UNSAFE.sub("_", number)[:64] or "unknown"
