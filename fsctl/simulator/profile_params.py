"""Reads, from a rendered directory, the settings outside the dialplan that transfers depend on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from fsctl.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ProfileParams:
    """What mod_sofia's profile and the section ``channels`` say about transfers.

    ``nightmare_dial_string`` is what a REFER with an unknown Replaces dials; empty: the host that
    the phone named.
    """

    fire_transfer_events: bool = False
    every_transfer_a_nightmare: bool = False
    nightmare_dial_string: str = ""
    full_id: bool = False
    """``full-id-in-dialplan``: a destination is ``number@host``."""
    codecs: tuple[str, ...] = ("PCMU",)
    """``outbound-codec-prefs``."""
    late_negotiation: bool = False
    """``inbound-late-negotiation``: a caller's codec is chosen with the answer."""


def load_profile_params(directory: Path) -> ProfileParams | None:
    """The settings in ``sip_profiles/*.xml`` and ``*channels.xml``; None when neither is there.

    Raises SettingsError for XML that is not well-formed.
    """
    profiles = sorted(directory.glob("sip_profiles/*.xml"))
    channels = sorted(directory.glob("*channels.xml"))
    if not profiles and not channels:
        return None
    params = _params(profiles)
    dialled = _params(channels)
    absolute = dialled.get("absolute-dial-string", "")
    fetched = _true(params, "channel-xml-fetch-on-nightmare-transfer")
    return ProfileParams(
        _true(params, "fire-transfer-events"),
        _true(params, "make-every-transfer-a-nightmare"),
        dialled.get("dial-prefix", "") + absolute if absolute and fetched else "",
        _true(params, "full-id-in-dialplan"),
        tuple(params.get("outbound-codec-prefs", "PCMU").split(",")),
        _true(params, "inbound-late-negotiation"),
    )


def _true(params: dict[str, str], name: str) -> bool:
    return params.get(name, "").lower() in {"true", "yes", "1", "on"}


def _params(paths: list[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        try:
            found.update(_named(path.read_text(encoding="utf-8")))
        except ElementTree.ParseError as error:
            raise SettingsError(f"{path}: {error}") from error
    return found


@lru_cache(maxsize=256)
def _named(text: str) -> dict[str, str]:
    params = ElementTree.fromstring(text).iter("param")
    return {node.get("name", ""): node.get("value", "") for node in params}
