"""Where a leg is at home: the hosts that name this switch, and the domain of its users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fsctl.esl.events import Event
from fsctl.session.core.session import Session
from fsctl.switch.marks import Mark

_OWN_HOSTS: Final = ("domain_name", "dialed_domain", "sip_req_host", "sip_local_network_addr")
"""Where the leg has come in, or was registered: mod_sofia.c, mod_dptools.c (``user``)."""


DOMAINS: Final = (Mark.CALL_DOMAIN, "domain_name", "dialed_domain", "sip_to_host", "sip_req_host")
"""Variables that say where a party is registered, or was called."""


def learn(session: Session, domains: Sequence[str | None], snapshot: Event) -> None:
    """Take what a party of another session's call calls by, of whose channel these are `DOMAINS`:
    its domain, and the names of this switch. ``snapshot``: of the loopback that asks for it."""
    session.domain = next((domain for domain in domains if domain), "")
    own = (snapshot.get("FreeSWITCH-IPv4"), session.domain, "localhost", "127.0.0.1")
    session.own_hosts |= {host.lower() for host in own if host}


def own_hosts(snapshot: Event) -> set[str]:
    """The hosts that name this switch: FreeSWITCH's own addresses, the domain of the user, and
    where the caller has sent its INVITE, which has brought it here."""
    inbound = snapshot.get("Call-Direction") != "outbound"
    named = [snapshot.get("FreeSWITCH-IPv4"), snapshot.get("FreeSWITCH-IPv6")]
    named += [snapshot.variable(name) for name in _OWN_HOSTS if inbound or name != "sip_req_host"]
    hosts = {host.strip("[]").lower() for host in named if host}
    hosts |= {"localhost", "127.0.0.1", "::1"}
    return hosts | set((snapshot.variable(Mark.OWN_HOSTS) or "").split())


def domain_of(snapshot: Event) -> str:
    """The domain of users who are dialled by their number only."""
    return (
        snapshot.variable(Mark.CALL_DOMAIN)
        or snapshot.variable("domain_name")
        or snapshot.variable("sip_to_host")
        or snapshot.variable("sip_req_host")
        or ""
    )
