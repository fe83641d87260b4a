"""Who may use FreeSWITCH's event socket, which can do anything with the switch."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from fsctl.check.answers import flag, parameters
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, problem, unknown
from fsctl.esl.questions import Admits

SHIPPED_PASSWORD = "ClueCon"
_ANYBODY = "192.0.2.1"
"""Of a network that is nobody's (RFC 5737)."""
_OWN_HOST = "loopback.auto"
"""The list where none is named (mod_event_socket.c); of several, each must admit."""
_FILE = "autoload_configs/event_socket.conf.xml"
_FOLLOWS = "whoever reaches the port can do anything with the switch, calls that cost money too"


def event_socket(ground: Ground) -> Iterator[Finding]:
    """FSC105, FSC106: neither the shipped password nor everybody's address is let in from afar."""
    found = ground.locate("configuration", "configuration", "event_socket.conf")
    if found is None:
        yield unknown(
            "FSC105", "who may use the event socket", "event_socket.conf is not in what is loaded"
        )
        return
    named = [value for name, value in parameters(found) if name == "apply-inbound-acl" and value]
    near = _listens_near(found) or not named or _OWN_HOST in named
    yield _password(ground, near)
    yield _access(ground, [] if near else named)


def _listens_near(found: Element) -> bool:
    """Whether only this host reaches it; without a word mod_event_socket listens at 127.0.0.1."""
    address = dict(parameters(found)).get("listen-ip", "127.0.0.1")
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _password(ground: Ground, near: bool) -> Finding:
    if ground.switch.password != SHIPPED_PASSWORD:
        return ok("FSC105", "the event socket's password is not the shipped one")
    if near:
        return ok("FSC105", "the password is the shipped one, but only this host is let in")
    return problem(
        "FSC105",
        f"the event socket has the shipped password {SHIPPED_PASSWORD}, and admits other hosts",
        _FOLLOWS,
        f"change password in {_FILE} and [switch], then: "
        + ground.fs_cli("reload mod_event_socket"),
    )


def _access(ground: Ground, lists: list[str]) -> Finding:
    if not lists:
        return ok("FSC106", "the event socket admits its own host only")
    if all(flag(ground.ask(Admits(_ANYBODY, each))) for each in lists):
        return problem(
            "FSC106",
            f"the event socket admits every address (apply-inbound-acl {', '.join(lists)})",
            "only its password keeps strangers out",
            f"name the controllers' hosts in apply-inbound-acl of {_FILE}, then: "
            + ground.fs_cli("reload mod_event_socket"),
        )
    return ok("FSC106", f"the event socket admits the addresses of {', '.join(lists)} only")
