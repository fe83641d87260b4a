"""One SIPp process: started on ports of our choice, commanded, traced."""

from __future__ import annotations

import functools
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.live.lab.mortal import mortal
from tests.live.lab.ports import LOCALHOST, free_port, two_ports
from tests.live.lab.steps import COMMAND_PREFIX
from tests.live.lab.waiting import wait_for

_COMMAND_MEETS_A_SEND = r"unexpected message .* while sending .* received 'LAB-"
_WHILE_SENDING = re.compile(_COMMAND_MEETS_A_SEND)
# SIPp logs the regular end of a Pause step as an error, too
_EXPECTED = re.compile(
    r"receive timeout on message .*, jumping to label"
    # a response that crossed the answer to another request; the call goes on
    r"|Continuing call on unexpected message .* received 'SIP/2\.0 2"
    # a hang-up or an answer of ours that crossed the end of the call
    r"|Continuing call on unexpected message .* received 'LAB-(?:bye|cancel|480|answer) "
    # a command between a message and what is sent upon it: it is given again
    rf"|{_COMMAND_MEETS_A_SEND}"
    # the 200 to a CANCEL, which is received where that to the INVITE is
    r"|Cannot record route set if there is no Contact"
)
_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d\t)", re.MULTILINE)
_HEADING = "The following events occurred"
_branch = count(1)


class Sipp:
    """SIPp playing one scenario on ``port``, of UDP, or TCP for one that is called.

    ``remote`` is HOST:PORT for a caller, else empty.

    ``trace`` is the file of its messages.
    """

    def __init__(
        self, name: str, scenario: str, port: int, remote: str = "", transport: str = "udp"
    ) -> None:
        self.name, self.port, self._remote, self._transport = name, port, remote, transport
        self._commands: socket.socket | None = None
        self._folder = Path(tempfile.mkdtemp(prefix=f"lab-{name}-"))
        self.trace = self._folder / "messages.log"
        (self._folder / "scenario.xml").write_text(scenario, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        command = [
            *("sipp", "-sf", "scenario.xml", "-i", LOCALHOST, "-p", str(self.port)),
            *("-cp", str(free_port()), "-nostdin", "-skip_rlimit", "-watchdog_interval", "0"),
            # its media sockets, though its phones have their own: from 6000, where it begins by
            # itself, some fifty can run on a machine
            *("-mp", str(two_ports())),
            *("-trace_msg", "-message_file", self.trace.name),
            *("-trace_err", "-error_file", "errors.log"),
            *("-trace_logs", "-log_file", "taken.log"),
            # an unexpected message is reported (see problems), but does not end the call
            *("-default_behaviors", "all,-abortunexp,-bye"),
        ]
        if self._transport == "tcp":
            command += ["-t", "t1"]
        if self._remote:
            command += ["-m", "1", "-r", "1000", self._remote]
        with (self._folder / "stdout.txt").open("wb") as output:
            self._process = subprocess.Popen(
                mortal(command),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def listens(self) -> bool:
        """Whether it listens. Raises AssertionError with its output when it has ended."""
        assert self._process, "SIPp was not started"
        if self._process.poll() is not None:
            output = (self._folder / "stdout.txt").read_text(errors="replace")
            what = f"{self.name}: SIPp ended with {self._process.returncode}"
            raise AssertionError(f"{what}\n{output}\n{self.problems()}")
        wanted = f"0100007F:{self.port:04X}"
        sockets = Path(f"/proc/net/{self._transport}").read_text().splitlines()[1:]
        return any(line.split()[1] == wanted for line in sockets)

    def stop(self) -> None:
        """End the process."""
        if self._commands is not None:
            self._commands.close()
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def remove_files(self) -> None:
        """Remove scenario, trace and logs."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def problems(self) -> str:
        """SIPp's error log: messages that no step expected, transactions that timed out."""
        text = self._read("errors.log")
        entries = [entry.strip() for entry in _ENTRY.split(text) if not _EXPECTED.search(entry)]
        return "\n".join(entry for entry in entries if not entry.startswith(_HEADING))

    def _read(self, name: str) -> str:
        log = self._folder / name
        return log.read_text(errors="replace") if log.exists() else ""

    def command(
        self, name: str, call_id: str, cseq: int, lines: Sequence[str] = (), limit_s: float = 10.0
    ) -> None:
        """Give a command: a datagram that the scenario receives as a message of the call.

        SIPp goes on counting from the CSeq it received last, so ``cseq`` is the number of the
        last request that the phone sent in this dialog. Between what it has received and what
        it sends upon that, SIPp takes no message: such a command is given again. Returns when it
        is taken, or refused because the call is over.
        """
        body = "\r\n".join(lines).encode()
        deadline = time.monotonic() + limit_s
        meets_a_send = True
        while meets_a_send:
            branch = f"z9hG4bK-command-{next(_branch)};lab"
            head = (
                f"{COMMAND_PREFIX}{name} sip:lab@{LOCALHOST} SIP/2.0",
                f"Via: SIP/2.0/UDP {LOCALHOST}:9;branch={branch}",
                f"From: <sip:lab@{LOCALHOST}>;tag=command",
                f"To: <sip:lab@{LOCALHOST}>;tag=command",
                f"Call-ID: {call_id}",
                f"CSeq: {cseq} {COMMAND_PREFIX}{name}",
                f"Content-Length: {len(body)}",
            )
            self._send("\r\n".join((*head, "", "")).encode() + body)
            what = f"{self.name}: {COMMAND_PREFIX}{name} is heard"
            is_heard = functools.partial(self._is_heard, branch)
            wait_for(is_heard, deadline - time.monotonic(), what, 0.002)
            meets_a_send = self._met_a_send(branch)

    def _is_heard(self, branch: str) -> bool:
        return branch in self._read("taken.log") or branch in self._read("errors.log")

    def _met_a_send(self, branch: str) -> bool:
        entries = _ENTRY.split(self._read("errors.log"))
        return any(branch in entry and _WHILE_SENDING.search(entry) for entry in entries)

    def _send(self, message: bytes) -> None:
        if self._transport == "tcp":
            if self._commands is None:  # with the connection SIPp would end the call
                self._commands = socket.create_connection((LOCALHOST, self.port))
            self._commands.sendall(message)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(message, (LOCALHOST, self.port))
