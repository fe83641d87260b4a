"""A real, private FreeSWITCH for the tests: its own configuration, ports and directories."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.live.lab import ports, switch_conf
from tests.live.lab.esl_client import EslClient
from tests.live.lab.mortal import mortal
from tests.live.lab.waiting import NotInTime, wait_for

START_DEADLINE_S = 20.0
PASSWORD = "lab-password"
# rendered for the installation's own port and password; the laboratory keeps its own
_NEVER_INSTALLED = frozenset({"autoload_configs/event_socket.conf.xml"})
_PROFILE_FILES = ("sip_profiles/",)
_SOFIA = "autoload_configs/sofia.conf.xml"


def launch(binary: Path, root: Path, conf: Path) -> subprocess.Popen[bytes]:
    """Start FreeSWITCH in the foreground with this configuration, all it writes below ``root``."""
    arguments = ["-nf", "-nc", "-nonat", "-nonatmap", "-nocal", "-conf", str(conf)]
    for name in ("log", "db", "run", "temp", "storage", "recordings", "cache", "certs", "sounds"):
        (root / name).mkdir(exist_ok=True)
        arguments += [f"-{name}", str(root / name)]
    with (root / "stdout.txt").open("wb") as output:
        return subprocess.Popen(
            mortal([str(binary), *arguments]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Switch:
    """One FreeSWITCH process on 127.0.0.1.

    Attributes: ``sip_port`` and ``esl_port``, ``password``, ``profile`` (the sofia profile),
    ``context`` (where calls enter), ``domain`` (of the directory and of every phone's address),
    ``root`` (all its files). Several threads may use it at once.
    """

    def __init__(
        self, profile: str = "lab", context: str = "public", *, rtp_share: tuple[int, int] = (1, 1)
    ) -> None:
        """Choose ports and write the configuration; nothing runs yet.

        ``rtp_share``: of so many switches of this process that carry calls at once, the first,
        second … (counted from 1), which has that part of the ports for RTP.
        """
        binary = shutil.which("freeswitch")
        if binary is None:
            raise FileNotFoundError("freeswitch is not on PATH")
        self._binary = Path(binary)
        self.root = Path(tempfile.mkdtemp(prefix="lab-switch-"))
        self.conf = self.root / "conf"
        first, last = ports.rtp_range(*rtp_share)
        self._plan = switch_conf.SwitchPlan(
            profile=profile,
            context=context,
            # Kept: nobody is to take them while it is dead, and to be started again.
            sip_port=ports.kept_port(),
            esl_port=ports.kept_port(),
            esl_password=PASSWORD,
            rtp_first=first,
            rtp_last=last,
            modules=switch_conf.modules_available(self._binary),
        )
        self.profile, self.context = profile, context
        self.domain, self.password = self._plan.domain, PASSWORD
        self.sip_port, self.esl_port = self._plan.sip_port, self._plan.esl_port
        self._process: subprocess.Popen[bytes] | None = None
        self._client: EslClient | None = None
        self._lock = threading.RLock()
        self._users: dict[str, str] = {}
        self._installed: dict[str, str] = {}

    # -- life

    def start(self) -> Switch:
        """Start, and return when the event socket answers and the profile is RUNNING.

        Raises AssertionError with the end of the log when that takes longer than 20 s.
        """
        self._write(self._own_files())
        return self._run()

    def kill9(self) -> None:
        """SIGKILL, as in a crash; its files stay, for `start_again`."""
        assert self._process, "the switch is not running"
        self._disconnect()
        self._process.kill()
        self._process.wait()
        self._process = None

    def start_again(self) -> Switch:
        """Start it after `kill9`: on the same ports, with all that was installed."""
        return self._run()

    def _run(self) -> Switch:
        self._process = launch(self._binary, self.root, self.conf)
        try:
            wait_for(self._is_ready, START_DEADLINE_S, "FreeSWITCH is ready", poll_s=0.05)
        except NotInTime as error:
            tail = self.log_tail()
            self.stop()
            raise AssertionError(f"{error}\n{tail}") from error
        return self

    def stop(self) -> None:
        """Kill the process and remove its files."""
        self._disconnect()
        if self._process:
            # an orderly shutdown takes seconds and there is nothing to save
            self._process.kill()
            self._process.wait()
            self._process = None
        ports.give_back(self.sip_port, self.esl_port)
        shutil.rmtree(self.root, ignore_errors=True)

    def _disconnect(self) -> None:
        if self._client:
            self._client.close()
            self._client = None

    @property
    def pid(self) -> int:
        """Process id of the running switch."""
        assert self._process, "the switch is not running"
        return self._process.pid

    def _is_ready(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise AssertionError(
                f"FreeSWITCH ended with status {self._process.returncode}\n{self.log_tail()}"
            )
        with contextlib.suppress(OSError):
            return "UP" in self.esl("status") and self._profile_is_running()
        return False

    def _profile_is_running(self) -> bool:
        return "RUNNING" in self.esl(f"sofia status profile {self.profile}") or any(
            self.profile in line and "RUNNING" in line
            for line in self.esl("sofia status").splitlines()
        )

    # -- talking to it

    def esl(self, command: str) -> str:
        """The reply to ``api COMMAND``. Raises OSError when the switch cannot be reached."""
        with self._lock:
            if self._client is None:
                self._client = EslClient("127.0.0.1", self.esl_port, PASSWORD, timeout_s=10.0)
            try:
                return self._client.api(command)
            except OSError:
                self._disconnect()
                raise

    def uri(self, number: str) -> str:
        """The SIP URI at which this switch takes a call for ``number``."""
        return f"sip:{number}@{self.domain}:{self.sip_port}"

    def channels(self) -> list[dict[str, Any]]:
        """The rows of ``show channels``: FreeSWITCH writes them a moment after it acted."""
        rows = json.loads(self.esl("show channels as json")).get("rows", [])
        return list(rows)

    def variable(self, channel_uuid: str, name: str) -> str | None:
        """A channel variable, or None when it is not set. Raises KeyError on no such channel."""
        reply = self.esl(f"uuid_getvar {channel_uuid} {name}")
        if reply.startswith("-ERR"):
            raise KeyError(channel_uuid)
        return None if reply == "_undef_" else reply

    def leg_of(self, call_id: str) -> list[str]:
        """The channels whose SIP Call-ID this is, as far as they are listed yet."""
        uuids = [str(row["uuid"]) for row in self.channels()]
        return [uuid for uuid in uuids if self.esl(f"uuid_getvar {uuid} sip_call_id") == call_id]

    def wait_channels(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many channels are listed, and return them."""

        def listed() -> list[dict[str, Any]]:
            rows = self.channels()
            return rows if len(rows) == count else []

        rows: list[dict[str, Any]] = self.wait(listed, what=f"{count} channels")
        return rows

    def living(self) -> list[str]:
        """The addresses of controllers that it takes for living."""
        names = [line.partition("=")[0] for line in self.esl("global_getvar").splitlines()]
        return [name for name in names if name.startswith("fsctl_living_")]

    def wait(
        self, predicate: Callable[[], Any], timeout_s: float = 5.0, what: str = "condition"
    ) -> Any:
        """The first truthy result of ``predicate``; NotInTime names ``what`` and the channels."""
        return wait_for(predicate, timeout_s, lambda: f"{what}\n{self.describe_channels()}")

    def wait_no_channels(self, timeout_s: float = 5.0) -> None:
        """Wait until no channel is left; NotInTime names those that are."""
        self.wait(lambda: not self.channels(), timeout_s, "no channel is left on the switch")

    def describe_channels(self) -> str:
        """One line for each channel there is."""
        wanted = ("uuid", "direction", "name", "state", "callstate", "dest", "application")
        rows = [" ".join(str(row.get(key)) for key in wanted) for row in self.channels()]
        return "\n".join(rows) or "(no channels)"

    def log_text(self) -> str:
        """The whole log, SIP messages included."""
        log = self.root / "log" / "freeswitch.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the log, or of its standard output when there is no log yet."""
        output = self.root / "stdout.txt"
        text = self.log_text() or (output.read_text(errors="replace") if output.exists() else "")
        return "\n".join(text.splitlines()[-lines:])

    # -- configuring it

    def _own_files(self) -> dict[str, str]:
        """The configuration without what is installed: a file's path below ``conf``, its text."""
        return switch_conf.files(self._plan)

    def password_of(self, number: str) -> str:
        """What a phone of that number answers a challenge with; empty: it is not challenged."""
        return ""

    def add_user(self, number: str, port: int, joined_by: str = "", transport: str = "udp") -> None:
        """``user/NUMBER@DOMAIN`` (and a plain call to NUMBER) rings the phone on ``port``.

        With ``joined_by`` (``,`` ``|`` ``:_:``) it is dialled beside the user's other phones.
        """
        contact = f"sofia/{self.profile}/sip:{number}@127.0.0.1:{port}"
        contact += f";transport={transport}" if transport != "udp" else ""
        with self._lock:
            before = self._users.get(number) if joined_by else None
            self.add_dialled(number, f"{before}{joined_by}{contact}" if before else contact)

    def add_dialled(self, number: str, dial_string: str) -> None:
        """As `add_user`, of a user who is dialled by that."""
        with self._lock:
            if self._users.get(number) == dial_string:
                return
            self._users[number] = dial_string
            self._write({"directory/lab.xml": switch_conf.directory(self._plan, self._users)})
            self._reload()

    def remove_user(self, number: str) -> None:
        """Forget a number; calls to it fail from now on."""
        with self._lock:
            if self._users.pop(number, None) is None:
                return
            self._write({"directory/lab.xml": switch_conf.directory(self._plan, self._users)})
            self._reload()

    def install(self, directory: Path) -> None:
        """Lay rendered files (the output of ``fsctl dialplan render``) over the configuration."""
        self.reload_dialplan(
            {
                str(path.relative_to(directory)): path.read_text(encoding="utf-8")
                for path in sorted(directory.rglob("*.xml"))
            }
        )

    def reload_dialplan(self, xml_files: Mapping[str, str]) -> None:
        """Install these files (path below ``conf`` -> text) in place of those installed before."""
        wanted = {name: text for name, text in xml_files.items() if name not in _NEVER_INSTALLED}
        before, self._installed = self._installed, wanted
        if wanted == before:
            return
        for name in before.keys() - wanted.keys():
            self._remove(name)
        self._write(wanted)
        self._reload()
        changed = {name for name, _ in before.items() ^ wanted.items()}
        if any(name.startswith(_PROFILE_FILES) for name in changed):
            self.rescan_profile()

    def uninstall(self) -> None:
        """Remove everything installed: the laboratory's own dialplan is back."""
        self.reload_dialplan({})

    def rescan_profile(self) -> None:
        """Make the sofia profile read its parameters again, calls untouched.

        A parameter that is no longer there keeps its last value until the switch ends: sofia only
        sets those it finds (and refuses to restart a profile that is younger than 10 s).
        """
        reply = self.esl(f"sofia profile {self.profile} rescan")
        if "scan complete" not in reply:
            raise AssertionError(f"sofia profile {self.profile} rescan: {reply}")

    def add_profile(self, name: str, own: Mapping[str, str | int]) -> None:
        """Start another sofia profile; `remove_profile` ends it."""
        path = self.conf / _SOFIA
        text = switch_conf.sip_profile(self._plan, name, own)
        path.write_text(path.read_text().replace("  </profiles>", f"{text}  </profiles>"))
        self._reload()
        self.esl(f"sofia profile {name} start")
        wait_for(lambda: self._runs(name), START_DEADLINE_S, f"profile {name} runs")

    def remove_profile(self, name: str) -> None:
        """End a profile of `add_profile`; not before it is 10 s old."""
        path = self.conf / _SOFIA
        before, _, rest = path.read_text().partition(f'    <profile name="{name}">')
        path.write_text(before + rest.partition("</profile>\n")[2])
        self._reload()

        def ends() -> bool:
            self.esl(f"sofia profile {name} stop")
            return not self._runs(name)

        wait_for(ends, START_DEADLINE_S, f"profile {name} ends", poll_s=0.2)

    def _runs(self, profile: str) -> bool:
        lines = self.esl("sofia status").splitlines()
        return any(each.split()[:2] == [profile, "profile"] and "RUNNING" in each for each in lines)

    def restore_profile(self) -> None:
        """Give the profile's own values back to the parameters that a test has changed.

        They are written out, for one that is no longer there keeps its value (see above).
        """
        self.reload_dialplan({"sip_profiles/fsctl_params.xml": switch_conf.own_params()})

    def _reload(self) -> None:
        reply = self.esl("reloadxml")
        if not reply.startswith("+OK [Success]"):  # "+OK [[error near line …" keeps the old one
            raise AssertionError(f"reloadxml: {reply}")

    def _write(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            path = self.conf / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _remove(self, name: str) -> None:
        """Remove an installed file; one that stood in place of ours is put back."""
        own = self._own_files().get(name)
        if own is None:
            (self.conf / name).unlink(missing_ok=True)
        else:
            self._write({name: own})
