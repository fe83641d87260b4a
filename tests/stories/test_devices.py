"""A user with two phones: both ring as its dial string says, and there is one outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.test_attended import ACCEPTS, asked, assert_transferred, refer
from tests.stories.world import RING_TIMEOUT_S, World

Behaviour = Callable[[Party], object]
Told = Callable[[int, str], None]

CALLS_BY_ITSELF = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Connected, Scenario
scenario = Scenario()

def call(session, waiting, number):
    called = session.call_user(number)
    called.on(Connected, lambda event: session.send_media_between(waiting, called))

@scenario.on(CallAlerting)
def alerting(event):
    call(event.session, event.call, event.destination)

@scenario.on(BlindTransferRequested)
def requested(event):
    call(event.session, event.transferee, event.transfer_to)
"""

CONTROLLED = ["connect", "call_user", "blind", "blind by call_user", "legacy"]
NATIVE = ["native", "legacy native"]
"""Nobody controls the call, or the legacy transfer: FreeSWITCH goes by its own dialplan."""
WAYS = pytest.mark.parametrize("way", [*CONTROLLED, *NATIVE])


class Way:
    """How user 1002 comes to be called: ``waiting`` is who is to talk with it."""

    def __init__(self, world: World, way: str, ring_timeout_s: int = 20) -> None:
        self.world, self.way = world, way
        self.legacy = way in ("legacy", "legacy native")
        world.serve(
            scenario=CALLS_BY_ITSELF if "call_user" in way else "",
            transfer={"mode": "legacy"} if self.legacy else None,
            route={"ring_timeout_s": ring_timeout_s},
        )
        self.desk = world.party("1002", "Desk")
        self.waiting = world.party("2000", "Alice")
        self.transferor: Party | None = None

    def begin(self) -> None:
        """Call, or transfer; the phones of 1002 have been told what they do."""
        if "native" in self.way:
            self.world.kill()
        if self.way in ("connect", "call_user", "native"):
            self.waiting.calls("1002")
            return
        self.transferor, self.waiting = talking(self.world)
        self.transferor.refers(self.world.refer_to("1002"))

    def ends_with(self, party: Party) -> None:
        """They talk, and whoever asked has been told so."""
        assert hear_each_other(self.waiting, party)
        if self.transferor is not None:
            assert self.transferor.wait_notify() == "SIP/2.0 200 OK"

    def fails_with(self, status: int, phrase: str) -> None:
        """Nobody was reached, and this is what is told."""
        if self.transferor is None:
            seen = self.waiting.wait_received(status)
            assert self.way == "native" or seen.reason == phrase
            return
        # By itself FreeSWITCH repeats the code where the phrase belongs (mod_sofia.c).
        told = f"{status} {status if self.legacy else phrase}"
        assert self.transferor.wait_notify() == f"SIP/2.0 {told}"
        assert hear_each_other(self.transferor, self.waiting)


def busy(party: Party) -> None:
    party.refuses(486, "Busy at last")


def declines(party: Party) -> None:
    party.refuses(603, "Not for me")


def dead(party: Party) -> None:
    party.unreachable()


def absent(party: Party) -> None:
    party.refuses(480, "Out")


def rings(party: Party) -> None:
    party.rings()


def answers(party: Party) -> None:
    party.answers()


ANSWERED = [
    (way, first, (",", ":_:")[(row + column) % 2])
    for row, way in enumerate([*CONTROLLED, *NATIVE])
    for column, first in enumerate((busy, dead, rings))
]
"""Every pair of values: what FreeSWITCH makes of a dial string does not depend on who calls."""


@pytest.mark.parametrize(("way", "first", "joined_by"), ANSWERED)
def test_the_other_phone_answers(world: World, way: str, first: Behaviour, joined_by: str) -> None:
    made = Way(world, way)
    soft = world.device(made.desk, joined_by)
    first(made.desk)
    answers(soft)
    made.begin()
    made.ends_with(soft)
    if first is rings:
        made.desk.wait_received("CANCEL")
    assert len(soft.received("INVITE")) == 1


@WAYS
def test_in_turn(world: World, way: str) -> None:
    made = Way(world, way)
    soft = world.device(made.desk, "|")
    rings(made.desk)
    answers(soft)
    made.begin()
    made.desk.wait_received("INVITE")
    assert not soft.received("INVITE")
    made.desk.refuses_now(486, "Busy at last")
    made.ends_with(soft)


@pytest.mark.parametrize("way", CONTROLLED)
@pytest.mark.parametrize(
    ("first", "second", "status", "phrase"),
    [
        (dead, busy, 486, "Busy at last"),
        (busy, dead, 486, "Busy at last"),
        (busy, absent, 486, "Busy at last"),
        (busy, declines, 603, "Not for me"),
    ],
)
def test_all_fail_and_the_best_is_told(
    world: World, way: str, first: Behaviour, second: Behaviour, status: int, phrase: str
) -> None:
    made = Way(world, way)
    soft = world.device(made.desk)
    first(made.desk)
    second(soft)
    made.begin()
    made.fails_with(status, phrase)


@pytest.mark.parametrize("way", NATIVE)
@pytest.mark.parametrize(("first", "second"), [(dead, busy), (busy, dead), (busy, absent)])
def test_one_is_busy_and_no_controller_is_there(
    world: World, way: str, first: Behaviour, second: Behaviour
) -> None:
    made = Way(world, way)
    soft = world.device(made.desk)
    first(made.desk)
    second(soft)
    made.begin()
    made.fails_with(486, "")


@pytest.mark.parametrize("way", CONTROLLED)
@pytest.mark.parametrize("other", [answers, busy])
def test_one_phone_redirects(world: World, way: str, other: Behaviour) -> None:
    """Where it points to is called when all others have failed."""
    made = Way(world, way)
    soft = world.device(made.desk)
    made.desk.redirects(world.uri("1003"))
    other(soft)
    carol = world.party("1003").answers()
    made.begin()
    made.ends_with(soft if other is answers else carol)
    assert bool(carol.received("INVITE")) == (other is busy)


@WAYS
def test_who_waits_leaves(world: World, way: str) -> None:
    made = Way(world, way)
    soft = world.device(made.desk)
    rings(made.desk)
    rings(soft)
    made.begin()
    for phone in (made.desk, soft):
        phone.wait_received("INVITE")
    if made.transferor is None:
        made.waiting.gives_up()
    else:
        made.waiting.hangs_up()
    for phone in (made.desk, soft):
        phone.wait_received("CANCEL")


@pytest.mark.parametrize("way", ["connect", "native"])
def test_early_media_of_one_phone_takes_nothing_from_the_other(world: World, way: str) -> None:
    made = Way(world, way)
    soft = world.device(made.desk)
    made.desk.sends_early_media()
    rings(soft)
    made.begin()
    made.waiting.wait_received(183)
    assert made.waiting.hears(made.desk)
    soft.wait_received("INVITE")
    made.desk.refuses_now(486, "Busy at last")
    soft.answers_now()
    made.ends_with(soft)


@pytest.mark.parametrize("way", CONTROLLED)
@pytest.mark.parametrize("joined_by", [",", "|"])
def test_nobody_answers_in_time(world: World, way: str, joined_by: str) -> None:
    made = Way(world, way, RING_TIMEOUT_S)
    soft = world.device(made.desk, joined_by)
    rings(made.desk)
    rings(soft)
    made.begin()
    made.fails_with(480, "Temporarily Unavailable")
    for phone in (made.desk, soft):
        # FreeSWITCH's originate_timeout ends the whole dial string (switch_ivr_originate.c).
        rung = phone is made.desk or joined_by == ","
        assert len(phone.received("CANCEL")) == len(phone.received("INVITE")) == rung


@pytest.mark.parametrize("again", [True, False], ids=["another takes over", "none is left"])
@pytest.mark.parametrize("second", [480, 200])
def test_the_controller_dies_while_both_ring(world: World, again: bool, second: int) -> None:
    made = Way(world, "blind")
    soft = world.device(made.desk)
    rings(made.desk)
    rings(soft)
    made.begin()
    for phone in (made.desk, soft):
        phone.wait_received("INVITE")
    world.kill()
    if again:
        world.restart()
    made.desk.refuses_now(486, "Busy at last")
    assert made.transferor is not None
    if second == 200:
        soft.answers_now()
        made.ends_with(soft)
        return
    soft.refuses_now(480, "Out")
    told = "486 Busy Here" if again else "486 486"
    assert made.transferor.wait_notify() == f"SIP/2.0 {told}"
    assert hear_each_other(made.waiting, made.transferor)


@pytest.mark.parametrize("by", ["callee", "caller"])
@pytest.mark.parametrize("reached", [True, False])
def test_attended_target_called_anew(world: World, by: str, reached: bool) -> None:
    """The transferor gives its second call up: FreeSWITCH calls both phones for the transferee."""
    world.serve(scenario=ACCEPTS)
    transferor, transferee = talking(world, by)
    carol, line = world.party("1002", "Carol").rings(), world.line(transferor)
    soft = world.device(carol).rings()
    line.calls("1002")
    line.wait_received(180)
    for phone in (carol, soft):
        phone.wait_received("INVITE")
    refer(world, transferor, line)
    world.wait_told(asked(transferor, transferee))
    line.gives_up()
    line.wait_over()
    for phone in (carol, soft):
        phone.wait_received("INVITE", 2)
    carol.refuses_now(486, "Busy Here")
    if reached:
        soft.answers_now()
        assert_transferred(transferor, transferee, line, soft)
        return
    soft.refuses_now(486, "Busy Here")
    assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferor, transferee)
