"""Several workers, and two who talk without a link: another worker takes them from a frozen one."""

from __future__ import annotations

import os
import signal

from fsctl.story import hear_each_other, talking
from tests.live.lab.settings import sections


def test_another_worker_takes_two_from_one_that_is_frozen(controller, phones, switch):
    """That one hears of them no more, and its session ends: `controller` looks."""
    server = {"log_level": "debug", "drain_timeout_s": 1.0, "workers": 2}
    served = controller({**sections(switch, ring_timeout_s=20), "server": server})
    bob, alice = talking(phones)

    def who_hears():
        rows = switch.wait_channels(2)
        return [switch.esl(f"uuid_getvar {row['uuid']} fsctl_rests") for row in rows]

    def rests(before=()):
        first, second = who_hears()
        return first == second and first in served.homes() and first not in before and first

    home = switch.wait(rests, what="they rest")
    pid = served.homes()[home]
    os.kill(pid, signal.SIGSTOP)
    try:
        carol = phones.party("1002").answers()
        bob.refers(f"<{switch.uri('1002')}>")
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, carol)
        bob.wait_over()
    finally:
        os.kill(pid, signal.SIGCONT)
    switch.wait(lambda: rests((home,)), what="they rest there")
