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
