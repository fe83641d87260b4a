"""``fsctl install`` in a switch that runs: what it says, what runs then, and no trace left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fsctl import settings
from fsctl.check import examine
from fsctl.story import hear_each_other
from tests.live.lab import Phone, Phones, ports
from tests.live.lab.fsctl_process import REPOSITORY, Controller
from tests.live.vanilla.kinds import ANSWERS, BUSY, CALLER
from tests.live.vanilla.scene import Scene
from tests.live.vanilla.switch import VanillaSwitch
from tests.live.vanilla.transfers import CALLEE, SECOND_CALL


@dataclass
class Site:
    """The switch's ``conf``, and a folder for the settings beside it."""

    switch: VanillaSwitch
    folder: Path
    controller: Controller | None = None

    @property
    def settings(self) -> Path:
        return self.folder / "etc/fsctl.toml"

    def files(self) -> dict[str, bytes]:
        """All below ``conf``, and the settings."""
        return {
            str(path): path.read_bytes() if path.is_file() else b""
            for top in (self.switch.conf, self.folder)
            for path in sorted(top.rglob("*"))
        }

    def fsctl(self, command: str, *options: str, status: int = 0) -> str:
        """Run it; what it prints."""
        own = {name: text for name, text in os.environ.items() if not name.startswith("FSCTL_")}
        where = ("--conf", str(self.switch.conf), "--config", str(self.settings))
        done = subprocess.run(
            [sys.executable, "-m", "fsctl", command, *where, *options],
            cwd=REPOSITORY,
            env=own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def serve(self) -> Controller:
        """With the settings that the installation has made, moved to a free port."""
        port = ports.kept_port()
        server = f'listen = "127.0.0.1:{port}"\nworkers = 1\ndrain_timeout_s = 0.2\n'
        self.settings.write_text(f"{self.settings.read_text()}\n[server]\n{server}")
        self.controller = Controller({}, port=port)
        self.controller.config.write_text(
            self.settings.read_text().replace(
                '"event_socket.password"', f'"{self.settings.parent}/event_socket.password"'
            )
        )
        return self.controller


@pytest.fixture
def site(switch: VanillaSwitch, tmp_path: Path) -> Iterator[Site]:
    """A switch as it is shipped; it is so again when the test is over."""
    (tmp_path / "folder").mkdir()
    made = Site(switch, tmp_path / "folder")
    before = made.files()
    yield made
    problems = made.controller.finish() if made.controller else ""
    made.fsctl("uninstall", "--yes")
    assert made.files() == before
    assert "fsctl_rescanned" not in switch.esl("global_getvar")
    assert not problems, problems


def test_from_stock_to_control_and_back_while_a_call_talks(site: Site, scene: Scene) -> None:
    switch, phones = site.switch, scene.phones
    before = site.files()
    scene.add("1010", ANSWERS)
    outlasting = scene.talk("1011", "1010")
    assert hear_each_other(outlasting, scene["1010"])

    assert "Nothing was written" in site.fsctl("install", "--dry-run")
    assert site.files() == before
    said = site.fsctl("install", "--yes")
    assert "Verified: FreeSWITCH runs it." in said and "\nNext: fsctl serve" in said
    installed = site.files()
    assert "nothing to change" in site.fsctl("install", "--yes")
    assert site.files() == installed
    assert hear_each_other(outlasting, scene["1010"])

    # the settings that it has made are good for `serve`; other ones make it an upgrade
    controller = site.serve()
    assert f'data="{controller.address}' not in (switch.conf / "dialplan/fsctl.xml").read_text()
    assert "Verified" in site.fsctl("install", "--yes")
    assert controller.address in (switch.conf / "dialplan/fsctl.xml").read_text()
    controller.start()
    armed = "global_getvar force_transfer_context"
    switch.wait(lambda: switch.esl(armed) == "fsctl_refer", 5.0, "transfers are armed")
    report = examine(settings.load(controller.config, {}))
    assert report.exit_status == 0, report  # also that the profile has read its parameters

    caller, callee = _talk(scene)
    scene.add("1002", BUSY)
    callee.transfers("2040")
    assert callee.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(caller, callee)
    assert '"outcome": "failed"' in controller.log_text()
    assert hear_each_other(outlasting, scene["1010"])

    assert "a controller is running" in site.fsctl("uninstall", "--yes", status=2)
    assert controller.terminate() == 0
    site.settings.write_bytes(installed[str(site.settings)])
    said = site.fsctl("uninstall", "--yes")
    assert "Verified: FreeSWITCH runs nothing of fsctl." in said
    assert site.files() == before
    assert hear_each_other(outlasting, scene["1010"]) and hear_each_other(caller, callee)

    # and FreeSWITCH transfers by itself
    callee.transfers("2040")
    phones.wait(lambda: callee.notifies[1:] == ["SIP/2.0 200 OK"], "stock tells success at once")
    phones.wait(lambda: not caller.in_call, "the transferee is dropped, as stock does it")


def _talk(scene: Scene) -> tuple[Phone, Phone]:
    scene.add(CALLEE, ANSWERS)
    caller = scene.talk(CALLER, CALLEE)
    assert hear_each_other(caller, scene[CALLEE])
    return caller, scene[CALLEE]


def test_a_refused_reload_takes_everything_back_under_a_call(
    site: Site, scene: Scene, phones: Phones
) -> None:
    switch = site.switch
    before = site.files()
    caller, callee = _talk(scene)
    public = switch.conf / "dialplan/public.xml"
    good = public.read_bytes()
    public.write_bytes(good.replace(b"</context>", b"</contxt>"))
    try:
        said = site.fsctl("install", "--yes", status=2)
        assert "refuses its configuration as it is, without fsctl" in said
    finally:
        public.write_bytes(good)
    assert site.files() == before

    # a template of the operator's own that FreeSWITCH cannot read, though it is XML
    own = site.folder / "templates"
    own.mkdir()
    template = "{% extends 'fsctl/params.xml.j2' %}{% block params %}{{ super() }}"
    directive = '<X-PRE-PROCESS cmd="include" data="fsctl_broken.txt"/>'
    (own / "params.xml.j2").write_text(f"{template}\n{directive}\n{{% endblock %}}")
    (switch.conf / "sip_profiles/fsctl_broken.txt").write_text("</params>\n")
    site.settings.parent.mkdir()
    site.settings.write_text(
        f'[switch]\nport = {switch.esl_port}\npassword = "{switch.password}"\n'
        f'[dialplan]\noverrides = "{own}"\n'
    )
    site.settings.chmod(0o600)
    there = site.files()
    try:
        said = site.fsctl("install", "--yes", status=2)
        assert "FreeSWITCH refuses the new configuration" in said
        assert "Everything is as it was before" in said
        assert site.files() == there
    finally:
        for path in (*own.iterdir(), switch.conf / "sip_profiles/fsctl_broken.txt", site.settings):
            path.unlink()
        own.rmdir()
        site.settings.parent.rmdir()
    assert switch.esl("reloadxml").startswith("+OK [Success]")
    assert "fsctl" not in switch.esl("xml_locate configuration configuration name sofia.conf")
    assert hear_each_other(caller, callee)


def test_a_profile_forgets_its_parameters_without_a_restart(site: Site, scene: Scene) -> None:
    """sofia keeps the last value of one that is no longer there: here FreeSWITCH would go on to
    dial what each REFER with Replaces names ("Nightmare transfer"), also its own dialogs."""
    site.settings.parent.mkdir()
    site.settings.write_text(
        f'[switch]\nport = {site.switch.esl_port}\npassword = "{site.switch.password}"\n'
        '[transfer]\nattended = "application"\n'
    )
    site.settings.chmod(0o600)

    def nightmares() -> int:
        return site.switch.log_text().count("Nightmare transfer to")

    had = nightmares()
    assert "Verified" in site.fsctl("install", "--yes")
    try:
        caller, callee = _talk(scene)
        scene.add("1002", ANSWERS)
        scene.dial(CALLEE, "1002", SECOND_CALL).wait_talking()
        scene.joins(CALLEE, "1002", SECOND_CALL)
        assert callee.wait_notify() == "SIP/2.0 403 Forbidden"  # no controller is there

        site.fsctl("uninstall", "--yes")
        scene.joins(CALLEE, "1002", SECOND_CALL)
        scene.phones.wait(lambda: callee.notifies[1:] == ["SIP/2.0 200 OK"], "FreeSWITCH joins")
        assert hear_each_other(caller, scene["1002"])
        assert nightmares() == had + 1
    finally:
        site.fsctl("uninstall", "--yes")
        site.settings.unlink()
        site.settings.parent.rmdir()
