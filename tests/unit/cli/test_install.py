"""``fsctl install`` and ``uninstall``: what they find, and how they refuse."""

from __future__ import annotations

import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fsctl import settings
from fsctl.cli import main
from fsctl.install import finding
from fsctl.install.finding import Wanted, find, find_all
from tests.live.lab.waiting import wait_for
from tests.unit.install.site import VANILLA, tree_of


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FreeSWITCH's configuration at one of the usual places; it does not run."""
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "etc/fsctl.toml")
    monkeypatch.setattr(finding, "PLACES", (tmp_path / "none", tmp_path / "conf"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    copy = tmp_path / "conf"
    shutil.copytree(VANILLA, copy)
    (copy / "vars.xml").write_text(
        "<include>\n"
        f'<X-PRE-PROCESS cmd="set" data="event_socket_port={port}"/>\n'
        '<X-PRE-PROCESS cmd="set" data="event_socket_password=a&amp;b"/>\n</include>\n'
    )
    return copy


def test_a_freeswitch_that_is_down_is_said_to_be(conf, capsys):
    assert main(["install", "--yes"]) == 2
    error = capsys.readouterr().err
    assert "FreeSWITCH does not answer at 127.0.0.1:" in error and "--conf DIR" in error


def test_with_its_configuration_it_may_be_down(conf, capsys, tmp_path):
    before = tree_of(tmp_path)
    option = ["--conf", str(conf)]
    assert main(["install", *option]) == 2
    assert "no terminal to ask at" in capsys.readouterr().err
    assert tree_of(tmp_path) == before
    assert main(["install", *option, "--dry-run"]) == 0
    assert tree_of(tmp_path) == before
    assert main(["install", *option, "--yes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Next: fsctl serve"
    made = settings.DEFAULT_FILE.with_name(finding.PASSWORD_FILE)
    assert made.read_text() == "a&b\n" and stat.S_IMODE(made.stat().st_mode) == 0o600
    loaded = settings.load(settings.usual_file(), {})
    assert (loaded.switches[0].password, loaded.switches[0].enabled) == ("a&b", True)
    installed = tree_of(tmp_path)
    assert main(["install", *option, "--yes"]) == 0
    assert tree_of(tmp_path) == installed
    assert main(["uninstall", *option, "--yes"]) == 0
    assert tree_of(tmp_path) == before


def test_the_password_that_everybody_knows_is_named(conf, capsys):
    vars_xml = conf / "vars.xml"
    vars_xml.write_text(vars_xml.read_text().replace("a&amp;b", "ClueCon"))
    assert main(["install", "--conf", str(conf), "--dry-run"]) == 0
    assert "everybody knows, ClueCon: change it in" in capsys.readouterr().out


def test_a_password_file_is_named_and_not_copied(conf, tmp_path):
    file = tmp_path / "secret"
    file.write_text('quo"te\n')
    options = ["--conf", str(conf), "--password-file", str(file), "--yes"]
    assert main(["install", *options]) == 0
    assert settings.load(settings.DEFAULT_FILE, {}).switches[0].password_file == file
    assert [path.name for path in settings.DEFAULT_FILE.parent.iterdir()] == ["fsctl.toml"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--conf", "/nowhere"], "/nowhere: there is no freeswitch.xml"),
        (["--switch", "127.0.0.1"], "must be HOST:PORT"),
        (["--switch", "127.0.0.1:0"], "must be HOST:PORT"),
        (["--switch", "a..b:8021"], "a..b is no name of a host"),
        (["--password-file", "/nowhere"], "/nowhere"),
    ],
)
def test_what_is_wrong_is_named(conf, capsys, options, said):
    try:
        assert main(["install", *options, "--yes"]) == 2
    except SystemExit as ended:
        assert ended.code == 2
    assert said in capsys.readouterr().err


def test_of_several_switches_those_of_this_machine_are_meant(conf, tmp_path):
    """Each has a configuration of its own; the others are named."""
    other = tmp_path / "other"
    shutil.copytree(conf, other)
    here = [AnsweringFreeSwitch(conf), AnsweringFreeSwitch(other)]
    tables = [("a", "127.0.0.1", here[0].port), ("b", "127.0.0.1", here[1].port)]
    tables.append(("far", "192.0.2.1", 8021))
    settings.DEFAULT_FILE.parent.mkdir()
    settings.DEFAULT_FILE.write_text(
        "".join(
            f'[[switch]]\nname = "{name}"\nhost = "{host}"\nport = {port}\npassword = "x"\n'
            for name, host, port in tables
        )
    )
    found, elsewhere = find_all(Wanted(settings.DEFAULT_FILE), {})
    assert [each.conf for each in found] == [conf, other]
    assert elsewhere == ["far at 192.0.2.1:8021 is on another machine: do the same there"]
    one, _ = find_all(Wanted(settings.DEFAULT_FILE, address=("127.0.0.1", here[1].port)), {})
    assert [each.conf for each in one] == [other]


def test_settings_that_are_there_are_taken(conf, tmp_path):
    settings.DEFAULT_FILE.parent.mkdir()
    settings.DEFAULT_FILE.write_text("[switch]\nhost = '127.0.0.2'\nport = 1\npassword = 'x'\n")
    found = find(Wanted(settings.DEFAULT_FILE, conf), {})
    assert not found.new and found.settings.switches[0].password == "x"
    assert "127.0.0.2:1" in found.silent


def test_a_command_takes_the_usual_settings(conf, monkeypatch, tmp_path, capsys):
    settings.DEFAULT_FILE.parent.mkdir()
    settings.DEFAULT_FILE.write_text("[nonsense]\n")
    for command in (["serve"], ["dialplan", "render", "--output", str(tmp_path / "out")]):
        assert main(command) == 2
        assert f"{settings.DEFAULT_FILE}: unknown section nonsense" in capsys.readouterr().err


def test_wrong_settings_do_not_keep_it_in(conf, tmp_path, capsys):
    option = ["--conf", str(conf), "--yes"]
    assert main(["install", *option]) == 0
    settings.DEFAULT_FILE.write_text("[nonsense]\n")
    assert main(["install", *option]) == 2
    assert main(["uninstall", *option]) == 0
    assert "fsctl.toml: is kept" in capsys.readouterr().out
    assert not (conf / ".fsctl").exists()


class AnsweringFreeSwitch:
    """An event socket whose FreeSWITCH takes the second ``reloadxml`` and is not heard of again."""

    def __init__(self, conf: Path) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.stuck, self.over = threading.Event(), threading.Event()
        self._conf = conf
        self._reloads = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            threading.Thread(target=self._talk, args=self.server.accept()[:1], daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(b"Content-Type: auth/request\n\n")
        with link, link.makefile("rb") as lines:
            while command := lines.readline().decode().strip():
                lines.readline()
                if command.startswith("auth"):
                    link.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
                    continue
                body = self._reply(command)
                if body is None:
                    self.stuck.set()
                    self.over.wait()
                    return
                head = f"Content-Type: api/response\nContent-Length: {len(body)}\n\n"
                link.sendall(f"{head}{body}".encode())

    def _reply(self, command: str) -> str | None:
        if "global_getvar" in command:
            return f"conf_dir={self._conf}\n"
        if "xmlstatus" in command:
            return "<profile>\n<name>internal</name></profile>"
        if "reloadxml" in command:
            self._reloads += 1
            return "+OK [Success]\n" if self._reloads == 1 else None
        return "false"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_freeswitch_is_silent_takes_everything_back(conf, tmp_path, number):
    switch = AnsweringFreeSwitch(conf)
    before = tree_of(tmp_path)
    program = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "fsctl",
            "install",
            "--yes",
            "--config",
            str(tmp_path / "etc/x.toml"),
            "--conf",
            str(conf),
            "--switch",
            f"127.0.0.1:{switch.port}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert switch.stuck.wait(60.0)
    assert (conf / "dialplan/fsctl.xml").exists()
    program.send_signal(number)
    wait_for(lambda: not (conf / ".fsctl").exists(), 60.0, "the roll-back has ended")
    assert tree_of(tmp_path) == before
    switch.over.set()
    error = program.communicate(timeout=60)[1]
    assert program.returncode == 2
    assert f"interrupted by {number.name}. Everything is as it was before" in error
    assert "FreeSWITCH could not be told" in error
