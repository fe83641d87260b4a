"""A transfer that names no context goes on in the leg's own, as without us (steps.xml.j2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fsctl import dialplan
from fsctl.settings import Settings, Switch
from fsctl.simulator import Phone, SimulatedSwitch
from fsctl.simulator.api import APIS, NO_CHANNEL
from fsctl.switch.armed import armed_everywhere

SETTINGS = Settings(switches=(Switch(enabled=True, password="x"),))

_CONTEXT = """<include>
<context name="{name}">
  <extension name="sent_on">
    <condition field="destination_number" expression="^7(\\d+)$">
      <action application="transfer" data="$1"/>
    </condition>
  </extension>
  <extension name="sent_inside">
    <condition field="destination_number" expression="^8(\\d+)$">
      <action application="transfer" data="$1 XML inside"/>
    </condition>
  </extension>
  <extension name="by_loopback">
    <condition field="destination_number" expression="^6(\\d+)$">
      <action application="bridge" data="loopback/$1/inside"/>
    </condition>
  </extension>
  <extension name="users">
    <condition field="destination_number" expression="^(1\\d+)$">
      <action application="set" data="was_in={name}"/>
      <action application="bridge" data="user/$1"/>
    </condition>
  </extension>
</context>
</include>
"""


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[SimulatedSwitch]:
    """A switch whose legs are all armed; three contexts that differ by their names only."""
    dialplan.render(SETTINGS, tmp_path)
    for name in ("public", "inside", "default"):
        (tmp_path / f"dialplan/{name}.xml").write_text(_CONTEXT.format(name=name))
    known = {"domain": "example.org", **armed_everywhere(SETTINGS)}
    made = SimulatedSwitch(tmp_path, context="public", global_variables=known, quiet_s=0.003)
    made.gateways.add("carrier")
    for number in ("1001", "1002", "1003"):
        made.phone(number)
    yield made
    made.stop()


def caller(switch: SimulatedSwitch, **directory: str) -> Phone:
    phone = switch.phone("1000")
    phone.directory = directory
    return phone


INSIDE = {"sip_authorized": "true", "user_context": "inside"}


@pytest.mark.parametrize(
    ("directory", "number", "where"),
    [
        ({}, "71001", "public"),
        ({}, "771001", "public"),
        ({}, "7771001", "public"),
        (INSIDE, "71001", "inside"),
        ({}, "871001", "inside"),
        ({}, "8771001", "inside"),
        (INSIDE, "871001", "inside"),
        ({"sip_gateway": "carrier"}, "71001", "public"),
        ({"fsctl_own_context": "default"}, "71001", "default"),
        ({"fsctl_own_context": "default"}, "871001", "inside"),
    ],
)
def test_the_caller_is_sent_on(
    switch: SimulatedSwitch, directory: dict[str, str], number: str, where: str
) -> None:
    """Also several times in a row, and after a transfer that has named another context."""
    alice = caller(switch, **directory)
    alice.calls(number)
    until(switch, lambda: alice.hears == "1001")
    assert was_in(switch, alice) == where


@pytest.mark.parametrize(
    ("directory", "number", "where"),
    [
        ({}, "1001", "public"),
        (INSIDE, "1001", "inside"),
        ({}, "81001", "inside"),
        ({}, "871001", "inside"),
        ({}, "6871001", "public"),
    ],
)
@pytest.mark.parametrize("whose", ["caller", "callee"])
def test_a_leg_is_moved(
    switch: SimulatedSwitch, directory: dict[str, str], number: str, where: str, whose: str
) -> None:
    """Twice. One that was called is where its caller was; its REFER, though refused, has noted it,
    also where a loopback has left the two together."""
    alice, bob = caller(switch, **directory), switch.phone("1001")
    alice.calls(number)
    until(switch, lambda: alice.hears == "1001")
    if number.startswith("6"):
        switch.advance(3.0)  # who has called Bob is gone: he is where the one is that asks
    leg, other = (alice, bob) if whose == "caller" else (bob, alice)
    other.refers("<sip:1002@example.org>")
    until(switch, lambda: other.notifies and leg.hears == other.number)
    assert other.notifies[0][1] == "SIP/2.0 403 Forbidden"
    assert leg.dialog is not None and leg.dialog.channel is not None
    for to in ("1002", "1003"):
        switch.run_api("uuid_transfer", f"{leg.dialog.channel.uuid} {to}")
        until(switch, lambda: leg.hears == to)  # noqa: B023
        assert was_in(switch, leg) == where


def test_whose_context_is_known_hangs_up_as_it_is_read(
    switch: SimulatedSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read once: what has been admitted is what is set, and not that there is no channel."""
    alice, bob = caller(switch), switch.phone("1001")
    alice.calls("1001")
    until(switch, lambda: alice.hears == "1001")
    assert alice.dialog is not None and alice.dialog.channel is not None
    assert bob.dialog is not None and bob.dialog.channel is not None
    own, known, read = alice.dialog.channel.uuid, ["inside"], APIS["uuid_getvar"]

    def leaves(switch: SimulatedSwitch, arguments: str) -> str:
        if arguments == f"{own} context":
            return known.pop() if known else NO_CHANNEL
        return read(switch, arguments)

    monkeypatch.setitem(APIS, "uuid_getvar", leaves)
    switch.run_api("uuid_transfer", f"{bob.dialog.channel.uuid} 1002")
    until(switch, lambda: bob.hears == "1002" or not bob.in_call)
    assert not known
    assert was_in(switch, bob) == "inside"


@pytest.mark.parametrize(
    ("number", "arrives"),
    [("1002", True), ("1002 XML evil", False), ("-both", False), ("${x}", False), ("'1002", False)],
)
def test_a_number_is_copied_only_if_it_is_one(
    switch: SimulatedSwitch, number: str, arrives: bool
) -> None:
    alice = caller(switch)
    alice.calls("1001")
    until(switch, lambda: alice.hears == "1001")
    assert alice.dialog is not None and alice.dialog.channel is not None
    switch.transfer(alice.dialog.channel, number, "", "")
    over: Callable[[], bool] = lambda: not alice.in_call  # noqa: E731
    until(switch, lambda: alice.hears == "1002" or over())
    assert over() is not arrives


def until(switch: SimulatedSwitch, condition: Callable[[], object]) -> None:
    switch.run_until(condition, limit_s=5.0, patience_s=20.0)


def was_in(switch: SimulatedSwitch, phone: Phone) -> str | None:
    assert phone.dialog is not None and phone.dialog.channel is not None
    return phone.dialog.channel.get_variable("was_in")


@pytest.mark.parametrize("claimed", ["", "true"])
def test_whose_number_is_only_a_claim_is_not_called_again(
    switch: SimulatedSwitch, claimed: str
) -> None:
    """It was gone before anybody could say who it is, and had called in as its transferee has."""
    alice = caller(switch)
    alice.calls("1001")
    until(switch, lambda: alice.hears == "1001")
    channel = alice.dialogs[0].channel
    assert channel is not None
    left = {
        "blind_transfer_uuid": "00000000-0000-4000-8000-000000000000",
        "fsctl_transferor_number": "1003",
        "fsctl_claimed": claimed,
    }
    for name, value in left.items():
        switch.run_api("uuid_setvar", f"{channel.uuid} {name} {value}")
    switch.run_api("uuid_transfer", f"{channel.uuid} 1002 XML fsctl_refer")
    if claimed:
        until(switch, lambda: not alice.in_call)
        assert not switch.phone("1003").dialogs
    else:
        until(switch, lambda: alice.hears == "1003")
