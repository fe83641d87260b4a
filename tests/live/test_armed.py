"""Scope transfers: FreeSWITCH's legs are armed for as long as any controller lives."""

from __future__ import annotations

import time

import pytest

from tests.live.lab import Controllers, Switch

TRANSFERS = {"dialplan": {"scope": "transfers"}}
EXPIRY_S = 5.0
AT_ONCE_S = 1.0


def armed(switch: Switch) -> bool:
    lines = switch.esl("global_getvar").splitlines()
    names = ("force_transfer_context=fsctl_refer", "confirm_blind_transfer=true")
    found = [name in lines for name in names]
    assert len(set(found)) == 1, "who is held must be sent to us"
    return all(found)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_last_one_disarms(switch: Switch, controller: Controllers, workers: int) -> None:
    """At once when it is told to stop; one of two does not, and one that is killed is forgotten."""
    sections = {**TRANSFERS, "server": {"workers": workers}}
    one = controller(sections)
    assert armed(switch), "before it says that it listens"
    other = controller(sections, install=False)
    assert one.terminate() == 0
    end_s = time.monotonic() + EXPIRY_S
    switch.wait(lambda: time.monotonic() > end_s or not armed(switch), EXPIRY_S + 1.0)
    assert armed(switch), "the other one lives"
    other.kill9()
    switch.wait(lambda: not armed(switch), EXPIRY_S, "forgotten")
    third = controller(sections, install=False)
    assert armed(switch)
    assert third.terminate() == 0
    switch.wait(lambda: not armed(switch), AT_ONCE_S, "unset at once")


def test_what_comes_to_us_is_said_at_the_start(switch: Switch, controller: Controllers) -> None:
    made = controller(TRANSFERS)
    assert "scope transfers: all legs of FreeSWITCH are armed" in made.log_text()
    made.terminate()
    made = controller({})
    assert "scope calls: calls to .* in public" in made.log_text()
    switch.wait(lambda: not armed(switch), AT_ONCE_S)
