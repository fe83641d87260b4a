"""What the wire layer writes arrives byte for byte in a real FreeSWITCH, and does only that."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import gevent
import pytest
from gevent.queue import Queue

from fsctl.errors import ChannelGone, CommandError, CommandFailed
from fsctl.esl.client import SwitchClient
from fsctl.esl.commands import (
    Events,
    Execute,
    Exit,
    Filter,
    GlobalGetvar,
    GlobalSetvar,
    Linger,
    Originate,
    SchedDel,
    SchedHangup,
    UuidExists,
    UuidGetvar,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
)
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.esl.server import EslServer
from tests.live.lab.switch import Switch

NASTY = [
    "O'Brien",
    '"quoted"',
    "back\\slash",
    "trailing\\",
    "\\n\\t\\s\\\\",
    "  leading and trailing  ",
    "tab\tat the end\t",
    "\x0b\x0c\x1b[0m",
    "'",
    "''",
    "\\",
    "it''s '' x",
    "a='b'",
    "=",
    "^^x",
    "^^:a:b",
    "a,b;c=d|e",
    "{a}[b]<c>",
    "%41 %0A %",
    "-ERR no",
    "|:",
    "ARRAY:",
    "\u00fc \u4f60 \U0001f389 \u2028 \u0085",
    "please reload mod_event_socket",
    "UNLOAD 'MOD_EVENT_SOCKET'",
    "x" * 5000,
]
DOLLARS = ["${system(touch /tmp/never)}", "$${x} $", "a$"]


@pytest.fixture
def client(switch: Switch) -> Iterator[SwitchClient]:
    """A connected client of the laboratory's switch."""
    client = SwitchClient("127.0.0.1", switch.esl_port, switch.password)
    client.start()
    client.wait_connected(10)
    yield client
    client.stop()


@pytest.fixture
def channel(client: SwitchClient) -> Iterator[str]:
    """A parked channel."""
    channel_uuid = str(uuid.uuid4())
    dial_string = f"{{origination_uuid={channel_uuid},null_enable_auto_answer=true}}null/x"
    client.api(Originate(dial_string))
    yield channel_uuid
    kill(client, channel_uuid)


def kill(client: SwitchClient, channel_uuid: str) -> None:
    """Hang a channel up if it is still there."""
    if client.api(UuidExists(channel_uuid)) == "true":
        client.api(UuidKill(channel_uuid))


def variable(client: SwitchClient, channel_uuid: str, name: str) -> str | None:
    """A channel variable, exactly."""
    output = client.api(UuidGetvar(channel_uuid, name))
    return None if output == "_undef_" else output


@pytest.mark.parametrize("value", [*NASTY, *DOLLARS], ids=repr)
def test_uuid_setvar(client: SwitchClient, channel: str, value: str) -> None:
    client.api(UuidSetvar(channel, "v", value))
    assert variable(client, channel, "v") == value
    client.api(UuidSetvar(channel, "v"))
    assert variable(client, channel, "v") is None


def test_uuid_setvar_multi(client: SwitchClient, channel: str) -> None:
    names = [f"v{number}" for number in range(len(NASTY))]
    client.api(UuidSetvarMulti(channel, tuple(zip(names, NASTY, strict=True))))
    assert [variable(client, channel, name) for name in names] == NASTY


def test_global_setvar(client: SwitchClient) -> None:
    for value in NASTY:
        client.api(GlobalSetvar("fsctl_test", value))
        assert client.send(GlobalGetvar("fsctl_test")).text == value
    client.api(GlobalSetvar("fsctl_test", ""))
    with pytest.raises(CommandFailed, match="no reply"):
        client.api(GlobalGetvar("fsctl_test"))


def test_originate_gives_the_dial_string_whole(client: SwitchClient) -> None:
    channel_uuid = str(uuid.uuid4())
    variables = f"origination_uuid={channel_uuid},null_enable_auto_answer=true,v='a b',w=x\\,y"
    client.api(Originate(f"{{{variables}}}null/x"))
    try:
        assert variable(client, channel_uuid, "v") == "a b"
        assert variable(client, channel_uuid, "w") == "x,y"
    finally:
        kill(client, channel_uuid)
    with pytest.raises(CommandFailed, match="USER_BUSY"):
        client.api(Originate("error/USER_BUSY"))


def test_a_transfer_takes_an_extension_with_spaces(client: SwitchClient, channel: str) -> None:
    client.api(UuidTransfer(channel, "set:v=it's 1 2,park", None, "inline"))
    with gevent.Timeout(5, AssertionError("not transferred")):
        while variable(client, channel, "v") is None:
            gevent.sleep(0.02)
    assert variable(client, channel, "v") == "it's 1 2"


def test_timers_are_deleted_by_the_channels_uuid(client: SwitchClient, channel: str) -> None:
    assert client.api(SchedHangup(600, channel)) == "+OK\n"
    assert client.api(SchedDel(channel)) == "+OK Deleted: 1\n"


# -- outbound links -----------------------------------------------------------------------------


class Calls:
    """A server, and calls that the switch sends to it."""

    def __init__(self, switch: Switch, client: SwitchClient) -> None:
        self.arrived: Queue[tuple[Connection, Event]] = Queue()
        self.server = EslServer(("127.0.0.1", 0), self._take)
        self.server.start()
        self._client = client
        host, port = self.server.address
        switch.reload_dialplan({"dialplan/public/50_escaping.xml": _extension(host, port)})
        self._legs: list[str] = []

    def _take(self, link: Connection, channel: Event) -> None:
        self.arrived.put((link, channel))

    def dial(self) -> str:
        """A call to the extension with the socket; returns the uuid of the leg that runs it."""
        first = str(uuid.uuid4())
        self._legs.append(first)
        self._client.api(Originate(f"{{origination_uuid={first}}}loopback/escaping/public"))
        return str(variable(self._client, first, "other_loopback_leg_uuid"))

    def link(self) -> Connection:
        """Dial, and the link that arrives."""
        leg = self.dial()
        link, channel = self.arrived.get(timeout=5)
        assert channel.channel_uuid == leg == link.channel_uuid
        return link

    def wait_for_next_action(self, leg: str) -> None:
        """Until the leg has run the action after ``socket``."""
        with gevent.Timeout(5, AssertionError("the leg does not go on in its dialplan")):
            while variable(self._client, leg, "after_socket") != "yes":
                gevent.sleep(0.02)

    def stop(self) -> None:
        """End everything."""
        for leg in self._legs:
            kill(self._client, leg)
        self.server.stop(1.0)


def _extension(host: str, port: int) -> str:
    return f"""<include>
<extension name="escaping"><condition field="destination_number" expression="^escaping$">
<action application="answer"/>
<action application="socket" data="{host}:{port} async full"/>
<action application="set" data="after_socket=yes"/>
<action application="park"/>
</condition></extension>
</include>
"""


@pytest.fixture
def calls(switch: Switch, client: SwitchClient) -> Iterator[Calls]:
    """Calls to a socket of ours."""
    calls = Calls(switch, client)
    yield calls
    calls.stop()
    switch.uninstall()


def watched(link: Connection) -> Connection:
    """With the events that `execute` needs."""
    events = Events(("CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP"))
    for reply in link.send_all([Filter("Unique-ID", link.channel_uuid or ""), events, Linger(5)]):
        reply.raise_for_error()
    return link


def test_arguments_of_applications(client: SwitchClient, calls: Calls) -> None:
    link = watched(calls.link())
    values = [v for v in NASTY if "\\" not in v and not v.startswith(" ") and v == v.rstrip(" ")]
    for value in [*values, "y" * 1890, "\u00fc" * 30_000]:
        end = link.execute(Execute("set", "v=" + value))
        assert end["Application"] == "set"
        assert variable(client, link.channel_uuid or "", "v") == value
    for value in DOLLARS:
        with pytest.raises(CommandError):
            Execute("set", "v=" + value)


def test_ends_are_told_apart_by_uuid(calls: Calls) -> None:
    link = watched(calls.link())
    longer = gevent.spawn(link.execute, Execute("sleep", "400", event_uuid="longer"))
    shorter = gevent.spawn(link.execute, Execute("sleep", "50", event_uuid="shorter"))
    assert shorter.get(timeout=5)["Application-UUID"] == "shorter"
    assert longer.get(timeout=5)["Application-UUID"] == "longer"


def test_a_hangup_ends_what_waits(client: SwitchClient, calls: Calls) -> None:
    link = watched(calls.link())
    outcome: list[ChannelGone] = []

    def sleep() -> None:
        try:
            link.execute(Execute("sleep", "60000"), 30)
        except ChannelGone as error:
            outcome.append(error)

    sleeping = gevent.spawn(sleep)
    client.api(UuidKill(link.channel_uuid or ""))
    sleeping.join(5)
    assert outcome
    with gevent.Timeout(5, AssertionError("no notice of the linger")):
        while not link.lingering:
            gevent.sleep(0.02)
    assert link.api(UuidExists(link.channel_uuid or "")) == "false"
    with pytest.raises(ChannelGone):
        link.send(Execute("answer"))


def test_an_exit_lets_the_call_go_on(calls: Calls) -> None:
    link = watched(calls.link())
    link.execute(Execute("set", "a=b"))
    link.send(Exit())
    assert link.wait_closed(5)
    calls.wait_for_next_action(link.channel_uuid or "")


def test_let_go_right_after_the_handshake_lets_the_call_go_on(calls: Calls) -> None:
    for _ in range(3):
        link = calls.link()
        let_go(link)
        calls.wait_for_next_action(link.channel_uuid or "")


def test_above_the_limit_calls_go_on(calls: Calls) -> None:
    calls.server._max_links = 0
    calls.wait_for_next_action(calls.dial())


def test_stop_lets_calls_go_on(calls: Calls) -> None:
    link = calls.link()
    calls.server.stop()
    calls.wait_for_next_action(link.channel_uuid or "")
