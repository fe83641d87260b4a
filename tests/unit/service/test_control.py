"""fsctl.control: what goes between a supervisor and a worker."""

from __future__ import annotations

import time
from pathlib import Path

import gevent
import pytest
from gevent import socket

from fsctl.control import Channel, Job
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
