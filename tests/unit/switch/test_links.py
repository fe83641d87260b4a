"""fsctl.switch.links: of the links of a session one is heard at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from fsctl.errors import LinkLost
from fsctl.esl.commands import Command, Events
from fsctl.switch.links import Links


class FakeLink:
    """Remembers what it is sent; ``meanwhile`` is done while the answers are waited for."""

    closed = hung_up = False

    def __init__(self, meanwhile: Any = lambda: None, channel_uuid: str = "") -> None:
        self.sent: list[Command] = []
        self.meanwhile = meanwhile
        self.channel_uuid = channel_uuid

    def send_all(self, commands: Sequence[Command]) -> None:
        self.sent += commands
        self.meanwhile()

    def send(self, command: Command, _: float) -> None:
        self.sent.append(command)

    def retire(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def take(links: Links, link: FakeLink) -> None:
    links.take(cast("Any", link), "leg-2", [], lambda event: None, lambda: None)


def test_what_is_wanted_while_a_link_is_taken_is_asked_of_that_one() -> None:
    first, asked = FakeLink(), list[tuple[object, object]]()
    links = Links(cast("Any", first))
    second = FakeLink(lambda: asked.append((links.current, links.want("DTMF"))))
    take(links, second)
    assert asked == [(second, Events(("DTMF",)))]
    assert (links.current, links.leg) == (second, "leg-2")


def test_a_link_that_cannot_be_taken_changes_nothing() -> None:
    def lost() -> None:
        raise LinkLost("it has gone")

    first = FakeLink()
    links = Links(cast("Any", first))
    with pytest.raises(LinkLost):
        take(links, FakeLink(lost))
    assert (links.current, links.leg) == (first, "")


def test_behind_one_that_cannot_be_taken_there_is_nothing_to_go_back_to() -> None:
    """But the current one, though it was not said to serve."""

    def lost() -> None:
        raise LinkLost("it has gone")

    second = FakeLink()
    links = Links(cast("Any", FakeLink()))
    take(links, second)
    with pytest.raises(LinkLost):
        take(links, FakeLink(lost))
    links.go_back()
    assert links.current is second


@pytest.mark.parametrize("given_up", [False, True])
def test_links_of_a_leg_that_another_session_has_taken_stay_open(given_up: bool) -> None:
    """The end of any of them would take the leg out of the other session's hands."""
    first, second = FakeLink(channel_uuid="leg-1"), FakeLink(channel_uuid="leg-2")
    links = Links(cast("Any", first))
    take(links, second)
    links.settle()
    if given_up:
        links.give_up("leg-1")
    links.end(parked=True)
    assert first.closed == (not given_up)
