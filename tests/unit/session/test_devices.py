"""Phones that must be told otherwise, by their User-Agent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsctl.settings import Device
from fsctl.stage import CALLS, Stage

SNOM = Device("snom*", failure="trying")


@pytest.mark.parametrize(
    ("agent", "devices", "told"),
    [
        ("baresip v1.0.0 (x86_64/linux)", (), "100 Trying"),
        ("Baresip v0.6.6", (), "100 Trying"),
        ("baresip v2.10.0", (), "486 Gone fishing"),
        ("my baresip v1.0.0", (), "486 Gone fishing"),
        ("", (), "486 Gone fishing"),
        ("SNOM D735/10.1", (SNOM,), "100 Trying"),
        ("baresip v1.0.0", (Device("baresip*", failure="result"),), "486 Gone fishing"),
    ],
)
def test_a_failure(agent, devices, told):
    with Stage(replace(CALLS, devices=devices)) as stage:
        alice, bob, carol = (stage.phone(number) for number in ("1000", "1001", "1002"))
        carol.refuses(486, "Gone fishing")
        alice.calls("1001")
        stage.until(lambda: alice.hears == "1001" and bob.hears == "1000")
        bob.dialog.channel.set_variable("sip_user_agent", agent)
        bob.refers("<sip:1002@example.org>")
        stage.until(lambda: bob.notifies)
        assert [body for _, body in bob.notifies] == [f"SIP/2.0 {told}"]
        stage.until(lambda: alice.hears == "1001" and bob.hears == "1000")
