"""The settings of fsctl: one TOML file, overridden by environment variables; every key is checked.

The dataclasses below are the schema: a key's default, kind and range stand together, and whatever
is not listed is an error that names the file, the key and the nearest known name.

``FSCTL_<SECTION>_<KEY>`` overrides a key (``FSCTL_SERVER_LISTEN``); lists are comma separated,
tables are ``Name=value`` pairs. Routes, groups, rules, devices, and several switches, come from the
file only.
"""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fsctl import (
    setting_decide,
    setting_devices,
    setting_groups,
    setting_hep,
    setting_http,
    setting_keys,
    setting_news,
    setting_policy,
    setting_records,
    setting_routes,
    setting_switches,
    setting_transfer,
)
from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_decide import Decide as Decide
from fsctl.setting_devices import Device as Device
from fsctl.setting_groups import Group as Group
from fsctl.setting_hep import Hep as Hep
from fsctl.setting_http import Http as Http
from fsctl.setting_keys import Keys as Keys
from fsctl.setting_kinds import OWN_HOSTS as OWN_HOSTS
from fsctl.setting_kinds import SAFE_NUMBER as SAFE_NUMBER
from fsctl.setting_kinds import key
from fsctl.setting_news import News as News
from fsctl.setting_policy import Policy as Policy
from fsctl.setting_policy import Rule as Rule
from fsctl.setting_records import Records as Records
from fsctl.setting_routes import Route as Route
from fsctl.setting_routes import RouteKind as RouteKind
from fsctl.setting_routes import Transport as Transport
from fsctl.setting_switches import Switch as Switch
from fsctl.setting_transfer import AssertedIdentity as AssertedIdentity
from fsctl.setting_transfer import Attended as Attended
from fsctl.setting_transfer import CallerId as CallerId
from fsctl.setting_transfer import Fallback as Fallback
from fsctl.setting_transfer import LegacyReport as LegacyReport
from fsctl.setting_transfer import Recording as Recording
from fsctl.setting_transfer import ReferredBy as ReferredBy
from fsctl.setting_transfer import Transfer as Transfer
from fsctl.setting_transfer import TransferMode as TransferMode

Scope = Literal["transfers", "calls"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PORT: Final = kinds.integer(1, 65535)


@dataclass(frozen=True, slots=True)
class Server:
    """``[server]``: where FreeSWITCH's ``socket`` application reaches us.

    ``home`` is the address that FreeSWITCH dials for re-entries (default: ``listen``). With several
    ``workers`` (0: one for each core) each has a port of its own there, one of ``home_ports`` or
    any that is free. Above ``max_calls`` of a worker, and while it is later than ``max_delay_ms``,
    new calls are turned away; ``overload`` says what becomes of them: FreeSWITCH connects them by
    the routes, or they are refused with 503. A worker whose loop stands still for
    ``hang_timeout_s`` is killed. ``realtime``: workers and supervisor run in real time, where that
    is permitted, as FreeSWITCH does.
    """

    listen: str = key("127.0.0.1:8084", kinds.ADDRESS)
    home: str = key("127.0.0.1:8084", kinds.DIALLED_ADDRESS)
    workers: int = key(0, kinds.integer(0, 256))
    home_ports: tuple[int, int] | None = key(None, kinds.PORTS)
    hang_timeout_s: float = key(10.0, kinds.seconds(1, 600))
    max_calls: int = key(1000, kinds.integer(1, 100_000))
    max_delay_ms: int = key(1000, kinds.integer(10, 30_000))
    overload: Literal["switch", "refuse"] = key("switch", kinds.choice("switch", "refuse"))
    drain_timeout_s: float = key(30.0, kinds.seconds(0, 3600))
    realtime: bool = key(True, kinds.FLAG)
    log_level: LogLevel = key("info", kinds.choice("debug", "info", "warning", "error"))
    log_format: Literal["text", "json"] = key("text", kinds.choice("text", "json"))


@dataclass(frozen=True, slots=True)
class Call:
    """``[call]``: new calls. ``ringback`` is heard where FreeSWITCH must make it (after answer).

    ``pass_headers`` lists the headers of a caller's own INVITE that may go to whoever is called for
    it, in a transfer as well. ``own_hosts`` are names of this switch, besides the call's domain and
    the addresses that FreeSWITCH itself knows (globs).
    """

    ring_timeout_s: int = key(60, kinds.integer(1, 600))
    ringback: str = key("%(2000,4000,440,480)", kinds.RINGBACK)
    follow_redirects: int = key(5, kinds.integer(0, 10))
    codecs: str = key("", kinds.CODECS)
    pass_headers: tuple[str, ...] = key((), kinds.HEADER_GLOBS)
    own_hosts: tuple[str, ...] = key((), kinds.OWN_HOST_GLOBS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """``[scenario]``: the Python file whose handlers decide; without one the settings do."""

    file: Path | None = key(None, kinds.PATH)


DEFAULT_FILE: Final = Path("/etc/fsctl/fsctl.toml")
"""Where `fsctl install` puts the settings."""


@dataclass(frozen=True, slots=True)
class Dialplan:
    """``[dialplan]``: what ``fsctl dialplan render`` writes. In ``scope`` "transfers" a controller
    gets the transfers of all calls and nothing else; in "calls" also the new calls in
    ``inbound_contexts`` whose whole number matches ``inbound_match``, and the transfers of these.
    ``controllers`` are dialled in this order (default: ``[server] home``), and with
    ``only_living`` (default: ``[switch] enabled``) only those that have shown a sign of life. A leg
    that none has claimed after ``claim_timeout_s`` is FreeSWITCH's own."""

    scope: Scope = key("transfers", kinds.choice("transfers", "calls"))
    inbound_contexts: tuple[str, ...] = key(("default",), kinds.list_of(kinds.NAME))
    inbound_match: str = key("", kinds.REGEX)
    controllers: tuple[str, ...] = key(("127.0.0.1:8084",), kinds.list_of(kinds.DIALLED_ADDRESS))
    only_living: bool = key(False, kinds.FLAG)
    claim_timeout_s: int = key(2, kinds.integer(1, 30))
    sofia_profile: str = key("internal", kinds.NAME)
    overrides: Path | None = key(None, kinds.PATH)
    event_socket: bool = key(False, kinds.FLAG)
    event_socket_listen: str = key("127.0.0.1", kinds.IP_ADDRESS)
    event_socket_port: int = key(8021, _PORT)
    event_socket_password: str = key("", kinds.PASSWORD, show=False)
    event_socket_acl: str = key("", kinds.NAME)


@dataclass(frozen=True, slots=True)
class Check:
    """``[check]``: findings of ``fsctl check`` that do not count, by code, each with its reason."""

    ignore: tuple[tuple[str, str], ...] = key((), kinds.REASONS)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured; ``warnings`` are sentences for the operator.

    ``switches`` are those of ``[switch]`` that are enabled: every controller is connected to each.
    """

    server: Server = Server()
    switches: tuple[Switch, ...] = ()
    call: Call = Call()
    transfer: Transfer = Transfer()
    scenario: Scenario = Scenario()
    dialplan: Dialplan = Dialplan()
    hep: Hep = Hep()
    check: Check = Check()
    policy: Policy = Policy()
    rules: tuple[Rule, ...] = ()
    devices: tuple[Device, ...] = ()
    decide: Decide = Decide()
    keys: Keys = Keys()
    records: Records = Records()
    http: Http = Http()
    news: News = News()
    routes: tuple[Route, ...] = (Route(),)
    groups: tuple[Group, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def attended(self) -> Attended:
        """Who decides on a REFER with Replaces; nothing is said: FreeSWITCH, in scope transfers,
        and where transfers are only observed."""
        calls = self.dialplan.scope == "calls" and not self.observes
        return self.transfer.attended or ("application" if calls else "switch")

    @property
    def observes(self) -> bool:
        """Whether FreeSWITCH carries transfers out, and what we would have done is only noted."""
        return self.transfer.mode == "observe"

    def mode(self, wanted: TransferMode | None = None) -> TransferMode:
        """How transfers go where a route or a scenario wants them so: where they are only observed
        nobody's wish counts."""
        return self.transfer.mode if self.observes or wanted is None else wanted

    @property
    def has_desk(self) -> bool:
        """Whether there is a process that keeps records, and shows what goes on."""
        return self.records.keep

    @property
    def arms_everywhere(self) -> bool:
        """Whether controllers arm all legs of the switch by global variables, for as long as they
        live; else each leg has its own."""
        return self.dialplan.scope == "transfers" and bool(self.switches)


_SECTIONS: Final[dict[str, type[Any]]] = {
    "server": Server,
    "call": Call,
    "transfer": Transfer,
    "scenario": Scenario,
    "dialplan": Dialplan,
    "hep": Hep,
    "check": Check,
    "policy": Policy,
    "decide": Decide,
    "keys": Keys,
    "records": Records,
    "http": Http,
    "news": News,
}
_LISTS: Final = ("switch", "route", "group", "rule", "device")
_ENVIRONMENT: Final = "FSCTL_"
_IN_FILES: Final = {
    "password_file": "password",
    "secret_file": "secret",
    "database_file": "database",
    "token_file": "token",
}
"""Keys that name a file, and those that what stands there is the value of."""
_WILDCARDS: Final = ("0.0.0.0", "[::]")


def usual_file() -> Path | None:
    """Return the settings that a command takes where none are named: `DEFAULT_FILE`, if there is
    such a file."""
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings: defaults, then the TOML file at ``path``, then ``environ``.

    Relative paths in the file are relative to its folder. Without ``[server] home`` FreeSWITCH
    dials ``listen``; with port 0 there, ``home`` and ``controllers`` stay empty: the port is not
    known yet. Raises SettingsError.
    """
    document = _parse(path)
    origin = str(path) if path else "settings"
    base = path.parent if path else Path()
    kinds.refuse_unknown(origin, "section", document, [*_SECTIONS, *_LISTS])
    values = {
        name: kinds.accept_table(f"{origin}: [{name}]", schema, document.get(name, {}), base)
        for name, schema in _SECTIONS.items()
    }
    tables = setting_switches.read(origin, document.get("switch"), base)
    warnings = setting_switches.warn_of_readable_password(path, tables)
    _override(values, tables, environ)
    switches = setting_switches.complete(origin, document.get("switch"), tables)
    _complete(origin, values, tables)
    setting_records.complete(origin, values["records"])
    setting_hep.complete(origin, values["hep"])
    setting_http.complete(origin, values["http"])
    setting_news.complete(origin, values["news"])
    warnings += setting_decide.warnings(
        path, values["decide"], in_file="secret" in document.get("decide", {})
    )
    warnings += setting_records.warnings(
        path, values["records"], in_file="database" in document.get("records", {})
    )
    warnings += setting_news.warnings(
        path, values["news"], in_file="secret" in document.get("news", {})
    )
    warnings += setting_records.without_records(origin, values)
    warnings += setting_hep.warnings(origin, values["hep"], values["records"])
    warnings += setting_http.warnings(
        path, values["http"], in_file="token" in document.get("http", {})
    )
    profile = values["dialplan"].get("sofia_profile", Dialplan().sofia_profile)
    routes = setting_routes.read_routes(
        origin, document.get("route", []), base, values["transfer"], profile
    )
    groups = setting_groups.read_groups(origin, document.get("group", []), base)
    rules = setting_policy.read_rules(origin, document.get("rule", []), base)
    devices = setting_devices.read_devices(origin, document.get("device", []), base)
    return Settings(
        **{name: schema(**values[name]) for name, schema in _SECTIONS.items()},
        switches=switches,
        rules=rules,
        devices=devices,
        routes=routes or _usual_routes(values["dialplan"]),
        groups=groups,
        warnings=warnings,
    )


def _parse(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def log_form(path: Path | None, environ: Mapping[str, str]) -> Literal["text", "json"]:
    """The form of the log that settings ask for which are wrong somewhere, or cannot be read."""
    chosen = environ.get(f"{_ENVIRONMENT}SERVER_LOG_FORMAT")
    if chosen is None and path is not None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        found = re.search(r"""^\s*log_format\s*=\s*["'](\w+)["']""", text, re.MULTILINE)
        chosen = found[1] if found else None
    return "json" if chosen == "json" else "text"


def _override(
    values: dict[str, dict[str, Any]],
    switches: list[dict[str, Any]],
    environ: Mapping[str, str],
) -> None:
    known = {
        f"{_ENVIRONMENT}{section}_{name}".upper(): (values[section], name, kind)
        for section, schema in _SECTIONS.items()
        for name, kind in kinds.kinds_of(schema).items()
    } | setting_switches.variables(switches, environ)
    ours = sorted(name for name in environ if name.startswith(_ENVIRONMENT))
    kinds.refuse_unknown("environment", "variable", ours, list(known))
    given = [(id(table), key_name) for table, key_name, _ in (known[name] for name in ours)]
    for name in ours:
        table, key_name, kind = known[name]
        value = kinds.accept(name, kind, kind.read(environ[name]))
        for file, itself in _IN_FILES.items():
            if key_name == file and (id(table), itself) not in given:
                table.pop(itself, None)
            if key_name == itself:
                table.pop(file, None)
        table[key_name] = value


def _complete(
    origin: str, values: dict[str, dict[str, Any]], switches: list[dict[str, Any]]
) -> None:
    _complete_home(origin, values["server"], values["dialplan"])
    if len(switches) == 1:
        for name in {"port", "password"} & switches[0].keys():
            values["dialplan"].setdefault(f"event_socket_{name}", switches[0][name])
    enabled = any(table["enabled"] for table in switches)
    if values["dialplan"].setdefault("only_living", enabled) and not enabled:
        raise SettingsError(f"{origin}: [dialplan] only_living: needs [switch]")
    _check_scope(f"{origin}: [dialplan] inbound_match", values["dialplan"])
    transfer = values["transfer"]
    calls = values["dialplan"].get("scope", Dialplan().scope) == "calls"
    setting_transfer.complete(origin, transfer, calls, enabled)
    decision_timeout_s = transfer.get("decision_timeout_s", Transfer().decision_timeout_s)
    setting_decide.complete(origin, values["decide"], decision_timeout_s)
    setting_keys.complete(origin, values["keys"])


def _check_scope(where: str, dialplan: dict[str, Any]) -> None:
    calls = dialplan.get("scope", Dialplan().scope) == "calls"
    if calls and "inbound_match" not in dialplan:
        raise SettingsError(f'{where}: must be set for scope = "calls"')
    if not calls and "inbound_match" in dialplan:
        raise SettingsError(f'{where}: does not apply to scope = "transfers"')


def _complete_home(origin: str, server: dict[str, Any], dialplan: dict[str, Any]) -> None:
    listen = server.get("listen", Server().listen)
    host, _, port = listen.rpartition(":")
    if "home" not in server:
        if host in _WILDCARDS or host.startswith("["):
            raise SettingsError(
                f'{origin}: [server] home: must be set, FreeSWITCH cannot dial listen = "{listen}"'
            )
        server["home"] = "" if port == "0" else listen
    first, last = server.get("home_ports", (1, 65535))
    if last - first + 1 < server.get("workers", 0):
        raise SettingsError(f"{origin}: [server] home_ports: fewer ports than workers")
    dialplan.setdefault("controllers", (server["home"],) if server["home"] else ())


def _usual_routes(dialplan: dict[str, Any]) -> tuple[Route, ...]:
    """Where nothing is said: in scope transfers the switch's own dialplan knows each number."""
    if dialplan.get("scope", Dialplan().scope) == "transfers":
        return (Route(name="dialplan", kind="dialplan"),)
    return Settings().routes
