"""The task scheduler: ``sched_api``, ``sched_broadcast``, intervals, groups."""

from __future__ import annotations

from typing import Any

Lab = Any  # the class is in conftest.py, which tests cannot import


def count(lab: Lab) -> str:
    return str(lab.switch.global_variables.get("count", ""))


def test_a_command_later(lab: Lab) -> None:
    lab.switch.run_api("sched_api", "+3 any global_setvar count=1&")
    lab.switch.advance(2)
    assert count(lab) == ""
    lab.switch.advance(2)
    assert count(lab) == "1"
    assert lab.switch.scheduler.pending() == []


def test_a_command_again_and_again(lab: Lab) -> None:
    # An absolute time that has passed is an interval, too.
    for when, group in (("@3", "g"), ("3", "h")):
        lab.switch.run_api("sched_api", f"{when} {group} sched_api +100 {group}s status")
    lab.switch.advance(10)
    assert len(lab.switch.scheduler.pending("gs")) == len(lab.switch.scheduler.pending("hs")) == 3
    assert lab.switch.run_api("sched_del", "gs") == "+OK Deleted: 3\n"
    assert lab.switch.run_api("sched_del", "g") == "+OK Deleted: 1\n"
    lab.switch.advance(10)
    assert lab.switch.scheduler.pending("gs") == []


def test_a_task_may_delete_itself(lab: Lab) -> None:
    lab.switch.run_api("sched_api", "@3 g sched_del g")
    lab.switch.advance(4)
    assert lab.switch.scheduler.pending() == []


def test_a_broadcast_of_a_task(lab: Lab) -> None:
    _, caller, callee = lab.call()
    # The second has no word for the legs: nothing comes of it.
    lab.switch.run_api("sched_broadcast", f"+2 {caller} 'set::here=a b' both")
    lab.switch.run_api("sched_broadcast", f"+2 {caller} set::never=x nobody")
    lab.switch.advance(3)
    for uuid in (caller, callee):
        assert lab.switch.run_api("uuid_getvar", f"{uuid} here") == "a b"
    assert lab.switch.run_api("uuid_getvar", f"{caller} never") == "_undef_"


def test_no_time_at_all_is_now(lab: Lab) -> None:
    _, caller, _ = lab.call()
    assert lab.switch.run_api("sched_hangup", f"+0 {caller}") == "+OK\n"
    assert lab.switch.run_api("uuid_exists", caller) == "false"
