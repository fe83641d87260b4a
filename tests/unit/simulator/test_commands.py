"""Replies to ESL commands: the texts are those of the real switch, asked one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import

# (command, reply); A is the caller's uuid. In this order, on one outbound link.
OUTBOUND = [
    ("bogus", "-ERR command not found"),
    ("api bogus x", "-ERR bogus Command not found!\n"),
    ("api uuid_getvar A nope", "_undef_"),
    ("api uuid_getvar dead x", "-ERR No such channel!\n"),
    ("api uuid_exists A", "true"),
    ("api uuid_exists dead", "false"),
    ("api uuid_kill dead", "-ERR No such channel!\n"),
    ("api uuid_bridge dead dead2", "-ERR Invalid uuid\n"),
    ("api uuid_bridge A dead", "-ERR Invalid uuid\n"),
    ("api uuid_setvar dead a b", "-ERR No such channel!\n"),
    ("api uuid_setvar A", "-USAGE: <uuid> <var> [value]\n"),
    ("api uuid_setvar_multi A a=1;b=2", "+OK\n"),
    ("api uuid_break A", "+OK\n"),
    ("api uuid_broadcast dead x", "-ERR invalid uuid\n"),
    ("api sched_hangup +100 A X", "+OK\n"),
    ("api sched_hangup +100 dead", "-ERR No such channel!\n"),
    ("api sched_broadcast +100 A 'a::b c' aleg", "+OK Message scheduled\n"),
    ("api sched_broadcast +100 dead x", "+OK Message scheduled\n"),
    ("api sched_broadcast +100 dead", "-USAGE: [[+]<time>|@time] <uuid> <path> [aleg|bleg|both]\n"),
    ("api sched_api +100 A status", "+OK Added: 4\n"),
    ("api sched_api @9 1 status", "+OK Added: 5\n"),
    ("api sched_api +1 group",
     "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"),
    ("api sched_del A", "+OK Deleted: 3\n"),
    ("api sched_del 1", "+OK Deleted: 0\n"),
    ("api sched_del 5", "+OK Deleted: 1\n"),
    ("api sched_del dead", "+OK Deleted: 1\n"),
    ("api global_getvar nope", "-ERR no reply\n"),
    ("api global_setvar a=b", "+OK"),
    ("api global_getvar a", "b"),
    ("api global_setvar a=c=x", "+OK"),
    ("api global_getvar a", "b"),
    ("api global_setvar a=c=b", "+OK"),
    ("api global_getvar a", "c"),
    ("api global_setvar a=${b}", "+OK"),
    ("api global_getvar a", "%{b}"),
    ("api global_setvar a=", "+OK"),
    ("api global_getvar a", "-ERR no reply\n"),
    ("api global_setvar", "-USAGE: <var>=<value> [=<value2>]\n"),
    ("api uuid_exists A", "true"),
    ("api reloadxml", "+OK [Success]\n"),
    ("event plain BOGUS", "-ERR no keywords supplied"),
    ("event plain CHANNEL_ANSWER", "+OK event listener enabled plain"),
    ("event", "-ERR no keywords supplied"),
    ("filter", "-ERR command not found"),
    ("filter x", "-ERR invalid syntax"),
    ("filter Unique-ID b", "+OK filter added. [Unique-ID]=[b]"),
    ("filter delete Unique-ID b", "+OK filter deleted. [Unique-ID][b]"),
    ("filter delete all", "+OK filter deleted. [all][]"),
    ("noevents", "+OK no longer listening for events"),
    ("noevents", "-ERR not listening for events"),
    ("linger 5", "+OK will linger 5 seconds"),
    ("nolinger", "+OK will not linger"),
    ("linger", "+OK will linger"),
    ("sendmsg dead\ncall-command: hangup", "-ERR invalid session id [dead]"),
    ("api uuid_transfer dead 100", "-ERR No such channel!\n"),
    ("api sched_transfer +5 A 100 XML public", "+OK\n"),
    ("api sched_del A", "+OK Deleted: 1\n"),
    ("api originate {originate_timeout=3}sofia/lab/sip:9@127.0.0.1:25599 &park()",
     "-ERR NORMAL_TEMPORARY_FAILURE\n"),
    ("api originate error/USER_BUSY &park()", "-ERR USER_BUSY\n"),
    ("api uuid_park dead", "-ERR No such channel!\n"),
    ("bgapi status\nJob-UUID: j2", "+OK Job-UUID: j2"),
    ("exit", "+OK bye"),
]  # fmt: skip
INBOUND = [
    ("linger", "-ERR not controlling a session"),
    ("connect", "-ERR command not found"),
    ("sendmsg", "-ERR invalid session id []"),
    ("exit", "+OK bye"),
]


def test_replies_on_an_outbound_link(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    for command, expected in OUTBOUND:
        asked = command.replace(" A", f" {caller}")
        if "originate {" in command:
            before = len(link.replies)
            link.send(asked)
            lab.switch.run_until(lambda before=before: len(link.replies) > before)
            assert link.replies[before][1].decode() == expected
        else:
            assert link.ask(asked) == expected, command


def test_replies_on_an_inbound_link(inbound: Callable[[], Any]) -> None:
    link = inbound()
    assert link.frames[0][0] == {"Content-Type": "auth/request"}
    assert link.ask("auth ClueCon") == "+OK accepted"
    for command, expected in INBOUND:
        assert link.ask(command) == expected, command


def test_only_one_try_at_the_password(lab: Lab, inbound: Callable[[], Any]) -> None:
    link = inbound()
    assert link.ask("api status") == "-ERR command not found"
    assert link.ask("auth wrong") == "-ERR invalid"
    lab.switch.run_until(lambda: link.eof)
    assert link.frames[-1][0]["Content-Type"] == "text/disconnect-notice"


def test_sendevent_says_ok_even_for_the_dead(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    reply = link.ask("sendevent NOTIFY\nuuid: dead\nevent-string: refer", "x")
    assert reply.startswith("+OK ") and len(reply) == 40


def test_a_notify_is_lost_when_its_leg_is_killed_at_once(lab: Lab) -> None:
    link, _, callee = lab.call()
    notify = f"sendevent NOTIFY\nuuid: {callee}\nevent-string: refer;id=9\ncontent-type: x/y"
    link.send(notify, "late")
    link.ask(f"api uuid_kill {callee}")
    lab.switch.advance(1)
    assert lab.bob.notifies == []


def test_background_jobs_need_a_filter_of_their_own(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.ask(f"filter Unique-ID {link.frames[0][0]['Unique-ID']}")
    link.ask("event plain BACKGROUND_JOB")
    link.ask("bgapi create_uuid\nJob-UUID: one")
    lab.switch.settle()
    assert link.events == []
    link.ask("filter Job-UUID two")
    link.ask("bgapi status\nJob-UUID: two")
    lab.switch.run_until(lambda: link.events)
    assert [event["Job-UUID"] for event in link.events] == ["two"]


def test_custom_swallows_the_rest_of_the_line(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.ask("event plain CUSTOM sofia::x CHANNEL_HANGUP")
    lab.alice.hangs_up()
    lab.switch.settle()
    assert link.events == []


def test_channels_are_listed_as_json(lab: Lab) -> None:
    link, caller, callee = lab.call()
    document = json.loads(link.ask("api show channels as json"))
    assert document["row_count"] == 2
    assert {row["uuid"] for row in document["rows"]} == {caller, callee}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("O\\'Brien", "O'Brien"),
        ("'a b'", "a b"),
        ("\\\\x", "\\x"),
        ("a\\sb\\s", "a b "),
        ("^^x", "^^x"),
    ],
)
def test_setvar_interprets_quotes_and_backslashes(lab: Lab, written: str, kept: str) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    assert link.ask(f"api uuid_setvar {caller} v {written}") == "+OK\n"
    assert link.ask(f"api uuid_getvar {caller} v") == kept
