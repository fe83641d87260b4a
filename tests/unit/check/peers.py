"""Whoever may listen where FreeSWITCH's event socket is expected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import gevent
from gevent import socket
from gevent.server import StreamServer

from fsctl import dialplan
from fsctl.check import rescan_mark
from fsctl.settings import Dialplan, Route, Server, Settings, Switch
from fsctl.switch.armed import armed_everywhere

PASSWORD = "right"
GREETING = b"Content-Type: auth/request\n\n"
NOTHING = "can't find anything\n"
Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve, given: Settings | None = None) -> Iterator[Settings]:
    """The settings for somebody who does that with a connection."""
    server = StreamServer(("127.0.0.1", 0), lambda sock, _: serve(sock))
    server.start()
    try:
        yield settings(server.server_port, given)
    finally:
        server.stop(timeout=0)


def settings(port: int, given: Settings | None = None) -> Settings:
    """Settings that name that port and, if they name none, the right password."""
    base = given or Settings()
    password = base.switches[0].password if base.switches else PASSWORD
    return replace(base, switches=(switch(port, password),))


def switch(port: int = 8021, password: str = PASSWORD) -> Switch:
    """The only one."""
    return Switch(host="127.0.0.1", port=port, password=password, enabled=True)


def freeswitch(answers: Mapping[str, str], password: str = PASSWORD) -> Serve:
    """FreeSWITCH, which answers what is listed, by the API command's line; nothing else is said."""

    def serve(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as FreeSWITCH does
        sock.sendall(GREETING)
        stream = sock.makefile("rb")
        while line := stream.readline().decode().strip():
            stream.readline()
            if line.startswith("auth "):
                text = "+OK accepted" if line == f"auth {password}" else "-ERR invalid"
                sock.sendall(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode())
            elif (answer := _answer(answers, line.removeprefix("api "))) is not None:
                body = answer.encode()
                head = f"Content-Type: api/response\nContent-Length: {len(body)}\n\n"
                sock.sendall(head.encode() + body)

    return serve


def _answer(answers: Mapping[str, str], line: str) -> str | None:
    if line == "strepoch" and line not in answers:
        return str(int(time.time()))
    return answers.get(line, NOTHING if answers and line.startswith("xml_locate") else None)


def saying(data: bytes, *, endless: bool = False) -> Serve:
    """Somebody who says that, once or for ever, and listens to nobody."""

    def serve(sock: socket.socket) -> None:
        with suppress(OSError):  # it is hung up on: told later, it would be another test's fault
            sock.sendall(data)
            while endless:
                sock.sendall(data)
                gevent.sleep(0.001)
            sock.recv(1)
        gevent.sleep(30)

    return serve


ROUTES = (
    Route(name="trunk", kind="gateway", gateway="carrier"),
    Route(name="other", kind="sofia", profile="external", host="192.0.2.9"),
    Route(name="users", kind="user", domain="pbx.example.com"),
    Route(name="house", kind="dialplan", context="house"),
)
EXTENSION = """<extension name="{}"><condition field="destination_number" expression="{}">\
<action application="answer"/></condition></extension>"""


@dataclass
class Healthy:
    """A FreeSWITCH with which all is well, and its settings; a test changes either.

    What it answers was recorded from FreeSWITCH 1.10.12, and shortened.
    """

    settings: Settings = field(
        default_factory=lambda: Settings(
            server=Server(),
            dialplan=Dialplan(only_living=True),
            switches=(switch(),),
            routes=ROUTES,
        )
    )
    contexts: dict[str, str] = field(
        default_factory=lambda: {
            "default": EXTENSION.format("local", "^2[0-9]{2}$"),
            "house": "",
        }
    )
    """The operator's own, and the extensions there behind ours."""
    params: str = ""
    """More parameters of the profile internal, behind ours."""
    globals: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str | None] = field(default_factory=dict)
    """Answers in place of the usual ones; None: it stays silent."""

    fixed: dict[str, str] | None = None
    """All answers, whatever the settings are by now."""

    def scope_calls(self, match: str = "1[0-9]{3}") -> None:
        """As if the settings asked for calls."""
        plan = replace(self.settings.dialplan, scope="calls", inbound_match=match)
        self.settings = replace(self.settings, dialplan=plan)

    def answers(self) -> dict[str, str]:
        """What it answers, by the command's line."""
        if self.fixed is not None:
            return self.fixed
        files = _files(self.settings)
        inside = {path: _inside(text) for path, text in files.items()}
        made = {
            "version short": "1.10.12-release",
            "uptime": "86400\n",
            "global_getvar": "".join(
                f"{n}={v}\n" for n, v in (_globals(self) | self.globals).items()
            ),
            "sofia xmlstatus": _STATUS,
            "sofia xmlstatus profile internal": _PROFILE.format("internal"),
            "sofia xmlstatus profile external": _PROFILE.format("external"),
            "sofia xmlstatus gateway carrier": "<?xml version='1.0'?>\n<gateway></gateway>",
            "xml_locate directory domain name pbx.example.com": '<domain name="pbx.example.com"/>',
            "xml_locate channels": inside["fsctl_channels.xml"],
            "xml_locate configuration configuration name event_socket.conf": EVENT_SOCKET,
            "xml_locate configuration configuration name sofia.conf": _sofia(self),
        }
        made |= {f"module_exists {name}": "true" for name in _MODULES}
        own = {
            name: f'<context name="{name}">{first}{rest}</context>'
            for name, rest in self.contexts.items()
            for first in (inside.get(f"dialplan/{name}/00_fsctl.xml", ""),)
        }
        ours = inside["dialplan/fsctl.xml"]
        made["xml_locate dialplan"] = f"<section>{ours}{''.join(own.values())}</section>"
        own |= {text.partition('name="')[2].partition('"')[0]: text for text in _contexts(ours)}
        made |= {f"xml_locate dialplan context name {name}": text for name, text in own.items()}
        given = made | self.changed
        return {line: answer for line, answer in given.items() if answer is not None}


def _files(settings: Settings) -> dict[str, str]:
    """What is rendered, by path."""
    key = repr(settings)
    if key not in _FILES:
        _FILES[key] = {each.path: each.text for each in dialplan.rendered(settings)}
    return _FILES[key]


_FILES: dict[str, dict[str, str]] = {}


def _inside(text: str) -> str:
    return text.partition("<include>")[2].rpartition("</include>")[0]


def _sofia(healthy: Healthy) -> str:
    files = _files(healthy.settings)
    return _SOFIA.replace(
        "PARAMS", _inside(files["sip_profiles/fsctl_params.xml"]) + healthy.params
    )


def _contexts(text: str) -> list[str]:
    return ["<context" + part + "</context>" for part in _parts(text)]


def _parts(text: str) -> list[str]:
    return [each.partition("</context>")[0] for each in text.split("<context")[1:]]


def _globals(healthy: Healthy) -> dict[str, str]:
    mark = dict([rescan_mark("internal", _sofia(healthy))])
    living = {f"fsctl_living_{each}": "yes" for each in healthy.settings.dialplan.controllers}
    armed = armed_everywhere(healthy.settings)
    return {"conf_dir": str(Path("/etc/freeswitch.nowhere")), "domain": "x"} | mark | living | armed


_MODULES = (
    "mod_sofia mod_event_socket mod_dptools mod_commands mod_dialplan_xml mod_loopback "
    "mod_tone_stream mod_sndfile"
).split()
_STATUS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<profiles>
<alias><name>127.0.0.1</name><type>alias</type><data>internal</data><state>ALIASED</state></alias>
<profile><name>external</name><type>profile</type><state>RUNNING (0)</state></profile>
<gateway><name>carrier</name><type>gateway</type><data>sip:a@b;c=1&d</data><state>NOREG</state>
</gateway>
<profile><name>internal</name><type>profile</type><state>RUNNING (0) (WS)</state></profile>
<profile><name>internal</name><type>profile</type><state>RUNNING (0)</state></profile>
</profiles>
"""
_PROFILE = """<?xml version="1.0" encoding="ISO-8859-1"?>
<profile><profile-info><name>{}</name><dialplan>XML</dialplan><context>public</context>
<nomedia>false</nomedia><late-neg>true</late-neg><proxy-media>false</proxy-media>
</profile-info></profile>
"""
_SOFIA = """<configuration name="sofia.conf"><profiles>
<profile name="external"><settings><param name="context" value="public"></param></settings>
</profile>
<profile name="internal"><settings><param name="context" value="public"></param>PARAMS</settings>
</profile></profiles></configuration>"""
EVENT_SOCKET = """<configuration name="event_socket.conf"><settings>
<param name="listen-ip" value="127.0.0.1"></param><param name="password" value="x"></param>
</settings></configuration>"""
