"""``fsctl transfer``: what it prints and returns; the stories play what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsctl.cli import main, transfer
from fsctl.service.asking import Answer, Unasked
from fsctl.sip.status import SipStatus

CALL = "6f5c2f2e-0d0c-4f5e-9a39-4f8a6e0e7a11"
TALKS = f"{CALL} talks with 1002"
ASKS = "asking for 1002, Ctrl-C takes it back"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run it with a question that is answered so; an exception is what waiting comes to."""
    config = tmp_path / "fsctl.toml"
    config.write_text('[switch]\npassword = "x"\n', encoding="utf-8")

    def run(*arguments: str, wait: Any = None, cancel: Any = None) -> int:
        class Asked:
            def __init__(self, _: object) -> None: ...
            def __enter__(self) -> Asked:
                return self

            def __exit__(self, *_: object) -> None: ...
            def ask(self, *_: object) -> None: ...
            def wait(self, rings: Callable[[], None]) -> Answer:
                rings()
                if isinstance(wait, BaseException):
                    raise wait
                return wait

            def cancel(self) -> Answer:
                return cancel

        monkeypatch.setattr(transfer, "AskedTransfer", Asked)
        monkeypatch.setattr(transfer, "switch_of", lambda call, switches: switches[0])
        return main(["transfer", *arguments, "--config", str(config)])

    return run


@pytest.mark.parametrize(
    ("wait", "cancel", "status", "said"),
    [
        (Answer(SipStatus(200), ""), None, 0, [TALKS]),
        (Answer(SipStatus(486), ""), None, 1, ["not transferred: 486 Busy Here"]),
        (
            Answer(SipStatus(403), "rule x: so"),
            None,
            1,
            ["not transferred: 403 Forbidden", "rule x: so"],
        ),
        (
            KeyboardInterrupt(),
            Answer(SipStatus(487), ""),
            1,
            ["not transferred: 487 Request Terminated"],
        ),
        (
            KeyboardInterrupt(),
            Answer(SipStatus(200), ""),
            0,
            [TALKS, "It was too late to take it back."],
        ),
    ],
)
def test_what_it_says(
    run: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    wait: Any,
    cancel: Any,
    status: int,
    said: list[str],
) -> None:
    assert run(CALL, "1002", wait=wait, cancel=cancel) == status
    assert capsys.readouterr().out.splitlines() == [ASKS, "1002 rings", *said]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1001", "1002"], "CALL: '1001' is no uuid of a channel"),
        ([CALL, "10 02"], "TARGET: '10 02' is no number, and no URI"),
        ([CALL, "1002", "--timeout", "0"], "--timeout: must be 1 to 600, is 0"),
        ([CALL, "1002", "--switch", "pbx-3"], "--switch: there is no 'pbx-3' in [switch]"),
        ([CALL, "1002"], "nobody is there"),
    ],
)
def test_what_cannot_be_asked(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(*arguments, wait=Unasked("nobody is there")) == 2
    assert said in capsys.readouterr().err
