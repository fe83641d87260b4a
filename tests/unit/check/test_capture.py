"""FSC801 to FSC803: FreeSWITCH sends us copies of SIP messages, proved by a packet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from gevent import socket

from fsctl.check import copies, examine
from fsctl.settings import Hep
from tests.unit.check.changes import PROBLEM, SOFIA, UNKNOWN, edit
from tests.unit.check.peers import Healthy, freeswitch, listening
from tests.unit.check.profile import Profile, free_port, running
from tests.unit.check.test_findings import found

CAPTURED = '<param name="sip-capture" value="{}"/>'


@dataclass
class Case:
    """A FreeSWITCH with which all is well, and its two profiles; a test changes them."""

    port: int = field(default_factory=free_port)
    healthy: Healthy = field(default_factory=Healthy)
    internal: Profile = field(default_factory=Profile)
    external: Profile = field(default_factory=Profile)
    url: str = ""
    captured: dict[str, str] = field(
        default_factory=lambda: {"internal": "yes", "external": "true"}
    )
    bind: str = "{};transport=udp,tcp"
    ip: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self.internal.capture = self.external.capture = self.port
        self.url = f"udp:127.0.0.1:{self.port};hep=3;capture_id=7"
        self.healthy.settings = replace(self.healthy.settings, hep=Hep(f"127.0.0.1:{self.port}"))

    def finish(self) -> Healthy:
        """It answers like that."""
        for name, profile in (("internal", self.internal), ("external", self.external)):
            url = self.bind.format(f"sip:mod_sofia@{self.ip}:{profile.port}")
            more = f"<sip-ip>{self.ip}</sip-ip><bind-url>{url}</bind-url></profile-info>"
            edit(f"sofia xmlstatus profile {name}", "</profile-info>", more)(self.healthy)
            line = CAPTURED.format(self.captured[name])
            head = f'<profile name="{name}"><settings>'
            if name == "internal":  # among what the mark of its rescan covers
                self.healthy.params += line
            else:
                edit(SOFIA, head, head + line)(self.healthy)
        settings = f'<global_settings><param name="capture-server" value="{self.url}"/>'
        edit(SOFIA, "<profiles>", f"{settings}</global_settings><profiles>")(self.healthy)
        return self.healthy


@pytest.fixture(autouse=True)
def in_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come is not waited for so long."""
    monkeypatch.setattr(copies, "PROOF_S", 0.5)
    monkeypatch.setattr(copies, "_AGAIN_S", 0.1)


def nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is to come it need not be waited for."""
    monkeypatch.setattr(copies, "PROOF_S", 0.05)
    monkeypatch.setattr(copies, "_AGAIN_S", 0.02)


@pytest.fixture
def case() -> Iterator[Case]:
    """Its profiles run."""
    case = Case()
    with running(case.internal, case.external):
        yield case


def _elsewhere(case: Case) -> None:
    case.internal.capture = case.external.capture = other = free_port()
    case.url = f"udp:127.0.0.1:{other};hep=3"


def _set(**values: object) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case, name, value)

    return change


def _each(**values: object) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for profile in (case.internal, case.external):
            for name, value in values.items():
                setattr(profile, name, value)

    return change


def _url(form: str) -> Callable[[Case], None]:
    return lambda case: setattr(case, "url", form.format(case.port))


def _one(**values: object) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case.external, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda case: None, {}, id="well"),
        pytest.param(_each(lost=1), {}, id="the first packet is lost"),
        pytest.param(_url("udp:localhost:{}"), {}, id="a name"),
        pytest.param(_url("udp:[127.0.0.1]:{};bufsize=16000"), {}, id="bufsize"),
        pytest.param(_set(ip="0.0.0.0"), {}, id="any address"),
        pytest.param(_set(bind="{};maddr=0.0.0.0;transport=udp"), {}, id="maddr"),
        pytest.param(
            lambda case: setattr(case, "url", f"udp:127.0.0.1:{free_port()}"), {}, id="forwarded"
        ),
        pytest.param(_set(url=""), {"FSC801": PROBLEM}, id="no server"),
        pytest.param(_elsewhere, {"FSC801": PROBLEM}, id="another server"),
        pytest.param(_url("udp:127.0.0.1:{};hep=2"), {"FSC801": PROBLEM}, id="HEP 2"),
        pytest.param(_url("udp:127.0.0.1:{};id=9"), {"FSC801": PROBLEM}, id="no such parameter"),
        pytest.param(_url("udp:127.0.0.1:{};capture_id=0"), {"FSC801": PROBLEM}, id="id 0"),
        pytest.param(_url("tcp:127.0.0.1:{}"), {"FSC801": PROBLEM}, id="tcp"),
        pytest.param(_url("udp:127.0.0.1:1023;hep=3"), {"FSC801": PROBLEM}, id="low port"),
        pytest.param(
            _set(captured={"internal": "yes", "external": "no"}), {"FSC802": PROBLEM}, id="one not"
        ),
        pytest.param(
            _set(captured={"internal": "no", "external": "no"}), {"FSC802": PROBLEM}, id="none"
        ),
        pytest.param(_each(capture=0), {"FSC803": PROBLEM}, id="nothing comes"),
        pytest.param(_one(capture=0), {"FSC803": PROBLEM}, id="nothing comes of one"),
        pytest.param(_each(version=b"HEP2"), {"FSC803": PROBLEM}, id="not understood"),
        pytest.param(_each(capture=0, answers=False), {"FSC803": UNKNOWN}, id="no answer"),
        pytest.param(_set(bind="{};transport=tcp"), {"FSC803": UNKNOWN}, id="no UDP"),
    ],
)
def test_copies(
    case: Case,
    change: Callable[[Case], None],
    expected: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if {"FSC801", "FSC803"} & expected.keys():
        nothing_comes(monkeypatch)
    change(case)
    assert found(case.finish()) == expected


def test_who_listens_there_already_is_not_disturbed(case: Case) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", case.port))
        assert found(case.finish()) == {"FSC803": UNKNOWN}
    assert found(case.healthy) == {}


@pytest.mark.parametrize("change", [_elsewhere, _set(url="")], ids=["another", "none"])
def test_another_capture_server_is_never_to_be_replaced(
    case: Case, change: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_comes(monkeypatch)
    change(case)
    there = case.url
    healthy = case.finish()
    with listening(freeswitch(healthy.answers()), healthy.settings) as settings:
        report = examine(settings)
    (finding,) = [each for each in report.findings if each.code == "FSC801"]
    assert ("forward" in finding.command) == bool(there)
    assert ("<param " in finding.command) != bool(there)


def test_without_the_setting_nothing_is_asked(case: Case) -> None:
    case.url = ""
    healthy = case.finish()
    healthy.settings = replace(healthy.settings, hep=Hep())
    assert found(healthy) == {}
    assert not case.internal.asked + case.external.asked


def test_a_quick_check_sends_nothing(case: Case) -> None:
    _each(capture=0)(case)
    assert found(case.finish(), quick=True) == {}
    assert not case.internal.asked


def test_freeswitch_on_another_host(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsctl.check.ground.Ground.remote", True)
    assert found(case.finish()) == {"FSC604": PROBLEM, "FSC801": PROBLEM}


def test_several_switches_share_the_port(case: Case) -> None:
    healthy = case.finish()
    with listening(freeswitch(healthy.answers()), healthy.settings) as settings:
        second = replace(settings.switches[0], name="second")
        report = examine(replace(settings, switches=(*settings.switches, second)))
    proved = [each for each in report.findings if each.code == "FSC803"]
    assert [each.state.value for each in proved] == ["ok", "ok"]


@pytest.mark.parametrize("text", ["nowhere", "", "fe80::1%eth0", "x" * 5000])
def test_an_address_that_cannot_be_read_is_unknown(case: Case, text: str) -> None:
    case.bind = "sip:" + text
    case.ip = text
    assert found(case.finish()) == {"FSC803": UNKNOWN}
