"""Who talks is shown from the transfer on in which a session begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl import journal
from fsctl.story import hear_each_other, talking
from tests.stories.simulated import SimulatedWorld


def test_both_parties_of_a_call_that_nobody_ran_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither has told us of its answer, and neither hangs up."""
    noted: list[tuple[str, str]] = []

    def note(what: str, **fields: str) -> None:
        if what == "leg":
            noted.append((fields["number"], fields["state"]))

    monkeypatch.setattr(journal, "is_kept", lambda: True)
    monkeypatch.setattr(journal, "note", note)
    world = SimulatedWorld(tmp_path)
    world.serve(scope="transfers")
    transferor, transferee = talking(world, "callee")
    world.party("1002").refuses(486, "Gone fishing")
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferee, transferor)
    assert {(each.number, "connected") for each in (transferor, transferee)} <= {*noted}
    world.finish(passed=True)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("blind", mode) for mode in ("in-session", "legacy", "observe")),
        *(("attended", mode) for mode in ("in-session", "legacy")),
    ],
)
def test_what_was_asked_for_is_noted_of_each_transfer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, kind: str
) -> None:
    """Under the name that its record has, whichever session writes that."""
    asked: dict[str, str] = {}
    recorded: list[str] = []

    def note(what: str, **fields: str) -> None:
        if what == "record":
            recorded.append(fields["id"])
        elif what == "transfer":
            known = asked.get(fields["id"]) or ""
            asked[fields["id"]] = fields.get("refer_to") or known

    monkeypatch.setattr(journal, "is_kept", lambda: True)
    monkeypatch.setattr(journal, "note", note)
    world = SimulatedWorld(tmp_path)
    world.serve(transfer={"mode": mode})
    bob, alice = talking(world, "callee")
    carol = world.party("1002").answers()
    if kind == "attended":
        line = bob.consults("1002")
        assert hear_each_other(line, carol)
        bob.refers(world.replacing(line, "1002"))
    else:
        bob.transfers("1002")
    assert hear_each_other(alice, carol)
    world.wait(lambda: recorded, "it is recorded")
    (name,) = asked
    assert recorded == [name] and asked[name].startswith("<sip:1002@")
    world.finish(passed=True)
