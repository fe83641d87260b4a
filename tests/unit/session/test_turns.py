"""Turns of a session's handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Flag

from fsctl.scenario import turns as module
from fsctl.scenario.turns import Turns


class Later:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, callback: Callable[[], None]) -> None:
        self.due.append((seconds, callback))

    def pass_time(self) -> None:
        for _, callback in self.due:
            callback()
        self.due.clear()


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def turns(later: Later) -> Iterator[Turns]:
    made = Turns(later)
    with gevent.Timeout(30):
        yield made
    made.end(RuntimeError("the test is over"))


def test_work_has_ended_when_run_returns(turns: Turns) -> None:
    done: list[str] = []
    turns.run(lambda: done.append("one"))
    assert done == ["one"] and turns.waiting == 0


def test_others_run_while_one_waits(turns: Turns) -> None:
    done: list[object] = []
    came: list[bool] = []

    def patient() -> None:
        done.append("begins")
        done.append(turns.wait(lambda: bool(came), 10))

    turns.run(patient)
    turns.run(lambda: done.append("another"))
    turns.look()
    assert done == ["begins", "another"] and turns.waiting == 1
    came.append(True)
    turns.look()
    assert done == ["begins", "another", True] and turns.waiting == 0


def test_time_is_up(turns: Turns, later: Later) -> None:
    done: list[bool] = []
    turns.run(lambda: done.append(turns.wait(lambda: False, 7)))
    assert [seconds for seconds, _ in later.due] == [7]
    later.pass_time()
    turns.look()
    assert done == [False]


def test_an_old_deadline_does_not_end_the_next_wait(turns: Turns, later: Later) -> None:
    done: list[bool] = []
    first: list[bool] = []

    def work() -> None:
        done.append(turns.wait(lambda: bool(first), 1))
        done.append(turns.wait(lambda: False, 2))

    turns.run(work)
    old = later.due.pop(0)
    first.append(True)
    turns.look()
    old[1]()
    turns.look()
    assert done == [True] and turns.waiting == 1


def test_one_that_goes_on_lets_another_go_on(turns: Turns) -> None:
    done: list[str] = []
    turns.run(lambda: (turns.wait(lambda: "second" in done, None), done.append("first")))
    turns.run(lambda: (turns.wait(lambda: "go" in done, None), done.append("second")))
    done.append("go")
    turns.look()
    assert done == ["go", "second", "first"]


def test_a_turn_within_a_turn(turns: Turns) -> None:
    done: list[str] = []

    def outer() -> None:
        turns.run(lambda: (turns.wait(lambda: "go" in done, None), done.append("inner")))
        done.append("outer")

    turns.run(outer)
    assert done == ["outer"]
    done.append("go")
    turns.look()
    assert done == ["outer", "go", "inner"]


def test_the_end_is_raised_in_all_who_wait(turns: Turns) -> None:
    raised: list[str] = []

    def patient() -> None:
        try:
            turns.wait(lambda: False, None)
        except KeyError as error:
            raised.append(str(error))

    turns.run(patient)
    turns.run(patient)
    turns.end(KeyError("over"))
    assert raised == ["'over'", "'over'"] and turns.waiting == 0


def test_waiting_outside_of_a_handler_is_refused(turns: Turns) -> None:
    with pytest.raises(RuntimeError, match="only a handler"):
        turns.wait(lambda: False, 1)
    assert turns.wait(lambda: True, 1)


def test_a_handler_that_is_busy_elsewhere_loses_its_turn(
    turns: Turns, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    elsewhere, done = Flag(), list[object]()

    def busy() -> None:
        elsewhere.wait()
        done.append(turns.wait(lambda: "later" in done, 1))

    turns.run(busy)
    assert "is busy for over" in caplog.text
    elsewhere.set()
    gevent.sleep(0)
    assert turns.waiting == 1, "it can still wait in its session"
    done.append("later")
    turns.look()
    assert done == ["later", True]


def test_a_condition_that_raises_fails_its_handler_only(turns: Turns) -> None:
    raised: list[str] = []
    known: dict[str, bool] = {"a": False}

    def patient() -> None:
        try:
            turns.wait(lambda: known["a"], None)
        except KeyError as error:
            raised.append(str(error))

    turns.run(patient)
    del known["a"]
    turns.look()
    assert raised == ["'a'"] and turns.waiting == 0


def test_a_verb_that_takes_long_is_not_left_in_its_middle(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    done: list[str] = []

    def handler() -> None:
        with turns.verb():
            gevent.sleep(0.1)  # FreeSWITCH takes its time
            done.append("verb")

    turns.run(handler)
    assert done == ["verb"]


def test_a_handler_that_has_lost_its_turn_has_it_again_in_its_next_verb(
    monkeypatch: pytest.MonkeyPatch, later: Later
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    awake, elsewhere, done = Flag(), Flag(), list[str]()
    turns = Turns(later, awake.set)

    def busy() -> None:
        elsewhere.wait()
        done.append("back")
        with turns.verb():
            done.append("verb")
            gevent.sleep(0)
        done.append("still its turn")

    with gevent.Timeout(30):
        turns.run(busy)
        elsewhere.set()
        awake.wait()
        assert done == ["back"], "the verb waits for the session's own greenlet"
        turns.run(lambda: done.append("another"))
        turns.look()
    assert done == ["back", "another", "verb", "still its turn"]


def test_a_verb_after_the_end_fails(monkeypatch: pytest.MonkeyPatch, later: Later) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    turns, elsewhere, raised = Turns(later), Flag(), list[str]()

    def busy() -> None:
        elsewhere.wait()
        try:
            with turns.verb():
                raised.append("done")
        except KeyError as error:
            raised.append(str(error))

    with gevent.Timeout(30):
        turns.run(busy)
        turns.end(KeyError("over"))
        elsewhere.set()
        gevent.sleep(0)
    assert raised == ["'over'"]
