"""The phones of one test at one switch, and who hears whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from fsctl.story import Party, World
from tests.live.lab.messages import in_words
from tests.live.lab.waiting import wait_for
from tests.live.phones.real_phone import RealPhone
from tests.live.phones.switch import PhonesSwitch
from tests.live.phones.tones import TONES

LIMIT_S = 20.0
"""How long anything may take on a machine that is busy."""
LOOK_S = 0.6
Real = TypeVar("Real", bound=RealPhone)


class House(World):
    """Makes phones on one switch, each with a voice of its own, and ends them all."""

    def __init__(self, switch: PhonesSwitch) -> None:
        self.switch = switch
        self.limit_s = LIMIT_S
        self._phones: list[RealPhone] = []

    def phone(self, kind: type[Real], number: str, name: str) -> Real:
        """A phone of that kind, which is running."""
        made = kind(self, number, name, TONES[len(self._phones)])
        self._phones.append(made)
        made.start()
        return made

    # -- who hears whom

    def hearing(self) -> Mapping[str, Collection[str]]:
        """The names that each phone hears now; who hears nobody is left out."""
        names = {phone.hertz: phone.name for phone in self._phones}
        ears = [(phone, phone.listens()) for phone in self._phones]
        threading.Event().wait(LOOK_S)
        heard = {phone.name: phone.heard_since(ear) for phone, ear in ears}
        return {
            name: {names[hertz] for hertz in tones if hertz in names}
            for name, tones in heard.items()
            if tones
        }

    def wait_hearing(self, expected: Mapping[str, Collection[str]]) -> None:
        """Wait until just these names are heard, by name of who hears them."""
        deadline_s = time.monotonic() + self.limit_s
        while (heard := self.hearing()) != expected:
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{heard} is heard, not {expected}\n{self.ladder()}")

    def wait_talking(self, one: Party, other: Party) -> None:
        """Wait until these two hear each other, and nobody else hears or is heard."""
        self.wait_hearing({one.name: {other.name}, other.name: {one.name}})

    def hears(self, phone: RealPhone, other: Party, limit_s: float | None = None) -> bool:
        """Whether that phone hears the other one, now or soon."""
        deadline_s = time.monotonic() + (self.limit_s if limit_s is None else limit_s)
        while other.name not in self.hearing().get(phone.name, ()):
            if time.monotonic() > deadline_s:
                return False
        return True

    # -- as in every world

    def party(self, number: str, name: str = "") -> Party:
        return next(phone for phone in self._phones if phone.number == number)

    def line(self, party: Party) -> Party:
        return party  # such a phone has several by itself

    def device(self, party: Party, joined_by: str = ",") -> Party:
        raise NotImplementedError("a user has one phone here")

    def uri(self, number: str) -> str:
        return self.switch.uri(number)

    def legs(self) -> int:
        return len(self.switch.channels())

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        limit_s = self.limit_s if limit_s is None else limit_s
        wait_for(condition, limit_s, lambda: f"{what}\n{self.ladder()}", poll_s=0.03)

    def ladder(self) -> str:
        """The messages of all phones in one sequence of time."""
        rows = [
            (message.time_s, f"{phone.name:>12} {in_words(message)}")
            for phone in self._phones
            for message in phone.messages
        ]
        return "\n".join(text for _, text in sorted(rows))

    def hang_up(self) -> None:
        """The switch ends every call that is still there."""
        self.switch.esl("hupall")

    def finish(self) -> str:
        """Stop all phones; what went wrong on them, empty when nothing did."""
        reports = [(phone, phone.finish()) for phone in self._phones]
        for phone in self._phones:
            self.switch.remove_user(phone.number)
        return "\n".join(f"{phone.name}: {text}" for phone, text in reports if text)
