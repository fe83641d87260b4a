"""A called party is quicker than the news of its answer, as on a switch that has just started."""

from __future__ import annotations

import pytest

from fsctl.esl.events import Event
from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.session.arrivals import refers_told
from fsctl.session.transfers.by_command import CANCELS, ByCommand
from fsctl.simulator.faults import Sending, late
from fsctl.sip.status import SipStatus

LATE_S = 0.3


@pytest.mark.parametrize("decides", [False, True], ids=["settings", "scenario"])
def test_who_transfers_before_its_answer_is_told_is_the_called_party(stage, decides):
    scenario, seen = Scenario(), []
    if decides:

        @scenario.on(BlindTransferRequested)
        def requested(event):
            seen.append((event.call.outgoing, len(event.session.calls)))
            event.session.connect(event.transferee, event.transfer_to)

    playing = stage(scenario)
    alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
    delay = late(LATE_S)
    playing.switch.faults.append(lambda frame: delay(frame) if frame.kind == "event" else None)
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    playing.until(lambda: bob.notifies)
    assert bob.notifies[-1][1] == "SIP/2.0 200 OK"
    if decides:
        assert seen == [(True, 2)]
    alice.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions, 10)


@pytest.mark.parametrize(
    ("name", "executed", "takes_back"),
    [
        ("CHANNEL_EXECUTE_COMPLETE", "eval::${sched_api(+2 claim)}", False),
        ("CHANNEL_EXECUTE_COMPLETE", CANCELS, True),
        ("CHANNEL_EXECUTE", CANCELS, False),
        ("CHANNEL_HANGUP", "", True),
    ],
)
def test_a_command_takes_back_by_its_own_word_and_by_no_late_news_of_the_dialplan(
    name: str, executed: str, takes_back: bool
) -> None:
    application, _, data = executed.partition("::")
    lines = (f"Event-Name: {name}", "Unique-ID: b-leg", f"Application: {application}")
    event = Event("\n".join((*lines, f"Application-Data: {data}")).encode())
    asker = ByCommand(None, "b-leg", "a-leg")
    assert asker.note(event) is takes_back
    asker.tell(SipStatus(200), "")
    assert not asker.note(event)


@pytest.mark.parametrize("by", ["1000", "1001"])
@pytest.mark.parametrize("late_s", [0.03, LATE_S])
def test_a_target_refers_before_its_ringing_is_told(stage, by, late_s):
    """It is the one that rings, though nothing has been heard of its channel, which is gone."""
    playing = stage()
    alice, bob, carol, dave = (playing.phone(n) for n in ("1000", "1001", "1002", "1003"))
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    delay = late(late_s)
    playing.switch.faults.append(lambda frame: delay(frame) if frame.kind == "event" else None)
    carol.rings()
    sender = alice if by == alice.number else bob
    sender.refers("<sip:1002@example.org>")
    playing.until(lambda: carol.sent("INVITE", 180))
    carol.refers("<sip:1003@example.org>")
    playing.until(lambda: sender.notifies, 20.0)
    assert [body for _, body in sender.notifies] == ["SIP/2.0 480 Temporarily Unavailable"]
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    assert not dave.in_call


def test_the_news_of_a_refer_is_later_than_its_transfer(stage, records):
    """Whoever has sent it while it rang is gone: nothing but the news says which REFER it was."""
    playing, news = stage(), []
    alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))

    def keeps(frame):
        if b"sofia%3A%3Atransferor" not in frame.raw:
            return None
        news.append(frame.raw.partition(b"\n\n")[2])
        return Sending(())

    playing.switch.faults.append(keeps)
    bob.rings()
    alice.calls("1001")
    playing.until(lambda: bob.sent("INVITE", 180))
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and records.all)
    (session,) = playing.worker.switchboard.sessions.values()
    session.post(lambda: refers_told.told(session, Event(news[0])))
    carol.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions, 20.0)
    assert [outcome for _, outcome, _ in records.results()] == ["succeeded"]
