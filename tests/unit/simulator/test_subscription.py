"""Which events a link gets."""

from __future__ import annotations

import pytest

from fsctl.simulator.events import SimEvent
from fsctl.simulator.subscription import Subscription


def event(name: str = "CHANNEL_ANSWER", uuid: str = "a", subclass: str = "") -> SimEvent:
    return SimEvent(name, subclass=subclass).add("Unique-ID", uuid)


def subscribed(words: str, *filters: tuple[str, str]) -> Subscription:
    made = Subscription()
    assert made.subscribe(words.split())
    made.filters.extend(filters)
    return made


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ([], True),
        ([("Unique-ID", "a")], True),
        ([("unique-id", "A")], True),
        ([("Unique-ID", "b")], False),
        ([("Unique-ID", "b"), ("Unique-ID", "a")], True),
        ([("Unique-ID", "a"), ("Event-Nothing", "x")], True),
        ([("Nothing", "a")], False),
        ([("Unique-ID", "/^[a-c]$/")], True),
        ([("Unique-ID", "/^[b-c]$/")], False),
        ([("Unique-ID", "/(/")], False),
        ([("Unique-ID", "a"), ("Unique-ID", "-a")], False),
        ([("Unique-ID", "-b"), ("Unique-ID", "a")], True),
    ],
)
def test_filters(filters: list[tuple[str, str]], wanted: bool) -> None:
    assert subscribed("plain CHANNEL_ANSWER", *filters).wants(event()) is wanted


def test_names_and_subclasses() -> None:
    made = subscribed("plain CHANNEL_ANSWER bogus CUSTOM sofia::x")
    assert made.wants(event())
    assert not made.wants(event("CHANNEL_HANGUP"))
    assert made.wants(event("CUSTOM", subclass="sofia::x"))
    assert not made.wants(event("CUSTOM", subclass="sofia::y"))
    assert subscribed("ALL").wants(event("CUSTOM", subclass="sofia::y"))


def test_later_subscriptions_add() -> None:
    made = subscribed("plain CHANNEL_ANSWER")
    made.subscribe(["plain", "CHANNEL_HANGUP"])
    assert made.wants(event()) and made.wants(event("CHANNEL_HANGUP"))


def test_dropping() -> None:
    made = subscribed("ALL")
    assert made.clear() and not made.clear()
    assert not made.wants(event("CHANNEL_HANGUP"))


def test_removing_filters() -> None:
    made = subscribed("ALL", ("Unique-ID", "a"), ("Unique-ID", "b"), ("X", "y"))
    made.remove_filter("unique-id", "a")
    assert made.filters == [("Unique-ID", "b"), ("X", "y")]
    made.remove_filter("Unique-ID", "")
    assert made.filters == [("X", "y")]
    made.remove_filter("all", "")
    assert made.filters == []
