"""Plays a story on the simulated switch, and says what was not as it must be.

Its moves are what parties do (:mod:`fsctl.story`); but each happens in a chosen turn of the hub, in
a chosen dialog, and is left out where it cannot be, so they are done with the phones themselves.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from fsctl.session.arrivals import resting
from fsctl.simulator import Behaviour, Departure, Dialog, Phone
from fsctl.simulator.faults import Frame, Nth, Sending, duplicated, late
from fsctl.simulator.quiet import turn
from fsctl.story import SimulatedParty
from tests.properties import checks
from tests.properties.quick import QuickWorld
from tests.properties.record import Record, Refer
from tests.properties.stories import Move, Story
from tests.stories.simulated import SimulatedWorld

EXAMPLE = Path(__file__).parents[2] / "examples" / "call_user_transfer.py"
NUMBERS = {
    "alice": "2000",
    "bob": "1001",
    "carol": "1002",
    "dave": "1003",
    "eve": "1004",
    "nobody": "7",
}
REST_S = 40.0
"""After so long without a move everybody must have somebody to talk with, or be in no call."""
LATE_S = 0.3

BEHAVIOURS = {
    "answers": Behaviour(final_after_s=0.2),
    "answers slowly": Behaviour(final_after_s=1.5),
    "busy": Behaviour(final_after_s=0.2, status=486, reason="Gone fishing"),
    "rings": Behaviour(final_after_s=None),
    "unreachable": Behaviour(None, final_after_s=None, heard=False, listening=False),
    "answers and leaves": Behaviour(final_after_s=0.2, talk_s=0.0),
    "answers and leaves soon": Behaviour(final_after_s=0.2, talk_s=0.03),
    "early media, then busy": Behaviour(early=True, final_after_s=0.6, status=486, reason="No"),
    "early media, then answers": Behaviour(early=True, final_after_s=0.6),
    "refuses": Behaviour(ring_after_s=None, final_after_s=0.05, status=603, reason="Not today"),
}


REPLAY = ".venv/bin/python -m tests.properties.replay"

RESTS_AFTER_S = 0.02

JOINED_S = 3.0
"""So long after its REFER an attended transfer is joined, whoever joins it."""


class Violation(AssertionError):
    """What was not as it must be, with the story and all that was said in it."""


def play(story: Story, *, strict: bool = False, rests: bool = False) -> Record:
    """Play it to the end, and return what has happened.

    ``strict`` forgives nothing that is known; with ``rests`` two who have talked for
    `RESTS_AFTER_S` have no link any more.

    Raises :class:`Violation`.
    """
    with tempfile.TemporaryDirectory() as folder:
        world = QuickWorld(Path(folder))
        world.knows_switch = rests
        player = Player(story, world, strict)
        patch = pytest.MonkeyPatch()
        patch.setattr(resting, "REST_AFTER_S", RESTS_AFTER_S)
        try:
            player.play()
        finally:
            patch.undo()
            told = world.ladder_and_log()
            try:
                world.finish(passed=True)
            except AssertionError as error:
                player.record.violations.append(str(error).split("\n", 1)[0])
    if player.record.violations:
        wrong = "\n".join(player.record.violations)
        raise Violation(f'{wrong}\n{REPLAY} "{story}"{" --rests" if rests else ""}\n{told}')
    return player.record


@dataclass(slots=True)
class _Talks:
    """Who talked with whom, at some moment."""

    pairs: set[frozenset[str]] = field(default_factory=set)
    """The channels of each two."""
    owners: dict[str, Phone] = field(default_factory=dict)
    byes: dict[Phone, int] = field(default_factory=dict)
    """How many BYEs each phone had sent."""

    def has_hung_up(self, pair: frozenset[str]) -> bool:
        """One of the two phones has by itself, since then."""
        phones = [self.owners[uuid] for uuid in pair if uuid in self.owners]
        return any(len(phone.sent("BYE")) > self.byes[phone] for phone in phones)


@dataclass(slots=True)
class Player:
    """One story under way."""

    story: Story
    world: SimulatedWorld
    strict: bool
    record: Record

    def __init__(self, story: Story, world: SimulatedWorld, strict: bool) -> None:
        self.story, self.world, self.strict = story, world, strict
        self.record = Record(story)

    def play(self) -> None:
        """The beginning, the moves, and a rest, in which everything must come to order."""
        self._begin()
        for move in self.story.moves:
            self._let_pass(move)
            _ACTIONS[move.what](self, move)
        self.world.wait_connected()
        self.world.let_pass(REST_S)
        self.record.stranded = self.record.stranded and not self.strict
        lines = self.world.log().splitlines()
        self.record.concluded = [json.loads(line) for line in lines if line.startswith("{")]
        self.record.violations += checks.at_rest(self.record)

    def _begin(self) -> None:
        mode = self.story.mode
        scenario = EXAMPLE.read_text(encoding="utf-8") if mode == "sample" else ""
        settings = {"legacy": {"mode": "legacy"}, "keep": {"keep_talking": True}}
        transfer = settings.get(mode, {})
        self.world.serve(scenario=scenario, transfer=transfer)
        self.record.controller = True
        for name in ("alice", "bob", "carol", "dave", "eve"):
            self.record.parties[name] = self.world.party(NUMBERS[name], name.title())
        self._party("carol").phone.behaves(BEHAVIOURS[self.story.carol])
        self._party("dave").phone.behaves(BEHAVIOURS[self.story.dave])
        if self.story.device:
            device = self.world.device(self._party("carol"), self.story.device.joined_by)
            self.record.parties["carol's other"] = device
            device.phone.behaves(BEHAVIOURS[self.story.device.does])
        alice = self._party("alice")
        alice.calls(NUMBERS["bob"])
        if self.story.talking:
            alice.wait_talking()
            self.world.let_pass(0.1)

    def _party(self, name: str) -> SimulatedParty:
        return self.record.parties[name]

    def _let_pass(self, move: Move) -> None:
        if move.seconds:
            self.world.wait_connected()  # a controller is within that, and takes real time for it
        if move.turns is None:
            self.world.let_pass(move.seconds)
        for _ in range(move.turns or 0):
            turn()

    def _up(self, name: str) -> Dialog | None:
        """Its newest answered call whose transfer has not succeeded."""
        done = [refer.dialog for refer in self.record.refers if refer.succeeded]
        dialogs = self._party(name).phone.dialogs
        return next((d for d in reversed(dialogs) if d.state == "up" and d not in done), None)

    # -- moves

    def _refers(self, move: Move) -> None:
        dialog = self._up(move.who)
        if dialog is not None:
            self._refer(move, dialog, self.world.refer_to(NUMBERS[move.to]))

    def _refer(self, move: Move, dialog: Dialog, to: str, line: Dialog | None = None) -> None:
        self._note_known(move, line is not None)
        sent_s = self.world.switch.clock.now_s
        leaving = self._leaving(dialog, line)
        answered = line is not None and line.state == "up"
        unjoined = dialog.channel is not None and dialog.channel.bridged_to is None
        refer = Refer(
            move.who, move.to, dialog, dialog.cseq + 1, sent_s, line, leaving, answered, unjoined
        )
        self.record.refers.append(refer)
        leaves = self.story.leaves
        if leaves is not None:
            departure = Departure(leaves.after, leaves.seconds, leaving)  # type: ignore[arg-type]
            dialog.phone.leaves_after_refer(departure)
        dialog.phone.refers(to, None, (), dialog)

    def _leaving(self, dialog: Dialog, line: Dialog | None) -> tuple[Dialog, ...]:
        """What its phone ends by itself."""
        if self.story.leaves is None:
            return ()
        both = (dialog,) if line is None else (dialog, line)
        return {"call": both[:1], "line": both[-1:], "both": both}[self.story.leaves.ends]

    def _note_known(self, move: Move, attended: bool) -> None:
        """After these a story may end badly: see test_regressions."""
        refers = self.record.refers
        overtaking = not attended and self._is_replacing()
        self.record.stranded = self.record.stranded or overtaking
        once = self.story.mode == "sample" and any(map(self._has_succeeded, refers))
        if once and not self.strict:
            self.record.again = True
            self.world.expect_error("cannot talk with another one")

    def _has_succeeded(self, refer: Refer) -> bool:
        """Its phone has been told so, or had left before it could be, and the target talks."""
        called = self.record.called(self.record.number_of(refer.to), refer)
        return refer.succeeded or (refer.hung_up and any(m.status == 200 for m in called))

    def _hangs_up(self, move: Move) -> None:
        # As above: a transferee goes on its way to a controller that has no other link.
        alone = move.turns is not None and self.record.absences and self.record.pending_refers()
        self.record.stranded = self.record.stranded or bool(alone)
        for dialog in self._party(move.who).live_dialogs:
            self.record.leavers.add(move.who)
            dialog.phone.hangs_up(dialog=dialog)

    def _consults(self, move: Move) -> None:
        who = f"{move.who}'s line"
        if who in self.record.parties or self._up(move.who) is None:
            return
        line = self.world.line(self._party(move.who))
        self.record.parties[who] = line
        line.calls(NUMBERS[move.to])
        self.record.consulted[move.who] = move.to

    def _transfers_to_consulted(self, move: Move) -> None:
        line = self.record.parties.get(f"{move.who}'s line")
        dialog = self._up(move.who)
        if line is None or dialog is None or not line.live_dialogs:
            return
        to = self.record.consulted[move.who]
        refer_to = self.world.replacing(line, NUMBERS[to])
        self._refer(replace(move, to=to), dialog, refer_to, line.phone.dialogs[-1])

    def _picks_up(self, move: Move) -> None:
        leg = self._leg(move.to)
        if leg is not None and not self._party("eve").live_dialogs:
            self._take()
            self._party("eve").phone.picks_up(leg)

    def _is_moved(self, move: Move) -> None:
        leg = self._leg(move.who)
        if leg is not None and leg.channel is not None:
            self._take()
            if leg.state != "up":
                # The sample would answer it, and nobody can answer for a phone that rings.
                self.world.expect_error("handler of Connected failed")
            context = "" if "without" in move.what else self.world.switch.context
            where = f"{NUMBERS[move.to]} XML {context}" if context else NUMBERS[move.to]
            self.world.switch.run_api("uuid_transfer", f"{leg.channel.uuid} {where}")

    def _take(self) -> None:
        """Known: not all is well after that, and less after two of them; see test_regressions."""
        self.record.taken = True
        if not self.strict:
            self.record.stranded = True
            self.world.expect_error("handler of Failed failed")  # its report comes too late

    def _leg(self, name: str) -> Dialog | None:
        """Its newest call, but for one whose transfer is pending: nobody would take that."""
        pending = [refer.dialog for refer in self.record.refers if not refer.notifies]
        live = [d for d in self._party(name).live_dialogs if d.channel is not None and d.channel.up]
        return next((d for d in reversed(live) if d not in pending), None)

    def _dies(self, move: Move) -> None:
        if self.record.controller:
            before = self._talks() if self._is_at_rest(move) else _Talks()
            self._note_death(move)
            self._gone()
            self.world.kill()
            self._check_pairs(before)

    def _is_terminated(self, move: Move) -> None:
        if self.record.controller:
            before = self._talks() if self._is_at_rest(move) else _Talks()
            self._gone()
            self.world.terminate()
            self._check_pairs(before)

    def _note_death(self, move: Move) -> None:
        """What a death in the middle of something leaves behind: nobody else knows of it."""
        # FreeSWITCH joins the two by way of the loopback, which a REFER would move in the next 2 s.
        self.record.stranded = self.record.stranded or self._is_replacing()
        delays = any(each.what == "delays" for each in self.story.moves)
        self.record.held_back = self.record.held_back or (delays and self.record.pending_refers())
        if move.turns is not None or delays:
            # The first two may have been joined again, and the report was to follow that.
            self.record.cut_short += [r for r in self.record.refers if not r.notifies]

    def _gone(self) -> None:
        self.record.controller = False
        self.record.absences.append((self.world.switch.clock.now_s, math.inf))

    def _is_at_rest(self, move: Move) -> bool:
        under_way = self.record.pending_refers() or self._is_replacing()
        return move.turns is None and not under_way

    def _is_replacing(self) -> bool:
        """An attended transfer has not ended: its loopback may be there for two seconds more."""
        now_s = self.world.switch.clock.now_s
        attended = [refer for refer in self.record.refers if refer.line]
        return any(r.line and r.line.state != "ended" for r in attended) or any(
            now_s - refer.sent_s < JOINED_S for refer in attended
        )

    def _pairs(self) -> set[frozenset[str]]:
        # Those who hear early media may be parted by the callee's own refusal at any moment.
        answered = [c for c in self.world.switch.channels.values() if c.answered]
        return {
            frozenset((c.uuid, c.bridged_to.uuid))
            for c in answered
            if c.bridged_to and c.bridged_to.answered
        }

    def _talks(self) -> _Talks:
        owners = {
            dialog.channel.uuid: party.phone
            for party in self.record.parties.values()
            for dialog in party.phone.dialogs
            if dialog.channel is not None
        }
        byes = {phone: len(phone.sent("BYE")) for phone in owners.values()}
        return _Talks(self._pairs(), owners, byes)

    def _check_pairs(self, before: _Talks) -> None:
        if before.pairs:
            self.world.let_pass(0.0)
            lost = before.pairs - self._pairs()
            if lost := {pair for pair in lost if not before.has_hung_up(pair)}:
                self.record.violations.append(f"the controller's end took apart {lost}")

    def _is_replaced(self, _: Move) -> None:
        if not self.record.controller:
            self.record.controller = True
            since_s, _ = self.record.absences.pop()
            self.record.absences.append((since_s, self.world.switch.clock.now_s))
            self.world.restart()

    def _loses_its_links(self, _: Move) -> None:
        self.world.cut_links()

    def _loses_its_kept_links(self, _: Move) -> None:
        self.world.cut_kept_links()

    def _duplicates(self, move: Move) -> None:
        kind, _, about = move.to.partition(" ")
        fault = duplicated()

        def twice(frame: Frame) -> Sending | None:
            return fault(frame) if frame.kind == kind and about in frame.about else None

        self._afflict(twice)

    def _delays(self, move: Move) -> None:
        kind, _, about = move.to.partition(" ")
        self._afflict(Nth(late(LATE_S), kind, about))

    def _afflict(self, fault: Callable[..., object]) -> None:
        switch = self.world.switch
        for faults in (switch.faults, *(link.faults for link in switch.links)):
            faults.append(fault)  # type: ignore[arg-type]


_ACTIONS: dict[str, Callable[[Player, Move], None]] = {
    "refers": Player._refers,
    "hangs up": Player._hangs_up,
    "consults": Player._consults,
    "loses its links": Player._loses_its_links,
    "loses its kept links": Player._loses_its_kept_links,
    "transfers to the one consulted": Player._transfers_to_consulted,
    "picks up": Player._picks_up,
    "is moved": Player._is_moved,
    "is moved without a context": Player._is_moved,
    "dies": Player._dies,
    "is terminated": Player._is_terminated,
    "is replaced": Player._is_replaced,
    "duplicates": Player._duplicates,
    "delays": Player._delays,
}
