"""What the target is told of its transfer."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from fsctl.policy.parties import party
from fsctl.scenario.call import Call
from fsctl.scenario.session import Session
from fsctl.session.calling.diverted import told, vouched_number
from fsctl.session.core.branch import Branches
from fsctl.session.core.diversion import Diversion
from fsctl.setting_policy import Policy
from fsctl.settings import Route, Transfer
from fsctl.stage import CALLS

BY = Diversion("1001", "", "pbx.example.com", 1, "<sip:9@evil.example>")
SHOWN = "<sip:1001@pbx.example.com>"
NOBODY = "<sip:anonymous@anonymous.invalid>"
HISTORY = "<{}>;index=1, <sip:+1555@{};cause=302>;index=1.1;mp=1"
OUR_HISTORY = HISTORY.format("sip:1001@pbx.example.com", "pbx.example.com")


@pytest.mark.parametrize(
    ("by", "transfer", "route", "headers"),
    [
        (BY, {}, {}, {"Referred-By": BY.referred_by}),
        (BY, {"referred_by": "drop"}, {}, {}),
        (BY, {"referred_by": "drop"}, {"referred_by": "keep"}, {"Referred-By": BY.referred_by}),
        (BY, {"referred_by": "rewrite"}, {}, {"Referred-By": SHOWN}),
        (BY, {}, {"referred_by": "rewrite"}, {"Referred-By": SHOWN}),
        # the REFER had none; the application decides
        (replace(BY, referred_by=""), {}, {}, {}),
        (replace(BY, referred_by=""), {"referred_by": "rewrite"}, {}, {"Referred-By": SHOWN}),
        (replace(BY, referred_by=None), {"referred_by": "rewrite"}, {}, {}),
        (None, {"diversion": True, "history_info": True}, {}, {}),
        # nothing is vouched for
        (replace(BY, number=""), {"diversion": True, "referred_by": "rewrite"}, {}, {}),
        (replace(BY, domain=""), {"history_info": True, "referred_by": "drop"}, {}, {}),
        # who is hidden is known to gateways only, and they are told so
        (replace(BY, privacy="full"), {"referred_by": "rewrite"}, {}, {}),
        (replace(BY, privacy="name"), {"referred_by": "rewrite"}, {}, {"Referred-By": SHOWN}),
    ],
)
def test_referred_by(by, transfer, route, headers):
    settings = replace(CALLS, transfer=Transfer(**transfer))
    assert told(by, Route(**route), "1002", settings) == headers


@pytest.mark.parametrize(
    ("by", "kind", "diversion", "history"),
    [
        (BY, "user", f"{SHOWN};reason=unconditional;counter=1", OUR_HISTORY),
        (replace(BY, counter=3), "user", f"{SHOWN};reason=unconditional;counter=3", OUR_HISTORY),
        (
            replace(BY, privacy="full"),
            "user",
            f"{NOBODY};reason=unconditional;counter=1;privacy=full",
            HISTORY.format("sip:anonymous@anonymous.invalid", "pbx.example.com"),
        ),
        (
            replace(BY, privacy="full"),
            "gateway",
            f"{SHOWN};reason=unconditional;counter=1;privacy=full",
            HISTORY.format("sip:1001@pbx.example.com?Privacy=history", "pbx.example.com"),
        ),
        (
            replace(BY, number="a;b>\r\nX: y", domain="2001:db8::1"),
            "user",
            "<sip:a%3Bb%3E%0D%0AX%3A%20y@[2001:db8::1]>;reason=unconditional;counter=1",
            HISTORY.format("sip:a%3Bb%3E%0D%0AX%3A%20y@[2001:db8::1]", "[2001:db8::1]"),
        ),
    ],
)
def test_diversion_and_history_info(by, kind, diversion, history):
    settings = replace(CALLS, transfer=Transfer(diversion=True, referred_by="drop"))
    route = Route(kind=kind, history_info=True)
    assert told(by, route, "+1555", settings) == {"Diversion": diversion, "History-Info": history}
    assert not told(by, replace(route, diversion=False, history_info=False), "+1555", settings)


AUTHENTICATED = {"sip_authorized": "true", "sip_auth_username": "bob", "sip_auth_realm": "pbx"}


@pytest.mark.parametrize(
    ("facts", "directory", "called", "number"),
    [
        (AUTHENTICATED, "4711", False, "4711"),
        (AUTHENTICATED, None, False, "bob"),
        # a recall has written over that
        (AUTHENTICATED, "1000", False, "bob"),
        # From only
        ({}, None, False, ""),
        ({}, "4711", False, ""),
        ({"direction": "outbound"}, None, True, "4711"),
        ({"direction": "outbound"}, None, False, ""),
        ({"direction": "outbound", "dialed_user": "1003"}, None, False, "1003"),
    ],
)
def test_a_number_is_vouched_for_or_not_told(facts, directory, called, number):
    leg = Call(cast(Session, None), "b", number="4711", display_name="", transfer_mode="in-session")
    leg.branches = Branches() if called else None
    assert (
        vouched_number(leg, party({"direction": "inbound", **facts}, Policy()), directory) == number
    )
