"""The least that a controller of transfers can do: have the target bridged, and leave.

``python -m bench.switch.least PORT``. It hears of nothing, records nothing, and has no answer to a
failure: what it costs FreeSWITCH is what any outbound event socket costs.
"""

from __future__ import annotations

import sys
from socket import socket

from gevent.server import StreamServer

from bench.switch.greenswitch_pbx import ARMED

_NUMBER = b"Caller-Destination-Number: "


def serve(link: socket, _: tuple[str, int]) -> None:
    """One transferee that FreeSWITCH has brought."""
    link.sendall(b"connect\n\n")
    told = b""
    while not told.endswith(b"\n\n"):
        more = link.recv(65536)
        if not more:
            return
        told += more
    number = told.partition(_NUMBER)[2].partition(b"\n")[0].decode()
    body = f"{{{ARMED}}}user/{number}@127.0.0.1"
    head = "sendmsg\ncall-command: execute\nexecute-app-name: bridge\ncontent-type: text/plain"
    link.sendall(f"{head}\ncontent-length: {len(body)}\n\n{body}exit\n\n".encode())
    while link.recv(65536):
        pass


if __name__ == "__main__":
    StreamServer(("127.0.0.1", int(sys.argv[1])), serve).serve_forever()
