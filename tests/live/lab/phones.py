"""The parties of one test at one switch: their phones are made, hung up, reported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from fsctl.story import Headers, Party, World
from tests.live.lab.messages import in_words
from tests.live.lab.phone import Phone
from tests.live.lab.switch import Switch
from tests.live.lab.waiting import NotInTime, wait_for

LIMIT_S = 5.0


class Phones(World):
    """Makes phones on one switch, and ends them all; ``limit_s`` is how long it usually waits."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.limit_s = LIMIT_S
        self._phones: list[Phone] = []
        self._parties: dict[str, Phone] = {}

    def party(self, number: str, name: str = "") -> Phone:
        if number not in self._parties:
            self._parties[number] = self._make(number, name)
        return self._parties[number]

    def line(self, party: Party) -> Phone:
        return self._make(party.number, f"{party.name}-again")

    def device(self, party: Party, joined_by: str = ",") -> Phone:
        return self._make(party.number, f"{party.name}-too", joined_by)

    def peer(self, name: str, port: int) -> Phone:
        """A phone at a port that the switch's own configuration names: a provider."""
        return self._make(name, name, port=port)

    def caller(self, number: str, to: str, headers: Headers = (), name: str = "") -> Phone:
        """Another phone, whose call to ``to`` (a number, or a SIP URI) is on its way."""
        phone = self._make(number, name)
        phone.calls(to, headers)
        return phone

    def over_tcp(self, number: str) -> Phone:
        """That party's phone, which is called, and speaks, over TCP; its calls go over UDP."""
        self._parties[number] = self._make(number, "", transport="tcp")
        return self._parties[number]

    @property
    def all(self) -> list[Phone]:
        """Every phone that was made."""
        return list(self._phones)

    def _make(
        self, number: str, name: str, joined_by: str = "", port: int = 0, transport: str = "udp"
    ) -> Phone:
        self._phones.append(Phone(self, number, name, joined_by, port, transport))
        return self._phones[-1]

    def uri(self, number: str) -> str:
        return self.switch.uri(number)

    def legs(self) -> int:
        # A link keeps one that has hung up in the list.
        uuids = [str(row["uuid"]) for row in self.switch.channels()]
        return sum(self.switch.esl(f"uuid_exists {uuid}") == "true" for uuid in uuids)

    def leg(self, party: Party) -> str:
        """The uuid of the channel of its last call: FreeSWITCH lists it a moment later."""
        assert isinstance(party, Phone)
        call_id = party.call_id()
        text = f"{party.name} has a leg"
        return wait_for(lambda: self.switch.leg_of(call_id), self.limit_s, text)[0]

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        limit_s = self.limit_s if limit_s is None else limit_s
        wait_for(condition, limit_s, lambda: f"{what}\n{self.ladder()}\n{self.problems()}")

    def ladder(self) -> str:
        """The messages of all phones in one sequence of time."""
        rows = [
            (message.time_s, f"{phone.name:>12} {in_words(message)}")
            for phone in self._phones
            for message in phone.messages
        ]
        return "\n".join(text for _, text in sorted(rows))

    def problems(self) -> str:
        """What went wrong on the phones; empty when nothing did."""
        reports = [(phone.name, phone.problems()) for phone in self._phones]
        return "\n".join(f"{name}: {text}" for name, text in reports if text)

    def hang_up(self) -> None:
        """Every phone ends the calls it still has."""
        for phone in self._phones:
            with contextlib.suppress(NotInTime, AssertionError, OSError):
                phone.hangs_up_all()

    def finish(self) -> str:
        """Stop all phones; what went wrong on them, empty when nothing did."""
        reports = [(phone, phone.finish()) for phone in self._phones]
        for phone in self._phones:
            self.switch.remove_user(phone.number)
        return "\n".join(f"{phone.name}: {text}" for phone, text in reports if text)
