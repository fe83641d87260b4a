"""Dial strings on the real switch: every value arrives, and nothing else happens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

import pytest

from fsctl.esl.commands import Originate
from fsctl.sip.uri import Uri
from fsctl.switch.dialstring import (
    DialString,
    Endpoint,
    GatewayEndpoint,
    LoopbackEndpoint,
    SofiaEndpoint,
    UserEndpoint,
    carried_value,
)
from tests.live.lab.esl_client import EslClient
from tests.live.lab.switch import Switch
from tests.unit.switch.test_dialstring import EXACT


class Ringing:
    """A SIP phone that only rings, and keeps the INVITEs as they came; CANCEL ends them."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.invites: dict[str, list[str]] = {}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def uri(self, user: str) -> Uri:
        return Uri("sip", user, None, "127.0.0.1", self.port)

    def _serve(self) -> None:
        while True:
            packet, peer = self._socket.recvfrom(65535)
            if not packet:
                return
            lines = packet.decode("utf-8", "surrogateescape").split("\r\n\r\n")[0].split("\r\n")
            for answer in self._answers(lines):
                self._socket.sendto(answer.encode("utf-8", "surrogateescape"), peer)

    def _answers(self, lines: list[str]) -> list[str]:
        method, call_id = lines[0].split(" ")[0], header(lines, "Call-ID")
        if method == "INVITE":
            self.invites[call_id] = lines
            return [_response("180 Ringing", lines)]
        if method == "CANCEL":
            ended = _response("487 Request Terminated", self.invites[call_id])
            return [_response("200 OK", lines), ended]
        return [] if method in ("ACK", "SIP/2.0") else [_response("200 OK", lines)]


def header(lines: list[str], name: str) -> str:
    found = [line for line in lines[1:] if line.lower().startswith(f"{name.lower()}:")]
    return found[0].partition(":")[2].strip()


def _response(status: str, request: list[str]) -> str:
    copied = [f"{name}: {header(request, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    to = header(request, "To")
    tagged = to if "tag=" in to else f"{to};tag=1"
    return "\r\n".join([f"SIP/2.0 {status}", *copied, f"To: {tagged}", "Content-Length: 0\r\n\r\n"])


class Dialler:
    """Dials on the switch, in the way that a test asks for, and hangs everything up."""

    def __init__(self, switch: Switch, mode: str) -> None:
        self.switch, self.mode = switch, mode
        self.waiting = str(uuid4())
        self._socket = socket.create_connection(("127.0.0.1", switch.esl_port), 5)
        self._send(f"auth {switch.password}")
        self._originating: threading.Thread | None = None
        if mode == "bridge":
            # a channel that executes something, without any phone
            where = "loopback/app=park &park()"
            reply = switch.esl(f"originate {{origination_uuid={self.waiting}}}{where}")
            assert reply.startswith("+OK"), reply

    def _send(self, command: str) -> None:
        self._socket.sendall(f"{command}\n\n".encode())

    def dial(self, dial_string: DialString) -> None:
        """Give the dial string to ``bridge`` on a channel, or to ``originate``."""
        if self.mode == "bridge":
            self.execute("bridge", dial_string.format())
            return
        command = Originate(dial_string.format_for_originate()).line()
        self._originating = threading.Thread(target=self._originate, args=(command,), daemon=True)
        self._originating.start()

    def _originate(self, command: str) -> None:
        with EslClient("127.0.0.1", self.switch.esl_port, self.switch.password, 60.0) as client:
            client.api(command)

    def execute(self, application: str, argument: str) -> None:
        self._send(
            f"sendmsg {self.waiting}\ncall-command: execute\n"
            f"execute-app-name: {application}\nexecute-app-arg: {argument}"
        )

    def has_ended(self) -> bool:
        """Whether ``bridge`` or ``originate`` is over, and so will dial nobody else."""
        if self._originating:
            return not self._originating.is_alive()
        try:
            disposition = self.switch.variable(self.waiting, "originate_disposition")
        except KeyError:  # a failed bridge ends its channel
            return True
        return disposition not in (None, "failure")

    def close(self) -> None:
        self._socket.close()
        self.switch.esl("hupall")
        if self._originating:
            self._originating.join(10)


@pytest.fixture
def ringing() -> Iterator[Ringing]:
    phone = Ringing()
    yield phone
    phone.close()


@pytest.fixture(params=["bridge", "originate"])
def dialler(switch: Switch, request: pytest.FixtureRequest) -> Iterator[Dialler]:
    made = Dialler(switch, request.param)
    yield made
    made.close()


def dial(
    dialler: Dialler, ringing: Ringing, variables: Mapping[str, str], endpoint: Endpoint
) -> tuple[list[str], Callable[[str], str | None]]:
    """Dial; return the one INVITE that rings, and what reads the new channel's variables."""
    channel_uuid = str(uuid4())
    dialler.dial(DialString(endpoint, {"origination_uuid": channel_uuid, **variables}))
    dialler.switch.wait(lambda: ringing.invites, 5, "an INVITE")
    (invite,) = ringing.invites.values()
    return invite, lambda name: dialler.switch.variable(channel_uuid, name)


def sofia(ringing: Ringing, user: str = "1000") -> SofiaEndpoint:
    return SofiaEndpoint("lab", ringing.uri(user))


REPLACED = ["${system(true)}", "$", "$$", "\\$", "$\\{x}", "a\r\nb\tc", "\x01\x02", "ARRAY::a|:b",
            "ARRAY::x", "\ud800", "x" * 2000]  # fmt: skip
VALUES = EXACT + REPLACED


def test_each_value_arrives_byte_for_byte(dialler: Dialler, ringing: Ringing) -> None:
    variables = {f"v{index}": value for index, value in enumerate(VALUES)}
    _, variable = dial(dialler, ringing, variables, sofia(ringing))
    arrived = {name: variable(name) for name in variables}
    assert arrived == {name: carried_value(value) for name, value in variables.items()}


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_alone_arrives_byte_for_byte(
    dialler: Dialler, ringing: Ringing, value: str
) -> None:
    _, variable = dial(dialler, ringing, {"before": "1", "x": value, "after": "2"}, sofia(ringing))
    assert (variable("before"), variable("x"), variable("after")) == (
        "1",
        carried_value(value),
        "2",
    )


def test_nothing_is_executed(dialler: Dialler, ringing: Ringing, tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    attack = f"${{system(touch {proof})}}"
    variables = {
        "origination_caller_id_name": attack,
        "sip_h_X-Attack": attack,
        "x": f"\\{attack}' , origination_nested_vars=true",
    }
    _, variable = dial(dialler, ringing, variables, sofia(ringing, attack))
    assert variable("x") == carried_value(variables["x"])
    assert not proof.exists()
    if dialler.mode == "bridge":
        # the same text raw, to show that this test would notice
        dialler.execute("set", f"x={attack}")
        dialler.switch.wait(proof.exists, 5, "the raw text is executed")


@pytest.mark.parametrize("end", ["", "}", "',", "'}", "\\}", "\\'}", ":_:"])
@pytest.mark.parametrize("separator", ["", ",", "|", ":_:"])
def test_no_endpoint_is_added(dialler: Dialler, ringing: Ringing, separator: str, end: str) -> None:
    attack = f"a{end}{separator}sofia/lab/sip:evil@127.0.0.1:{ringing.port}"
    _, variable = dial(dialler, ringing, {"x": attack, "y": "1"}, sofia(ringing, attack))
    assert (variable("x"), variable("y")) == (attack, "1")
    dialler.switch.esl(f"uuid_kill {variable('uuid')} USER_BUSY")
    dialler.switch.wait(dialler.has_ended, 5, "the end of dialling")
    assert len(ringing.invites) == 1


USERS = ["1000", "+1-555", "*97#", "a b", "100%", "%41", "a@b", "a/b", "x?y;z=1", "fs_path=sip:x",
         "xport=tls", "ü你", "a,b|c:_:d", "{a}[b]^c", "$x", "~!", "&echo()", "a'b\"c\\", "<x>",
         "^^:a", "gateway/g/1"]  # fmt: skip


@pytest.mark.parametrize("user", USERS)
def test_a_user_part_reaches_the_phone(dialler: Dialler, ringing: Ringing, user: str) -> None:
    invite, _ = dial(dialler, ringing, {}, sofia(ringing, user))
    request_uri = invite[0].split(" ")[1]
    assert unquote(request_uri) == f"sip:{user}@127.0.0.1:{ringing.port}"
    assert header(invite, "To") == f"<{request_uri}>"
    assert not [line for line in invite if line.startswith("Route:")]


def test_a_plus_stays_a_plus(dialler: Dialler, ringing: Ringing) -> None:
    invite, variable = dial(dialler, ringing, {}, sofia(ringing, "+1555"))
    uri = f"sip:+1555@127.0.0.1:{ringing.port}"
    assert invite[0] == f"INVITE {uri} SIP/2.0"
    assert variable("sip_destination_url") == uri


def test_sips_never_leaves_in_the_clear(dialler: Dialler, ringing: Ringing) -> None:
    endpoint = SofiaEndpoint("lab", replace(ringing.uri("secret"), scheme="sips"))
    dialler.dial(DialString(endpoint))
    dialler.switch.wait(dialler.has_ended, 5, "the end of dialling")
    assert not ringing.invites  # the profile has no TLS
    assert (
        f"New Channel sofia/lab/sips:secret@127.0.0.1:{ringing.port} " in dialler.switch.log_text()
    )


def test_a_display_name_on_the_wire(dialler: Dialler, ringing: Ringing) -> None:
    name = 'O\'Brien, "Ann" {x} [y] \\ = | : <a@b/c> ${system(true)} %41%0d%0aVia: ü 你'
    variables = {
        "origination_caller_id_name": name,
        "origination_caller_id_number": '"+1 (5)%0d@x>',
        "sip_h_X-Name": name,
    }
    invite, _ = dial(dialler, ringing, variables, sofia(ringing))
    shown = "O'Brien, ＂Ann＂ {x} [y] ＼ = | ： ＜a＠b／c＞ ＄{system(true)} ％41％0d％0aVia： ü 你"
    assert header(invite, "From").startswith(f'"{shown}" <sip:_+1__5__0d_x_@127.0.0.1>;tag=')
    assert header(invite, "X-Name") == carried_value(name)


def test_the_block_wins_over_the_waiting_channel(switch: Switch, ringing: Ringing) -> None:
    dialler = Dialler(switch, "bridge")
    mine = {"x": "block", "hidden": "", "sip_h_X-Foo": "block"}
    for name in (*mine, "seen", "originate_timeout"):
        switch.esl(f"uuid_setvar {dialler.waiting} {name} 1")
    exported = "x,hidden,seen,originate_timeout"
    switch.esl(f"uuid_setvar {dialler.waiting} export_vars {exported}")
    timeout = {"originate_timeout": "30"}
    invite, variable = dial(dialler, ringing, mine | timeout, sofia(ringing))
    assert [variable(n) for n in ("x", "hidden", "seen")] == ["block", None, "1"]
    assert variable("originate_timeout") == "30"
    assert header(invite, "X-Foo") == "block"
    dialler.close()


def test_a_user_of_the_directory(dialler: Dialler, ringing: Ringing) -> None:
    dialler.switch.add_user("4321", ringing.port)
    value = "O'B, {x} ${y} \\"
    endpoint = UserEndpoint("4321", dialler.switch.domain)
    invite, variable = dial(dialler, ringing, {"x": value}, endpoint)
    assert invite[0].startswith("INVITE sip:4321@")
    assert variable("x") == carried_value(value)
    dialler.switch.remove_user("4321")


def test_a_gateway(dialler: Dialler, ringing: Ringing) -> None:
    switch = dialler.switch
    name = f"gw{ringing.port}"
    config = switch.conf / "autoload_configs" / "sofia.conf.xml"
    gateway = (
        f'<gateway name="{name}"><param name="proxy" value="127.0.0.1:{ringing.port}"/>'
        '<param name="register" value="false"/><param name="username" value="u"/>'
        '<param name="password" value="p"/></gateway>'
    )
    text = config.read_text(encoding="utf-8").replace(
        "<gateways/>", f"<gateways>{gateway}</gateways>"
    )
    switch.reload_dialplan({"autoload_configs/sofia.conf.xml": text})
    switch.rescan_profile()
    switch.wait(lambda: name in switch.esl(f"sofia status gateway {name}"), 5, "the gateway")
    invite, variable = dial(dialler, ringing, {"x": "a,b"}, GatewayEndpoint(name, "+1;x=y@z"))
    assert unquote(invite[0]) == f"INVITE sip:+1;x=y@z@127.0.0.1:{ringing.port} SIP/2.0"
    assert variable("x") == "a,b"
    switch.esl(f"sofia profile lab killgw {name}")


def test_an_extension_of_the_dialplan(dialler: Dialler) -> None:
    switch = dialler.switch
    switch.reload_dialplan(
        {
            "dialplan/dialstring.xml": """<include>
<context name="dialstring"><extension name="any">
  <condition field="destination_number" expression="^\\*97#$">
    <action application="set" data="reached=yes"/><action application="park"/>
  </condition></extension></context>
</include>
"""
        }
    )
    value = "it's {1}, \\ ${x}"
    endpoint = LoopbackEndpoint("*97#", "dialstring")
    dialler.dial(DialString(endpoint, {"x": value}))

    def reached() -> str | None:
        for channel in switch.channels():
            if channel["name"] == "loopback/*97#-b":
                found: str = channel["uuid"]
                return found
        return None

    b_leg = switch.wait(reached, 5, "the b-leg")
    assert switch.variable(b_leg, "x") == carried_value(value)
