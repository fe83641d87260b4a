"""``fsctl policy``: the rules as a table, and what they say of one transfer."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fsctl import settings
from fsctl.cli.desk_api import DeskApi
from fsctl.cli.options import add_config
from fsctl.cli.tables import show as print_table
from fsctl.errors import FsctlError
from fsctl.policy.judge import ALL, CHAIN, RATE, Asking, Request, considered, judge, said, table
from fsctl.policy.numbers import is_internal
from fsctl.policy.parties import Party, party
from fsctl.session.calling.judging import destination
from fsctl.session.calling.routing import NoRoute, Router
from fsctl.setting_policy import STARTS, Policy, Rule
from fsctl.sip.uri import Uri, UriError, parse_address

_PARTY = (
    "a user (1001, 1001@DOMAIN), inside, outside, unknown, gateway:NAME, acl:NAME, context:NAME, "
    "profile:NAME, network:ADDRESS, several of these with commas between them, or anybody else, "
    "who is outside"
)
_DIRECTIONS: Final = {"caller": "inbound", "callee": "outbound"}
_OTHERS: Final = {"caller": "callee", "callee": "caller"}
_VARIABLES: Final = {
    "gateway": ("sip_gateway", "sip_gateway_name"),
    "acl": ("sip_acl_authed_by",) * 2,
    "context": ("fsctl_own_context",) * 2,
    "profile": ("sofia_profile_name",) * 2,
}
"""What says so of who has called, and of who was called."""
_LET_IN: Final[dict[str, dict[str, str | None]]] = {"acl": {"sip_authorized": "true"}}
_LOCAL: Final = frozenset(("localhost", "127.0.0.1", "::1"))


class Unanswerable(FsctlError):
    """What is asked about is no number, party or time."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("policy", help="who may transfer whom where")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="all rules, in their order")
    add_config(show)
    show.set_defaults(run=run_show)
    counts = actions.add_parser("counts", help="who has asked for how many transfers lately")
    add_config(counts)
    counts.add_argument("--reset", metavar="PARTY", help="have one counted anew, as it is listed")
    counts.set_defaults(run=run_counts)
    explain = actions.add_parser("explain", help="which rule decides on a transfer, and why")
    add_config(explain)
    explain.add_argument("--by", required=True, metavar="PARTY", help=f"who asks: {_PARTY}")
    explain.add_argument("--of", required=True, metavar="PARTY", help="who is to be moved: as that")
    explain.add_argument("--to", required=True, metavar="NUMBER", help="number, SIP or tel URI")
    explain.add_argument("--context", default="", help="as context:NAME of who asks")
    explain.add_argument(
        "--own-host", action="append", default=[], metavar="HOST",
        help="a name or address of FreeSWITCH's own, in a URI; those after @ are too",
    )  # fmt: skip
    explain.add_argument("--leg", choices=("caller", "callee"), default="callee")
    explain.add_argument("--start", choices=STARTS, default="blind")
    explain.add_argument("--chain", type=int, default=0, help="transfers before this one")
    explain.add_argument("--per-minute", type=int, default=1, help="asked for in the last minute")
    explain.add_argument("--at", default="", metavar="TIME", help='"2026-11-30 10:00" (now)')
    explain.set_defaults(run=run_explain)


def run_counts(arguments: argparse.Namespace) -> int:
    """Print who has asked for how many transfers lately, or have one counted anew; 0."""
    desk = DeskApi(settings.load(arguments.config, os.environ))
    if arguments.reset:
        path = f"/api/v1/policy/counts?{urlencode({'party': arguments.reset})}"
        desk.act("DELETE", path)
        print(f"{arguments.reset} is counted anew")
        return 0
    counts = desk.get("/api/v1/policy/counts")["counts"]
    rows = [[each["party"], str(each["count"])] for each in counts]
    print_table(("party", "transfers asked for in a minute"), rows, none="nobody has asked lately")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print the rules; 0."""
    loaded = settings.load(arguments.config, os.environ)
    rows = [("rule", "by", "of", "to", "else", "then")]
    rows += [tuple(_cells(rule, loaded.policy)) for rule in table(loaded.policy, loaded.rules)]  # type: ignore[misc]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    print(f"The first that matches decides; the policy's mode is {loaded.policy.mode}.")
    return 0


def _cells(rule: Rule, policy: Policy) -> Iterator[str]:
    yield rule.name
    for words in (rule.by, rule.of, rule.to):
        yield " ".join(words) or "any"
    others = [rule.leg, *rule.start, rule.when]
    if rule.per_minute is not None:
        others.append(f"at most {rule.per_minute} a minute")
    if rule is CHAIN:
        others.append(f"moved {policy.max_chain} times already")
    if rule is RATE:
        others.append(f"more than {policy.max_per_minute} a minute")
    if rule is ALL:
        others.append(f"more than {policy.max_per_minute_of_switch} a minute, of all")
    yield " ".join(each for each in others if each) or "-"
    yield "allow" if rule.then == "allow" else f"refuse {rule.code} {rule.phrase}"


def run_explain(arguments: argparse.Namespace) -> int:
    """Print which rule decides and why those before it do not; 0 allowed, 1 refused."""
    loaded = settings.load(arguments.config, os.environ)
    if loaded.policy.mode == "off":
        print('allowed: [policy] mode is "off"')
        return 0
    context = f",context:{arguments.context}" if arguments.context else ""
    by = _party(arguments.by + context, arguments.leg, loaded.policy)
    of = _party(arguments.of, _OTHERS[arguments.leg], loaded.policy)
    asked = Asking(by, of, arguments.start, arguments.chain, arguments.per_minute)
    dialled = _dialled(arguments.to)
    try:
        routed = Router(loaded).route(dialled, "", None, _own_hosts(arguments))
    except NoRoute as error:
        print(f"refused with {error.status}: {error}")
        return 1
    request = Request(asked, destination(loaded, routed, of), _at(arguments.at, loaded.policy))
    print(f"route {routed.route.name} dials {routed.number}: {said(request.to, loaded.policy)}")
    for rule, differs in considered(request, loaded.policy, loaded.rules):
        if not differs:
            break
        print(f"  {rule.name}: not this one, {differs}")
    verdict = judge(request, loaded.policy, loaded.rules)
    print(f"{'allowed' if verdict.allowed else f'refused with {verdict.status}'}: {verdict.why}")
    if not verdict.allowed and loaded.policy.mode == "observe":
        print('It would pass all the same: [policy] mode is "observe".')
    return 0 if verdict.allowed else 1


def _party(text: str, leg: str, policy: Policy) -> Party:
    """Who is meant, as FreeSWITCH would know it: by the variables of a leg."""
    words = [word.strip() for word in text.split(",")]
    facts: dict[str, str | None] = {"direction": _DIRECTIONS[leg]}
    for word in words:
        facts |= _facts(word, leg, policy)
    return party({} if "unknown" in words else facts, policy)


def _facts(word: str, leg: str, policy: Policy) -> dict[str, str | None]:
    if word in ("outside", "unknown"):
        return {}  # a name would be a user's
    what, colon, name = word.partition(":")
    if colon and what == "network":
        if leg != "caller":
            raise Unanswerable(f"{word}: of a party that was called no address is known")
        return {"sip_network_ip": _address(name)}
    if colon and what in _VARIABLES:
        variables = _VARIABLES[what]
        return dict.fromkeys((variables[leg == "callee"],), name) | _LET_IN.get(what, {})
    if word == "inside" or _is_user(word, policy):
        user = "somebody" if word == "inside" else word.removeprefix("user:")
        return _user(*user.partition("@")[::2], leg)
    return {}


def _user(user: str, domain: str, leg: str) -> dict[str, str | None]:
    if leg == "callee":
        return {"dialed_user": user, "dialed_domain": domain or None}
    realm = domain or None
    return {"sip_authorized": "true", "sip_auth_username": user, "sip_auth_realm": realm}


def _address(text: str) -> str:
    try:
        return str(ip_network(text, strict=False).network_address)
    except ValueError as error:
        raise Unanswerable(f"network:{text}: {error}") from error


def _is_user(text: str, policy: Policy) -> bool:
    return text.startswith("user:") or is_internal(text.partition("@")[0], policy)


def _own_hosts(arguments: argparse.Namespace) -> set[str]:
    """FreeSWITCH itself knows its addresses and domains; here they are those that are named."""
    named = {host.strip("[]").lower() for host in arguments.own_host}
    domains = {text.partition("@")[2] for text in f"{arguments.by},{arguments.of}".split(",")}
    return named | {domain.lower() for domain in domains if domain} | _LOCAL


def _dialled(text: str) -> str | Uri:
    if ":" not in text and "<" not in text:
        return text
    try:
        return parse_address(text).uri.request_uri()
    except UriError as error:
        raise Unanswerable(f"--to {text}: {error}") from error


def _at(text: str, policy: Policy) -> datetime:
    zone = ZoneInfo(policy.timezone) if policy.timezone else None
    if not text:
        return datetime.now(zone).astimezone(zone)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError as error:
        raise Unanswerable(f"--at {text}: {error}") from error
