"""Linphone without a display: ``linphonec``, commanded on its standard input."""

from __future__ import annotations

import os
import re

from tests.live.lab.waiting import wait_for
from tests.live.phones.real_phone import START_DEADLINE_S, RealPhone

_ASSIGNED = re.compile(r"assigned id (\d+)")


class Linphone(RealPhone):
    """Its calls have numbers, from 1; a call that its user does not want is declined."""

    program = "linphonec"
    refusal = "603 Decline"

    def _start(self) -> None:
        first, last = self.rtp_ports()
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        (self.folder / "rc").write_text(
            f"[sip]\nsip_port={self.port}\nsip_tcp_port={self.port}\nsip_tls_port=0\n"
            f'contact="{self.name}" <sip:{self.number}@127.0.0.1>\nguess_hostname=0\n'
            f"[rtp]\naudio_rtp_port={first}-{last}\n",
            encoding="utf-8",
        )
        reader, self._commands = os.pipe()
        with os.fdopen(reader) as stdin:
            self._launch([self.program, "-c", str(self.folder / "rc")], stdin.fileno())
        self._wait_started()
        self._command("soundcard use files")
        self._command(f"play {self.folder}/tone.wav")
        self._command(f"record {self.folder}/heard-dec.wav")
        wait_for(
            lambda: self.output.count("linphonec>") >= 4,
            START_DEADLINE_S,
            lambda: f"{self.name} takes commands\n{self.output}",
        )

    def finish(self) -> str:
        problem = super().finish()
        os.close(self._commands)
        return problem

    def _command(self, line: str) -> None:
        os.write(self._commands, f"{line}\n".encode())

    def _calls(self) -> list[str]:
        return _ASSIGNED.findall(self.output)

    def _last(self) -> str:
        self.world.wait(self._calls, f"{self.name} knows of a call")
        return self._calls()[-1]

    def _dial(self, uri: str) -> None:
        self._command(f"call {uri}")

    def _answer(self) -> None:
        self._command(f"answer {self._last()}")

    def _decline(self) -> None:
        self._command(f"terminate {self._last()}")

    def _hang_up(self) -> None:
        self._command("terminate all")

    def _hold(self, on: bool) -> None:
        done = "is now paused" if on else "Media streams established"
        before = self.output.count(done)
        self._command("pause" if on else f"resume {self._last()}")
        # it refuses to transfer before it has understood the answer
        self.world.wait(lambda: self.output.count(done) > before, f"{self.name}: {done}")

    def _transfer(self, uri: str) -> None:
        self._command(f"transfer {self._last()} {uri}")

    def _join(self) -> None:
        first, second = self._calls()[-2:]
        known = re.compile(rf"Call {second} .* (?:ringing|connected)\.")
        self.world.wait(lambda: known.search(self.output), f"{self.name} knows of call {second}")
        self._command(f"transfer {first} --to-call {second}")
