"""A phone that is a program: what all of them have in common."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from fsctl.simulator import SipMessage
from fsctl.story import Headers, Party
from tests.live.lab import ports, processes
from tests.live.lab.messages import CallProgress
from tests.live.lab.mortal import mortal
from tests.live.lab.waiting import wait_for
from tests.live.phones.tones import TAIL, read_wav, tones_in, write_wav

if TYPE_CHECKING:
    from tests.live.phones.house import House

START_DEADLINE_S = 20.0
SPEAKS_S = 120.0
Ear = Mapping[Path, int]
"""How much each recording held at a moment."""


class RealPhone(Party):
    """A party whose phone is a program. It rings until it is told something else.

    Attributes: ``port`` (SIP), ``hertz`` (its voice), ``folder`` (all its files).
    """

    program: ClassVar[str]
    """What must be on PATH."""
    attends: ClassVar[bool] = True
    """Whether it can transfer to somebody whom it has called."""
    refusal: ClassVar[str] = "486 Busy Here"
    """What it says when its user does not want a call."""

    def __init__(self, house: House, number: str, name: str, hertz: int) -> None:
        super().__init__(house, number, name)
        self.house = house
        self.hertz = hertz
        self.port = ports.free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"lab-{self.program}-"))
        self._since_s = time.time()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be run here; empty when it can."""
        return "" if shutil.which(cls.program) else f"not on PATH: {cls.program}"

    @staticmethod
    def rtp_ports() -> tuple[int, int]:
        """First and last port for its RTP: of two calls, and one to spare."""
        taken = sorted(ports.free_port() for _ in range(3))
        return taken[0], taken[-1] + 1

    # -- life

    def start(self) -> Self:
        """Start the program; returns when it can be called."""
        write_wav(self.folder / "tone.wav", self.hertz, SPEAKS_S)
        self._start()
        self._add_user()
        return self

    def _add_user(self) -> None:
        self.house.switch.add_user(self.number, self.port)

    @abstractmethod
    def _start(self) -> None:
        """Write its files, start it, and wait until it listens."""

    def _launch(self, command: Sequence[str], stdin: int | IO[bytes] = subprocess.DEVNULL) -> None:
        with (self.folder / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                mortal(command),
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C"},
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        path = self.folder / "output.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def _is_running(self) -> bool:
        assert self._process, f"{self.name} was not started"
        status = self._process.poll()
        assert status is None, f"{self.program} ended with status {status}\n{self.output}"
        return True

    def _listens(self) -> bool:
        """Whether something is bound to its port."""
        wanted = f":{self.port:04X} "
        tables = (Path("/proc/net") / name for name in ("udp", "udp6"))
        return self._is_running() and any(
            wanted in path.read_text() for path in tables if path.exists()
        )

    def _wait_started(self) -> None:
        wait_for(self._listens, START_DEADLINE_S, lambda: f"{self.name} listens\n{self.output}")

    def finish(self) -> str:
        """Kill it and remove its files; empty when it was still running then."""
        problem = ""
        if self._process:
            if (status := self._process.poll()) is not None:
                problem = f"{self.program} ended with status {status}\n{self.output}"
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            leader = self._process.pid
            wait_for(lambda: not processes.group(leader), START_DEADLINE_S, "its processes end")
        shutil.rmtree(self.folder, ignore_errors=True)
        return problem

    # -- what it does: besides the words of every party

    def declines(self) -> None:
        """Its user does not want the call that rings: `refusal` says what it makes of it."""
        self.wait_received("INVITE")
        before = len(self.sent(int(self.refusal[:3])))
        self._decline()
        self.wait_sent(int(self.refusal[:3]), before + 1)

    @abstractmethod
    def _decline(self) -> None: ...

    def joins(self) -> None:
        """Transfer the first of its two calls to the second (attended, or while that rings)."""
        before = len(self.received(202))
        self._join()
        self.wait_received(202, before + 1)

    @abstractmethod
    def _join(self) -> None: ...

    @abstractmethod
    def _answer(self) -> None: ...

    @abstractmethod
    def _dial(self, uri: str) -> None: ...

    @abstractmethod
    def _transfer(self, uri: str) -> None: ...

    @abstractmethod
    def _hold(self, on: bool) -> None: ...

    @abstractmethod
    def _hang_up(self) -> None: ...

    # -- the words of every party

    def rings(self) -> Self:
        return self

    def answers_now(self) -> None:
        self.wait_received("INVITE")
        self.world.wait(lambda: self.sent(180), f"{self.name} rings")
        self._answer()
        self.wait_talking()

    def calls(self, number: str, headers: Headers = (), uri_parameters: str = "") -> None:
        assert not headers and not uri_parameters, "a user of this phone cannot say that"
        before = len(self.sent("INVITE"))
        self._dial(self.world.uri(number))
        self.wait_sent("INVITE", before + 1)

    def consults(self, number: str) -> Party:
        """Put the other one on hold, and call ``number``."""
        self.holds()
        self.calls(number)
        return self

    def transfers(self, number: str) -> None:
        before = len(self.received(202))
        self._transfer(self.world.uri(number))
        self.wait_received(202, before + 1)

    def holds(self) -> None:
        self._reinvite(True)

    def resumes(self) -> None:
        self._reinvite(False)

    def _reinvite(self, on: bool) -> None:
        # one that crosses the switch's own re-INVITE is refused (491), and JsSIP may stay deaf then
        self.world.wait(self._has_answered, f"{self.name} has answered every INVITE")
        before = len(self._ended_invites())
        self._hold(on)
        self.world.wait(lambda: len(self._ended_invites()) > before, f"{self.name}: re-INVITE")

    def _has_answered(self) -> bool:
        """Each INVITE that it got is acknowledged."""
        asked, ended = (
            {(m.call_id, m.header("CSeq").split()[0]) for m in self.received(what)}
            for what in ("INVITE", "ACK")
        )
        return asked <= ended

    def _ended_invites(self) -> list[SipMessage]:
        return [m for m in self.received(200) if m.method == "INVITE"]

    def hangs_up(self) -> None:
        before = len(self.sent("BYE"))
        self._hang_up()
        self.wait_sent("BYE", before + 1)

    # -- what it hears

    @property
    def recordings(self) -> Collection[Path]:
        """The files into which it records what it hears."""
        return list(self.folder.glob("*-dec.wav"))

    def listens(self) -> Ear:
        """A moment, for `heard_since`."""
        return {path: path.stat().st_size for path in self.recordings}

    def heard_since(self, ear: Ear) -> Collection[int]:
        """The tones that it hears at the end of what it has recorded since then."""
        new = (read_wav(path, ear.get(path, 0)) for path in self.recordings)
        return {hertz for samples in new for hertz in tones_in(samples[-TAIL:])}

    def hears(self, other: Party, limit_s: float | None = None) -> bool:
        return self.house.hears(self, other, limit_s)

    # -- what it got

    @property
    def messages(self) -> list[SipMessage]:
        return self.house.switch.capture.messages(self.port, self._since_s)

    def _progress(self) -> Collection[CallProgress]:
        calls: dict[str, CallProgress] = {}
        for message in self.messages:
            if message.matches("INVITE"):
                calls.setdefault(message.call_id, CallProgress())
            if call := calls.get(message.call_id):
                call.follow(message)
        return calls.values()

    @property
    def in_call(self) -> bool:
        return any(not call.over for call in self._progress())

    @property
    def in_answered_call(self) -> bool:
        return any(call.acknowledged and not call.over for call in self._progress())

    @property
    def contact(self) -> str:
        return f"sip:{self.number}@127.0.0.1:{self.port}"

    # -- what no user of such a phone can say, or no story of them needs

    def _cannot(self, *_: object) -> NoReturn:
        raise NotImplementedError(f"no word for {self.program}")

    _no_word: Any = _cannot
    answers = refuses = sends_early_media = sends_early_media_and_refuses = _no_word
    redirects = answers_in = unreachable = refuses_now = refers = refers_early = _no_word
    picks_up = replaces_call = leaves_after_refer = gives_up = hears_ringback = presses = (
        heard_keys
    ) = _no_word

    @property
    def replaces(self) -> str:
        self._cannot()
