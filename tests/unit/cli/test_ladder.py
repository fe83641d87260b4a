"""``fsctl ladder``: a transfer message by message, in each form."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from fsctl.cli import main
from fsctl.records import store
from tests.unit.cli.test_records import in_zone
from tests.unit.ladder.calls import heard
from tests.unit.web.desk import ToldDesk

FIRST, OTHER = "11111111-x", "11112222-x"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    desk = ToldDesk(tmp_path)
    desk.call()
    desk.transfer(FIRST, outcome="failed", code=486, reason="Gone fishing")
    desk.transfer(OTHER, session="s-2", outcome="succeeded", code=200, reason="OK")
    desk.transfer("33333333-x", outcome="failed", code=486, reason="Busy", session="s-1")
    for name in (FIRST, "33333333-x"):  # of one call: each has kept all of it
        store.keep_messages(desk._engine, name, heard())
    path = tmp_path / "fsctl.toml"
    path.write_text(f'[records]\nfolder = "{tmp_path}"\n')
    return path


def ask(config: Path, *arguments: str) -> int:
    return main(["ladder", *arguments, "--config", str(config)])


def test_it_is_drawn(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with in_zone("UTC"):
        assert ask(config, FIRST, "--ascii") == 0
    drawn = capsys.readouterr().out
    texts = ("486 Gone fishing", "REFER 2 <sip:1002@h>", "202 Accepted", "FreeSWITCH")
    for text in ("on 2027-01-15 (UTC)", *texts):
        assert text in drawn
    assert drawn.isascii() and "the application calls the target -> calling target" in drawn
    assert ask(config, "s-1") == 0
    drawn = capsys.readouterr().out
    assert drawn.count(" x2") == 1 and "x4" not in drawn, "what two have kept is shown once"


def test_without_messages_the_steps_alone_are_shown(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(config, OTHER) == 0
    drawn = capsys.readouterr().out
    assert "asks for a transfer to <sip:1002@pbx>" in drawn and "INVITE" not in drawn
    assert ask(config, OTHER, "--pcap", "-") == 2
    assert "no SIP messages" in capsys.readouterr().err


def test_exports(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {form: tmp_path / f"call.{form}" for form in ("svg", "pcap", "text")}
    for form, file in files.items():
        assert ask(config, FIRST, f"--{form}", str(file)) == 0
    assert capsys.readouterr().out.split() == [str(file) for file in files.values()]
    assert ET.parse(files["svg"]).getroot().tag.endswith("svg")
    assert files["pcap"].read_bytes()[:4] == b"\xd4\xc3\xb2\xa1"
    assert files["text"].read_text().count(" udp 192.0.2.") == len(heard())


def test_what_is_meant_must_be_clear(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "1111") == 2
    assert "11111111, 11112222" in capsys.readouterr().err
    assert ask(config, "nobody") == 1
    assert "no such transfer" in capsys.readouterr().err


def test_of_what_goes_on_a_controller_is_asked(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [replace(each, text=each.text.replace(b"fishing", b"hunting")) for each in heard()]
    monkeypatch.setattr("fsctl.cli.ladder.heard_now", lambda loaded, call_ids: told)
    assert ask(config, OTHER) == 0
    assert "486 Gone hunting" in capsys.readouterr().out
