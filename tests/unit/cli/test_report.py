"""``fsctl report``: what helps, and nothing that is secret."""

from __future__ import annotations

import json
import re
import stat
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fsctl.cli import main
from fsctl.cli.masking import Mask
from tests.unit.web.desk import ToldDesk

PASSWORD, TOKEN = "p\"a's&s<w0rd", "tok-0123456789abcdef"
HOOK = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEWS = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ELSEWHERE = "Zx9-else-where"
LINES = f"""
2026-11-29 10:42:31 <Call 0abc alerting 3000> calls 3001 on pbx, sip:+4930123456@example.com
2026-11-29 10:42:31 Authorization: Bearer {TOKEN}
2026-11-29 10:42:31 auth {PASSWORD}
2026-11-29 10:42:31 asked https://user:{ELSEWHERE}@crm.example.com/ with password={ELSEWHERE}
2026-11-29 10:42:31 Proxy-Authorization: Digest username="3000", response="{ELSEWHERE}"
2026-11-29 10:42:31 <param name="password" value="q7z"/>
2026-11-29 10:42:31 "Alice Smith" <sip:3000@pbx> {HOOK} {NEWS} {HOOK[6:]}
2026-11-29 10:42:31 dropped from its Refer-To: 'Alice Smith <sip:3000@pbx>'
2026-11-29 10:42:31 SIP/2.0 486 Busy Here to 0301234567, nobody was harmed
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    desk = ToldDesk(tmp_path)
    desk.call()
    desk.transfer("11111111-x", outcome="failed", code=486, reason="Busy", rule="r")
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "news").write_text(NEWS)
    (tmp_path / "log").write_text(LINES)
    path = tmp_path / "fsctl.toml"
    path.write_text(
        f"""
[switch]
port = 1
password_file = "password"
[records]
folder = "{tmp_path}"
[http]
listen = "127.0.0.1:1"
token_file = "token"
[decide]
url = "https://crm.example.com/ask?key={ELSEWHERE}"
secret = "{HOOK}"
[news]
url = "https://crm.example.com/told?key={ELSEWHERE}"
secret_file = "news"
"""
    )
    path.chmod(0o600)
    return path


def report(config: Path, *arguments: str) -> dict[str, str]:
    output = config.parent / "out.tar.gz"
    given = ["--config", str(config), "--output", str(output), "--log", str(config.parent / "log")]
    assert main(["report", *given, *arguments]) == 0
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    with tarfile.open(output) as bundle:
        files = {each.name: bundle.extractfile(each) for each in bundle.getmembers()}
        return {
            name.partition("/")[2]: file.read().decode() for name, file in files.items() if file
        }


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("broken", [False, True], ids=["settings", "broken settings"])
def test_nothing_secret_is_in_it(
    config: Path, capsys: pytest.CaptureFixture[str], numbers: bool, broken: bool
) -> None:
    if broken:
        config.write_text(config.read_text() + "[nonsense]\n")
    parts = report(config, *(["--numbers"] if numbers else []))
    told = capsys.readouterr().out
    everything = "\n".join([*parts, *parts.values(), told])
    for secret in ("q7z", PASSWORD, TOKEN, HOOK, HOOK[6:], NEWS, NEWS[6:], ELSEWHERE):
        assert secret not in everything
    if not broken:
        assert 'p\\"a' not in everything and "&amp;s&lt;" not in everything
    for number in ("3000", "3001", "4930123456", "0301234567", "Alice Smith"):
        assert (number in everything) == numbers, number
    assert "SIP/2.0 486 Busy Here" in parts["log.txt"] and "nobody was harmed" in parts["log.txt"]
    for name in parts:
        assert name in told, "it says what is in it"


@pytest.mark.parametrize("word", ["a", "a-", "password ", "sip:"])
def test_a_long_line_of_a_callers_holds_no_report_up(word: str) -> None:
    began = time.process_time()
    Mask([PASSWORD])(word * (40_000 // len(word)))
    assert time.process_time() - began < 5, "a hundredth of it is enough; it was a minute"


def test_what_helps_is_in_it_also_when_nothing_runs(config: Path) -> None:
    parts = report(config)
    assert parts["versions.txt"].startswith("fsctl ")
    assert "switches[1].password is set" in parts["settings.txt"]
    assert "transfer.ring_timeout_s = " in parts["settings.txt"]
    assert '"code": "FSC' in parts["check.json"]
    assert "no desk answers" in parts["status.json"]
    assert "11111111-x" in parts["transfers/11111111-x.json"]
    assert "486" in parts["transfers/11111111-x.txt"]
    assert "fsctl_refer" in parts["dialplan/dialplan/fsctl.xml"]
    record = parts["transfers/11111111-x.json"] + parts["transfers/11111111-x.txt"]
    for number in ("2000", "1001", "1002"):
        assert f'"{number}"' not in record and f"sip:{number}" not in record


NAMES = (
    "Alice Smith",
    'Al "Ace" Smith',
    'Ace "',
    "back\\slash\\",
    'Alice" <sip:9@pbx> "Bob',
    "Ünï",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "written", [str, json.dumps, lambda text: json.dumps(json.dumps(text)), repr], ids="srjp"
)
def test_no_display_name_is_left_however_it_is_escaped(
    name: str, written: Callable[[str], str]
) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    line = written(f'From: "{quoted}" <sip:3000@pbx>;tag=1')
    masked = Mask([])(f"heard {line}")
    for part in ("3000", *re.findall(r"\w{2,}", name.replace("sip:9@pbx", ""))):
        assert part not in masked
    assert masked.startswith("heard ") and re.search(r"<sip:n-[0-9]+@pbx>;tag=1", masked)
