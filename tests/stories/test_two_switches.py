"""Two switches and one controller: each switch has its calls, and its own troubles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from fsctl.esl import client
from fsctl.service import living, orphans
from fsctl.service.rescue import Rescue
from fsctl.story import Party, hear_each_other, talking
from tests.stories.two_switches import NAMES, Pair, Side

BOTH = pytest.mark.parametrize("which", [0, 1], ids=NAMES)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Pair]]:
    monkeypatch.setattr(living, "_FIRST_S", 0.2)
    monkeypatch.setattr(orphans, "POLL_S", 0.01)
    monkeypatch.setattr(orphans, "_CONNECT_S", 0.1)
    monkeypatch.setattr(client, "LAST_DELAY_S", 0.02)
    made: list[Pair] = []

    def make(*, without: int | None = None, **options: str) -> Pair:
        pair = Pair(tmp_path, **options)
        made.append(pair)
        for number, side in enumerate(pair.sides):
            if number != without:
                side.starts()
        pair.serve()
        return pair

    yield make
    for pair in made:
        pair.close()


def until(pair: Pair, condition: Callable[[], object]) -> None:
    """Wait for what takes real time (a link is made, orphans are looked for), and the clock's."""
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.005)
            pair.let_pass(0.1)


def wait_known(pair: Pair, *sides: Side, known: bool = True) -> None:
    """Each of them knows the controller, or does not any more."""
    until(pair, lambda: all(side.knows(pair.address) == {known} for side in sides))


def transfers(side: Side, by: str = "callee") -> tuple[Party, Party, Party]:
    """Transferor, transferee and target, which rings."""
    transferor, transferee = talking(side, by)
    target = side.party("1002", "Carol").rings()
    transferor.transfers("1002")
    side.wait(lambda: bool(target.sent(180)), "the target rings")
    return transferor, transferee, target


def goes_well(side: Side, transferor: Party, transferee: Party, target: Party) -> None:
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()


def ended(pair: Pair) -> list[tuple[str, str, int]]:
    """Switch, outcome and code of each record, in order of the switches."""
    return sorted((each["switch"], each["outcome"], each["code"]) for each in pair.records.all)


def test_each_has_its_transfers_and_its_records(make: Callable[..., Pair]) -> None:
    """At once, of the same numbers; the same scenario is told on which switch it is."""
    pair = make()
    wait_known(pair, *pair.sides)
    running = [(side, transfers(side)) for side in pair.sides]
    sessions = pair.worker.switchboard.sessions.values()
    assert sorted(each.switch for each in sessions) == [*NAMES]
    assert sorted(each.id.log_fields["switch"] for each in sessions) == [*NAMES]
    goes_well(pair.one, *running[0][1])
    transferor, transferee, target = running[1][1]
    target.refuses_now(486, "Gone fishing")
    assert transferor.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferor, transferee)
    assert ended(pair) == [("pbx-1", "succeeded", 200), ("pbx-2", "failed", 486)]


@BOTH
def test_one_is_not_there_at_the_start(make: Callable[..., Pair], which: int) -> None:
    """The other one's transfers are ours meanwhile, and its own when it comes."""
    pair = make(without=which)
    absent, there = pair.sides[which], pair.sides[1 - which]
    wait_known(pair, there)
    goes_well(there, *transfers(there))
    absent.starts()
    wait_known(pair, *pair.sides)
    goes_well(absent, *transfers(absent))
    assert ended(pair) == [(name, "succeeded", 200) for name in NAMES]


@BOTH
def test_one_dies_and_comes_back(make: Callable[..., Pair], which: int) -> None:
    pair = make()
    dying, living_on = pair.sides[which], pair.sides[1 - which]
    wait_known(pair, *pair.sides)
    transfers(dying)
    running = transfers(living_on)
    dying.dies()
    goes_well(living_on, *running)
    until(pair, lambda: (dying.name, "abandoned", 503) in ended(pair))
    dying.starts()
    wait_known(pair, *pair.sides)
    goes_well(dying, *transfers(dying))
    well = [(side.name, "succeeded", 200) for side in pair.sides]
    assert ended(pair) == sorted([(dying.name, "abandoned", 503), *well])


@BOTH
def test_one_hangs_and_goes_on(make: Callable[..., Pair], which: int) -> None:
    """It accepts, and says nothing: the other one hears of us all the same."""
    pair = make()
    hanging, there = pair.sides[which], pair.sides[1 - which]
    wait_known(pair, *pair.sides)
    hanging.esl.stop()
    wait_known(pair, hanging, known=False)
    assert there.knows(pair.address) == {True}
    goes_well(there, *transfers(there))
    hanging.esl.go_on()
    wait_known(pair, *pair.sides)
    goes_well(hanging, *transfers(hanging))


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_the_controller_dies_while_a_target_rings_on_each(
    make: Callable[..., Pair], by: str
) -> None:
    """Both transferors are released, and both records are written, each where its legs are."""
    pair = make()
    wait_known(pair, *pair.sides)
    running = [(side, transfers(side, by)) for side in pair.sides]
    pair.kill()
    pair.records.all.clear()  # a process that is killed writes none
    rescue = Rescue(pair.settings, set)
    rescue.look_after(pair.address)
    for _, (_, _, target) in running:
        target.answers_now()
    until(pair, lambda: not any(parties[0].in_call for _, parties in running))
    for side, (transferor, transferee, target) in running:
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(transferee, target) and side.legs() == 2
    until(pair, lambda: not rescue.busy)
    assert ended(pair) == [(name, "succeeded", 200) for name in NAMES]


def test_a_session_of_the_other_switch_is_not_its_legs(make: Callable[..., Pair]) -> None:
    """Whatever its channels say: the legs of another switch are no guests in a session."""
    pair = make()
    wait_known(pair, *pair.sides)
    running = transfers(pair.one)
    (session,) = pair.worker.switchboard.sessions
    talking(pair.other)
    for uuid in pair.other.switch.channels:
        for text in (f"fsctl_session {session}", f"fsctl_home {pair.address}"):
            pair.other.switch.run_api("uuid_setvar", f"{uuid} {text}")
    bob, alice = pair.other.party("1001"), pair.other.party("2000")
    carol = pair.other.party("1002", "Carol").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    assert len(pair.worker.switchboard.sessions) == 2
    goes_well(pair.one, *running)
    assert ended(pair) == [(name, "succeeded", 200) for name in NAMES]


def test_a_dialog_of_the_other_switch_is_nobodys(make: Callable[..., Pair]) -> None:
    """Bob talks with Alice on one, with Carol on the other, and would join them: 403."""
    pair = make(attended="application")
    wait_known(pair, *pair.sides)
    bob, alice = talking(pair.one)
    again, carol = talking(pair.other, "caller", caller="1001", callee="1002")
    # Its sessions run here, so that the dialog is one that this controller knows.
    dave = pair.other.party("1003", "Dave").rings()
    carol.transfers("1003")
    dave.refuses_now(486, "Busy Here")
    carol.wait_notify()
    assert hear_each_other(again, carol)
    foreign = [*pair.other.switch.channels]
    bob.refers(pair.one.replacing(again, "1002"))
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob) and hear_each_other(again, carol)
    asked = str([link.obeyed for link in pair.one.switch.links_made])
    assert not [uuid for uuid in foreign if uuid in asked], "it knows nothing of them"
