"""A REFER replaces a call that we do not run, and its target answers while we look for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl.esl.commands import Command, Filter
from fsctl.esl.connection import Connection
from fsctl.esl.events import Reply
from fsctl.story import hear_each_other
from tests.stories.simulated import SimulatedWorld
from tests.stories.test_attended import refer, ringing


@pytest.mark.parametrize("moment", ["before the news", "behind the news"])
def test_an_answer_is_never_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Just before we are subscribed to the target's events, or just behind that."""
    world = SimulatedWorld(tmp_path)
    world.serve(scope="transfers", transfer={"attended": "application"})
    transferor, transferee, line, carol = ringing(world, "callee")
    leg, send = world.leg(carol), Connection.send

    def answering(link: Connection, command: Command, *seconds: float) -> Reply:
        if command != Filter("Unique-ID", leg):
            return send(link, command, *seconds)
        if moment == "before the news":
            carol.phone.answers_now()
        reply = send(link, command, *seconds)
        if moment == "behind the news":
            carol.phone.answers_now()
        return reply

    monkeypatch.setattr(Connection, "send", answering)
    refer(world, transferor, line)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    world.finish(passed=True)
