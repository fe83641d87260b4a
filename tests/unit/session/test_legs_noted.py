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
