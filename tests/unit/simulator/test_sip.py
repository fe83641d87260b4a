"""Refer-To as the switch reads it, and what a phone's record says."""

from __future__ import annotations

import pytest

from fsctl.simulator.causes import (
    CAUSE_NUMBERS,
    cause_from_status,
    cause_name,
    dialstatus,
    reason_header,
    status_from_cause,
)
from fsctl.simulator.sip import ReferTarget, SipMessage, parse_refer_to
from fsctl.simulator.words import separate


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("<sip:1@h:5060;a=b?X=y>", ReferTarget("1", "h", "5060", "a=b", "X=y")),
        ("sip:1@h;a=b", ReferTarget("1", "h")),
        ("<sip:h>", ReferTarget(None, "h")),
        ("<sip:@h>", ReferTarget("", "h")),
        ("<tel:+1;phone-context=x>", ReferTarget("+1")),
    ],
)
def test_refer_to(text: str, target: ReferTarget) -> None:
    assert parse_refer_to(text) == target


def test_replaces_is_found_among_the_headers() -> None:
    assert parse_refer_to("<sip:1@h?a=b&Replaces=x%3By&c=d>").replaces == "x%3By"
    assert parse_refer_to("<sip:1@h?a=b>").replaces == ""


def test_messages() -> None:
    request = SipMessage(1.0, "in", "c", "BYE", headers=(("Reason", "x"),))
    assert (request.start_line, request.header("reason"), request.header("To")) == ("BYE", "x", "")
    assert SipMessage(1.0, "in", "c", "INVITE", 180, "Ringing").start_line == "SIP/2.0 180 Ringing"


@pytest.mark.parametrize(
    ("method", "event", "reports"),
    [
        ("NOTIFY", "refer;id=2", True),
        ("NOTIFY", "refer", True),
        ("NOTIFY", "message-summary", False),
        ("NOTIFY", "", False),
        ("SUBSCRIBE", "refer", False),
    ],
)
def test_a_notify_of_a_refer(method: str, event: str, reports: bool) -> None:
    message = SipMessage(1.0, "in", "c", method, headers=(("Event", event),))
    assert message.reports_refer is reports


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("user_busy", "USER_BUSY"),
        ("17", "USER_BUSY"),
        ("x", "NORMAL_CLEARING"),
        ("", "NORMAL_CLEARING"),
    ],
)
def test_cause_names(text: str, name: str) -> None:
    assert cause_name(text) == name


def test_causes_and_statuses() -> None:
    assert cause_from_status(486) == cause_from_status(600) == "USER_BUSY"
    assert cause_from_status(499) == "NORMAL_UNSPECIFIED"
    assert (status_from_cause("CALL_REJECTED"), status_from_cause("NORMAL_CLEARING")) == (603, 480)
    assert reason_header("USER_BUSY") == 'Q.850;cause=17;text="USER_BUSY"'
    assert reason_header("BLIND_TRANSFER") == 'SIP;cause=800;text="BLIND_TRANSFER"'
    assert (dialstatus("NO_ANSWER"), dialstatus("LOSE_RACE")) == ("NOANSWER", "LOSE_RACE")
    assert len(CAUSE_NUMBERS) == 82


@pytest.mark.parametrize(
    ("text", "limit", "words"),
    [
        ("a b c d", 3, ["a", "b", "c d"]),
        ("a  b", 3, ["a", "b"]),
        ("a 'b c' d", 3, ["a", "b c", "d"]),
        ("a b it's", 3, ["a", "b", "it's"]),
        ("a b \\'x\\' ", 3, ["a", "b", "'x'"]),
        ("a b x\\s", 3, ["a", "b", "x "]),
        ("", 3, []),
    ],
)
def test_words(text: str, limit: int, words: list[str]) -> None:
    assert separate(text, limit) == words
