"""For what a party is called: each purpose says what follows for whoever waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.native_call import NativeCall
from fsctl.session.calling.purposes import NativeTransferee, PlainCall, of_application, of_waiting
from fsctl.session.transfers.blind import BlindTransfer
from fsctl.settings import Transfer
from fsctl.stage import CALLS
from fsctl.switch.marks import Stage

TARGET = "<sip:1002@example.org>"


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
def test_who_waits_has_the_purpose_of_its_wait(stage, mode):
    """A caller; then the transferee of a transfer, ours or FreeSWITCH's own."""
    asked = []
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        asked.append(of_waiting(event.session, event.transferee))
        asked.append(of_application(event.session))
        event.session.connect(event.transferee, event.transfer_to)

    switch = stage(scenario, replace(CALLS, transfer=Transfer(mode=mode)))
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    carol.rings()
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    bob.refers(TARGET)
    switch.until(lambda: carol.received("INVITE"))
    sessions = switch.worker.switchboard.sessions.values()
    (dial,) = (dial for each in sessions for dial in dials(each) if dial.outgoing.number == "1002")
    purpose, session = dial.purpose, dial.waiting.session
    assert purpose.moves and purpose.awaits_target
    if mode == "legacy":
        assert isinstance(purpose, NativeTransferee)
        assert (purpose.stage, purpose.told_by_switch) == (Stage.DONE, True)
        assert purpose.timers(30.0)
        session.part(NativeCall).transferor = ""
        assert not purpose.timers(30.0)
        assert type(of_waiting(session, dial.waiting)) is PlainCall
    else:
        waited_for, (called_for, waiting) = asked
        assert waited_for is called_for is purpose and isinstance(purpose, BlindTransfer)
        assert waiting is dial.waiting
        assert (purpose.stage, purpose.told_by_switch) == (Stage.CALLING, False)
        assert purpose.defaults is session.settings.transfer


def test_a_call_that_is_no_transfer(stage):
    switch = stage()
    alice, bob = (switch.phone(number) for number in ("1000", "1001"))
    bob.rings()
    alice.calls("1001")
    switch.until(lambda: bob.received("INVITE"))
    (session,) = switch.worker.switchboard.sessions.values()
    (dial,) = dials(session)
    purpose = dial.purpose
    assert type(purpose) is PlainCall and purpose.transferor is None
    assert not (purpose.moves or purpose.told_by_switch or purpose.diversion or purpose.timers(1.0))
    assert (purpose.stage, purpose.defaults) == (Stage.DIALLING, session.settings.call)
    assert of_application(session)[1] is dial.waiting


def dials(session):
    """The calls that a session makes by ``bridge``."""
    return list(session.part(Calls).dials.values())
