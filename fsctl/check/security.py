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
    near = _listens_near(found)
    yield _password(ground, near)
    yield _access(ground, found, near)


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
        return ok("FSC105", "the password is the shipped one, but only this host reaches the port")
    return problem(
        "FSC105",
        f"the event socket has the shipped password {SHIPPED_PASSWORD}, and listens to the network",
        _FOLLOWS,
        f"change password in {_FILE} and [switch], then: "
        + ground.fs_cli("reload mod_event_socket"),
    )


def _access(ground: Ground, found: Element, near: bool) -> Finding:
    lists = [value for name, value in parameters(found) if name == "apply-inbound-acl" and value]
    if near or not lists:  # without a list it is loopback.auto (mod_event_socket.c)
        return ok("FSC106", "the event socket admits this host only")
    for each in lists:
        if flag(ground.ask(Admits(_ANYBODY, each))):
            return problem(
                "FSC106",
                f"the event socket admits every address (apply-inbound-acl {each})",
                "only its password keeps strangers out",
                f"name the controllers' hosts in apply-inbound-acl of {_FILE}, then: "
                + ground.fs_cli("reload mod_event_socket"),
            )
    return ok("FSC106", f"the event socket admits the addresses of {', '.join(lists)} only")
