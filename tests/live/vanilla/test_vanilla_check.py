"""``fsctl check`` on a switch of somebody's own: installed, alive, dead, meddled with."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fsctl import dialplan, settings
from tests.live.lab import wait_for
from tests.live.vanilla.installation import Installation, State
from tests.live.vanilla.switch import VanillaSwitch

INTERNAL = "sip_profiles/internal.xml"
ANYBODY = "dialplan/default.xml"
in_stock = pytest.mark.parametrize("state", [State.STOCK], ids=str)
alive = pytest.mark.parametrize("state", [State.ALIVE], ids=str)
killed = pytest.mark.parametrize("state", [State.KILLED], ids=str)


@dataclass
class Doctor:
    """``fsctl check`` with the settings of the installation."""

    switch: VanillaSwitch
    config: Path

    def run(self, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
        """Exit status, and the one document that is printed."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("FSCTL_")}
        own["FSCTL_SWITCH_PASSWORD"] = self.switch.password
        own["FSCTL_SWITCH_PORT"] = str(self.switch.esl_port)
        command = ["check", "--json", "--config", str(self.config), *arguments]
        done = subprocess.run(
            [sys.executable, "-m", "fsctl", *command],
            env=own | environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert done.stderr == b""
        return done.returncode, json.loads(done.stdout)

    def finds(self, *arguments: str, **environment: str) -> dict[str, str]:
        """The states by code, of what is not ok; the exit status says the same."""
        status, document = self.run(*arguments, **environment)
        findings = [each for each in document["findings"] if each["state"] != "ok"]
        wrong = {each["code"]: each["state"] for each in findings}
        expected = 1 if "problem" in wrong.values() else 2 if wrong else 0
        assert status == document["status"] == expected
        return wrong

    def command(self, code: str) -> list[str]:
        """What the finding has fs_cli do."""
        _, document = self.run()
        text = next(each["command"] for each in document["findings"] if each["code"] == code)
        words = shlex.split(text.partition(" (")[0])
        return [words[place + 1] for place, word in enumerate(words) if word == "-x"]


@pytest.fixture
def doctor(switch: VanillaSwitch, installation: Installation) -> Doctor:
    """Asks the running switch about the installation's settings."""
    return Doctor(switch, installation.controller.config)


@pytest.fixture
def rescanned(doctor: Doctor) -> Doctor:
    """The profile was rescanned as the finding says, if it had to be."""
    if doctor.finds():
        for command in doctor.command("FSC303"):
            doctor.switch.esl(command)
    assert doctor.finds() == {}
    return doctor


@pytest.fixture
def meddled(switch: VanillaSwitch, installation: Installation) -> Iterator[VanillaSwitch]:
    """The switch; what a test changes in its files is put back. A start that still looks at them
    has looked."""
    log = installation.controller.log_text
    wait_for(lambda: "reach us" in log(), 20.0, "the line of the start")
    kept = {name: (switch.conf / name).read_text() for name in (INTERNAL, ANYBODY)}
    yield switch
    switch.wait(lambda: "UP" in switch.esl("status"), what="the switch is there")
    for name, text in kept.items():
        (switch.conf / name).write_text(text)
    switch.esl("reloadxml")
    switch.rescan_profile()


def _edit(switch: VanillaSwitch, name: str, old: str, new: str) -> None:
    path = switch.conf / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert switch.esl("reloadxml").startswith("+OK [Success]")


def _tree(switch: VanillaSwitch) -> dict[str, str]:
    files = (path for path in switch.conf.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _globals(switch: VanillaSwitch) -> set[str]:
    return set(switch.esl("global_getvar").splitlines())


@in_stock
def test_nothing_is_installed(doctor: Doctor, switch: VanillaSwitch) -> None:
    """Two findings, and nothing is written anywhere."""
    before = _tree(switch), _globals(switch)
    log = len(switch.log_text())
    assert doctor.finds() == {"FSC401": "problem", "FSC601": "problem"}
    assert (_tree(switch), _globals(switch)) == before
    said = switch.log_text()[log:]
    assert "[ERR]" not in said and "[WARNING]" not in said


@in_stock
@pytest.mark.parametrize(
    ("number", "where", "extension"),
    [
        ("1002", "default", "Local_Extension"),
        ("3000", "", "nb_conferences"),
        ("5551212", "public", "public_did"),
    ],
)
def test_which_extension_a_number_takes(
    doctor: Doctor, number: str, where: str, extension: str
) -> None:
    _, document = doctor.run("--number", number, "--context", where)
    finding = next(each for each in document["findings"] if each["code"] == "FSC502")
    assert finding["state"] == "ok"
    assert f"takes {extension}" in finding["what"]


@alive
def test_all_is_well_once_the_profile_is_known_to_be_rescanned(
    rescanned: Doctor, installation: Installation
) -> None:
    """FreeSWITCH does not tell by itself; the start has said it, too."""
    assert rescanned.finds("--quick") == {}
    said = wait_for(
        lambda: [
            line for line in installation.controller.log_text().splitlines() if "reach us" in line
        ],
        10.0,
        "the line of the start",
    )
    assert len(said) == 1
    assert "transfers will reach us" in said[0]


@alive
def test_wrong_password(doctor: Doctor) -> None:
    assert doctor.finds(FSCTL_SWITCH_PASSWORD="wrong") == {"FSC103": "problem"}


@alive
def test_other_settings_than_are_installed(rescanned: Doctor) -> None:
    found = rescanned.finds(FSCTL_TRANSFER_RESCUE_AFTER_S="9")
    assert found == {"FSC402": "problem"}


@alive
@pytest.mark.parametrize(
    ("parameter", "loaded", "read"),
    [
        ("fire-transfer-events=false", {"FSC302": "problem"}, {"FSC302": "problem"}),
        ("disable-transfer=true", {"FSC302": "problem"}, {"FSC302": "problem"}),
        (
            "inbound-bypass-media=true",
            {"FSC303": "problem"},
            {"FSC303": "unknown", "FSC305": "problem"},
        ),
        ("rtp-rewrite-timestamps=false", {"FSC303": "unknown"}, {"FSC303": "unknown"}),
    ],
)
def test_a_parameter_is_changed_by_hand(
    rescanned: Doctor,
    meddled: VanillaSwitch,
    parameter: str,
    loaded: dict[str, str],
    read: dict[str, str],
) -> None:
    """After `reloadxml`, and after `rescan`."""
    name, _, value = parameter.partition("=")
    line = f'<param name="{name}" value="{value}"/>\n'
    _edit(meddled, INTERNAL, "  </settings>", f"  {line}  </settings>")
    assert rescanned.finds() == loaded
    meddled.rescan_profile()
    assert rescanned.finds() == read
    _edit(meddled, INTERNAL, line, f'<param name="{name}" value="{_opposite(value)}"/>\n')
    meddled.rescan_profile()  # a parameter that is gone keeps its value


def _opposite(value: str) -> str:
    return "false" if value == "true" else "true"


@alive
def test_numbers_are_taken_before_us(
    doctor: Doctor, meddled: VanillaSwitch, installation: Installation, tmp_path: Path
) -> None:
    """In scope calls; what stands behind our extension takes nothing."""
    calls = {"FSCTL_DIALPLAN_SCOPE": "calls", "FSCTL_DIALPLAN_INBOUND_MATCH": "10[01][0-9]"}
    environ = {**calls, "FSCTL_SWITCH_PASSWORD": meddled.password}
    dialplan.render(settings.load(doctor.config, environ), tmp_path)
    meddled.install(tmp_path)
    try:
        found = doctor.finds(**calls)
        assert found["FSC501"] == "problem"
        assert found.keys() <= {"FSC501", "FSC603", "FSC303"}
        _edit(meddled, ANYBODY, 'name="Local_Extension"', 'name="Local_Extension" continue="true"')
        assert "FSC501" not in doctor.finds(**calls)
    finally:
        meddled.install(installation.controller.render())


@alive
def test_freeswitch_ends_and_is_back(
    rescanned: Doctor, meddled: VanillaSwitch, installation: Installation
) -> None:
    """One finding, the cause; and none when it is there again."""
    meddled.kill9()
    try:
        assert rescanned.finds() == {"FSC101": "problem"}
    finally:
        meddled.start_again()
    wait_for(lambda: rescanned.finds() == {}, 20.0, "all is well again")


@killed
def test_the_controller_is_dead(doctor: Doctor) -> None:
    found = doctor.finds()
    assert found.pop("FSC303", "unknown") == "unknown"
    assert found == {"FSC601": "problem"}
