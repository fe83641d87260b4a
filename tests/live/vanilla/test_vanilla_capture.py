"""``fsctl check`` of FreeSWITCH's copies of SIP messages: believed once a packet has come."""

from __future__ import annotations

import shlex
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.live.lab import ports
from tests.live.vanilla.installation import Installation, State
from tests.live.vanilla.switch import VanillaSwitch
from tests.live.vanilla.test_vanilla_check import Doctor

SOFIA = "autoload_configs/sofia.conf.xml"
PROFILES = ("internal", "external")
FILES = (SOFIA, *(f"sip_profiles/{name}.xml" for name in PROFILES))
pytestmark = pytest.mark.parametrize("state", [State.STOCK], ids=str)


@dataclass
class Capturing:
    """A switch that sends copies to ``port``, and the doctor who is told of it.

    Nothing of fsctl is installed there: two other findings are always there.
    """

    switch: VanillaSwitch
    doctor: Doctor
    port: int

    def configure(self, url: str, **captured: str) -> None:
        """Write that into its files, and have it read them."""
        texts = {name: (self.switch.conf / name).read_text() for name in FILES}
        lines = {SOFIA: ("</global_settings>", "capture-server", url)}
        for profile, value in captured.items():
            lines[f"sip_profiles/{profile}.xml"] = ("  </settings>", "sip-capture", value)
        for name, (before, parameter, value) in lines.items():
            assert texts[name].count(before) == 1
            line = f'<param name="{parameter}" value="{value}"/>\n{before}'
            (self.switch.conf / name).write_text(texts[name].replace(before, line))
        self.read_again()

    def read_again(self) -> None:
        """It reads its files."""
        assert self.switch.esl("reloadxml").startswith("+OK [Success]")
        for profile in PROFILES:
            assert "scan complete" in self.switch.esl(f"sofia profile {profile} rescan")

    def finds(self, port: int = 0) -> dict[str, str]:
        """What is found of the copies, with that port in the settings."""
        found = self.doctor.finds(FSCTL_HEP_LISTEN=f"127.0.0.1:{port or self.port}")
        return {code: state for code, state in found.items() if code.startswith("FSC8")}

    def mend(self, code: str) -> None:
        """Have fs_cli do what the finding says."""
        _, document = self.doctor.run(FSCTL_HEP_LISTEN=f"127.0.0.1:{self.port}")
        text = next(each["command"] for each in document["findings"] if each["code"] == code)
        words = shlex.split(text)
        for command in [words[at + 1] for at, word in enumerate(words) if word == "-x"]:
            self.switch.esl(command)


@pytest.fixture
def capturing(switch: VanillaSwitch, installation: Installation) -> Iterator[Capturing]:
    """Not configured yet; what a test changes is put back."""
    kept = {name: (switch.conf / name).read_text() for name in FILES}
    port = ports.kept_port()
    capturing = Capturing(switch, Doctor(switch, installation.controller.config), port)
    yield capturing
    for name, text in kept.items():
        (switch.conf / name).write_text(text)
    capturing.read_again()
    for profile in PROFILES:  # a parameter that is gone keeps its value
        switch.esl(f"sofia profile {profile} capture off")
    ports.give_back(port)


def _url(port: int, more: str = ";hep=3;capture_id=9") -> str:
    return f"udp:127.0.0.1:{port}{more}"


def test_a_packet_proves_it(capturing: Capturing) -> None:
    """Also where packets were refused before, and the next one is lost; nothing is complained of
    but that."""
    capturing.configure(_url(capturing.port), internal="yes", external="yes")
    _, document = capturing.doctor.run(FSCTL_HEP_LISTEN=f"127.0.0.1:{capturing.port}")
    proved = [each for each in document["findings"] if each["code"].startswith("FSC8")]
    assert {each["state"] for each in proved} == {"ok"} and len(proved) == 3
    assert "external" in proved[-1]["what"] and "internal" in proved[-1]["what"]
    assert capturing.finds() == {}


def test_nothing_is_configured(capturing: Capturing) -> None:
    assert capturing.finds() == {"FSC801": "problem", "FSC802": "problem"}
    assert "Enabled" in capturing.switch.esl("sofia profile internal capture on")
    assert capturing.finds() == {"FSC801": "problem", "FSC802": "problem"}


def test_another_capture_server(capturing: Capturing) -> None:
    """Its owner forwards to us, or does not."""
    theirs, ours = capturing.port, ports.kept_port()
    capturing.configure(_url(theirs), internal="yes", external="yes")
    assert capturing.finds(ours) == {"FSC801": "problem"}
    with _forwarding(theirs, ours):
        assert capturing.finds(ours) == {}
    ports.give_back(ours)


@pytest.mark.parametrize("more", [";hep=3;id=9", ";hep=4", ";capture_id=0"])
def test_a_url_that_disables_it_without_a_word(capturing: Capturing, more: str) -> None:
    capturing.configure(_url(capturing.port, more), internal="yes", external="yes")
    assert capturing.finds() == {"FSC801": "problem"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:  # and so it is
        sock.bind(("127.0.0.1", capturing.port))
        sock.settimeout(0.5)
        capturing.switch.esl("sofia profile external siptrace off")
        _ask(capturing.switch.external_port)
        with pytest.raises(TimeoutError):
            sock.recv(65535)


def test_one_profile_is_not_to_be_captured_though_it_still_is(capturing: Capturing) -> None:
    """``sip-capture=no`` and a rescan do not stop it."""
    capturing.configure(_url(capturing.port), internal="yes", external="yes")
    assert capturing.finds() == {}
    path = capturing.switch.conf / FILES[-1]
    path.write_text(
        path.read_text().replace('"sip-capture" value="yes"', '"sip-capture" value="no"')
    )
    capturing.read_again()
    assert capturing.finds() == {"FSC802": "problem"}


def test_it_was_switched_off_by_hand(capturing: Capturing) -> None:
    """The command of the finding mends it."""
    capturing.configure(_url(capturing.port), internal="yes", external="yes")
    capturing.switch.esl("sofia profile external capture off")
    assert capturing.finds() == {"FSC803": "problem"}
    capturing.mend("FSC803")
    assert capturing.finds() == {}


def test_the_port_is_somebody_elses(capturing: Capturing) -> None:
    capturing.configure(_url(capturing.port), internal="yes", external="yes")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", capturing.port))
        assert capturing.finds() == {"FSC803": "unknown"}


def _ask(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        own = sock.getsockname()[1]
        sock.send(
            f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bKlab{own}\r\n"
            f"From: <sip:lab@127.0.0.1>;tag={own}\r\nTo: <sip:127.0.0.1>\r\n"
            f"Call-ID: lab{own}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()
        )
        sock.settimeout(5)
        assert sock.recv(65535).startswith(b"SIP/2.0 200")


@contextmanager
def _forwarding(port: int, target: int) -> Iterator[None]:
    ended = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))
        sock.settimeout(0.2)

        def forward() -> None:
            while not ended.is_set():
                try:
                    sock.sendto(sock.recv(65535), ("127.0.0.1", target))
                except TimeoutError:
                    continue

        thread = threading.Thread(target=forward)
        thread.start()
        yield
        ended.set()
        thread.join()
