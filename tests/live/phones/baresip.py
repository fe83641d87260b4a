"""baresip, commanded by its module ctrl_tcp (netstrings that hold JSON)."""

from __future__ import annotations

import json
import socket
from io import BufferedRWPair
from pathlib import Path

from tests.live.lab.ports import LOCALHOST, free_port
from tests.live.lab.waiting import wait_for
from tests.live.phones.real_phone import START_DEADLINE_S, RealPhone

_COMMAND_LIMIT_S = 10.0


def _modules() -> Path:
    return next(Path("/usr/lib").glob("**/baresip/modules"), Path("/usr/lib/baresip/modules"))


class Baresip(RealPhone):
    """Version 1.0.0 has no attended transfer; a call that its user does not want is busy."""

    program = "baresip"
    attends = False
    refusal = "486 Rejected"

    def _start(self) -> None:
        control = free_port()
        first, last = self.rtp_ports()
        modules = ("ctrl_tcp", "g711", "aufile", "aubridge", "sndfile")
        apps = ("module_tmp account.so", "module_app menu.so")
        lines = (
            f"sip_listen {LOCALHOST}:{self.port}",
            f"net_interface {LOCALHOST}",
            "call_max_calls 4",
            f"rtp_ports {first}-{last}",
            f"audio_source aufile,{self.folder}/tone.wav",
            "audio_player aubridge,nil",  # a device that is no device
            "audio_alert aubridge,nil",
            *(f"{what}_srate 8000\n{what}_channels 1" for what in ("ausrc", "auplay")),
            f"module_path {_modules()}",
            *(f"module {name}.so" for name in modules),
            *apps,
            f"ctrl_tcp_listen {LOCALHOST}:{control}",
            f"snd_path {self.folder}",
        )
        self._write("config", *lines)
        account = f"sip:{self.number}@{LOCALHOST}:{self.house.switch.sip_port};transport=udp"
        self._write("accounts", f'"{self.name}" <{account}>;regint=0;audio_codecs=PCMU/8000/1')
        self._write("contacts")
        self._launch([self.program, "-f", str(self.folder)])
        self._wait_started()
        commands = wait_for(
            lambda: self._connect(control),
            START_DEADLINE_S,
            lambda: f"{self.name} takes commands\n{self.output}",
        )
        assert commands
        self._commands = commands

    def _write(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("\n".join([*lines, ""]), encoding="utf-8")

    def _connect(self, port: int) -> BufferedRWPair | None:
        self._is_running()
        try:
            client = socket.create_connection((LOCALHOST, port), _COMMAND_LIMIT_S)
        except OSError:
            return None
        with client:
            return client.makefile("rwb")

    def finish(self) -> str:
        if hasattr(self, "_commands"):
            self._commands.close()
        return super().finish()

    def _command(self, name: str, parameter: str = "") -> None:
        """Give a command. Raises AssertionError when baresip says no."""
        text = json.dumps({"command": name, "params": parameter, "token": name}).encode()
        self._commands.write(b"%d:%s," % (len(text), text))
        self._commands.flush()
        while not (response := self._read()).get("response"):
            pass  # an event of its own
        assert response["ok"], f"{self.name}, {name} {parameter}: {response}\n{self.output}"

    def _read(self) -> dict[str, object]:
        digits = b""
        while (byte := self._commands.read(1)) not in (b":", b""):
            digits += byte
        assert digits, f"{self.name} takes no commands any more\n{self.output}"
        return dict(json.loads(self._commands.read(int(digits) + 1)[:-1]))

    def _dial(self, uri: str) -> None:
        self._command("dial", uri)

    def _answer(self) -> None:
        self._command("accept")

    def _decline(self) -> None:
        self._command("hangup")

    def _hang_up(self) -> None:
        self._command("hangup")

    def _hold(self, on: bool) -> None:
        self._command("hold" if on else "resume")

    def _transfer(self, uri: str) -> None:
        self._command("transfer", uri)

    def _join(self) -> None:
        self._cannot()
