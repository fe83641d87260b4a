"""Who is compared: a FreeSWITCH each, with what controls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from bench.processes import listens
from bench.switch import greenswitch_pbx
from bench.switch.phones import PHONES, USERS, Phones
from tests.live.lab import Controller, Switch, free_port, switch_conf, wait_for
from tests.live.lab.fsctl_process import REPOSITORY, Section, Sections
from tests.live.lab.mortal import mortal

SWITCH = "FreeSWITCH"
"""How that process is called in `Alone.processes`."""
RTP_PORTS = (16384, 32766)
_SOFIA = "autoload_configs/sofia.conf.xml"
_WAITS_S = 15.0
Watched = Literal["nothing", "records", "sip"]
_ARMED = ("confirm_blind_transfer", "force_transfer_context")


class BenchSwitch(Switch):
    """The laboratory's switch as one runs it: it logs warnings only, and has RTP ports enough."""

    def __init__(self, number: int, phones: Callable[[str, int], Phones]) -> None:
        """``number``: which of this process's switches; each has media on an address of its own."""
        super().__init__()
        process = os.getpid()
        address = f"127.{100 + number}.{process >> 8 & 255}.{process & 255 or 1}"
        first, last = RTP_PORTS
        self._plan = replace(
            self._plan, rtp_ip=address, rtp_first=first, rtp_last=last, lowest_logged="warning"
        )
        self.phones = phones("127.0.0.1", self.sip_port)
        self.capture = ""
        """Where it sends copies of its SIP messages (``HOST:PORT``), before it starts; empty: it
        does not."""

    def _own_files(self) -> dict[str, str]:
        contacts = {
            f"{digit}{which:03}": f"sofia/{self.profile}/sip:{digit}{which:03}@127.0.0.1:"
            f"{self.phones.ports[role, which % PHONES]}"
            for digit, role in (("2", "callee"), ("3", "target"))
            for which in range(USERS)
        }
        files = {**super()._own_files()}
        files["directory/lab.xml"] = switch_conf.directory(self._plan, contacts)
        if self.capture:
            server = f'<param name="capture-server" value="udp:{self.capture};hep=3;capture_id=9"/>'
            sofia = files[_SOFIA].replace("</global_settings>", f"{server}</global_settings>")
            sends = '<settings>\n<param name="sip-capture" value="yes"/>'
            files[_SOFIA] = sofia.replace("<settings>\n", sends, 1)
        return files

    def stop(self) -> None:
        """Kill it, and close the phones."""
        super().stop()
        self.phones.close()


class Alone:
    """FreeSWITCH without a controller: it transfers by itself, and reports the result.

    The base of the others. ``name`` is what a table calls it.
    """

    def __init__(self, name: str, number: int) -> None:
        """Nothing runs yet; ``number`` is another one for each."""
        self.name = name
        self.switch = BenchSwitch(number, Phones)

    def start(self) -> None:
        """Bring up FreeSWITCH, and what controls it."""
        self.switch.start()
        self._control()

    def _control(self) -> None:
        # on all legs, without an application that would cost something
        self.switch.esl("global_setvar confirm_blind_transfer=true")

    def processes(self) -> Mapping[str, list[int]]:
        """Process ids by kind."""
        return {SWITCH: [self.switch.pid]}

    def problems(self) -> str:
        """What it has logged that should not be there."""
        return ""

    def stop(self) -> None:
        """End everything."""
        self.switch.stop()


class Plain(Alone):
    """A controller of a few lines, of whole calls or of nothing but transfers."""

    _process: subprocess.Popen[bytes] | None = None

    def __init__(
        self, name: str, number: int, module: str, *, whole_calls: bool = False, armed: bool = True
    ) -> None:
        """``module``: what is run, with a port. Without ``whole_calls``: for transfers alone; it
        arms calls by itself, unless they are ``armed``."""
        super().__init__(name, number)
        self._module, self._whole_calls, self._armed = module, whole_calls, armed

    def _control(self) -> None:
        port = free_port()
        action = f'<action application="socket" data="127.0.0.1:{port} async full"/>'
        extension = f'<extension name="bench"><condition>{action}</condition></extension>'
        context = f'<context name="{greenswitch_pbx.CONTEXT}">{extension}</context>'
        files = {"dialplan/bench.xml": f"<include>\n{context}\n</include>\n"}
        if self._whole_calls:
            files["dialplan/public/00_bench.xml"] = f"<include>\n{extension}\n</include>\n"
        if self._armed:
            super()._control()
            self.switch.esl(f"global_setvar force_transfer_context={greenswitch_pbx.CONTEXT}")
        self.switch.reload_dialplan(files)
        self._process = subprocess.Popen(
            mortal([sys.executable, "-m", self._module, str(port)]),
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(lambda: listens(port), _WAITS_S, "the controller listens")

    def processes(self) -> Mapping[str, list[int]]:
        """Process ids by kind."""
        assert self._process
        return {**super().processes(), "controller": [self._process.pid]}

    def stop(self) -> None:
        """End everything."""
        if self._process:
            self._process.kill()
            self._process.wait()
        super().stop()


class Fsctl(Alone):
    """fsctl as shipped: policy, records and metrics, a worker for each core and the desk."""

    def __init__(
        self,
        name: str,
        number: int,
        scope: str,
        repository: Path,
        *,
        routes: bool = True,
        watched: Watched = "records",
        overload: str = "switch",
    ) -> None:
        """``scope`` and ``overload`` as in the settings; ``repository``: whose fsctl.

        Without ``routes`` every number is called in the switch's own dialplan, in scope transfers.
        ``watched``: with records and metrics as shipped, with FreeSWITCH's SIP messages as well, or
        with nothing of that.
        """
        super().__init__(name, number)
        self._scope, self._repository, self._routes = scope, repository, routes
        self._watched, self._overload = watched, overload
        if watched == "sip":
            self.switch.capture = f"127.0.0.1:{free_port()}"
        self._controller: Controller | None = None
        self._kinds: dict[str, list[int]] = {}

    def _control(self) -> None:
        switch = self.switch
        scope: Section = {"scope": self._scope, "inbound_contexts": [switch.context]}
        numbers: Section = {"inbound_match": ".*"} if self._scope == "calls" else {}
        route: Section = {
            "name": "users",
            "match": "[0-9]{4}",
            "kind": "user",
            "domain": switch.domain,
        }
        sections: Sections = {
            "server": {"workers": 0, "overload": self._overload},
            "switch": {"host": "127.0.0.1", "port": switch.esl_port},
            "dialplan": {"sofia_profile": switch.profile, **scope, **numbers},
            "policy": {},
            "records": {"folder": str(switch.root / "state"), "keep": self._watched != "nothing"},
            "http": {"listen": f"127.0.0.1:{free_port()}" if self._watched != "nothing" else ""},
            "hep": {"listen": switch.capture},
            "route": [route] if self._routes else [],
        }
        secrets = {"FSCTL_SWITCH_PASSWORD": switch.password}
        made = self._controller = Controller(sections, secrets, repository=self._repository)
        switch.install(made.render())
        made.start()
        workers = made.workers()
        supervisor = [made.pid] if made.pid not in workers else []
        desk = [pid for pid in made.processes() if pid not in (*workers, made.pid)]
        self._kinds = {"workers": workers, "supervisor": supervisor, "desk": desk}
        switch.wait(self._is_up, _WAITS_S, "fsctl is known to the switch")

    def _is_up(self) -> bool:
        if self._scope == "calls":
            return bool(self.switch.living())
        replies = [self.switch.esl(f"global_getvar {name}") for name in _ARMED]
        return all(reply and not reply.startswith("-ERR") for reply in replies)

    def processes(self) -> Mapping[str, list[int]]:
        """Process ids by kind."""
        return {**super().processes(), **self._kinds}

    def problems(self) -> str:
        """Its tracebacks, and how many warnings."""
        text = self._controller.log_text() if self._controller else ""
        tracebacks = text.count("Traceback (most recent call last)")
        warnings = text.count(" WARNING ") + text.count(" warning ")
        return f"{tracebacks} tracebacks, {warnings} warnings" if tracebacks or warnings else ""

    def stop(self) -> None:
        """End everything."""
        if self._controller:
            self._controller.finish()
        super().stop()


MAKERS: dict[str, Callable[[str, int, Path], Alone]] = {
    "alone": lambda name, number, _: Alone(name, number),
    "transfers": lambda name, number, source: Fsctl(name, number, "transfers", source),
    "calls": lambda name, number, source: Fsctl(name, number, "calls", source),
    "greenswitch": lambda name, number, _: Plain(
        name, number, "bench.switch.greenswitch_pbx", whole_calls=True, armed=False
    ),
    "least": lambda name, number, _: Plain(name, number, "bench.switch.least"),
    "least-calls": lambda name, number, _: Plain(
        name, number, "bench.switch.least", whole_calls=True
    ),
    "dialplan": lambda name, number, source: Fsctl(name, number, "transfers", source, routes=False),
    "unwatched": lambda name, number, source: Fsctl(
        name, number, "transfers", source, watched="nothing"
    ),
    "refusing": lambda name, number, source: Fsctl(
        name, number, "calls", source, overload="refuse"
    ),
    "heard": lambda name, number, source: Fsctl(name, number, "transfers", source, watched="sip"),
}
"""By the name on the command line; ``dialplan`` is scope transfers without any route, ``unwatched``
without records and HTTP, ``heard`` with copies of all SIP messages besides, ``refusing`` scope
calls in which calls that are too many are refused, ``least`` and ``least-calls`` see
`bench.switch.least`."""


def make(names: list[str], beside: list[Path]) -> list[Alone]:
    """All that are wanted; fsctl once more from each source in ``beside``."""
    if shutil.which("freeswitch") is None:
        raise FileNotFoundError("freeswitch is not on PATH")
    made: list[Alone] = []
    for name in names:
        made.append(MAKERS[name](name, len(made), REPOSITORY))
        if isinstance(made[-1], Fsctl):
            for source in beside:
                made.append(MAKERS[name](f"{name} {source.name}", len(made), source.resolve()))
    return made
