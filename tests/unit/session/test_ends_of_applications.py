"""Of the many applications that a dialplan executes, only those matter whose end is waited for."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fsctl.esl.events import Event
from fsctl.session.calling.calls import Calls
from fsctl.session.transfers.attended_registry import AttendedTransfers


def end_of(application: str, channel: str, name: str = "CHANNEL_EXECUTE_COMPLETE") -> Event:
    """What FreeSWITCH tells when an application has ended."""
    text = f"Event-Name: {name}\nUnique-ID: {channel}\nApplication-UUID: {application}\n\n"
    return Event(text.encode())


@pytest.fixture
def talking(stage):
    """The session in which two talk, and the channels of the caller and of the called party."""
    playing = stage()
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    (session,) = playing.worker.switchboard.sessions.values()
    caller, called = session.calls.values()
    return session, caller.channel_uuid, called.channel_uuid


def test_what_the_dialplan_has_executed_is_nobodys_affair(talking) -> None:
    session, caller, called = talking
    (bridge,) = session.part(Calls).dials
    assert not session.concerns(end_of("any", caller))
    assert session.concerns(end_of(bridge, caller))
    assert session.concerns(end_of("any", caller, "CHANNEL_EXECUTE"))
    # it may be half of a loopback, which executes an extension
    assert session.concerns(end_of("any", called)) and session.concerns(end_of("any", "unknown"))
    session.part(Calls).executions["ours"] = lambda event: None
    assert session.concerns(end_of("ours", caller))


def test_an_attended_transfer_sets_ends_aside(talking) -> None:
    session, caller, _ = talking
    transfers, transfer = session.board.part(AttendedTransfers), cast("Any", object())
    transfers.add(transfer)
    assert session.concerns(end_of("any", caller))
    transfers.remove(transfer)
    assert not session.concerns(end_of("any", caller))
