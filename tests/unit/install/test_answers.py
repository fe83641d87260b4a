"""What FreeSWITCH says of its configuration, as it says it."""

from __future__ import annotations

import pytest

from fsctl.check.answers import running_profiles
from fsctl.install import answers

STATUS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<profiles>
<alias>
<name>127.0.0.1</name>
<type>alias</type>
<data>internal</data>
<state>ALIASED</state>
</alias>
<profile>
<name>external</name>
<type>profile</type>
<data>sip:mod_sofia@127.0.0.1:5080</data>
<state>RUNNING (0)</state>
</profile>
<gateway>
<name>a&b</name>
<type>gateway</type>
<data>sip:user@example.com;x=1&y</data>
<state>NOREG</state>
</gateway>

<profile>
<name>external</name>
<type>profile</type>
<data>sip:mod_sofia@127.0.0.1:5081;transport=tls</data>
<state>RUNNING (0) (TLS)</state>
</profile>
<profile>
<name>internal</name>
</profile>
</profiles>
"""


def test_profiles_are_neither_aliases_nor_gateways_and_each_is_one() -> None:
    assert running_profiles(STATUS) == ["external", "internal"]
    assert running_profiles("-ERR sofia Command not found!\n") == []


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("+OK [Success]\n", ""),
        ("+OK [[error near line 3]: unexpected closing tag </b>]\n", "error near line 3"),
        ("-ERR no reply\n", "no reply"),
        ("", "?"),
    ],
)
def test_only_success_is_a_success(reply: str, why: str) -> None:
    assert why in answers.refusal(reply) and bool(answers.refusal(reply)) == bool(why)


@pytest.mark.parametrize(
    ("variables", "armed"),
    [
        ({}, []),
        ({"force_transfer_context": "default", "confirm_blind_transfer": "true"}, []),
        (
            {"force_transfer_context": "fsctl_legacy", "confirm_blind_transfer": "true"},
            ["confirm_blind_transfer", "force_transfer_context"],
        ),
    ],
)
def test_only_what_is_ours_is_unset(variables: dict[str, str], armed: list[str]) -> None:
    assert answers.armed_by_us(variables) == armed


def test_a_parameter_that_nobody_knows_has_no_way_back() -> None:
    text = (
        '<include><param name="pass-callee-id" value="false"/><param name="x" value="1"/></include>'
    )
    content, unknown = answers.defaults_for(text)
    assert answers.parameters(content.decode()) == {"pass-callee-id": "true"}
    assert unknown == ["x"]
