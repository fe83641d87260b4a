"""New calls are turned away before a running one must wait."""

from __future__ import annotations

import socket
from dataclasses import replace

import gevent
import pytest

from fsctl.esl import server as esl_server
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.sockets import waited_s
from fsctl.session.arrivals.admission import Admission, Lateness, Turns
from fsctl.session.arrivals.switchboard import Work
from fsctl.settings import Server
from fsctl.stage import CALLS
from fsctl.switch.ahead import Ahead
from fsctl.testing import MakeStage


def test_the_worst_delay_is_remembered_for_a_second_or_two() -> None:
    now = [100.0]
    lateness = Lateness(lambda: now[0])
    lateness.note(0.2)
    lateness.note(0.7)
    lateness.note(0.1)
    assert lateness.worst_s == 0.7
    now[0] += 1.0
    assert lateness.worst_s == 0.7
    lateness.note(0.3)
    now[0] += 1.0
    assert lateness.worst_s == 0.3
    now[0] += 2.0
    assert lateness.worst_s == 0.0


def test_new_calls_stop_before_what_runs_is_late() -> None:
    admission = Admission(max_calls=3, max_delay_s=1.0)
    assert not admission.too_many(2) and not admission.too_late("pbx", 1.0)
    assert admission.too_many(3) == "3 sessions run (max_calls)"
    assert admission.too_late("pbx", 1.1) == "it has waited for 1100 ms (max_delay_ms)"
    admission.came_home("pbx", 0.5)
    assert not admission.too_late("pbx", 0.0)
    admission.came_home("pbx", 0.6)
    why = "a leg with a transfer has waited for 600 ms (max_delay_ms)"
    assert admission.too_late("pbx", 0.0) == why
    assert not admission.too_late("another", 0.0)
    for number in range(64):
        admission.came_home(f"stranger {number}", 0.0)
    assert not admission.too_late("pbx", 0.0), "of so many nothing more is remembered"


def test_one_begins_in_each_round_of_the_loop_in_their_order() -> None:
    turns, told = Turns(), []

    def begin(number: int) -> None:
        turns.take()
        told.append(number)
        # Between two of them everything is heard that is there by then.
        gevent.get_hub().loop.run_callback(told.append, "heard")

    calls = [gevent.spawn(begin, number) for number in range(4)]
    gevent.joinall(calls, timeout=5)
    assert [each for each in told if each != "heard"] == [0, 1, 2, 3]
    assert told[:6] == [0, "heard", 1, "heard", 2, "heard"]


def test_who_is_killed_while_it_waits_holds_nobody_up() -> None:
    turns, told = Turns(), []

    def begin(number: int) -> None:
        turns.take()
        told.append(number)

    calls = [gevent.spawn(begin, number) for number in range(4)]
    gevent.sleep(0)  # all but the first wait now
    gevent.killall(calls[1:3], block=False)
    gevent.joinall(calls, timeout=5)
    assert told == [0, 3]


def test_the_time_in_the_kernels_queue_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted, gevent.Timeout(5):
                while not waited_s(accepted):
                    gevent.sleep(0.001)
        with socket.socket(socket.AF_UNIX) as other:
            assert waited_s(other) == 0.0


@pytest.mark.parametrize("overload", ["refuse", "switch"])
def test_a_call_that_comes_too_late_is_turned_away_and_a_transfer_is_not(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch, overload: str
) -> None:
    server = Server(max_delay_ms=500, overload=overload)
    playing = stage(settings=replace(CALLS, server=server))
    alice, bob, _, dave, erin = (playing.phone(str(1000 + number)) for number in range(5))
    alice.calls(bob.number)
    playing.until(lambda: alice.hears == "1001")
    monkeypatch.setattr(esl_server, "waited_s", lambda sock: 0.6)
    dave.calls(erin.number)
    if overload == "refuse":
        playing.until(lambda: dave.received("INVITE", 503))
    else:
        playing.until(lambda: erin.in_call)
    assert len(playing.worker.switchboard.sessions) == 1
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and bob.notifies)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]
    # A leg that came home so late keeps new ones out, that are in time themselves.
    monkeypatch.setattr(esl_server, "waited_s", lambda sock: 0.0)
    frank, grace = playing.phone("1005"), playing.phone("1006")
    frank.calls(grace.number)
    playing.until(lambda: frank.received("INVITE", 503) or grace.in_call)
    assert len(playing.worker.switchboard.sessions) == 1


def test_a_leg_that_could_not_be_claimed_was_late(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    playing = stage(settings=replace(CALLS, server=Server(max_delay_ms=500, overload="refuse")))
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls(bob.number)
    playing.until(lambda: alice.hears == "1001")
    asked: list[str] = []

    def too_late(ahead: Ahead, stranger: bool | None = None) -> bool:
        asked.append("transfer" if stranger is not None else "call")
        return stranger is None

    monkeypatch.setattr(Ahead, "claim", too_late)
    monkeypatch.setattr(esl_server, "waited_s", lambda sock: 0.6)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: asked)
    monkeypatch.setattr(esl_server, "waited_s", lambda sock: 0.0)
    playing.phone("1005").calls("1006")
    playing.until(lambda: playing.phone("1005").received("INVITE", 503))
    assert asked == ["transfer", "call"]


def test_only_many_that_are_turned_away_at_once_are_told_of() -> None:
    admission = Admission(max_calls=3, max_delay_s=1.0)
    slowly = [admission.turns_away("pbx", now_s) for now_s in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)]
    assert not any(slowly)
    at_once = [admission.turns_away("pbx", now_s / 10) for now_s in range(100, 111)]
    assert at_once == [*[False] * 4, True, *[False] * 4, True, False]


def test_a_switch_does_not_ask_for_new_calls_while_a_controller_is_late(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is connected without it has its transfers all the same."""
    playing = stage(settings=replace(CALLS, server=Server(max_delay_ms=500, overload="switch")))
    asked: list[str] = []
    handle = playing.worker.switchboard.handle

    def count(link: Connection, snapshot: Event) -> Work | None:
        asked.append(snapshot.get("Caller-Context") or "")
        return handle(link, snapshot)

    monkeypatch.setattr(playing.worker.switchboard, "handle", count)
    monkeypatch.setattr(esl_server, "waited_s", lambda sock: 0.6)
    for number in range(6):
        caller, callee = playing.phone(f"10{number:02}"), f"11{number:02}"
        playing.phone(callee)
        caller.calls(callee)
        playing.until(lambda caller=caller, callee=callee: caller.hears == callee)
    assert len(asked) == 5, "the last one was not asked about"
    monkeypatch.setattr(esl_server, "waited_s", lambda sock: 0.0)
    playing.phone("1106")
    playing.phone("1105").refers("<sip:1106@example.org>")
    playing.until(lambda: playing.phone("1005").hears == "1106")
    assert len(asked) == 6
    playing.advance(3.0)
    playing.phone("1107")
    playing.phone("1007").calls("1107")
    playing.until(lambda: playing.phone("1107").in_call)
    assert len(asked) == 7 and len(playing.worker.switchboard.sessions) == 2
