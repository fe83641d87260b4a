"""The true status of a leg that ended."""

from __future__ import annotations

import pytest

from fsctl.esl.events import Event
from fsctl.sip.status import SipStatus
from fsctl.switch.end_status import (
    bridge_status,
    extension_status,
    hangup_status,
    redirect_contacts,
)


def event(**headers: str) -> Event:
    lines = (f"{name.replace(chr(95) * 2, chr(45))}: {text}\n" for name, text in headers.items())
    return Event("".join(lines).encode())


REFUSED = {
    "variable_sip_hangup_disposition": "recv_refuse",
    "variable_sip_invite_failure_status": "486",
    "variable_sip_invite_failure_phrase": "Gone%20fishing",
}
FAKE = {
    "variable_sip_hangup_disposition": "send_cancel",
    "variable_sip_invite_failure_status": "487",
    "variable_sip_invite_failure_phrase": "CANCEL",
    "Hangup__Cause": "NO_ANSWER",
}


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        (REFUSED, "486 Gone fishing"),
        (FAKE, "480 Temporarily Unavailable"),
        ({"Hangup__Cause": "USER_BUSY"}, "486 Busy Here"),
        ({"variable_proto_specific_hangup_cause": "sip:302"}, "302 Moved Temporarily"),
        ({"variable_proto_specific_hangup_cause": "sip:486", "Hangup__Cause": "NO_ROUTE"}, "480"),
        (REFUSED | {"variable_sip_invite_failure_status": "9999"}, "480"),
        ({}, "480 Temporarily Unavailable"),
    ],
)
def test_hangup(headers, line):
    assert str(hangup_status(event(**headers))).startswith(line)


CALLED = {name: REFUSED[name] for name in REFUSED if "failure" in name} | {
    "variable_originate_disposition": "USER_BUSY"
}


@pytest.mark.parametrize(
    ("headers", "response", "line"),
    [
        pytest.param(
            CALLED | {"Hangup__Cause": "USER_BUSY"}, None, "486 Gone fishing", id="bridge"
        ),
        pytest.param(CALLED | {"Hangup__Cause": "NORMAL_CLEARING"}, None, "486 Gone", id="its end"),
        pytest.param(CALLED | {"Hangup__Cause": "NO_ANSWER"}, None, "480", id="another's reason"),
        pytest.param(
            CALLED
            | {
                "variable_originate_disposition": "SUCCESS",
                "variable_last_bridge_hangup_cause": "USER_BUSY",
                "Hangup__Cause": "USER_BUSY",
            },
            None,
            "486 Gone fishing",
            id="after early media",
        ),
        pytest.param({"Hangup__Cause": "USER_BUSY"}, None, "486 Busy Here", id="hangup"),
        pytest.param(
            {"Hangup__Cause": "UNALLOCATED_NUMBER"},
            SipStatus(404, "Closed"),
            "404 Closed",
            id="said",
        ),
        pytest.param(
            {"variable_originate_disposition": "SUBSCRIBER_ABSENT"}, None, "404", id="no such user"
        ),
        pytest.param({}, None, "480 Temporarily Unavailable", id="nothing"),
    ],
)
def test_the_end_of_an_extension(headers, response, line):
    assert str(extension_status(event(**headers), response)).startswith(line)


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        ({"variable_originate_disposition": "USER_NOT_REGISTERED"}, "480"),
        (
            {
                "variable_originate_disposition": "USER_BUSY",
                "variable_sip_invite_failure_status": "600",
                "variable_sip_invite_failure_phrase": "Busy Everywhere",
            },
            "600 Busy Everywhere",
        ),
        ({}, "503"),
    ],
)
def test_bridge(headers, line):
    assert str(bridge_status(event(**headers))).startswith(line)


def test_contacts_of_a_redirection_in_their_order():
    several = event(
        variable_sip_redirect_contact_0="<sip:a@x>",
        variable_sip_redirect_contact_1="<sip:b@x>",
        variable_sip_redirected_to="<sip:c@x>",
    )
    assert redirect_contacts(several) == ["<sip:a@x>", "<sip:b@x>"]
    assert redirect_contacts(event(variable_sip_redirected_to="<sip:c@x>")) == ["<sip:c@x>"]
    assert redirect_contacts(event()) == []
