"""``fsctl serve`` as a process: it says where it listens, and ends on SIGTERM."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from fsctl.cli import main


def test_listens_and_ends_on_sigterm(tmp_path):
    config = tmp_path / "fsctl.toml"
    config.write_text('[server]\nlisten = "127.0.0.1:0"\n')
    command = [sys.executable, "-m", "fsctl", "serve", "--config", str(config), "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("fsctl: "))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert re.fullmatch(r"fsctl: listening on 127\.0\.0\.1:[1-9][0-9]*\n", line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\nlisten = 5\n", "[server] listen"),
        ("[sever]\n", "did you mean server?"),
        (
            '[decide]\nurl = "https://h/"\nca_file = "fsctl.toml"\n'
            'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n',
            "[decide] ca_file",
        ),
        ("nonsense", "fsctl.toml"),
    ],
)
def test_wrong_settings_are_named(tmp_path, capsys, text, message):
    config = tmp_path / "fsctl.toml"
    config.write_text(text)
    assert main(["serve", "--config", str(config)]) == 2
    assert message in capsys.readouterr().err


def test_an_address_that_is_taken(tmp_path, capsys):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "fsctl.toml"
        config.write_text(f'[server]\nlisten = "127.0.0.1:{port}"\n')
        assert main(["serve", "--config", str(config)]) == 2
    assert "fsctl:" in capsys.readouterr().err
