"""Why a transfer has ended as it has, in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fsctl.sip.refer import parse_refer_to
from fsctl.sip.roles import ROLES
from fsctl.sip.uri import UriError

_CAUSES = {
    **{400: "its Refer-To cannot be used", 404: "{target} does not exist, or no route leads there"},
    **{408: "{target} did not answer", 480: "{target} did not answer, or is not there"},
    **{486: "{target} is busy", 487: "somebody hung up before {target} answered"},
    **{488: "{target} and FreeSWITCH have no codec in common", 491: "another transfer went on"},
    **{500: "something went wrong in fsctl or its scenario: the log has it"},
    **{502: "no way to {target} works", 503: "{target} cannot be reached now"},
    **{600: "{target} is busy", 603: "{target} refused", 604: "{target} does not exist"},
}
_TOLD = (
    ("the transferee hangs up", "the party to be moved hung up"),
    ("somebody else takes the transferee", "somebody else took the party to be moved"),
    ("somebody else joins the transferee", "somebody else joined the party to be moved"),
    ("the switch is lost", "FreeSWITCH was lost"),
    ("the session ends before it", "its worker ended, or gave the call away"),
    ("whoever has asked takes it back", "whoever had asked took it back"),
    ("a REFER of one of the first two comes", "another transfer of the same call came"),
)
"""Steps that say more than a code does."""


def cause(transfer: Mapping[str, Any], steps: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return a sentence without its stop, for a row of the table of transfers; its steps may say
    more."""
    details = transfer.get("details") or {}
    outcome, code = transfer.get("outcome"), transfer.get("code") or 0
    parties = {role: number_of(transfer, role) or _called(role) for role in ROLES}
    if outcome is None:
        state = steps[-1]["state"] if steps else ""
        return f"it goes on: {state}" if state else "it goes on"
    if outcome == "succeeded":
        return "{transferee} talks, or talked, with {target}".format(**parties)
    if details.get("rule") and not details.get("allowed", True) and code in (403, 483, 503, 603):
        return f"the policy refused it, by rule {details['rule']}"
    exchange = details.get("exchange") or {}
    if str(exchange.get("decision", "")).startswith("refuse"):
        return "the web service refused it"
    happened = {step["what"] for step in steps}
    for step, meaning in _TOLD:
        if step in happened:
            return meaning
    known = _CAUSES.get(code, "{target} refused" if transfer.get("target") else "it was refused")
    said = known.format(**parties)
    reason = transfer.get("reason") or ""
    return f"{said} (“{reason}”)" if reason and transfer.get("target") else said


def number_of(transfer: Mapping[str, Any], role: str) -> str:
    """Return a party's number; of a target that was never called the one that was asked for. Empty:
    nobody knows it."""
    known = transfer.get(f"{role}_number") or ""
    if known or role != "target":
        return str(known)
    try:
        return parse_refer_to(transfer.get("refer_to") or "").target.number
    except UriError:
        return ""


def exchange(details: Mapping[str, Any]) -> str:
    """Return what a web service was asked, and has said; nothing: none was asked."""
    asked = details.get("exchange") or {}
    if not asked.get("host"):
        return ""
    said = asked.get("decision") or asked.get("failure") or ""
    took = f"{asked['host']}, {asked.get('ms', '?')} ms, HTTP {asked.get('status') or 'none'}"
    return f"{took}: {said}" if said else took


def would_have(details: Mapping[str, Any]) -> str:
    """Return what we would have done with a transfer that was only observed, as the end of a
    sentence; nothing: it was ours."""
    shadow = details.get("shadow") or {}
    if not shadow:
        return ""
    if shadow.get("would") == "refuse":
        why = f" ({shadow['why']})" if shadow.get("why") else ""
        return f"refused it with {shadow.get('code')} {shadow.get('reason') or ''}".rstrip() + why
    if shadow.get("would") != "connect":
        return "done what is not known: the log says why"
    as_whom = " ".join(filter(None, (shadow.get("caller_name"), shadow.get("caller_id"))))
    route = f" by route {shadow['route']}" if shadow.get("route") else ""
    return f"called {shadow.get('number')}{route}, as {as_whom or 'nobody named'}"


def _called(role: str) -> str:
    return {"transferee": "the party", "target": "the target"}.get(role, "whoever asked")
