"""fsctl.esl.common: several users of one link, each with its own events and its own end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import socket

from fsctl.errors import LinkLost
from fsctl.esl.commands import Events, Filter, UuidExists
from fsctl.esl.common import Common, CommonLink
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from tests.unit.esl.peer import Peer, api, event, reply, wait_until


class Kept:
    """A connection, its peer, and those who share it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.peer = Peer(theirs)
        self.connection = Connection(ours, "peer", log_id="kept")
        self.common = Common(self.connection)
        self.connection.on_event = self.common.take
        self.connection.on_lost = self.common.lost
        self.connection.start()

    def user(self, *channels: str) -> tuple[CommonLink, list[Event]]:
        made, heard = self.common.open("user"), []
        made.on_event = heard.append
        for channel in channels:
            made.hear(channel)
        return made, heard

    def in_the_end(self, work: Callable[[], object]) -> gevent.Greenlet:
        return gevent.spawn(work)


@pytest.fixture
def kept() -> Iterator[Kept]:
    made = Kept()
    yield made
    made.connection.close()


def test_each_hears_of_its_own_channels_only(kept: Kept) -> None:
    _, ones = kept.user("one", "other")
    _, twos = kept.user("two")
    for channel in ("two", "one", "nobody", "other"):
        kept.peer.send(event("CHANNEL_HANGUP", Unique_ID=channel))
    wait_until(lambda: len(ones) == 2)
    assert [each.channel_uuid for each in ones] == ["one", "other"]
    assert [each.channel_uuid for each in twos] == ["two"]


def test_a_filter_is_taken_back_with_its_user_unless_another_has_it(kept: Kept) -> None:
    wanted = Filter("Job-UUID", "job")
    one, ones = kept.user()
    two, twos = kept.user()
    for user in (one, two):
        sending = kept.in_the_end(lambda user=user: user.send_all([wanted, Events(("DTMF",))]))
        kept.peer.expect("filter Job-UUID job", reply("+OK"))
        kept.peer.expect("event plain DTMF", reply("+OK"))
        sending.get(timeout=5)
    kept.peer.send(event("BACKGROUND_JOB", Job_UUID="JOB"))
    wait_until(lambda: ones and twos)
    one.retire()
    kept.peer.send(event("BACKGROUND_JOB", Job_UUID="job"))
    wait_until(lambda: len(twos) == 2)
    assert len(ones) == 1
    two.retire()
    kept.peer.expect("filter delete Job-UUID job", reply("+OK"))


def test_who_has_given_it_back_can_do_nothing_by_it_and_the_others_can(kept: Kept) -> None:
    one, _ = kept.user("one")
    two, _ = kept.user("two")
    one.close()
    one.retire()
    assert one.closed and not two.closed
    with pytest.raises(LinkLost):
        one.send(UuidExists("one"))
    with pytest.raises(LinkLost):
        one.post(UuidExists("one"))
    asking = kept.in_the_end(lambda: two.send(UuidExists("two")).text)
    kept.peer.expect("api uuid_exists two", api("true"))
    assert asking.get(timeout=5) == "true"


def test_everybody_is_told_once_when_it_is_lost(kept: Kept) -> None:
    told: list[str] = []
    for name in ("one", "two", "three"):
        user, _ = kept.user(name)
        user.on_lost = lambda name=name: told.append(name)
        if name == "three":
            user.retire()
    kept.peer.close()
    wait_until(lambda: len(told) == 2)
    assert sorted(told) == ["one", "two"]
    user.on_lost = lambda: told.append("late")
    assert told[-1] == "late"
    with pytest.raises(LinkLost):
        kept.common.open("four")


def test_what_a_user_raises_is_no_affair_of_the_others(kept: Kept) -> None:
    bad, _ = kept.user("one")
    good, _ = kept.user("two")
    told: list[str] = []
    bad.on_lost = lambda: told[9]
    good.on_lost = lambda: told.append("good")
    kept.peer.close()
    wait_until(lambda: told == ["good"])
