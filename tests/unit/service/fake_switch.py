"""FreeSWITCH's own event socket, with a table of channels and a memory of what it was told."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import gevent
from gevent import socket
from gevent.server import StreamServer

Channel = dict[str, str]


class FakeSwitch:
    """Answers what those ask who look after orphans.

    ``channels``: by uuid, ``row.X`` is a column of the table, everything else a variable.
    With a ``port`` it takes the place of one that was there before. While it ``hangs`` it accepts
    and says nothing.
    """

    def __init__(self, core_uuid: str = "core-1", port: int = 0) -> None:
        self.core_uuid, self.switchname, self.hangs = core_uuid, "host", False
        self.channels: dict[str, Channel] = {}
        self.told: list[str] = []
        """Commands that change something."""
        self.timers: set[str] = set()
        """The groups of those that are pending: none fires by itself."""
        self.globals = "domain=x\n"
        """What ``global_getvar`` answers."""
        self.looks = 0
        self.hung_up: set[str] = set()
        """No channels any more, but still in the table: their events have not been sent."""
        self._socks: list[Any] = []
        self._server = StreamServer(("127.0.0.1", port), self._serve)
        self._server.start()
        self.port: int = self._server.server_port

    def stop(self) -> None:
        """No more; it may have died."""
        self._server.stop(timeout=0)
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def tell_hangup(self, uuid: str) -> None:
        """CHANNEL_HANGUP_COMPLETE of a channel that is gone from then on."""
        variables = {f"variable_{name}": text for name, text in self.channels.pop(uuid).items()}
        event = {"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Unique-ID": uuid, **variables}
        body = "".join(f"{name}: {text}\n" for name, text in event.items()).encode() + b"\n"
        for sock in self._socks:
            sock.sendall(
                b"Content-Length: %d\nContent-Type: text/event-plain\n\n" % len(body) + body
            )

    def _serve(self, sock: socket.socket, _: object) -> None:
        self._socks.append(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as FreeSWITCH does
        with suppress(OSError):  # `stop` closes it in the middle of a word
            self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        while self.hangs:
            gevent.sleep(0.005)
        sock.sendall(b"Content-Type: auth/request\n\n")
        stream = sock.makefile("rb")
        lines: list[str] = []
        while line := stream.readline():
            if line != b"\n":
                lines.append(line.decode().rstrip("\n"))
                continue
            length = next((each for each in lines if each.startswith("content-length: ")), None)
            if length is not None:
                lines.append(stream.read(int(length.partition(" ")[2])).decode())
            while self.hangs:
                gevent.sleep(0.005)
            sock.sendall(self._reply(lines))
            lines = []

    def _reply(self, lines: list[str]) -> bytes:
        command, _, rest = lines[0].partition(" ")
        if command != "api":
            if command == "sendevent":
                self.told.append(" / ".join(lines))
            return b"Content-Type: command/reply\nReply-Text: +OK\n\n"
        body = self._api(rest).encode()
        return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)

    def _api(self, line: str) -> str:
        word, *arguments = line.split(" ")
        if word == "show":
            self.looks += 1
            return json.dumps({"rows": [self._row(uuid) for uuid in self.channels]})
        if word == "global_getvar":
            return self.core_uuid if arguments else self.globals
        if word == "switchname":
            return self.switchname
        if word == "uuid_exists":
            return "true" if arguments[0] in self.channels.keys() - self.hung_up else "false"
        if word == "uuid_getvar":
            if arguments[0] not in self.channels.keys() - self.hung_up:
                return "-ERR No such channel!\n"
            return self.channels[arguments[0]].get(arguments[1], "_undef_")
        self.told.append(unquote(line))
        if word == "sched_api":
            self.timers.add(arguments[1])
        if word == "sched_del":
            pending = arguments[0] in self.timers
            self.timers.discard(arguments[0])
            return f"+OK Deleted: {int(pending)}\n"
        if word == "uuid_setvar" and arguments[0] in self.channels:
            self.channels[arguments[0]][arguments[1]] = " ".join(arguments[2:]).strip("'")
        return "+OK\n"

    def _row(self, uuid: str) -> Channel:
        prefix = "row."
        columns = self.channels[uuid].items()
        return {"uuid": uuid} | {
            name.removeprefix(prefix): text for name, text in columns if name.startswith(prefix)
        }
