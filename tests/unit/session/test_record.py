"""One transfer, one record, whatever the ending."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import pytest

from fsctl import log
from fsctl.errors import LinkLost
from fsctl.esl.commands import Command, NotifyReferrer
from fsctl.esl.connection import Connection
from fsctl.esl.events import Reply
from fsctl.scenario import (
    AttendedTransferRequested,
    BlindTransferRequested,
    CallAlerting,
    Scenario,
)
from fsctl.session.transfers.record import Owed, owed_by
from fsctl.settings import Transfer
from fsctl.simulator import Phone
from fsctl.stage import CALLS, Stage
from fsctl.testing import MakeStage

TARGET = "<sip:1002@example.org>"


@pytest.fixture
def talk(stage: MakeStage) -> Callable[..., tuple[Stage, Phone, Phone, Phone]]:
    """Alice has called Bob, and they talk; Carol is the target."""

    def start(
        mode: Literal["in-session", "legacy"] = "in-session", scenario: Scenario | None = None
    ) -> tuple[Stage, Phone, Phone, Phone]:
        switch = stage(scenario, replace(CALLS, transfer=Transfer(mode=mode)))
        alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
        alice.calls("1001")
        switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
        return switch, alice, bob, carol

    return start


MODES = pytest.mark.parametrize(("mode", "kind"), [("in-session", "blind"), ("legacy", "legacy")])


@MODES
def test_a_success(talk, records, mode, kind):
    switch, alice, bob, _ = talk(mode)
    bob.refers(TARGET)
    switch.until(lambda: alice.hears == "1002")
    switch.advance(10)
    assert records.results() == [(kind, "succeeded", 200)]


@MODES
def test_a_failure(talk, records, mode, kind):
    switch, alice, bob, carol = talk(mode)
    carol.busy()
    bob.refers(TARGET)
    switch.until(lambda: bob.notifies and alice.hears == "1001" and records.all)
    assert records.results() == [(kind, "failed", 486)]


@MODES
def test_the_transferee_leaves(talk, records, mode, kind):
    switch, alice, bob, carol = talk(mode)
    carol.rings()
    bob.refers(TARGET)
    switch.until(lambda: carol.received("INVITE"))
    alice.hangs_up()
    switch.until(lambda: bob.notifies and not bob.in_call)
    outcome = "abandoned" if kind == "blind" else "failed"
    assert [(each["kind"], each["outcome"]) for each in records.all] == [(kind, outcome)]


def test_a_link_that_fails_in_the_last_step_takes_no_record_with_it(talk, records, monkeypatch):
    send_all = Connection.send_all

    def failing(link: Connection, commands: Sequence[Command], *limits: float) -> list[Reply]:
        if any(isinstance(command, NotifyReferrer) for command in commands):
            raise LinkLost("gone")
        return send_all(link, commands, *limits)

    monkeypatch.setattr(Connection, "send_all", failing)
    switch, alice, bob, carol = talk()
    carol.rings()
    bob.refers(TARGET)
    switch.until(lambda: carol.received("INVITE"))
    alice.hangs_up()
    switch.until(lambda: not switch.worker.switchboard.sessions)
    assert records.results() == [("blind", "abandoned", 487)]


@MODES
def test_the_controller_is_stopped(talk, records, mode, kind, monkeypatch):
    monkeypatch.setattr("fsctl.esl.server._FAREWELL_S", 0.02)  # the leg is in a bridge, and stays
    monkeypatch.setattr("fsctl.esl.farewell._PARKED_WITHIN_S", 0.02)
    switch, _, bob, carol = talk(mode)
    carol.rings()
    bob.refers(TARGET)
    switch.until(lambda: carol.received("INVITE"))
    switch.worker.stop()
    assert records.results() == [(kind, "abandoned", 503)]


def test_the_controller_is_stopped_when_transferee_and_target_talk(talk, records):
    switch, alice, bob, _ = talk()
    bob.refers(TARGET)
    switch.until(lambda: alice.hears == "1002")
    switch.worker.stop()
    assert records.results() == [("blind", "succeeded", 200)]


def test_an_application_that_reports_too_early_is_not_believed(talk, records):
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        event.session.connect(event.transferee, event.transfer_to)
        event.call.notify_blind_transfer_success()

    switch, _, bob, carol = talk(scenario=scenario)
    carol.busy()
    bob.refers(TARGET)
    switch.until(lambda: bob.notifies and records.all)
    assert bob.notifies[0][1] == "SIP/2.0 200 OK"
    assert records.results() == [("blind", "failed", 486)]


@pytest.mark.parametrize("granted", [True, False])
def test_an_attended_transfer(talk, records, granted):
    scenario = Scenario()

    @scenario.on(AttendedTransferRequested)
    def requested(event: AttendedTransferRequested) -> None:
        if granted:
            event.accept()
        else:
            event.refuse()

    switch, alice, bob, carol = talk(scenario=scenario)
    first = bob.dialog
    line = bob.calls("1002")
    switch.until(lambda: carol.hears == "1001")
    bob.refers(f"<sip:1002@example.org?Replaces={line.replaces}>", dialog=first)
    switch.until(lambda: records.all)
    switch.advance(10)
    assert (alice.hears == "1002") is granted
    result = ("succeeded", 200) if granted else ("failed", 403)
    assert records.results() == [("attended", *result)]
    if not granted:
        bob.refers(f"<sip:1002@example.org?Replaces={line.replaces}>", dialog=first)
        switch.until(lambda: len(records.all) == 2)
        assert records.results() == [("attended", *result)] * 2


@pytest.mark.parametrize(("result", "outcome"), [(200, "succeeded"), (486, "failed")])
def test_a_party_that_is_asked_to_go_elsewhere(stage, records, result, outcome):
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event: CallAlerting) -> None:
        event.call.answer()
        event.call.transfer_to("1002")

    switch = stage(scenario)
    alice = switch.phone("1000").follows_refers(result)
    alice.calls("1001")
    switch.until(lambda: records.all)
    assert records.results() == [("deflected", outcome, result)]


def test_what_it_says(talk, records):
    switch, alice, bob, carol = talk()
    bob.refers(TARGET)
    switch.until(lambda: alice.hears == "1002" and records.all)
    (record,) = records.all
    legs = [phone.dialog.channel.uuid for phone in (alice, carol)]
    assert [record["transferee"], record["target"]] == legs
    assert record["refer"] == "refer;id=2" and record["reason"] == "OK" and record["session"]
    assert record["numbers"] == {"transferor": "1001", "transferee": "1000", "target": "1002"}
    dialogs = {"transferor": bob, "transferee": alice, "target": carol}
    assert record["call_ids"] == {role: p.dialogs[-1].call_id for role, p in dialogs.items()}


def test_a_log_of_json_lines_names_numbers_and_call_ids_and_nests_the_record(talk, capsys):
    loggers = (logging.getLogger("fsctl"), logging.getLogger())
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    log.set_up("debug", "json")
    try:
        switch, alice, bob, _ = talk()
        bob.refers(TARGET)
        switch.until(lambda: alice.hears == "1002" and not bob.in_call)
        call_id = alice.dialogs[0].call_id
    finally:
        for logger, state in zip(loggers, before, strict=True):
            logger.handlers[:], logger.level, logger.propagate = state
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    of_session = [each for each in entries if "session" in each and "record" not in each]
    assert "1000" in of_session[0]["message"] and "1001" in of_session[0]["message"]
    for entry in of_session:
        assert (call_id, "1000") in [
            (each.get("call_id"), each["number"]) for each in entry["calls"]
        ]
    (told,) = [each for each in entries if "record" in each]
    assert told["record"]["numbers"]["target"] == "1002"
    assert told["record"]["session"] == told["session"] == of_session[0]["session"]
    assert told["message"] == "blind transfer succeeded: 200 OK"


@pytest.mark.parametrize("kind", ["blind", "legacy"])
@pytest.mark.parametrize("refer", ["", "refer;id=7"])
def test_the_record_that_a_channel_says_is_owed(kind: str, refer: str) -> None:
    transferor = "aaaaaaaa-0000-4000-8000-aaaaaaaaaaaa"
    owed = owed_by("te", f"{kind} {transferor} {refer}".strip() + " more")
    assert owed == Owed(cast(Any, kind), transferor, "te", refer)
    assert owed is not None and owed.key == f"{transferor} {refer or '-'}"
    assert owed_by("te", f"blind {transferor[:-1]}") is owed_by("te", None) is None
