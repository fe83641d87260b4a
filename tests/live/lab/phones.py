"""The phones of one test: made, registered with the switch, hung up, reported."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from tests.live.lab.phone import Phone
from tests.live.lab.steps import RING_AND_ANSWER, Headers, Step
from tests.live.lab.switch import Switch
from tests.live.lab.waiting import NotInTime


class Phones:
    """Makes and starts phones on one switch, and ends them all."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._phones: list[Phone] = []

    def callee(
        self,
        number: str,
        steps: Sequence[Step] = RING_AND_ANSWER,
        name: str = "",
        joined_by: str = "",
    ) -> Phone:
        """A running phone that the switch rings for ``number``.

        With ``joined_by`` it is one more of that user's: see ``Switch.add_user``.
        """
        phone = Phone.callee(number, steps, name)
        self._phones.append(phone)
        self._switch.add_user(number, phone.port, joined_by)
        return phone.start()

    def caller(self, number: str, to: str, headers: Headers = (), name: str = "") -> Phone:
        """A running phone whose call to ``to`` (a number, or a SIP URI) is on its way."""
        uri = to if to.startswith("sip:") else self._switch.uri(to)
        phone = Phone.caller(number, uri, headers, name)
        self._phones.append(phone)
        return phone.start()

    def ladder(self) -> str:
        """The messages of all phones in one sequence of time."""
        rows = [
            (message.time_s, f"{phone.name:>12} {message}")
            for phone in self._phones
            for message in phone.messages
        ]
        return "\n".join(text for _, text in sorted(rows))

    def hang_up(self) -> None:
        """Every phone ends the calls it still has."""
        for phone in self._phones:
            with contextlib.suppress(NotInTime, AssertionError, OSError):
                phone.hang_up()

    def finish(self) -> str:
        """Stop all phones; what went wrong on them, empty when nothing did."""
        reports = [(phone, phone.finish()) for phone in self._phones]
        for phone in self._phones:
            self._switch.remove_user(phone.number)
        return "\n".join(f"{phone.name}: {text}" for phone, text in reports if text)
