"""Whom a called party sees."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast
from unittest.mock import ANY
from urllib.parse import quote

import pytest

from fsctl.esl.events import Event
from fsctl.scenario.call import Call
from fsctl.scenario.session import Session
from fsctl.session.calling.arming import arming
from fsctl.session.calling.identity import (
    Shown,
    chosen,
    first_dialled,
    of_leg,
    origination,
    presented,
    templated,
)
from fsctl.session.calling.plan import caller_of, name_of
from fsctl.settings import Route, Transfer
from fsctl.stage import CALLS
from fsctl.switch.dialstring import carried_caller_name

SESSION = cast(Session, None)
WAITING = Call(SESSION, "a", number="2000", display_name="Alice", transfer_mode="in-session")
TRANSFEROR = Call(SESSION, "b", number="1001", display_name="Bob", transfer_mode="in-session")
WAITING.dialled = "4930100"
TEMPLATE = {
    "caller_id": "template",
    "caller_id_number": "+{dialled}",
    "caller_id_name": "{transferee} via {transferor}",
}
FIXED = {"caller_id_number": "5000", "caller_id_name": "Front desk"}


@pytest.mark.parametrize(
    ("policy", "route", "transfer", "seen"),
    [
        ("transferee", {}, True, ("2000", "Alice")),
        ("transferor", {}, True, ("1001", "Bob")),
        ("fixed", {}, True, ("5000", "Front desk")),
        ("transferor", {}, False, ("2000", "Alice")),
        ("fixed", {}, False, ("2000", "Alice")),
        ("transferee", {"caller_id": "fixed"}, False, ("5000", "Front desk")),
        ("transferee", {"caller_id": "transferor"}, True, ("1001", "Bob")),
        ("fixed", {"caller_id_number": "1", "caller_id_name": ""}, True, ("1", "")),
        ("dialled", {}, True, ("4930100", "")),
        ("dialled", {}, False, ("2000", "Alice")),
        ("transferee", {"caller_id": "dialled"}, False, ("2000", "Alice")),
        ("transferee", TEMPLATE, True, ("+4930100", "Alice via Bob")),
        ("transferee", TEMPLATE, False, ("2000", "Alice")),
        ("transferee", TEMPLATE | {"caller_id_number": "{transferor}x"}, True, ("1001x", ANY)),
    ],
)
def test_presented(policy, route, transfer, seen):
    settings = replace(CALLS, transfer=Transfer(caller_id=policy, **FIXED))
    transferor = TRANSFEROR if transfer else None
    assert presented(settings, Route(**route), WAITING, transferor)[:2] == seen


@pytest.mark.parametrize("leg", [WAITING, TRANSFEROR], ids=["dialled", "not known"])
def test_the_number_that_was_dialled_first(leg):
    """Of one that was called it is the transferee's own."""
    shown = presented(CALLS, Route(caller_id="dialled"), leg, TRANSFEROR)
    assert shown == (("4930100", "", "") if leg is WAITING else ("1001", "Bob", ""))


PARTIES = {
    "transferee": Shown("{dialled}'2;0", "Al,{x}", ""),
    "transferor": Shown("1001", "Bob", "full"),
    "dialled": Shown("", ""),
}


@pytest.mark.parametrize(
    ("number", "name", "shown"),
    [
        ("{transferee}", "{transferee}", ("dialled20", "Alx", "")),
        ("1{dialled}", "{dialled}", ("1", "", "")),
        ("1", "{transferor}", ("1", "Bob", "name")),
        ("{transferor}", "", ("1001", "", "full")),
        ("1" + "{transferor}" * 32, "x", (("1" + "1001" * 16)[:64], "x", "full")),
    ],
)
def test_a_template_holds_safe_characters_and_hides_who_is_hidden(number, name, shown):
    assert templated(number, name, PARTIES) == shown


@pytest.mark.parametrize(
    ("variables", "direction", "number"),
    [
        ({"sip_req_user": "4930100"}, "inbound", "4930100"),
        ({"sip_req_user": "+49-30.100"}, "inbound", "+4930100"),
        ({"sip_req_user": "4930100"}, "outbound", ""),
        (
            {"sip_req_user": "gw+x", "sip_to_user": "4930100", "sip_gateway": "x"},
            "inbound",
            "4930100",
        ),
        ({"sip_req_user": "a b", "sip_to_user": "4930100"}, "inbound", ""),
        ({}, "inbound", ""),
    ],
)
def test_what_was_dialled_first_stands_in_the_invite(variables, direction, number):
    assert first_dialled(event({"Call-Direction": direction}, variables)) == number


HIDDEN = {"Caller-Privacy-Hide-Number": "true", "Caller-Privacy-Hide-Name": "true"}
DIRECTORY = {"effective_caller_id_number": "2100", "effective_caller_id_name": "Alice"}


@pytest.mark.parametrize(
    ("variables", "headers", "shown"),
    [
        ({}, {}, ("1019", "CEO", "")),
        (DIRECTORY, {}, ("2100", "Alice", "")),
        ({"effective_caller_id_number": "2100"}, {}, ("2100", "", "")),
        ({"effective_caller_id_number": "1019"}, {}, ("1019", "CEO", "")),
        ({"effective_caller_id_name": "Alice"}, {}, ("1019", "Alice", "")),
        (DIRECTORY, HIDDEN, ("2100", "Alice", "full")),
        ({}, {"Caller-Privacy-Hide-Name": "true"}, ("1019", "CEO", "name")),
        ({"sip_Privacy": "critical; user"}, {}, ("1019", "CEO", "full")),
        ({"sip_Privacy": "User;header"}, {}, ("1019", "CEO", "full")),
        ({"sip_Privacy": "none"}, {}, ("1019", "CEO", "")),
        ({"sip_Privacy": "session;username"}, {}, ("1019", "CEO", "")),
        # as its phone has quoted it
        (
            {},
            {"Caller-Caller-ID-Name": r"O'Brien, \"Bob\" \\ \n"},
            ("1019", r"""O'Brien, "Bob" \ \n""", ""),
        ),
        # what the leg was armed with, though a recall has changed the others
        (
            {"fsctl_number": "2100", "fsctl_name": "Alice"}
            | {"effective_caller_id_number": "1", "effective_caller_id_name": "Recall 1"},
            {},
            ("2100", "Alice", ""),
        ),
        ({"fsctl_number": "1019", "fsctl_name": "CEO"}, {}, ("1019", "CEO", "")),
        # what the mark could not carry is known from where it came from
        (
            {"fsctl_number": "1019", "fsctl_name": carried_caller_name("R&D: 1/2")}
            | {"effective_caller_id_name": "R&D: 1/2"},
            {},
            ("1019", "R&D: 1/2", ""),
        ),
        (
            {},
            {
                "Caller-Caller-ID-Number": "20\r\n00",
                "Caller-Caller-ID-Name": "x\nERROR\x1b[2J\x85\u2028",
            },
            ("20  00", "x ERROR [2J  ", ""),
        ),
    ],
)
def test_who_is_at_a_leg(variables, headers, shown):
    said = {"Caller-Caller-ID-Number": "1019", "Caller-Caller-ID-Name": "CEO"}
    assert of_leg(event(said | headers, variables)) == shown


def event(headers, variables):
    fields = headers | {f"variable_{name}": text for name, text in variables.items()}
    lines = (f"{name}: {quote(text)}\n" for name, text in fields.items())
    return Event("".join(lines).encode())


@pytest.mark.parametrize(
    ("asserted", "privacy", "number", "name"),
    [
        ("", "full", "2000", "Alice"),
        ("rpid", "name", "2000", "Alice"),
        ("pai", "full", "2000", "Alice"),
        ("pai", "name", "2000", "Anonymous"),
        ("none", "name", "2000", "Anonymous"),
        ("none", "full", "anonymous", "Anonymous"),
        ("none", "", "2000", "Alice"),
    ],
)
def test_a_gateway_sees_who_is_hidden_only_with_the_word_that_says_so(
    asserted, privacy, number, name
):
    seen = origination(Shown("2000", "Alice", privacy), "gateway", asserted)
    assert list(seen.values())[:2] == [number, name]
    sent = {"pai": "pid", "": None}.get(asserted, asserted)
    assert seen.get("sip_cid_type") == sent


@pytest.mark.parametrize(
    ("shown", "kind", "number", "name", "privacy"),
    [
        (Shown("2000", "Alice"), "user", "2000", "Alice", "screen"),
        (Shown("2000", ""), "user", "2000", "_undef_", "screen"),
        (Shown("2000", "Alice", "full"), "user", "anonymous", "Anonymous", None),
        (Shown("2000", "Alice", "full"), "uri", "anonymous", "Anonymous", None),
        (Shown("2000", "Alice", "full"), "gateway", "2000", "Alice", None),
        (Shown("2000", "Alice", "name"), "sofia", "2000", "Anonymous", "screen:hide_name"),
    ],
)
def test_how_a_party_is_shown(shown, kind, number, name, privacy):
    assert tuple(origination(shown, kind).values()) == (
        number,
        name,
        privacy or "screen:hide_name:hide_number",
    )


def test_a_phone_is_not_told_of_who_is_hidden_and_an_operators_own_word_is_kept():
    session = SimpleNamespace(id="", scenario_name="", domain="", own_hosts=set())
    legs = [
        Call(cast(Session, session), n, number=n, display_name="", transfer_mode="in-session")
        for n in ("1", "2", "3")
    ]
    legs[1].caller_privacy = "full"

    def says(peer):
        return arming(legs[0], peer, "h:1", CALLS).get("ignore_display_updates")

    assert [says(peer) for peer in (legs[2], legs[1], legs[2], legs[2])] == [None, "true", "", None]


def test_a_number_of_the_applications_own_hides_nothing():
    private = Shown("2000", "Alice", "full")
    assert chosen(private, "5000", None) == ("5000", "Alice", "")
    assert chosen(private, "2000", "x") == ("2000", "x", "full")
    assert chosen(private, None, "Desk") == ("2000", "Desk", "full")


@pytest.mark.parametrize(
    ("given", "number", "name"),
    [
        ("5000", "5000", "5000"),
        ("<sip:1001@example.org>", "1001", "1001"),
        ('"Bob" <sip:1001@example.org>', "1001", "Bob"),
        ("sip:1001@example.org", "1001", "1001"),
        ("Desk: left", "Desk: left", "Desk: left"),
        (None, "", ""),
    ],
)
def test_a_whole_referred_by_stands_for_number_and_name(
    given: str | None, number: str, name: str
) -> None:
    assert (caller_of(given), name_of(given)) == (number, name)
