"""A phone in a browser: JsSIP in headless Chromium, SIP over WebSocket, WebRTC.

JsSIP is no part of this repository: ``JSSIP_FILE`` names a file for browsers that defines
``JsSIP``. To make it::

    npm install jssip esbuild
    npx esbuild node_modules/jssip/lib/JsSIP.js --bundle --format=iife --global-name=JsSIP \\
        --outfile=jssip.js
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.live.lab.ports import LOCALHOST
from tests.live.lab.waiting import wait_for
from tests.live.phones.real_phone import START_DEADLINE_S, Ear, RealPhone
from tests.live.phones.tones import TAIL, tones_in

_PAGE = Path(__file__).with_name("jssip.html")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {LOCALHOST}",
)
_COMMAND_LIMIT_S = 30.0


class _Page(ThreadingHTTPServer):
    """Gives the browser its page, and then one command after the other."""

    daemon_threads = True

    def __init__(self, library: Path) -> None:
        super().__init__((LOCALHOST, 0), _Handler)
        self.files = {"/": _PAGE.read_bytes(), "/jssip.js": library.read_bytes()}
        self.commands: queue.Queue[bytes] = queue.Queue()
        self.results: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def do(self, name: str, parameter: str) -> Any:
        """The result of a command. Raises AssertionError when the page raises an error."""
        self.commands.put(json.dumps({"name": name, "parameter": parameter}).encode())
        result = self.results.get(timeout=_COMMAND_LIMIT_S)
        assert "error" not in result, f"{name} {parameter}: {result['error']}"
        return result["value"]


class _Handler(BaseHTTPRequestHandler):
    server: _Page

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.server.files.get(path)
        if body is None and path == "/command":
            body = self.server.commands.get()
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        self._respond(body, kind)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.results.put(json.loads(text))
        self._respond(b"", "text/plain")

    def _respond(self, body: bytes | None, kind: str) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


class JsSip(RealPhone):
    """It hears by itself, 256 ms at a time; a call that its user does not want is busy."""

    program = "chromium"
    refusal = "480 Temporarily Unavailable"

    @classmethod
    def missing(cls) -> str:
        library = os.environ.get("JSSIP_FILE", "")
        if not Path(library).is_file():
            return "JSSIP_FILE does not name JsSIP for browsers"
        return super().missing()

    def _start(self) -> None:
        switch = self.house.switch
        self._page = _Page(Path(os.environ["JSSIP_FILE"]))
        query = urlencode(
            {
                "hertz": self.hertz,
                "name": self.name,
                "uri": f"sip:{self.number}@{LOCALHOST}",
                "socket": f"ws://{LOCALHOST}:{switch.ws_port}",
            }
        )
        address = f"http://{LOCALHOST}:{self._page.server_port}/?{query}"
        self._launch([self.program, *_FLAGS, f"--user-data-dir={self.folder}/profile", address])
        wait_for(
            lambda: self._is_running() and self._page.do("registered", ""),
            START_DEADLINE_S,
            lambda: f"{self.name} is registered\n{self.output}",
            poll_s=0.2,
        )
        self.port = wait_for(
            lambda: switch.capture.port_of(f"<sip:{self.number}@{LOCALHOST}>", self._since_s),
            START_DEADLINE_S,
            f"the switch reports the REGISTER of {self.name}",
        )

    def _add_user(self) -> None:
        self.house.switch.add_browser(self.number, self.port)

    def finish(self) -> str:
        problem = super().finish()
        self._page.shutdown()
        self._page.server_close()
        return problem

    def _dial(self, uri: str) -> None:
        self._page.do("dial", uri)

    def _answer(self) -> None:
        self._page.do("answer", "")

    def _decline(self) -> None:
        self._page.do("decline", "")

    def _hang_up(self) -> None:
        self._page.do("hangup", "")

    def _hold(self, on: bool) -> None:
        self._page.do("hold" if on else "resume", "")

    def _transfer(self, uri: str) -> None:
        self._page.do("transfer", uri)

    def _join(self) -> None:
        self._page.do("join", "")

    def listens(self) -> Ear:
        return {}

    def heard_since(self, ear: Ear) -> Collection[int]:
        return tones_in(self._page.do("hear", "")[-TAIL:]) if self.in_call else set()
