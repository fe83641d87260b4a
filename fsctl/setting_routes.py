"""``[[route]]``: which numbers are dialled how."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import OWN_HOSTS, key
from fsctl.setting_transfer import (
    ASSERTED,
    CALLER_ID,
    REFERRED_BY,
    AssertedIdentity,
    CallerId,
    ReferredBy,
    TransferMode,
    check_shown,
)

RouteKind = Literal["user", "sofia", "gateway", "uri", "dialplan", "voicemail", "queue"]
Transport = Literal["", "udp", "tcp", "tls"]

_ROUTE_MODE: Final = kinds.choice("in-session", "legacy")
_BELONGS: Final[dict[str, tuple[str, ...]]] = {
    "domain": ("user", "voicemail"),
    "profile": ("sofia", "uri"),
    "host": ("sofia",),
    "port": ("sofia",),
    "transport": ("sofia", "uri"),
    "uri_parameters": ("uri",),
    "gateway": ("gateway",),
    "context": ("dialplan",),
    "queue": ("queue",),
    "variables": ("dialplan",),
}
_NEEDS: Final[dict[str, str]] = {
    "sofia": "host",
    "gateway": "gateway",
    "uri": "hosts",
    "queue": "queue",
}


@dataclass(frozen=True, slots=True)
class Route:
    """``[[route]]``: which numbers are dialled how; the first that matches wins.

    ``match`` must match the whole number (compile it with ``re.ASCII``), ``hosts`` are globs for
    the host of the dialled URI, "own" for this switch's names. ``strip`` characters are taken from
    the number's front (a number that is not longer does not match), then ``prefix`` is put there.
    ``port`` 0: none is written. ``uri_parameters`` of a dialled URI go along in the request line.
    ``kind`` "dialplan" calls the number in the switch's own dialplan: in ``context`` (empty: that
    of the party it is called for), with ``variables`` on the leg that is there; "voicemail" is the
    number's mailbox in ``domain`` (empty: that of the call), "queue" the ``queue`` of
    mod_callcenter. None: the section's own value applies.
    """

    name: str = key("users", kinds.NAME)
    match: str = key(".+", kinds.REGEX)
    hosts: tuple[str, ...] = key((OWN_HOSTS,), kinds.HOST_GLOBS)
    kind: RouteKind = key("user", kinds.choice(*get_args(RouteKind)))
    strip: int = key(0, kinds.integer(0, 63))
    prefix: str = key("", kinds.PREFIX)
    profile: str = key("", kinds.NAME)
    host: str = key("", kinds.HOST)
    port: int = key(0, kinds.integer(1, 65535))
    transport: Transport = key("", kinds.choice("udp", "tcp", "tls"))
    uri_parameters: tuple[str, ...] = key((), kinds.PARAMETER_GLOBS)
    gateway: str = key("", kinds.NAME)
    domain: str = key("", kinds.DOMAIN)
    context: str = key("", kinds.NAME)
    queue: str = key("", kinds.QUEUE)
    variables: tuple[tuple[str, str], ...] = key((), kinds.VARIABLES)
    transfer_mode: TransferMode | None = key(None, _ROUTE_MODE)
    ring_timeout_s: int | None = key(None, kinds.integer(1, 600))
    caller_id: CallerId | None = key(None, CALLER_ID)
    caller_id_number: str | None = key(None, kinds.SHOWN_NUMBER)
    caller_id_name: str | None = key(None, kinds.SHOWN_NAME)
    asserted_identity: AssertedIdentity | None = key(None, ASSERTED)
    referred_by: ReferredBy | None = key(None, REFERRED_BY)
    diversion: bool | None = key(None, kinds.FLAG)
    history_info: bool | None = key(None, kinds.FLAG)
    pass_headers: tuple[str, ...] | None = key(None, kinds.HEADER_GLOBS)
    scenario: Path | None = key(None, kinds.PATH)

    @property
    def in_dialplan(self) -> bool:
        """Whether the number is called in a dialplan of this switch, by a loopback."""
        return self.kind in ("dialplan", "voicemail", "queue")


def read_routes(
    origin: str, tables: Any, base: Path, transfer: dict[str, Any], profile: str
) -> tuple[Route, ...]:
    """Read the ``[[route]]``s: what they do not say, ``[transfer]`` does, and which sofia
    ``profile`` is the usual one. Raises SettingsError."""
    routes = []
    for where, accepted in kinds.accept_tables(origin, "route", Route, tables, base):
        _check_route(where, accepted, transfer)
        if accepted["kind"] in _BELONGS["profile"]:
            accepted.setdefault("profile", profile)
        routes.append(Route(**accepted))
    return tuple(routes)


def _check_route(where: str, route: dict[str, Any], transfer: dict[str, Any]) -> None:
    if "kind" not in route:
        raise SettingsError(f"{where} kind: is missing")
    kind = route["kind"]
    for name, owners in _BELONGS.items():
        if name in route and kind not in owners:
            raise SettingsError(f'{where} {name}: does not apply to kind = "{kind}"')
    if kind in _NEEDS and _NEEDS[kind] not in route:
        raise SettingsError(f'{where} {_NEEDS[kind]}: must be set for kind = "{kind}"')
    if kind == "uri" and any(not glob.strip("*?.") or glob == OWN_HOSTS for glob in route["hosts"]):
        raise SettingsError(f'{where} hosts: kind = "uri" must name the hosts that may be dialled')
    check_shown(where, route, transfer)
