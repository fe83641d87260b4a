"""The users of the switch and their phones: what ``user/NUMBER`` and a SIP URI dial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.phone import Phone

if TYPE_CHECKING:
    from fsctl.simulator.dialstring import DialledLeg
    from fsctl.simulator.switch import SimulatedSwitch


class Directory:
    """Each number with its phone, and with further phones of the same user."""

    def __init__(self, switch: SimulatedSwitch) -> None:
        self._switch = switch
        self.phones: dict[str, Phone] = {}
        self._further: dict[str, list[tuple[str, Phone]]] = {}

    def phone(self, number: str, display_name: str = "") -> Phone:
        """The phone with this number, made when it is named first."""
        if number not in self.phones:
            self.phones[number] = Phone(self._switch, number, display_name)
        return self.phones[number]

    def further_phone(self, number: str, display_name: str, joined_by: str) -> Phone:
        """See ``SimulatedSwitch.further_phone``."""
        made = Phone(self._switch, number, display_name or self.phone(number).display_name)
        self._further.setdefault(number, []).append((joined_by, made))
        return made

    @property
    def every_phone(self) -> list[Phone]:
        """All phones, the further ones of a user too."""
        further = [phone for phones in self._further.values() for _, phone in phones]
        return [*self.phones.values(), *further]

    def contacts(self, number: str) -> list[list[int]]:
        """The registered phones of a user as its dial string has them: groups, one after another.

        A phone is named by its place: 0 for ``phone``, then the further ones. ``:_:`` makes no
        group of its own here: those it joins ring together.
        """
        groups: list[list[int]] = [[]]
        for place, (joined_by, phone) in enumerate(self._phones_of(number)):
            if joined_by == "|":
                groups.append([])
            if phone.registered:
                groups[-1].append(place)
        return [group for group in groups if group]

    def phone_at(self, leg: DialledLeg) -> Phone:
        """The phone that a leg dials; an unknown number is a closed port."""
        if leg.kind == "user":
            return self._phones_of(leg.number)[leg.contact][1]
        return self.phone_of(leg.number)

    def phone_of(self, number: str) -> Phone:
        """The phone with this number; an unknown one is a closed port."""
        return self.phones.get(number) or self.phone(number).unreachable()

    def _phones_of(self, number: str) -> list[tuple[str, Phone]]:
        first = self.phones.get(number)
        return [(",", first), *self._further.get(number, ())] if first is not None else []
