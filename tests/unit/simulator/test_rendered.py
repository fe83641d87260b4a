"""The simulator runs the very dialplan that operators install."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fsctl import dialplan, settings
from fsctl.simulator import SimulatedSwitch

CONFIG = """
[dialplan]
scope = "calls"
inbound_match = ".*"
controllers = ["127.0.0.1:1"]
"""


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[SimulatedSwitch]:
    """A switch on the rendered templates, without a controller."""
    config = tmp_path / "fsctl.toml"
    config.write_text(CONFIG)
    dialplan.render(settings.load(config, {}), tmp_path / "conf")
    made = SimulatedSwitch(
        tmp_path / "conf", global_variables={"domain": "example.org"}, quiet_s=0.003
    )
    yield made
    made.stop()


def test_profile_parameters_are_read(switch: SimulatedSwitch) -> None:
    assert switch.fire_transfer_events
    assert switch.nightmare_dial_string.endswith("}loopback/attended/fsctl_attended")


def test_a_call_without_controller_is_bridged_natively(switch: SimulatedSwitch) -> None:
    alice, bob = switch.phone("1000"), switch.phone("1001")
    alice.calls("1001")
    switch.run_until(lambda: alice.hears == "1001")
    bob.hangs_up()
    switch.run_until(lambda: not switch.channels)
    assert alice.received("BYE")


def test_an_unknown_number_without_controller_is_refused(switch: SimulatedSwitch) -> None:
    alice = switch.phone("1000")
    alice.calls("${system(x)}")
    switch.run_until(lambda: alice.dialog is not None and alice.dialog.final_status)
    assert alice.dialog is not None and alice.dialog.final_status == 404
    assert "system" not in {command for command, _ in switch.expanded_apis}


def test_a_transfer_without_controller_ends_where_it_began(switch: SimulatedSwitch) -> None:
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.run_until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.run_until(lambda: bob.notifies and bob.hears == "1000")
    assert bob.notifies == [("refer;id=2", "SIP/2.0 403 Forbidden")]
    assert carol.messages == []


def test_an_attended_transfer_without_controller_is_refused(switch: SimulatedSwitch) -> None:
    alice, bob = switch.phone("1000"), switch.phone("1001")
    alice.calls("1001")
    switch.run_until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@evil.example?Replaces=x>")
    switch.run_until(lambda: bob.notifies)
    assert bob.notifies == [("refer;id=2", "SIP/2.0 403 Forbidden")]
    assert alice.hears == "1001"


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_legacy_transfer_without_controller_is_native(
    switch: SimulatedSwitch, confirmed: bool
) -> None:
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.run_until(lambda: alice.hears == "1001")
    for channel in switch.channels.values():
        for name, value in (
            ("confirm_blind_transfer", str(confirmed).lower()),
            ("force_transfer_context", "fsctl_legacy"),
            ("fsctl_transferor_number", "1001"),
            ("fsctl_transferor_name", "Bob"),
        ):
            switch.run_api("uuid_setvar", f"{channel.uuid} {name} {value}")
    bob.refers("<sip:1002@example.org>")
    # Without confirmation success is claimed before the target has even been called.
    assert bool(bob.notifies) is not confirmed
    switch.run_until(lambda: alice.hears == "1002")
    assert bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    assert bool(bob.received("BYE")) is not confirmed
    assert '"Bob" <sip:1001@' in carol.received("INVITE")[0].header("From")
