"""Who is called after whom: which follower an answer leads to, and what is told in the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fsctl.session.calling import course as module
from fsctl.session.calling.course import Course, Several
from fsctl.session.calling.identity import Shown
from fsctl.session.calling.plan import NO_OPTIONS, Asker
from fsctl.session.calling.routing import NoRoute, Router
from fsctl.session.core.session import Session
from fsctl.settings import Group, Settings
from fsctl.sip.status import SipStatus

DESKS = Group("desks", "1...", on_busy="2", on_no_answer="3{number}", on_failure="4")
FOUR = Group("four", "7", members=("1", "nobody", "2", "3"), ring="in-turn", on_no_answer="5")


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> Course:
    """No number but ``nobody`` is refused."""

    def plan(session: Any, destination: str, asker: Any, options: Any) -> Any:
        if destination == "nobody":
            raise NoRoute("no", SipStatus(404))
        return SimpleNamespace(routed=destination, shown=Shown("", ""), ring_timeout_s=1)

    monkeypatch.setattr(module, "plan", plan)
    settings = Settings(groups=(DESKS, FOUR))
    board = SimpleNamespace(part=lambda _: SimpleNamespace(router=Router(settings)))
    made = SimpleNamespace(id="s", settings=settings, board=board, domain="", own_hosts=())
    return Course(cast(Session, made), cast(Asker, None), NO_OPTIONS)


def called(places: Any) -> list[Any]:
    return [place.routed for place in places]


@pytest.mark.parametrize(
    ("code", "rang", "follower"),
    [
        *((code, rang, "2") for code in (486, 600, 603) for rang in (True, False)),
        *((code, True, "31001") for code in (408, 480, 487)),
        *((code, False, "4") for code in (408, 480, 487)),  # not registered, not reached
        *((code, True, "4") for code in (403, 404, 500, 503)),
    ],
)
def test_the_answer_says_who_follows(course: Course, code: int, rang: bool, follower: str) -> None:
    assert called(course.begin("1001")) == ["1001"]
    assert called(course.next(SipStatus(code), rang=rang)) == [follower]
    assert course.next(SipStatus(503), rang=False) == ()
    assert course.outcome(SipStatus(503)).code == 503


def test_no_group_is_asked_about_what_is_too_long_for_a_number(course: Course) -> None:
    """An expression of the settings may be slow about it, and the worker would stand still."""
    long = "1" + "0" * 4000
    group = Group("slow", "[0-9]*1[0-9]*0[0-9]*", on_failure="4")
    course._session.settings = Settings(groups=(group,))  # type: ignore[misc]
    assert called(course.begin(long)) == [long]
    assert course.next(SipStatus(503), rang=False) == ()


def test_who_cannot_be_called_is_passed_over(course: Course) -> None:
    assert called(course.begin("7")) == ["1"]
    assert called(course.next(SipStatus(486), rang=True)) == ["2"]
    assert called(course.next(SipStatus(503), rang=True)) == ["3"]
    assert called(course.next(SipStatus(480), rang=False)) == ["5"]  # one of them has rung
    assert course.next(SipStatus(503), rang=False) == ()


@pytest.mark.parametrize("at_once", [True, False])
def test_of_several_that_are_named_the_best_answer_is_told(course: Course, at_once: bool) -> None:
    first = course.begin(Several(("nobody", "1", "2"), at_once=at_once))
    assert called(first) == (["1", "2"] if at_once else ["1"])
    assert called(course.next(SipStatus(486), rang=True)) == ([] if at_once else ["2"])
    if not at_once:
        assert course.next(SipStatus(503), rang=True) == ()
    assert course.outcome(SipStatus(503)).code == 486
    with pytest.raises(NoRoute):
        course.begin(Several(("nobody",), at_once=at_once))
