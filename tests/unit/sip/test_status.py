"""The status, cause and sipfrag tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.sip.status import (
    HANGUP_CAUSES,
    MAX_REASON_BYTES,
    PHRASES,
    SipStatus,
    cause_of_status,
    parse_sipfrag,
    phrase,
    sipfrag,
    status_of_cause,
)

STATUSES = st.integers(100, 699)


@pytest.mark.parametrize(
    ("sip_status", "expected"),
    [(180, "Ringing"), (200, "OK"), (404, "Not Found"), (486, "Busy Here"), (603, "Decline")],
)
def test_a_registered_status_has_its_phrase(sip_status: int, expected: str) -> None:
    assert phrase(sip_status) == expected


@pytest.mark.parametrize(
    ("sip_status", "expected"),
    [
        (199 - 10, "Provisional"),
        (299, "Successful"),
        (399, "Redirection"),
        (499, "Request Failure"),
        (599, "Server Failure"),
        (699, "Global Failure"),
    ],
)
def test_an_unregistered_status_has_the_title_of_its_class(sip_status: int, expected: str) -> None:
    assert sip_status not in PHRASES
    assert phrase(sip_status) == expected


@pytest.mark.parametrize("sip_status", [-1, 0, 99, 700, 1000])
def test_what_is_no_status_is_refused(sip_status: int) -> None:
    with pytest.raises(ValueError, match="not a SIP status"):
        phrase(sip_status)
    with pytest.raises(ValueError, match="not a SIP status"):
        SipStatus(sip_status)
    with pytest.raises(ValueError, match="not a SIP status"):
        cause_of_status(sip_status)


@pytest.mark.parametrize(
    ("given_reason", "kept"),
    [
        ("Gone fishing", "Gone fishing"),
        ("", "Busy Here"),
        (" \r\n ", "Busy Here"),
        ("Busy\r\nVia: evil", "Busy Via: evil"),
        ("tab\tnul\x00del\x7f", "tab nul del"),
        ("next\x85line\u2028separators", "next line separators"),
        ("Besetzt: ü 忙", "Besetzt: ü 忙"),
        ("surrogate \ud800", "surrogate"),
    ],
)
def test_a_reason_is_one_printable_line(given_reason: str, kept: str) -> None:
    assert SipStatus(486, given_reason).reason == kept


@pytest.mark.parametrize("character", ["x", "ü", "忙", "😀"])
def test_a_long_reason_is_cut_at_a_character(character: str) -> None:
    reason = SipStatus(486, character * 5000).reason
    assert set(reason) == {character}
    assert MAX_REASON_BYTES - 4 < len(reason.encode()) <= MAX_REASON_BYTES


@pytest.mark.parametrize(
    ("code", "success"), [(199, False), (200, True), (299, True), (302, False)]
)
def test_the_class_of_a_status(code: int, success: bool) -> None:
    assert SipStatus(code).is_success == success


def test_a_status_reads_as_on_the_wire() -> None:
    assert str(SipStatus(486)) == "486 Busy Here"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (sipfrag(SipStatus(486)), b"SIP/2.0 486 Busy Here\r\n"),
        (sipfrag(SipStatus(404, "Nobody here")), b"SIP/2.0 404 Nobody here\r\n"),
        (sipfrag(SipStatus(486, "Besetzt ü")), "SIP/2.0 486 Besetzt ü\r\n".encode()),
        (sipfrag(SipStatus(200, "OK\r\nEvil: 1")), b"SIP/2.0 200 OK Evil: 1\r\n"),
        (sipfrag(SipStatus(200, "")), b"SIP/2.0 200 OK\r\n"),
    ],
)
def test_a_sipfrag_is_one_status_line(body: bytes, expected: bytes) -> None:
    assert body == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"SIP/2.0 486 Busy Here\r\n", (486, "Busy Here")),
        (b"SIP/2.0 486 486\r\n", (486, "486")),
        (b"SIP/2.0 100 Trying", (100, "Trying")),
        (b"SIP/2.0 200\r\n", (200, "")),
        (b"SIP/2.0 200 \r\n", (200, "")),
        (b"sip/2.0 200 OK\nContact: <sip:a@b>\n", (200, "OK")),
        (b"SIP/2.0 480 \xff\r\n", (480, "\ufffd")),
    ],
)
def test_a_received_sipfrag_is_read(body: bytes, expected: tuple[int, str]) -> None:
    assert parse_sipfrag(body) == expected


@pytest.mark.parametrize(
    "body", [b"", b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 99 x\r\n", b"SIP/2.0 700 x\r\n",
             b"SIP/2.0 4866 x\r\n", b" SIP/2.0 200 OK\r\n", b"SIP/3.0 200 OK\r\n"]
)  # fmt: skip
def test_a_body_without_a_status_line_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no status line"):
        parse_sipfrag(body)


@given(STATUSES, st.text())
def test_any_sipfrag_is_one_line_that_reads_back(code: int, reason: str) -> None:
    body = sipfrag(SipStatus(code, reason))
    assert body.endswith(b"\r\n") and len(body.splitlines()) == 1
    assert parse_sipfrag(body) == (code, SipStatus(code, reason).reason)


@pytest.mark.parametrize(
    ("hangup_cause", "sip_status"),
    [
        ("USER_BUSY", 486),
        ("NO_ANSWER", 480),
        ("NO_USER_RESPONSE", 480),
        ("ALLOTTED_TIMEOUT", 480),
        ("CALL_REJECTED", 603),
        ("UNALLOCATED_NUMBER", 404),
        ("RECOVERY_ON_TIMER_EXPIRE", 408),
        ("ORIGINATOR_CANCEL", 487),
        ("NORMAL_TEMPORARY_FAILURE", 503),
        ("INCOMPATIBLE_DESTINATION", 488),
        ("DESTINATION_OUT_OF_ORDER", 502),
        ("CHAN_NOT_IMPLEMENTED", 501),
        ("MANDATORY_IE_MISSING", 500),
        ("BUSY_EVERYWHERE", 600),
        ("user_busy ", 486),
        ("NO_SUCH_CAUSE", 480),
        ("", 480),
    ],
)
def test_a_cause_as_a_caller_should_see_it(hangup_cause: str, sip_status: int) -> None:
    assert status_of_cause(hangup_cause) == SipStatus(sip_status)


@pytest.mark.parametrize(
    ("sip_status", "hangup_cause"),
    [
        (200, "NORMAL_CLEARING"),
        (403, "CALL_REJECTED"),
        (404, "UNALLOCATED_NUMBER"),
        (408, "RECOVERY_ON_TIMER_EXPIRE"),
        (480, "NO_USER_RESPONSE"),
        (486, "USER_BUSY"),
        (487, "ORIGINATOR_CANCEL"),
        (503, "NORMAL_TEMPORARY_FAILURE"),
        (600, "USER_BUSY"),
        (603, "CALL_REJECTED"),
        (499, "NORMAL_UNSPECIFIED"),
        (180, "NORMAL_UNSPECIFIED"),
    ],
)
def test_the_cause_that_freeswitch_reports_for_a_status(sip_status: int, hangup_cause: str) -> None:
    assert cause_of_status(sip_status) == hangup_cause


def test_every_cause_has_a_final_status() -> None:
    assert all(SipStatus(status).code >= 200 for status in HANGUP_CAUSES.values())
    assert [name for name, status in HANGUP_CAUSES.items() if status < 300] == ["SUCCESS"]


@given(STATUSES)
def test_every_reported_cause_is_known(sip_status: int) -> None:
    assert cause_of_status(sip_status) in HANGUP_CAUSES
