"""What a worker tells of itself on SIGUSR1."""

from __future__ import annotations

import logging
import re
import threading

import gevent
import pytest

from fsctl.stage import Stage


def test_it_counts_greenlets_and_disturbs_no_other_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A tuple that another thread builds fails when anybody else holds it, as gc.get_objects()."""
    caplog.set_level(logging.INFO, "fsctl.service.worker")
    failed: list[SystemError] = []
    ended = threading.Event()

    def build() -> None:
        while not ended.is_set():
            try:
                tuple(number for number in range(40))
            except SystemError as error:
                failed.append(error)

    thread = threading.Thread(target=build)
    with Stage() as stage:
        stage.worker.tell_state()
        sleeping = [gevent.spawn(gevent.sleep, 60) for _ in range(50)]
        gevent.sleep(0)
        thread.start()
        for _ in range(20):
            stage.worker.tell_state()
        ended.set()
        thread.join()
        gevent.killall(sleeping)
    counts = [
        int(re.findall(r"(\d+) greenlets", each)[0]) for each in caplog.messages if "state:" in each
    ]
    assert counts[0] < 50 <= counts[1]
    assert not failed
