"""Whom a called party sees."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from fsctl.session.call import Call
from fsctl.session.identity import presented
from fsctl.session.session import Session
from fsctl.settings import Route, Settings, Transfer

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
    settings = replace(Settings(), transfer=Transfer(caller_id=policy, **FIXED))
    transferor = TRANSFEROR if transfer else None
    assert presented(settings, Route(**route), WAITING, transferor) == seen
