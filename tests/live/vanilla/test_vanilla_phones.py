"""Who may register and call: the directory's users, with their passwords."""

from __future__ import annotations

import pytest

from tests.live.lab import Phones, free_port
from tests.live.lab.registration import Registration
from tests.live.vanilla.switch import USER_PASSWORD, VanillaSwitch


def test_a_phone_is_known_until_it_says_that_it_is_gone(switch: VanillaSwitch) -> None:
    contact = f"sofia_contact 1001@{switch.domain}"
    switch.add_user("1001", port := free_port())
    assert f"sip:1001@127.0.0.1:{port}" in switch.esl(contact)
    switch.remove_user("1001")
    assert switch.esl(contact) == "error/user_not_registered"


@pytest.mark.parametrize(("number", "password"), [("1001", "wrong"), ("1999", USER_PASSWORD)])
def test_a_stranger_does_not_register(switch: VanillaSwitch, number: str, password: str) -> None:
    stranger = Registration(number, password, switch.domain, free_port(), switch.sip_port)
    with pytest.raises(AssertionError, match="403 Forbidden"):
        stranger.add()


def test_a_call_without_a_password_is_challenged(switch: VanillaSwitch, phones: Phones) -> None:
    phones.party("1001").answers()
    stranger = phones.caller("4930555", to="1001")
    stranger.wait_over()
    assert stranger.received(407)


def test_the_directory_says_who_calls(phones: Phones) -> None:
    bob = phones.party("1001").answers()
    phones.caller("1000", to="1001", name="The boss").wait_talking()
    assert bob.received("INVITE")[0].header("From").startswith('"Extension 1000" <sip:1000@')
