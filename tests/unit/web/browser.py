"""Chromium without a window, driven by what its own tools say to it, over a pair of pipes."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from fnmatch import fnmatch
from itertools import count
from pathlib import Path
from typing import Any

PROGRAM = "chromium"
ANSWER_S = 30.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
HURRY = """
    const real = setInterval;
    window.setInterval = (act, ms) => real(act, ms > 1000 ? 200 : ms);
"""
"""What the page does every few seconds it does five times a second: nobody waits for that."""
_READS, _WRITES = 3, 4
"""The descriptors that it takes orders from and answers to."""


def missing() -> str:
    """Why there is none; empty: there is."""
    return "" if shutil.which(PROGRAM) else f"{PROGRAM} is not installed"


class Browser:
    """One process; it ends with us, for then its pipes do."""

    def __init__(self, folder: Path) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()

        def place() -> None:
            low = [os.dup(each) for each in (orders, answers)]  # neither is in the other's place
            os.dup2(low[0], _READS)
            os.dup2(low[1], _WRITES)

        self._process = subprocess.Popen(
            [PROGRAM, *FLAGS, f"--user-data-dir={folder}/profile", "about:blank"],
            preexec_fn=place,
            pass_fds=(_READS, _WRITES),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(orders)
        os.close(answers)
        self._numbers = count(1)
        self._waiting: dict[int, queue.Queue[dict[str, Any]]] = {}
        self.pages: dict[str, Page] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        """Return what it answers. Raises AssertionError for an error."""
        number = next(self._numbers)
        answer = self._waiting[number] = queue.Queue()
        self.tell(number, method, session, parameters)
        told = answer.get(timeout=ANSWER_S)
        del self._waiting[number]
        assert "error" not in told, f"{method}: {told['error']}"
        return told["result"]

    def tell(self, number: int, method: str, session: str, parameters: Mapping[str, Any]) -> None:
        """As `call`; nobody waits for the answer."""
        said = {"id": number, "method": method, "params": parameters}
        said |= {"sessionId": session} if session else {}
        os.write(self._orders, json.dumps(said).encode() + b"\0")

    def open(self, address: str, **emulated: Any) -> Page:
        """Return a new page that nothing is known to."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self.pages[session["sessionId"]] = Page(self, session["sessionId"], context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=HURRY)
        for method, parameters in emulated.items():
            page.call(f"Emulation.{method}", **parameters)
        page.call("Page.navigate", url=address)
        page.wait("location.protocol !== 'about:' && document.readyState === 'complete'")
        return page

    def end(self) -> None:
        os.close(self._orders)
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                text = os.read(self._answers, 1 << 20)
            except OSError:
                return
            if not text:
                return
            *told, rest = (rest + text).split(b"\0")
            for each in map(json.loads, told):
                if waiting := self._waiting.get(each.get("id")):
                    waiting.put(each)
                elif "method" in each and (page := self.pages.get(each.get("sessionId", ""))):
                    page.take(each["method"], each["params"])


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser, self._session, self._context = browser, session, context
        self.asked: list[str] = []
        """Addresses that it has asked for."""
        self.wrong: list[str] = []
        """Errors that it has logged."""
        self._answers: dict[str, Mapping[str, Any]] = {}

    def answer(self, pattern: str, kind: str, body: bytes) -> None:
        """From now on what is asked for there (``*`` is anything) is answered so, by nobody."""
        said = [{"name": "Content-Type", "value": kind}]
        self._answers[pattern] = {
            **{"responseCode": 200, "responseHeaders": said, "body": b64encode(body).decode()}
        }
        self.call("Fetch.enable", patterns=[{"urlPattern": each} for each in self._answers])

    def take(self, method: str, told: dict[str, Any]) -> None:
        """Something has happened in it."""
        if method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])
        elif method == "Fetch.requestPaused":
            url = told["request"]["url"]
            (answer,) = (self._answers[each] for each in self._answers if fnmatch(url, each))
            said = {"requestId": told["requestId"], **answer}
            self._browser.tell(0, "Fetch.fulfillRequest", self._session, said)
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.wrong.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.wrong.append(str(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.wrong.append(str(told["args"]))

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self._session, **parameters)

    def js(self, expression: str) -> Any:
        """Return the value of an expression; of a promise what comes of it."""
        told = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, f"{expression}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = 20.0) -> None:
        """Until an expression is true; raise AssertionError when it does not become so."""
        deadline = time.monotonic() + seconds
        while not self.js(f"Boolean({expression})"):
            shown = self.js("document.body?.innerText.slice(0, 1500)")
            assert time.monotonic() < deadline, f"not true: {expression}\n{shown}\n{self.wrong}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """What stands there, as it is shown."""
        return str(self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def has(self, selector: str, text: str) -> None:
        """Wait until that stands there."""
        found = f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"
        self.wait(f"({found}).includes({json.dumps(text)})")

    def press(self, *keys: str) -> None:
        """Keys by their names, as of KeyboardEvent.key."""
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, " ": 32}
        for key in keys:
            name, shift = key.removeprefix("Shift+"), 8 * key.startswith("Shift+")
            text = {"Enter": "\r"}.get(name, name if len(name) == 1 else "")
            said = {"key": name, "windowsVirtualKeyCode": codes.get(name, 0), "modifiers": shift}
            said |= {"text": text} if text else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **said)
            self.call("Input.dispatchKeyEvent", type="keyUp", **said)

    def type(self, text: str) -> None:
        """Into what has the focus, once the browser knows that it has."""
        written = f"document.activeElement.value.endsWith({json.dumps(text)})"
        while not self.js(written):
            self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        self.js(f"document.querySelector({json.dumps(selector)}).click()")

    def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        return b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        self._browser.pages.pop(self._session)
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)
