"""A recording that runs on a leg when its party is transferred, or transfers the other one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.live.lab.phone import Phone
from tests.live.lab.recorded import voices
from tests.stories.real import RealWorld
from tests.stories.world import World

LEAVE, FOLLOW, STOP, NEW = "leave", "follow", "stop", "new"
WHOSE = pytest.mark.parametrize("whose", ["transferee", "transferor"])


def serve(world: World, folder: Path, recording: str, **transfer: str) -> None:
    world.serve(
        transfer={
            "recording": recording,
            "recording_file": f"{folder}/{{what}}-{{transferee}}-{{target}}.wav",
            "release_transferor_after_s": 1,
            **transfer,
        }
    )


def records(world: World, party: Party, other: Party, path: Path) -> None:
    """Somebody has that party's leg recorded, each direction on a side of its own."""
    for each in (party, other):
        world.api(f"uuid_setvar {world.leg(each)} RECORD_STEREO true")
    world.api(f"uuid_record {world.leg(party)} start {path}")


def talk(one: Party, other: Party) -> None:
    """They do for a second, for FreeSWITCH writes what it records in pieces."""
    assert all(hear_each_other(one, other) for _ in range(5))


def running(world: World, party: Party) -> list[str]:
    """Names of the files that this party's leg is recorded into."""
    listed = world.api(f"uuid_buglist {world.leg(party)}")
    return [Path(path).name for path in re.findall("<target>(.*?)</target>", listed)]


def heard(path: Path, *parties: Party) -> list[str]:
    """Whom the recorded party has heard in a recording, each once, and nothing else."""
    marks = {each.number: each.media.mark for each in parties if isinstance(each, Phone)}
    _, others = voices(path, marks)
    return [each for each in dict.fromkeys(others) if each]


@WHOSE
@pytest.mark.parametrize("recording", [LEAVE, FOLLOW, STOP, NEW])
def test_what_becomes_of_it(world: World, tmp_path: Path, recording: str, whose: str) -> None:
    """Nothing, as long as the target has not been joined: a transfer that fails changes nothing."""
    serve(world, tmp_path, recording)
    bob, alice = talking(world)
    first, on_alice = tmp_path / "first.wav", whose == "transferee"
    recorded, other = (alice, bob) if on_alice else (bob, alice)
    records(world, recorded, other, first)
    talk(alice, bob)
    world.party("1002").is_busy()
    carol = world.party("1003").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    assert running(world, recorded) == ["first.wav"]
    assert hear_each_other(alice, bob)
    bob.transfers("1003")
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    goes_on = {
        LEAVE: ["first.wav"] if on_alice else [],
        FOLLOW: ["first.wav" if on_alice else "followed-2000-1003.wav"],
        STOP: [],
        NEW: ["new-2000-1003.wav"],
    }[recording]
    world.wait(lambda: running(world, alice) == goes_on, f"{goes_on} is recorded")
    bob.wait_over()
    talk(alice, carol)
    carol.hangs_up()
    alice.wait_over()
    if isinstance(world, RealWorld):
        voices_of = {name: heard(name, alice, bob, carol) for name in tmp_path.glob("*.wav")}
        before = ["1001" if on_alice else "2000"]
        expected = {"first.wav": before, **{key: ["1003"] for key in goes_on}}
        if goes_on == ["first.wav"]:
            expected = {"first.wav": [*before, "1003"]}
        assert {path.name: said for path, said in voices_of.items()} == expected


@WHOSE
@pytest.mark.parametrize("attended", ["application", "switch"])
def test_over_an_attended_transfer(world: World, tmp_path: Path, attended: str, whose: str) -> None:
    """FreeSWITCH's own join leaves it as it is."""
    serve(world, tmp_path, NEW, attended=attended)
    bob, alice = talking(world)
    recorded, other = (alice, bob) if whose == "transferee" else (bob, alice)
    records(world, recorded, other, tmp_path / "first.wav")
    carol = world.party("1002").answers()
    line = bob.consults("1002")
    line.wait_talking()
    bob.refers(world.replacing(line, "1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    as_it_was = ["first.wav"] if whose == "transferee" else []
    goes_on = ["new-2000-1002.wav"] if attended == "application" else as_it_was
    world.wait(lambda: running(world, alice) == goes_on, f"{goes_on} is recorded")


@pytest.mark.parametrize("answers", [True, False])
def test_over_the_death_of_every_controller(world: World, tmp_path: Path, answers: bool) -> None:
    """FreeSWITCH does it at the join, and does not where the first two are joined again."""
    serve(world, tmp_path, NEW)
    bob, alice = talking(world)
    records(world, alice, bob, tmp_path / "first.wav")
    carol = world.party("1002").rings()
    bob.transfers("1002")
    carol.wait_received("INVITE")
    world.kill()
    if answers:
        carol.answers_now()
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, carol)
        world.wait(lambda: running(world, alice) == ["new-2000-1002.wav"], "a new one runs")
        bob.hangs_up()
    else:
        carol.refuses_now(486, "Busy Here")
        assert bob.wait_notify() == "SIP/2.0 486 486"
        assert hear_each_other(alice, bob)
        assert running(world, alice) == ["first.wav"]


def test_over_a_legacy_transfer(world: World, tmp_path: Path) -> None:
    serve(world, tmp_path, STOP, mode="legacy")
    bob, alice = talking(world)
    records(world, alice, bob, tmp_path / "first.wav")
    carol = world.party("1002").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    world.wait(lambda: not running(world, alice), "nothing is recorded any more")
