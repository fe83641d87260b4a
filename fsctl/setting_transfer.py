"""``[transfer]``: how transfers go, whom a target sees, and what follows when they fail."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

TransferMode = Literal["in-session", "legacy", "observe"]
LegacyReport = Literal["result", "at-once"]
Attended = Literal["application", "switch"]
Fallback = Literal["hangup", "number", "voicemail", "announcement"]
CallerId = Literal["transferee", "transferor", "dialled", "fixed", "template"]
ReferredBy = Literal["keep", "rewrite", "drop"]
AssertedIdentity = Literal["", "pai", "rpid", "none"]
Recording = Literal["leave", "follow", "stop", "new"]

CALLER_ID: Final = kinds.choice("transferee", "transferor", "dialled", "fixed", "template")
REFERRED_BY: Final = kinds.choice("keep", "rewrite", "drop")
ASSERTED: Final = kinds.choice("", "pai", "rpid", "none")
_MODE: Final = kinds.choice("in-session", "legacy", "observe")
_RING: Final = kinds.integer(1, 600)


@dataclass(frozen=True, slots=True)
class Transfer:
    """``[transfer]``: blind transfers. With ``mode`` "observe" they are FreeSWITCH's own, and what
    "in-session" would have made of them is in their records. With ``keep_talking`` the first two
    talk on until the target of an in-session one answers, where the settings decide on it.
    ``headers`` go to the target; ``pass_headers`` lists the headers embedded in a Refer-To (RFC
    3261 19.1.1) that may pass. ``ringback`` is heard by the transferee while the target rings,
    ``transferor_hears`` by the parked transferor; ``recording`` says what becomes of a recording
    when transferee and target are joined, ``recording_file`` where a file is begun for it.
    ``caller_id`` says whom the target sees, in a "template" by ``{transferee}``, ``{transferor}``
    and ``{dialled}`` (the number that the transferee's call was first made to),
    ``asserted_identity`` by which header (empty: as the profile says); ``referred_by``,
    ``diversion`` (RFC 5806), ``history_info`` (RFC 7044) say what it is told of the transfer
    itself. ``legacy_report`` says whether a native transfer is reported with its result or at once;
    ``attended``: whether the application is asked about each REFER with Replaces, or FreeSWITCH
    joins its own dialogs by itself (None: see :attr:`Settings.attended`). When a transfer fails and
    its transferor has left, FreeSWITCH calls it again (``recall``); if it does not answer, the
    ``fallback`` follows. ``rescue_after_s`` is for the timers in FreeSWITCH: so long after a
    deadline of ours it acts without us."""

    mode: TransferMode = key("in-session", _MODE)
    keep_talking: bool = key(False, kinds.FLAG)
    legacy_report: LegacyReport = key("result", kinds.choice("result", "at-once"))
    attended: Attended | None = key(None, kinds.choice("application", "switch"))
    decision_timeout_s: float = key(10.0, kinds.seconds(0.1, 60))
    ring_timeout_s: int = key(60, _RING)
    hold_timeout_s: float = key(60.0, kinds.seconds(1, 3600))
    ringback: str = key("%(2000,4000,440,480)", kinds.RINGBACK)
    transferor_hears: str = key("silence", kinds.MEANWHILE)
    recording: Recording = key("leave", kinds.choice("leave", "follow", "stop", "new"))
    recording_file: str = key(
        "{recordings_dir}/{time}-{transferee}-{target}-{what}-{session}.wav", kinds.RECORDING_FILE
    )
    caller_id: CallerId = key("transferee", CALLER_ID)
    caller_id_number: str = key("", kinds.SHOWN_NUMBER)
    caller_id_name: str = key("", kinds.SHOWN_NAME)
    asserted_identity: AssertedIdentity = key("", ASSERTED)
    release_transferor_after_s: int = key(2, kinds.integer(1, 60))
    recall: bool = key(True, kinds.FLAG)
    recall_prefix: str = key("Recall ", kinds.CALLER_NAME)
    fallback: Fallback = key(
        "hangup", kinds.choice("hangup", "number", "voicemail", "announcement")
    )
    fallback_number: str = key("", kinds.PREFIX)
    fallback_sound: str = key("", kinds.SOUND)
    rescue_after_s: int = key(6, kinds.integer(5, 60))
    headers: tuple[tuple[str, str], ...] = key((), kinds.HEADERS)
    pass_headers: tuple[str, ...] = key(("X-*", "User-to-User"), kinds.HEADER_GLOBS)
    referred_by: ReferredBy = key("keep", REFERRED_BY)
    diversion: bool = key(False, kinds.FLAG)
    history_info: bool = key(False, kinds.FLAG)


def complete(origin: str, transfer: dict[str, Any], calls: bool, enabled: bool) -> None:
    """Refuse what does not go together, in scope ``calls`` or not, and with ``[switch]`` or not.
    Raises SettingsError."""
    for fallback in ("number", "sound"):
        kind = "announcement" if fallback == "sound" else fallback
        if transfer.get("fallback") == kind and not transfer.get(f"fallback_{fallback}"):
            raise SettingsError(
                f'{origin}: [transfer] fallback_{fallback}: must be set for fallback = "{kind}"'
            )
    _check_observed(f"{origin}: [transfer]", transfer, calls, enabled)
    check_shown(f"{origin}: [transfer]", transfer, {})


def _check_observed(where: str, transfer: dict[str, Any], calls: bool, enabled: bool) -> None:
    if transfer.get("mode") != "observe":
        return
    if not calls and not enabled:
        raise SettingsError(f'{where} mode: "observe" needs [switch], which tells of transfers')
    if transfer.get("attended") == "application":
        raise SettingsError(f'{where} attended: "application" does not go with mode = "observe"')


def check_shown(where: str, table: dict[str, Any], section: dict[str, Any]) -> None:
    """What a route does not say, the section does. Raises SettingsError."""
    policy = table.get("caller_id", section.get("caller_id"))
    parts = [f"caller_id_{part}" for part in ("number", "name")]
    texts = {name: table.get(name, section.get(name, "")) for name in parts}
    if policy in ("fixed", "template") and not texts["caller_id_number"]:
        raise SettingsError(f"{where} caller_id_number: must be set for a {policy} one")
    for name, text in texts.items():
        if policy != "template" and "{" in text and name in table:
            raise SettingsError(f'{where} {name}: placeholders need caller_id = "template"')
        if policy == "fixed" and "{" in text:
            raise SettingsError(f"{where} {name}: that of [transfer] is a template's")
