"""Rehearsals: a scenario's calls on a simulated switch, and what went wrong in them.

A story here only says what the parties do; what becomes of it is the scenario's matter. Wrong is
what no scenario can mean: a handler that raises, a transferor that is never told, a leg that stays
behind when the story is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fsctl.scenario import Scenario
from fsctl.settings import Settings
from fsctl.simulator import StoryTimeout
from fsctl.stage import Stage
from fsctl.story import SimulatedParty

PATIENCE_S = 120.0
"""How long, by the switch's clock, parties wait for something to happen."""
REAL_PATIENCE_S = 5.0
"""The same, by ours, once the switch has no more timers and nothing happens any more."""
TALK_S = 4.0
"""Longer than a transferor is there that was told of success."""


@dataclass(slots=True)
class Rehearsal:
    """One story as it went: what the parties saw, and what was wrong."""

    title: str
    seen: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    decided: bool = False
    """A handler of the scenario has done something with a call."""

    @property
    def undecided(self) -> bool:
        """Something was asked of the scenario, and a deadline has decided."""
        return any("has not decided" in warning for warning in self.warnings)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Who plays: the numbers that the three parties have, and what else is to be tried."""

    caller: str = "1000"
    callee: str = "1001"
    target: str = "1002"
    calls: tuple[str, ...] = ()
    """Further numbers that the caller calls: a story each."""
    targets: tuple[str, ...] = ()
    """Further targets of transfers, a story each: numbers, or whole Refer-To values."""
    phones: tuple[str, ...] = ()
    """Further phones: ``NUMBER``, which answers, ``NUMBER:busy`` or ``NUMBER:silent``."""


class _Cast:
    """The parties of one story; each step writes down what it led to, and fails at nothing.

    That is what it adds to a party's own words: what becomes of a call is the scenario's matter.
    """

    def __init__(self, stage: Stage, numbers: Numbers, rehearsal: Rehearsal) -> None:
        self.stage = stage
        self.numbers = numbers
        self.rehearsal = rehearsal
        self.caller = stage.party(numbers.caller, "Caller")
        self.callee = stage.party(numbers.callee, "Callee")
        self.target = stage.party(numbers.target, "Target")
        for entry in numbers.phones:
            number, _, manner = entry.partition(":")
            _PHONES[manner](stage.party(number, number))

    def says(self, text: str) -> None:
        self.rehearsal.seen.append(text)

    def comes_true(self, condition: Callable[[], object]) -> bool:
        try:
            self.stage.switch.run_until(condition, PATIENCE_S, patience_s=REAL_PATIENCE_S)
        except StoryTimeout:
            return False
        return True

    def call(self, number: str = "") -> None:
        """The caller calls the callee, or a number, until it has an answer of some kind."""
        number = number or self.numbers.callee
        self.caller.calls(number)
        self.comes_true(self._is_decided)
        self.stage.advance(TALK_S)
        self.says(f"caller calls {number} and is told {_answer(self.caller)}")
        self.who_hears_whom()

    def _is_decided(self) -> bool:
        return self.caller.in_answered_call or not self.caller.in_call

    def transfer(self, transferor: SimulatedParty, to: str = "") -> None:
        """A party sends the other one to the target, and waits for its NOTIFY."""
        to = to or self.numbers.target
        name = transferor.name.lower()
        if not transferor.in_answered_call:
            self.says(f"{name} is in no call: no transfer")
            return
        refer_to = to if ":" in to else self.stage.refer_to(to)
        transferor.refers(refer_to, f"<{self.stage.uri(transferor.number)}>")
        self.comes_true(lambda: transferor.notifies)
        words = ", ".join(transferor.notifies) or "nothing"
        self.says(f"{name} transfers to {to} and is told {words}")
        if not transferor.notifies:
            self.rehearsal.problems.append(f"{name} has sent a REFER and got no NOTIFY")
        self.stage.advance(TALK_S)
        if len(transferor.notifies) > 1:
            self.rehearsal.problems.append(f"{name} was told more than once")
        self.who_hears_whom()

    def give_up(self) -> None:
        """The caller hangs up while it rings."""
        self.callee.rings()
        self.caller.calls(self.numbers.callee)
        self.comes_true(lambda: self.callee.sent(180) or self._is_decided())
        self.says(f"caller calls {self.numbers.callee}, and hangs up while it rings")

    def who_hears_whom(self) -> None:
        hearing = [
            f"{party.name.lower()} hears {self._heard_by(party)}"
            for party in (self.caller, self.callee, self.target)
            if party.in_answered_call
        ]
        self.says("; ".join(hearing) or "nobody is in a call")

    def end(self) -> None:
        """Somebody hangs up, the caller only when nobody else can: then all must have gone."""
        others = (self.target, self.callee, *self.stage.parties.values())
        free = (p for p in others if p is not self.caller and p.in_answered_call)
        leaving = next(free, self.caller)
        if leaving.in_call:
            leaving.hangs_up()
        sessions = self.stage.worker.switchboard.sessions
        if self.comes_true(lambda: not self.stage.legs() and not sessions):
            return
        left = [
            f"{party.name} ({self._heard_by(party)})"
            for party in self.stage.parties.values()
            if party.in_call
        ]
        what = f"legs are left behind: {', '.join(left)}" if left else "a session is left behind"
        self.rehearsal.problems.append(f"{PATIENCE_S:g} s after the last hang-up {what}")

    def _heard_by(self, party: SimulatedParty) -> str:
        heard = party.phone.hears
        three = (self.caller, self.callee, self.target)
        return next((other.name.lower() for other in three if other.number == heard), heard)


_PHONES: dict[str, Callable[[SimulatedParty], object]] = {
    "": lambda party: party.answers(),
    "busy": lambda party: party.is_busy(),
    "silent": lambda party: party.rings(),
}


def _answer(party: SimulatedParty) -> str:
    finals = [m for m in party.messages if m.direction == "in" and m.status >= 180]
    lines = dict.fromkeys(m.start_line.removeprefix("SIP/2.0 ") for m in finals)
    return ", ".join(lines) or "nothing"


# -- the stories


def _answered(cast: _Cast) -> None:
    cast.call()


def _busy(cast: _Cast) -> None:
    cast.callee.is_busy()
    cast.call()


def _gives_up(cast: _Cast) -> None:
    cast.give_up()


def _transfer_by(who: str, target_busy: bool) -> Callable[[_Cast], None]:
    def play(cast: _Cast) -> None:
        if target_busy:
            cast.target.is_busy()
        cast.call()
        cast.transfer(cast.callee if who == "callee" else cast.caller)

    return play


STORIES: dict[str, Callable[[_Cast], None]] = {
    "a call is answered": _answered,
    "the callee is busy": _busy,
    "the caller hangs up while it rings": _gives_up,
    "the callee transfers, the target answers": _transfer_by("callee", False),
    "the callee transfers, the target is busy": _transfer_by("callee", True),
    "the caller transfers, the target answers": _transfer_by("caller", False),
    "the caller transfers, the target is busy": _transfer_by("caller", True),
}


def _call_to(number: str) -> Callable[[_Cast], None]:
    return lambda cast: cast.call(number)


def _transfer_to(target: str) -> Callable[[_Cast], None]:
    def play(cast: _Cast) -> None:
        cast.call()
        cast.transfer(cast.callee, target)

    return play


def stories_of(numbers: Numbers) -> dict[str, Callable[[_Cast], None]]:
    """The standard stories, and those that are asked for besides."""
    calls = {f"a call to {number}": _call_to(number) for number in numbers.calls}
    transfers = {f"the callee transfers to {to}": _transfer_to(to) for to in numbers.targets}
    return STORIES | calls | transfers


def rehearse(scenario: Scenario, settings: Settings, numbers: Numbers) -> Iterator[Rehearsal]:
    """Play every story, each on a stage of its own; ``scenario`` decides on every call."""
    for title, play in stories_of(numbers).items():
        rehearsal = Rehearsal(title)
        with _listening(rehearsal), Stage(settings, scenario) as stage:
            cast = _Cast(stage, numbers, rehearsal)
            play(cast)
            cast.end()
            rehearsal.decided = stage.worker.sessions.verbs_used > 0
        yield rehearsal


@contextmanager
def _listening(rehearsal: Rehearsal) -> Iterator[None]:
    """What fsctl logs as an error or a warning meanwhile, tracebacks included."""
    logger = logging.getLogger("fsctl")
    listener = _Listener(rehearsal)
    propagate, level = logger.propagate, logger.level
    logger.addHandler(listener)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagate
        logger.setLevel(level)


class _Listener(logging.Handler):
    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__(logging.WARNING)
        self._rehearsal = rehearsal

    def emit(self, record: logging.LogRecord) -> None:
        wrong = record.levelno >= logging.ERROR
        (self._rehearsal.problems if wrong else self._rehearsal.warnings).append(
            self.format(record)
        )
