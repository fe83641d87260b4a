"""Dial strings and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.simulator.dialstring import parse_dial_string

Lab = Any  # the class is in conftest.py, which tests cannot import


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("sofia/lab/sip:1@h:5", [[("sofia", "1", "h", 5)]]),
        ("user/1@h,user/2@h", [[("user", "1", "h", 0), ("user", "2", "h", 0)]]),
        ("user/1@h|user/2@h", [[("user", "1", "h", 0)], [("user", "2", "h", 0)]]),
        ("sofia/gateway/gw/+49", [[("sofia", "+49", "", 0)]]),
        ("sofia/lab/sip:a%2Cb@h", [[("sofia", "a,b", "h", 0)]]),
    ],
)
def test_endpoints(text: str, groups: list[list[tuple[str, str, str, int]]]) -> None:
    parsed = parse_dial_string(text)
    assert [[(x.kind, x.number, x.host, x.port) for x in g] for g in parsed.groups] == groups


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{a=1,b=2}null/x", {"a": "1", "b": "2"}),
        ("{a=1\\,2}null/x", {"a": "1,2"}),
        ("{^^:a=1,2:b=3}null/x", {"a": "1,2", "b": "3"}),
        ("{a='1,b=2'}null/x", {"a": "1,b=2"}),  # `api originate` drops the quotes before
        ("{a=${x}}null/x", {"a": "${x}"}),
        ("{a='',b=x\\\\=y}null/x", {"a": "", "b": "x=y"}),
    ],
)
def test_variables(text: str, variables: dict[str, str]) -> None:
    assert dict(parse_dial_string(text).variables) == variables


def test_variables_of_one_leg() -> None:
    ((first, second),) = parse_dial_string("[a=1,b=2]user/1,[a=3]user/2").groups
    assert dict(first.variables) == {"a": "1", "b": "2"}
    assert dict(second.variables) == {"a": "3"}


@pytest.mark.parametrize(
    ("dial_string", "answer"),
    [
        ("error/USER_BUSY", "-ERR USER_BUSY\n"),
        ("nonsense/x", "-ERR CHAN_NOT_IMPLEMENTED\n"),
        ("user/404@localhost", "-ERR SUBSCRIBER_ABSENT\n"),
        ("sofia/nowhere/1@h", "-ERR INVALID_PROFILE\n"),
        ("sofia/gateway/none/1", "-ERR INVALID_GATEWAY\n"),
    ],
)
def test_what_never_becomes_a_channel(lab: Lab, dial_string: str, answer: str) -> None:
    assert lab.switch.run_api("originate", f"{dial_string} &park()") == answer
    assert lab.switch.channels == {}


def call(lab: Lab, dial_string: str) -> Any:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.execute("set", "continue_on_fail=true")
    link.execute("bridge", dial_string, "b1")
    return link


def test_the_first_to_answer_wins(lab: Lab) -> None:
    lab.bob.answers(after_s=3)
    lab.carol.answers(after_s=1)
    call(lab, "user/1001@x,user/1002@x")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")
    assert lab.bob.received("CANCEL")[0].header("Reason") == 'SIP;cause=702;text="LOSE_RACE"'


def test_the_next_group_follows_a_failure(lab: Lab) -> None:
    lab.bob.busy()
    call(lab, "user/1001@x|user/1002@x")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")


def test_a_redirect_is_followed_unless_forbidden(lab: Lab) -> None:
    lab.bob.redirects("sip:1002@h")
    call(lab, "sofia/lab/1001@x")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")


def test_a_gateway(lab: Lab) -> None:
    lab.switch.gateways.add("pstn")
    call(lab, "sofia/gateway/pstn/1002")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")


def test_ignore_early_media_waits_for_the_answer(lab: Lab) -> None:
    lab.carol.early_media_then_answers(after_s=3)
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.ask("event plain BACKGROUND_JOB CHANNEL_ANSWER")
    link.ask("bgapi originate {ignore_early_media=true}user/1002@x &park()\nJob-UUID: late")
    link.ask("bgapi originate user/1002@x &park()\nJob-UUID: early")
    lab.switch.run_until(lambda: len(link.events) == 4)
    order = [event.get("Job-UUID", event["Event-Name"]) for event in link.events]
    assert order[0] == "early"
    assert order.index("late") > order.index("CHANNEL_ANSWER")


def test_a_preset_uuid_cannot_be_used_twice(lab: Lab) -> None:
    _, caller, _ = lab.call()
    answer = lab.switch.run_api("originate", f"{{origination_uuid={caller}}}user/1002@x &park()")
    assert answer == "-ERR DESTINATION_OUT_OF_ORDER\n"


def test_loopback_enters_the_dialplan(lab: Lab) -> None:
    call(lab, "loopback/native501/public")
    lab.switch.run_until(lambda: lab.switch.phone("501").received("INVITE") or True)
    lab.switch.phone("501").answers()
    names = [channel.name for channel in lab.switch.channels.values()]
    assert "loopback/native501-a" in names and "loopback/native501-b" in names


def test_leg_timeout(lab: Lab) -> None:
    lab.bob.rings()
    link = call(lab, "[leg_timeout=3]user/1001@x")
    lab.switch.run_until(lambda: link.completed("b1") is not None or lab.bob.received("CANCEL"))
    assert lab.bob.received("CANCEL")[0].header("Reason").endswith('text="ALLOTTED_TIMEOUT"')


@pytest.mark.parametrize(
    ("joined_by", "variables", "rung"),
    [
        (",", "", 2),
        (":_:", "", 2),
        ("|", "", 2),
        (",", "{origination_uuid=one}", 1),
        ("|", "{origination_uuid=one}", 2),
    ],
)
def test_all_phones_of_a_user_are_dialled(
    lab: Lab, joined_by: str, variables: str, rung: int
) -> None:
    """A uuid that is given to all of them is refused to the second while the first has it."""
    desk, mobile = lab.bob.busy(after_s=1), lab.switch.further_phone("1001", "", joined_by)
    mobile.refuses(480, "Not now", after_s=2)
    link = call(lab, f"{variables}user/1001@x")
    link.ask("event plain CHANNEL_EXECUTE_COMPLETE")
    lab.switch.run_until(lambda: link.completed("b1"))
    phones = (desk, mobile)
    assert sum(len(phone.received("INVITE")) for phone in phones) == rung
    ended = link.completed("b1")
    last = "NO_USER_RESPONSE" if joined_by == "|" else "USER_BUSY"
    assert ended["variable_originate_disposition"] == last
    assert ended["variable_originate_causes"].count("USER_BUSY") == 1


def test_the_phones_of_a_user_that_lose_are_cancelled(lab: Lab) -> None:
    desk, mobile = lab.bob.rings(), lab.switch.further_phone("1001").answers(after_s=1)
    call(lab, "user/1001@x")
    lab.switch.run_until(lambda: mobile.in_call and desk.received("CANCEL"))
    assert lab.alice.hears == "1001"


def test_only_the_first_phone_of_a_user_among_several_endpoints_is_dialled(lab: Lab) -> None:
    mobile = lab.switch.further_phone("1001")
    call(lab, "user/1001@x,user/1002@x")
    lab.switch.run_until(lambda: lab.bob.received("INVITE") and lab.carol.received("INVITE"))
    assert not mobile.received("INVITE")


def test_hupall_ends_those_who_have_the_variable(lab: Lab) -> None:
    lab.bob.rings()
    mobile = lab.switch.further_phone("1001").rings()
    link = call(lab, "{mine=yes}user/1001@x")
    lab.switch.run_until(lambda: mobile.dialog and mobile.dialog.state == "ringing")
    answer = link.ask("api hupall NO_ANSWER mine yes")
    assert answer == "+OK hangup all channels matching [mine]=[yes] with cause: NO_ANSWER\n"
    lab.switch.run_until(lambda: lab.bob.received("CANCEL") and mobile.received("CANCEL"))
    assert len(lab.switch.channels) == 1
