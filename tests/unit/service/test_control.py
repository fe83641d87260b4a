"""fsctl.control: what goes between a supervisor and a worker."""

from __future__ import annotations

import pickle
import sys
import time
from dataclasses import fields, make_dataclass
from pathlib import Path

import gevent
import pytest
from gevent import socket

from fsctl.control import Channel, Job, OtherVersion
from fsctl.settings import Server, Settings, Switch


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    yield Channel(ours), Channel(theirs)
    ours.close()
    theirs.close()


def test_a_job_arrives_as_it_was_sent(ends) -> None:
    settings = Settings(
        server=Server(workers=2), switches=(Switch(password="secret", enabled=True),)
    )
    job = Job(1, settings, Path("scenario.py"), 5, 6, 7, 8, "127.0.0.1:8085", 0.5)
    ends[0].send_job(job)
    assert ends[1].receive_job(Job) == job


def made(of: object, **others: object) -> object:
    """As that, of a version that knows these settings, and of which what is ``None`` is unknown."""
    named = {each.name: getattr(of, each.name) for each in fields(of)}  # type: ignore[arg-type]
    kept = [name for name in named if others.get(name, ...) is not None]
    new = [name for name in others if name not in named]
    kind = make_dataclass(type(of).__name__, [*new, *kept], slots=True, frozen=True)
    kind.__module__, kind.__qualname__ = type(of).__module__, type(of).__qualname__
    values = named | others
    return kind(**{name: values[name] for name in (*new, *kept)})


@pytest.fixture
def sent(ends, monkeypatch):
    """Give a job of another version; what of that arrives here."""

    def sent(job: object, *foreign: object) -> Job:
        with monkeypatch.context() as there:
            for each in (job, *foreign):
                there.setattr(sys.modules[type(each).__module__], type(each).__name__, type(each))
            ends[0].send_job(job)  # type: ignore[arg-type]
        return ends[1].receive_job(Job)

    return sent


JOB = Job(1, Settings(server=Server(workers=2)), None, 5, 6, 7, 8, "127.0.0.1:8085", 0.5)


def test_settings_of_another_version_are_known_by_their_names(sent) -> None:
    """The first one is new, and two that we know are not there."""
    server = made(JOB.settings.server, colour="red", realtime=None, max_delay_ms=None)
    settings = made(JOB.settings, server=server)
    assert sent(made(JOB, settings=settings), settings, server) == JOB


@pytest.mark.parametrize("other", [{"region": None}, {"listener": None, "socket": 5}])
def test_a_job_in_which_something_is_missing_is_refused(sent, other) -> None:
    with pytest.raises(OtherVersion, match="restart it"):
        sent(made(JOB, **other))


def test_a_job_of_an_earlier_version_is_refused(ends) -> None:
    """Those were written by the places of their fields."""
    packed = pickle.dumps(JOB)
    ends[0]._sock.sendall(len(packed).to_bytes(4, "big") + packed)
    with pytest.raises(OtherVersion):
        ends[1].receive_job(Job)


def test_a_job_that_never_comes(ends) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive_job(Job)


def test_lines_arrive_one_by_one_whatever_is_in_them(ends) -> None:
    ends[0].send("failed", "two\nlines")
    ends[0].send("alive")
    assert [ends[1].receive(1) for _ in range(2)] == ["failed two; lines", "alive"]


def test_long_lines_of_two_greenlets_do_not_mix(ends) -> None:
    words = ["x" * 36] * 20_000
    sending = gevent.spawn(ends[0].send, *words), gevent.spawn(ends[0].send, "alive")
    assert ends[1].receive(5) == " ".join(words)
    assert ends[1].receive(5) == "alive"
    gevent.joinall(sending)


def test_silence_and_death_differ(ends) -> None:
    with pytest.raises(TimeoutError):
        ends[1].receive(0.01)
    ends[0].close()
    assert ends[1].receive(0.01) is None


def test_who_spoke_while_we_stood_still_was_not_silent(ends) -> None:
    def speak_and_block() -> None:
        ends[0].send("alive")
        time.sleep(0.1)  # the whole loop stands still, beyond the deadline

    gevent.spawn_later(0.01, speak_and_block)
    assert ends[1].receive(0.05) == "alive"
