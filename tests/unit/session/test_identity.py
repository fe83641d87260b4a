"""Whom a called party sees."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from urllib.parse import quote

import pytest

from fsctl.esl.events import Event
from fsctl.scenario.call import Call
from fsctl.scenario.session import Session
from fsctl.session.calling.identity import Shown, chosen, of_leg, origination, presented
from fsctl.session.calling.plan import caller_of, name_of
from fsctl.settings import Route, Transfer
from fsctl.stage import CALLS
from fsctl.switch.dialstring import carried_caller_name

SESSION = cast(Session, None)
WAITING = Call(SESSION, "a", number="2000", display_name="Alice", transfer_mode="in-session")
TRANSFEROR = Call(SESSION, "b", number="1001", display_name="Bob", transfer_mode="in-session")
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
    ],
)
def test_presented(policy, route, transfer, seen):
    settings = replace(CALLS, transfer=Transfer(caller_id=policy, **FIXED))
    transferor = TRANSFEROR if transfer else None
    assert presented(settings, Route(**route), WAITING, transferor)[:2] == seen


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
    ],
)
def test_who_is_at_a_leg(variables, headers, shown):
    said = {"Caller-Caller-ID-Number": "1019", "Caller-Caller-ID-Name": "CEO"}
    fields = said | headers | {f"variable_{name}": text for name, text in variables.items()}
    lines = (f"{name}: {quote(text)}\n" for name, text in fields.items())
    assert of_leg(Event("".join(lines).encode())) == shown


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
