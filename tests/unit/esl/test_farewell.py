"""fsctl.esl.farewell: a channel is told to go on only when it is parked."""

from __future__ import annotations

import gevent

from fsctl.esl.farewell import let_go
from tests.unit.esl.peer import event, frame, linked, reply, snapshot, wait_until

DONE = "CHANNEL_EXECUTE_COMPLETE"


def test_exit_comes_after_an_application_has_run() -> None:
    with linked() as (link, peer):
        leaving = gevent.spawn(let_go, link)
        peer.expect("connect", snapshot())
        peer.expect("filter Application-UUID", reply())
        peer.expect("event plain", reply())
        execution = peer.command()
        assert "execute-app-name: eval" in execution
        peer.send(reply())
        wait_until(lambda: link._waiters.unanswered == 0)
        for _ in range(20):
            gevent.sleep(0)
        assert link._waiters.unanswered == 0, "told to exit before it was parked"
        peer.send(event(DONE, Application_UUID=execution.partition("Event-UUID: ")[2]))
        peer.expect("exit", reply("+OK bye"))
        leaving.get(timeout=30)
        assert link.closed


def test_a_link_that_executes_nothing_is_told_all_the_same() -> None:
    with linked() as (link, peer):
        leaving = gevent.spawn(let_go, link, 0.1)
        peer.expect("connect", snapshot())
        for command in ("filter", "event", "sendmsg"):
            peer.expect(command, reply("-ERR command not found"))
        peer.expect("exit", reply("+OK bye"))
        leaving.get(timeout=30)
        assert link.closed


def test_a_lingering_link_only_exits() -> None:
    with linked() as (link, peer):
        connecting = gevent.spawn(link.connect)
        peer.expect("connect", snapshot())
        connecting.get(timeout=30)
        peer.send(frame("text/disconnect-notice", Content_Disposition="linger"))
        wait_until(lambda: link.hung_up)
        leaving = gevent.spawn(let_go, link)
        peer.expect("exit", reply("+OK bye"))
        leaving.get(timeout=30)


def test_a_lost_link_raises_nothing() -> None:
    with linked() as (link, peer):
        peer.close()
        let_go(link)
        assert link.closed


def test_a_silent_link_is_closed_in_time() -> None:
    with linked() as (link, _):
        let_go(link, 0.02)
        assert link.closed
