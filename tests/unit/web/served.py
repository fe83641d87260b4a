"""A desk as browsers see it: it is told what happens, and can go and come back."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import gevent

from fsctl.settings import Http
from fsctl.web.server import serve
from tests.unit.web.desk import ToldDesk

T = TypeVar("T")


class Served:
    """At one address; in a thread, whose greenlets are not this one's."""

    def __init__(self, folder: Path, token: str, **http: object) -> None:
        self._folder = folder
        with closing(socket.create_server(("127.0.0.1", 0))) as found:
            listen = f"127.0.0.1:{found.getsockname()[1]}"
        self.address = f"http://{listen}/"
        self._http = Http(**{"listen": listen, "token": token, **http})  # type: ignore[arg-type]
        self.start()

    def start(self) -> None:
        """A new one, which knows of nothing but what was kept."""
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.desk = ToldDesk(self._folder)
        begun: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(begun,), daemon=True)
        self._thread.start()
        begun.get()

    def stop(self) -> None:
        """As if it was killed."""
        self._todo.put(None)
        self._thread.join(10.0)

    def do(self, does: Callable[[ToldDesk], T]) -> T:
        """Have something happen there."""
        done: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

        def act() -> None:
            try:
                done.put(does(self.desk))
            except BaseException as error:
                done.put(error)

        self._todo.put(act)
        result = done.get(timeout=30.0)
        if isinstance(result, BaseException):
            raise result
        return result

    def _run(self, begun: queue.SimpleQueue[None]) -> None:
        end = serve(self.desk, self._http)
        begun.put(None)
        while True:
            try:
                act = self._todo.get_nowait()
            except queue.Empty:
                gevent.sleep(0.005)
                continue
            if act is None:
                end()
                return
            act()
