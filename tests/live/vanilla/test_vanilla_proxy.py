"""Phones behind a proxy that stays in every dialog: Kamailio, where it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from fsctl.story import hear_each_other
from tests.live.lab import Phone, Phones, free_port, kamailio, wait_for
from tests.live.lab.kamailio import Kamailio
from tests.live.lab.registration import Registration
from tests.live.vanilla.installation import State
from tests.live.vanilla.switch import USER_PASSWORD, VanillaSwitch

pytestmark = [
    pytest.mark.skipif(shutil.which("kamailio") is None, reason="not on PATH: kamailio"),
    pytest.mark.parametrize("state", [State.ALIVE], ids=str),
]


class Behind:
    """Phones that know the proxy and nothing of the switch."""

    def __init__(self, switch: VanillaSwitch, phones: Phones, proxy: Kamailio) -> None:
        self._switch, self._phones, self._proxy = switch, phones, proxy
        self._users: list[str] = []

    def phone(self, number: str) -> Phone:
        """A user that has registered through the proxy; it has not said how it takes a call."""
        port = free_port()
        Registration(
            number, USER_PASSWORD, kamailio.HOST, port, self._proxy.port, kamailio.HOST
        ).add()
        self._users.append(number)
        wanted = f"fs_path=<sip:{kamailio.HOST}:"
        wait_for(lambda: wanted in self._contact(number), 5.0, lambda: self._contact(number))
        return self._phones.peer(number, port)

    def talk(self, number: str, to: str, name: str = "") -> Phone:
        """A user calls another, and is answered."""
        phone = self._phones.caller(number, self._proxy.uri(to), name=name or number)
        phone.wait_talking()
        return phone

    def transfer(self, transferor: Phone, to: str) -> None:
        """Blind, to a URI that names the proxy."""
        transferor.refers(f"<{self._proxy.uri(to)}>")

    def consult(self, transferor: Phone, second: Phone, to: str) -> None:
        """Attended: the target is who ``second`` talks with."""
        transferor.refers(f"<{self._proxy.uri(to)}?Replaces={second.replaces}>")

    def forget(self) -> None:
        """Take the registrations back."""
        for number in self._users:
            user = f"{number}@{self._switch.domain}"
            self._switch.esl(f"sofia profile {self._switch.profile} flush_inbound_reg {user}")
        self._switch.wait(lambda: all("error/" in self._contact(user) for user in self._users))

    def _contact(self, number: str) -> str:
        return unquote(self._switch.esl(f"sofia_contact {number}@{self._switch.domain}"))


@pytest.fixture(scope="module")
def proxy(running_switch: VanillaSwitch) -> Iterator[Kamailio]:
    """In front of the switch."""
    made = Kamailio(running_switch.sip_port)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def behind(switch: VanillaSwitch, proxy: Kamailio, phones: Phones) -> Iterator[Behind]:
    """Makes phones behind the proxy."""
    made = Behind(switch, phones, proxy)
    yield made
    made.forget()


def _came_by(phone: Phone, proxy: Kamailio) -> bool:
    """Whether every request that it was sent came through the proxy."""
    received = [m for m in phone.messages if m.direction == "in" and not m.status]
    return all(f"{kamailio.HOST}:{proxy.port}" in m.header("Via") for m in received)


def test_blind(behind: Behind, proxy: Kamailio) -> None:
    """To who is busy, then to who answers."""
    bob = behind.phone("1001").answers()
    carol = behind.phone("1002").refuses(486, "Gone fishing")
    dave = behind.phone("1003").answers()
    alice = behind.talk("1005", "1001")
    assert hear_each_other(alice, bob)
    behind.transfer(bob, "2040")
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    behind.transfer(alice, "1003")
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(bob, dave)
    alice.wait_over()
    assert all(_came_by(phone, proxy) for phone in (alice, bob, carol, dave))


def test_attended(behind: Behind, proxy: Kamailio) -> None:
    bob, carol = behind.phone("1001").answers(), behind.phone("1002").answers()
    alice = behind.talk("1005", "1001")
    second = behind.talk("1001", "1002", "second call")
    assert hear_each_other(second, carol)
    behind.consult(bob, second, "1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    assert all(_came_by(phone, proxy) for phone in (alice, bob, carol, second))
