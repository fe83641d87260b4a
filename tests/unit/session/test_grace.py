"""What the workers tell one another of a leg that has hung up, and whose grace is needless."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fsctl.service.shared import make_shared
from fsctl.session.arrivals.departures import cannot_have_asked
from fsctl.session.core.directory import Directory
from fsctl.session.core.siblings import NOWHERE, Regions, Siblings
from fsctl.session.transfers.attended_request import refuse_moved
from fsctl.switch.grace import departure_name, tags_mark

UUID = "0c0c0c0c-0000-4000-8000-000000000001"


class Call(SimpleNamespace):
    __hash__ = object.__hash__
    __eq__ = object.__eq__


def call(number="1001", address=None, **facts):
    known = {"was_connected": True, "alive": True, "left_behind": None, "sip_call_id": ""}
    return Call(number=number, address=address, **(known | facts))


def board(*calls, alone=True, siblings=None):
    session = SimpleNamespace(id="one", calls=dict(enumerate(calls)))
    made = SimpleNamespace(alone=alone, siblings=siblings, sessions={"one": session})
    directory = Directory(made)
    for each in calls:
        each.session = session
        directory.add(each)
    made.part = lambda kind: directory
    return made


@pytest.mark.parametrize(
    ("left", "others", "alone", "needless"),
    [
        (call(was_connected=False), [call()], False, True),
        (call(), [], True, True),
        (call(), [], False, False),
        (call(), [call("1002")], True, True),
        (call(), [call("1001")], True, False),
        (call(), [call("1001", alive=False)], True, True),
        (call(), [call("1001", alive=False, left_behind=call("1002"))], True, False),
        (call(""), [call("1002")], True, False),
        (call("1001", ("h", "1")), [call("1002", ("h", "1"))], True, False),
        (call("1001", ("h", "1")), [call("1002", ("h", "2"))], True, True),
        (call(), [call("")], True, False),
    ],
)
def test_grace_is_needless_where_no_request_can_be_on_its_way(left, others, alone, needless):
    assert cannot_have_asked(board(left, *others, alone=alone), left) is needless


@pytest.mark.parametrize(
    ("left", "theirs", "needless"),
    [
        (call(), [], True),
        (call(), [call("1002")], True),
        (call(), [call("1001")], False),
        (call(), [call("")], False),
        (call(""), [call("1002")], False),
        (call(""), [], True),
        (call("1001", ("h", 1)), [call("1002", ("h", 1))], False),
        (call("1001", ("h", 1)), [call("1002", ("h", 2))], True),
    ],
)
def test_of_calls_of_other_workers_it_is_known_whose_they_are(left, theirs, needless):
    shared = make_shared()
    regions = Regions(shared)
    ours, others = (Siblings(shared, regions.take()) for _ in range(2))
    board(*theirs, alone=False, siblings=others)
    assert cannot_have_asked(board(left, alone=False, siblings=ours), left) is needless


def test_what_a_worker_notes_is_gone_with_its_legs_and_a_while_after_its_death():
    shared = make_shared()
    regions = Regions(shared)
    region = regions.take()
    ours, theirs = Siblings(shared, regions.take()), Siblings(shared, region)
    for _ in range(2):
        theirs.add("number", "1001")
    theirs.remove("number", "1001")
    assert ours.may_have("number", "1001") and ours.have_any()
    theirs.remove("number", "1001")
    assert not ours.may_have("number", "1001") and not ours.have_any()
    theirs.add("number", "1001")
    regions.forget(region)  # it is not free
    assert ours.may_have("number", "1001")
    regions.free(region)
    assert ours.may_have("number", "1001")
    regions.forget(region)
    assert not ours.may_have("number", "1001")


def test_a_region_is_empty_when_it_is_taken_and_where_none_is_left_nobody_knows_anything():
    shared = make_shared()
    regions = Regions(shared)
    ours = Siblings(shared, regions.take())
    dead = regions.take()
    Siblings(shared, dead).add("number", "1001")
    regions.free(dead)
    taken = [regions.take() for _ in range(61)]
    assert dead not in taken and ours.may_have("number", "1001")
    assert regions.take() == dead and not ours.may_have("number", "1001")
    assert regions.take() == NOWHERE
    Siblings(shared, NOWHERE).add("number", "1002")
    regions.free(NOWHERE)
    assert ours.may_have("number", "1003") and ours.have_any()


def test_a_dialog_is_named_the_same_whoever_names_it_and_whatever_it_holds():
    assert tags_mark(["b/;", "a b"]) == tags_mark({"a b", "b/;"})
    assert "/" not in tags_mark(["b/;"]).replace("%2F", "") and " " not in tags_mark(["a b"])
    name = departure_name("${system(x)}\n@host")
    assert name.removeprefix("fsctl_left_").isalnum() and name != departure_name("x")


def test_a_request_that_came_by_no_loopback_has_none_that_could_be_moved():
    assert refuse_moved(None, UUID, "") == []
