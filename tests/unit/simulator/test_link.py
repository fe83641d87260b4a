"""Connections: how they begin, linger and end, and what their end does to the leg."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer

from fsctl.simulator import Dialplan, SimulatedSwitch, actions, context

Lab = Any  # the class is in conftest.py, which tests cannot import


def names(link: Any) -> list[str]:
    return [event["Event-Name"] for event in link.events]


def test_without_linger_only_the_hangup_itself_arrives(lab: Lab) -> None:
    link, _, _ = lab.call()
    link.ask("nolinger")
    lab.alice.hangs_up()
    lab.switch.run_until(lambda: link.eof)
    assert names(link)[-2:] == ["CHANNEL_BRIDGE", "CHANNEL_HANGUP"]
    assert link.frames[-1][0]["Content-Disposition"] == "disconnect"


def test_linger_keeps_the_link_and_the_session(lab: Lab) -> None:
    link, caller, _ = lab.call()
    lab.alice.hangs_up()
    lab.switch.advance(700)
    notices = [h for h, _ in link.frames if h["Content-Type"] == "text/disconnect-notice"]
    assert [n["Content-Disposition"] for n in notices] == ["linger"]
    assert notices[0]["Linger-Time"] == "-1"
    assert "CHANNEL_DESTROY" not in names(link)
    assert link.ask(f"api uuid_exists {caller}") == "false"
    assert caller in lab.switch.channels
    link.send("exit")
    lab.switch.run_until(lambda: link.eof)
    assert caller not in lab.switch.channels


def test_linger_with_a_time_ends_by_itself(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.ask("linger 2")
    lab.alice.hangs_up()
    lab.switch.advance(1.9)
    assert not link.eof
    lab.switch.advance(0.2)
    assert link.eof
    assert caller not in lab.switch.channels


def test_commands_before_connect_count_as_the_first_word(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.controller.links)
    assert lab.controller.links[0].ask("linger") == "+OK will linger"
    (channel,) = lab.switch.channels.values()
    assert "park" in channel.flags


def test_a_silent_controller_is_dropped_after_25_s_and_the_leg_parks_for_ever(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.controller.links)
    lab.switch.advance(24)
    assert not lab.controller.links[0].eof
    lab.switch.advance(2)
    assert lab.controller.links[0].eof
    lab.switch.advance(3600)
    (channel,) = lab.switch.channels.values()
    assert channel.up and "park" in channel.flags


def test_accept_then_close_parks_the_leg_for_ever() -> None:
    server = StreamServer(("127.0.0.1", 0), lambda sock, address: sock.close())
    server.start()
    target = f"127.0.0.1:{server.server_port}"
    switch = SimulatedSwitch(
        Dialplan({"default": context(("^1$", actions(f"socket {target} async full", "hangup")))})
    )
    switch.phone("1000").calls("1")
    switch.advance(3600)
    assert [channel.up for channel in switch.channels.values()] == [True]
    switch.stop()
    server.stop()


def test_failover_goes_on_for_connect_errors_only(lab: Lab) -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    refused = f"127.0.0.1:{closed.getsockname()[1]}"
    hosts = f"{refused}|{lab.controller.address}"
    steps = actions(f"socket {hosts} async full", "hangup")
    lab.switch.dialplan = Dialplan({"public": context(("^1001$", steps))})
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    assert link.frames[0][0]["variable_socket_host"] == "127.0.0.1"
    closed.close()


def test_the_dialplan_goes_on_when_no_controller_answers(lab: Lab) -> None:
    lab.controller.server.stop()
    lab.switch.dialplan = Dialplan(
        {"public": context(("^1001$", actions("socket 127.0.0.1:1 async full", "hangup 17")))}
    )
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 486))


def test_a_live_bridge_survives_its_controller(lab: Lab) -> None:
    link, _, _ = lab.call()
    link.sock.close()
    lab.switch.advance(60)
    assert (lab.alice.hears, lab.bob.hears) == ("1001", "1000")
    lab.bob.hangs_up()
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    lab.switch.run_until(lambda: not lab.switch.channels)


def test_a_ringing_bridge_survives_its_controller(lab: Lab) -> None:
    lab.bob.answers(after_s=5)
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    link.sock.close()
    lab.switch.run_until(lambda: lab.alice.hears == "1001")


def test_the_old_link_of_a_leg_ends_the_parking_under_the_new_one(lab: Lab) -> None:
    """mod_event_socket clears CF_CONTROLLED at the end of any listener of the session."""
    lab.carol.busy(after_s=1)
    old, caller, callee = lab.call()
    new, _, identity = lab.refer(caller, callee, lab.bob)
    old.ask("exit")
    lab.switch.run_until(lambda: new.completed(identity))
    lab.switch.run_until(lambda: lab.bob.notifies)
    # The dialplan went on by itself: FreeSWITCH reported, with its doubled status.
    assert lab.bob.notifies == [("refer;id=2", "SIP/2.0 486 486")]


def test_api_originate_blocks_its_own_link(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.ask("event plain CHANNEL_PROGRESS CHANNEL_ANSWER")
    link.send("api originate {ignore_early_media=true}sofia/lab/sip:1002@127.0.0.1 &park()")
    lab.switch.run_until(lambda: lab.carol.sent("INVITE", 180))
    lab.switch.settle()
    assert link.events == []
    lab.switch.run_until(lambda: len(link.events) == 2)
    assert link.frames[-3][1].startswith(b"+OK ")


def test_a_running_bgapi_keeps_a_closed_link_open_and_dumb(lab: Lab) -> None:
    lab.carol.rings()
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.ask("bgapi originate {originate_timeout=20}sofia/lab/sip:1002@127.0.0.1 &park()")
    lab.switch.run_until(lambda: lab.carol.sent("INVITE", 180))
    lab.alice.hangs_up()
    lab.switch.settle()
    assert not link.eof
    lab.switch.advance(30)
    lab.switch.run_until(lambda: link.eof, limit_s=0)


def test_split_commands_are_put_together(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.controller.links)
    link = lab.controller.links[0]
    for byte in b"connect\n\nlinger 5\n\n":
        link.sock.sendall(bytes([byte]))
        gevent.sleep(0)
    lab.switch.run_until(lambda: len(link.replies) == 2)
    assert link.replies[1][0]["Reply-Text"] == "+OK will linger 5 seconds"


@pytest.mark.parametrize("app", ["async full", "async"])
def test_only_a_full_link_may_use_apis(lab: Lab, app: str) -> None:
    steps = actions(f"socket {lab.controller.address} {app}")
    lab.switch.dialplan = Dialplan({"public": context(("^1001$", steps))})
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    expected = "false" if app.endswith("full") else "-ERR command not found"
    assert link.ask("api uuid_exists x") == expected
