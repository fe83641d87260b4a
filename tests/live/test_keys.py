"""The codes of ``[keys]``: a party in a call presses keys to begin a transfer (RFC 4733)."""

from __future__ import annotations

import json

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab.settings import sections
from tests.live.lab.waiting import wait_for

OURS = pytest.mark.parametrize("by", ["caller", "callee"])
KEYS = {"blind": "*1", "attended": "*2", "number_timeout_s": 2, "digit_timeout_s": 1}


@pytest.fixture
def served(controller, switch):
    return controller(sections(switch, dialplan={"scope": "transfers"}, keys=KEYS))


@pytest.fixture
def pair(served, phones, by):
    return talking(phones, by)


def records(served):
    found = []
    for line in served.log_text().splitlines():
        start = line.find('{"session"')
        if start >= 0:
            found.append(json.loads(line[start:]))
    return found


def record(served):
    wait_for(lambda: records(served), 5.0, lambda: f"a record in\n{served.log_text()}")
    (found,) = records(served)
    return found


def presses(phone, code, number):
    phone.press(code)
    assert phone.hears_ringback(), "the prompt"
    phone.press(f"{number}#")


@OURS
def test_a_consultation_and_a_hangup(pair, served, phones):
    one, other = pair
    carol = phones.party("1002").answers()
    presses(one, "*2", "1002")
    carol.wait_talking()
    assert hear_each_other(one, carol)
    assert f"<sip:{one.number}@" in carol.received("INVITE")[0].header("From")
    one.hangs_up()
    assert hear_each_other(other, carol)
    made = record(served)
    assert (made["outcome"], made["kind"], made["code"]) == ("succeeded", "attended", 200)
    carol.hangs_up()
    other.wait_over()


@OURS
def test_a_consultation_is_cancelled(pair, served, phones):
    one, other = pair
    carol = phones.party("1002").answers()
    presses(one, "*2", "1002")
    assert hear_each_other(one, carol)
    one.press("#")
    assert hear_each_other(one, other)
    carol.wait_over()
    made = record(served)
    assert (made["outcome"], made["code"]) == ("failed", 487)
    one.hangs_up()
    other.wait_over()


@OURS
def test_three_ways(pair, served, phones):
    one, other = pair
    carol = phones.party("1002").answers()
    presses(one, "*2", "1002")
    assert hear_each_other(one, carol)
    one.press("0")
    assert record(served)["reason"] == "Three-Way Call"
    one.hangs_up()
    assert hear_each_other(other, carol)


@OURS
def test_the_target_leaves_a_consultation(pair, served, phones):
    one, other = pair
    carol = phones.party("1002").answers()
    presses(one, "*2", "1002")
    assert hear_each_other(one, carol)
    carol.hangs_up()
    assert hear_each_other(one, other)
    assert record(served)["outcome"] == "failed"


@OURS
def test_the_target_is_busy(pair, served, phones):
    one, other = pair
    phones.party("1002").is_busy()
    presses(one, "*2", "1002")
    assert one.hears_ringback()
    made = record(served)
    assert (made["outcome"], made["code"], made["reason"]) == ("failed", 486, "Busy Here")
    assert hear_each_other(one, other)


def test_who_is_outside_transfers_nobody_and_who_is_inside_does(controller, switch, phones):
    served = controller(
        sections(switch, dialplan={"scope": "transfers"}, keys=KEYS, policy={"mode": "enforce"})
    )
    inside, outside = talking(phones, "callee")
    carol = phones.party("1002").answers()
    outside.press("*2")
    made = record(served)
    assert (made["outcome"], made["code"], made["rule"]) == ("failed", 403, "outside-asks")
    assert outside.hears_ringback(), "that nothing comes of it"
    assert hear_each_other(inside, outside)
    assert not carol.in_call
    presses(inside, "*2", "1002")
    assert hear_each_other(inside, carol)
    inside.hangs_up()
    assert hear_each_other(outside, carol)


@pytest.mark.parametrize("scope", ["transfers", "calls"])
def test_the_controller_dies_during_a_consultation(controller, switch, phones, scope):
    plan = {"scope": scope} | ({"inbound_match": ".*"} if scope == "calls" else {})
    settings = sections(switch, dialplan=plan, keys=KEYS)
    first = controller(settings)
    one, other = talking(phones, "callee")
    carol = phones.party("1002").answers()
    presses(one, "*2", "1002")
    assert hear_each_other(one, carol)
    first.kill9()
    second = controller(settings)
    assert hear_each_other(one, carol)
    one.hangs_up()
    assert hear_each_other(other, carol)
    wait_for(lambda: records(second), 10.0, lambda: second.log_text())
    (made,) = records(second)
    assert (made["outcome"], made["kind"]) == ("succeeded", "attended")
    dave = phones.party("1003").answers()
    carol.refers(phones.refer_to("1003"))
    assert hear_each_other(other, dave)
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    carol.hangs_up_all()


@OURS
def test_somebody_leaves_while_the_number_is_pressed(pair, served, phones, by):
    one, other = pair
    one.press("*2")
    assert one.hears_ringback()
    one.press("12")
    one.hangs_up()
    other.wait_over()
    assert not records(served)


@OURS
def test_no_number_and_no_controller(pair, served, phones):
    one, other = pair
    one.press("*2")
    assert one.hears_ringback()
    one.press("#")
    assert hear_each_other(one, other)
    one.press("*9")
    assert other.hears_digits("*9")
    assert not records(served)
    served.kill9()
    presses(one, "*2", "1002")
    assert hear_each_other(one, other)


@OURS
def test_by_the_switchs_own_dialplan(controller, switch, phones, by):
    served = controller({"dialplan": {"scope": "transfers"}, "keys": KEYS})
    one, other = talking(phones, by)
    carol = phones.party("1002").answers()
    presses(one, "*2", "1002")
    assert hear_each_other(one, carol)
    assert f"<sip:{one.number}@" in carol.received("INVITE")[0].header("From")
    one.press("#")
    assert hear_each_other(one, other)
    carol.wait_over()
    wait_for(lambda: len(records(served)) == 1, 5.0)
    presses(one, "*2", "1002")
    assert hear_each_other(one, carol)
    one.hangs_up()
    assert hear_each_other(other, carol)
    wait_for(lambda: len(records(served)) == 2, 5.0)
    assert [each["outcome"] for each in records(served)] == ["failed", "succeeded"]
    phones.party("1003").refuses(603, "Not today")
    presses(carol, "*2", "1003")
    wait_for(lambda: len(records(served)) == 3, 5.0)
    assert (records(served)[2]["code"], records(served)[2]["reason"]) == (603, "Not today")
    assert hear_each_other(other, carol)
    dave = phones.party("1004").answers()
    other.refers(phones.refer_to("1004"))
    assert hear_each_other(carol, dave)
