"""Stories on the simulated switch: each party has a scripted phone."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, Self, cast

from fsctl.simulator import (
    Behaviour,
    Departure,
    Dialog,
    Phone,
    SimulatedSwitch,
    SipMessage,
    StoryTimeout,
)
from fsctl.story.party import Headers, Party
from fsctl.story.world import World

EARLY_S = 0.2
_RINGS = {"ringing", "early"}


class SimulatedParty(Party):
    """A party with a scripted phone of the simulator.

    ``phone`` is for what is a phone's own and no word of a story: seconds, single dialogs, and what
    exactly it hears (``phone.hears``: a number, ``music``, ``voicemail``, ...).
    """

    def __init__(self, world: SimulatedWorld, phone: Phone) -> None:
        super().__init__(world, phone.number, phone.display_name)
        self.phone = phone

    def rings(self) -> Self:
        self.phone.rings()
        return self

    def answers(self) -> Self:
        self.phone.answers()
        return self

    def refuses(self, status: int, phrase: str) -> Self:
        self.phone.refuses(status, phrase)
        return self

    def sends_early_media(self) -> Self:
        self.phone.behaves(Behaviour(early=True, final_after_s=None))
        return self

    def sends_early_media_and_refuses(self, status: int, phrase: str) -> Self:
        early = Behaviour(early=True, final_after_s=EARLY_S, status=status, reason=phrase)
        self.phone.behaves(early)
        return self

    def redirects(self, contact: str) -> Self:
        self.phone.redirects(contact)
        return self

    def answers_in(self, codec: str) -> Self:
        self.phone.answers().speaks(codec)
        return self

    def unreachable(self) -> Self:
        self.phone.unreachable()
        return self

    def calls(self, number: str, headers: Headers = (), uri_parameters: str = "") -> None:
        self.phone.calls(number, headers, uri_parameters)

    def holds(self) -> None:
        self.phone.holds()

    def resumes(self) -> None:
        self.phone.resumes()

    def answers_now(self) -> None:
        self.world.wait(self._is_early, f"{self.name} is called")
        self.phone.answers_now()

    def refuses_now(self, status: int, phrase: str) -> None:
        self.world.wait(self._is_early, f"{self.name} is called")
        self.phone.refuses_now(status, phrase)

    def refers(self, refer_to: str, referred_by: str | None = None) -> None:
        before = len(self.sent("REFER"))
        self.phone.refers(refer_to, referred_by)
        self.wait_received(202, before + 1)

    def refers_early(self, refer_to: str) -> None:
        self.world.wait(self._is_early, f"{self.name} has an early dialog")
        self.refers(refer_to)

    def _is_early(self) -> bool:
        """180 or 183 has been sent or received, and nothing final."""
        dialog = self.phone.dialog
        return dialog is not None and dialog.state in _RINGS

    def picks_up(self, other: Party) -> None:
        self.phone.picks_up(dialog_of(other))

    def replaces_call(self, other: Party) -> None:
        self.phone.replaces(dialog_of(other))

    def presses(self, keys: str) -> None:
        self.phone.sends_digits(keys)

    def hangs_up(self) -> None:
        self.phone.hangs_up()

    def leaves_after_refer(self, after: str, *ended: Party) -> None:
        dialogs = [dialog_of(party) for party in ended]
        when = cast(Literal["202", "NOTIFY"], after)
        self.phone.leaves_after_refer(Departure(when, dialogs=dialogs))

    def gives_up(self) -> None:
        self.phone.hangs_up()

    def hears(self, other: Party, limit_s: float | None = None) -> bool:
        return self._hears(other.number, limit_s)

    def hears_ringback(self) -> bool:
        return self._hears("ringback")

    def _hears(self, what: str, limit_s: float | None = None) -> bool:
        try:
            text = f"{self.name} hears {what}"
            self.world.wait(lambda: self.phone.hears == what, text, limit_s)
        except StoryTimeout as error:
            print(error)
            return False
        return True

    @property
    def heard_keys(self) -> str:
        return self.phone.heard_digits

    @property
    def contact(self) -> str:
        return self.world.uri(self.number)

    @property
    def replaces(self) -> str:
        return dialog_of(self).replaces

    @property
    def in_call(self) -> bool:
        return bool(self.live_dialogs)

    @property
    def in_answered_call(self) -> bool:
        return self.phone.in_call

    @property
    def live_dialogs(self) -> list[Dialog]:
        """Its calls that have not ended, in the order in which they began."""
        return [dialog for dialog in self.phone.dialogs if dialog.state != "ended"]

    @property
    def messages(self) -> list[SipMessage]:
        return self.phone.messages


def dialog_of(party: Party) -> Dialog:
    """The last call of that party, ended or not. Raises AssertionError when it has had none."""
    assert isinstance(party, SimulatedParty)
    assert party.phone.dialog is not None, f"{party.name} has had no call"
    return party.phone.dialog


class SimulatedWorld(World):
    """Parties at a simulated switch."""

    domain = "example.org"
    """Who is called at this switch has this host in its URI."""

    def __init__(self) -> None:
        self.parties: dict[str, SimulatedParty] = {}
        """All there are, by number; further lines and devices with a count behind it."""

    @property
    @abstractmethod
    def switch(self) -> SimulatedSwitch:
        """The switch between them."""

    def party(self, number: str, name: str = "") -> SimulatedParty:
        if number not in self.parties:
            phone = self.switch.phone(number, name or f"phone{number}")
            self.parties[number] = SimulatedParty(self, phone)
        return self.parties[number]

    def line(self, party: Party) -> SimulatedParty:
        phone = Phone(self.switch, party.number, party.name)
        self.switch.phones[party.number] = phone  # it takes the next call to this number
        return self._further(phone)

    def device(self, party: Party, joined_by: str = ",") -> SimulatedParty:
        name = f"{party.name}-too"
        return self._further(self.switch.further_phone(party.number, name, joined_by))

    def _further(self, phone: Phone) -> SimulatedParty:
        made = SimulatedParty(self, phone)
        self.parties[f"{phone.number} {len(self.parties)}"] = made
        return made

    def uri(self, number: str) -> str:
        return f"sip:{number}@{self.domain}"

    def legs(self) -> int:
        return sum(channel.up for channel in self.switch.channels.values())
