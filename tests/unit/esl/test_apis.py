"""fsctl.esl.apis: exact bytes of the API commands, and what their output means."""

from __future__ import annotations

import pytest

from fsctl.errors import CommandError
from fsctl.esl import apis as a

EXACT = [
    (a.UuidGetvar("u-1", "sip_refer_to"), b"api uuid_getvar u-1 sip_refer_to\n\n"),
    (a.UuidSetvar("u-1", "v", "x"), b"api uuid_setvar u-1 v x\n\n"),
    (a.UuidSetvar("u-1", "v", "O'B \\"), b"api uuid_setvar u-1 v 'O\\'B \\\\'\n\n"),
    (a.UuidSetvar("u-1", "v", "${x}"), b"api uuid_setvar u-1 v ${x}\n\n"),
    (a.UuidSetvar("u-1", "v", ""), b"api uuid_setvar u-1 v\n\n"),
    (a.UuidSetvar("u-1", "v"), b"api uuid_setvar u-1 v\n\n"),
    (
        a.UuidSetvar("u-1", "v", "unload mod_event_socket"),
        b"api uuid_setvar u-1 v 'unload mod_''event_socket'\n\n",
    ),
    (
        a.UuidSetvarMulti("u-1", (("a", "1;2"), ("b", ""))),
        b"api uuid_setvar_multi u-1 a='1;2';b=''\n\n",
    ),
    (a.Hupall("LOSE_RACE", "v", "x-1"), b"api hupall LOSE_RACE v x-1\n\n"),
    (a.UuidKill("u-1"), b"api uuid_kill u-1\n\n"),
    (a.UuidKill("u-1", "USER_BUSY"), b"api uuid_kill u-1 USER_BUSY\n\n"),
    (a.UuidBridge("u-1", "u-2"), b"api uuid_bridge u-1 u-2\n\n"),
    (a.UuidExists("u-1"), b"api uuid_exists u-1\n\n"),
    (
        a.UuidBroadcast("u-1", "tone_stream://%(1,2,3);loops=-1"),
        b"api uuid_broadcast u-1 tone_stream://%(1,2,3);loops=-1 aleg\n\n",
    ),
    (a.UuidBroadcast("u-1", "/a b.wav"), b"api uuid_broadcast u-1 '/a b.wav' aleg\n\n"),
    (a.UuidBuglist("u-1"), b"api uuid_buglist u-1\n\n"),
    (a.UuidDump("u-1"), b"api uuid_dump u-1 json\n\n"),
    (a.UuidBreak("u-1"), b"api uuid_break u-1\n\n"),
    (a.UuidBreak("u-1", True), b"api uuid_break u-1 all\n\n"),
    (a.SchedHangup(30, "u-1"), b"api sched_hangup +31 u-1 ALLOTTED_TIMEOUT\n\n"),
    (a.SchedHangup(1, "u-1", "NO_ANSWER"), b"api sched_hangup +2 u-1 NO_ANSWER\n\n"),
    (
        a.SchedTransferUnlessTalking(9, "u-1", "unclaimed", "fsctl_rescue"),
        b"api sched_api +10 u-1 expand uuid:u-1 "
        b"uuid_transfer u-1${variable_bridge_to} unclaimed XML fsctl_rescue\n\n",
    ),
    (
        a.SchedApi(4, "living", a.GlobalSetvar("v", "")),
        b"api sched_api +5 living global_setvar v=\n\n",
    ),
    (a.SchedHangup(2.5, "u-1", "NO_ANSWER"), b"api sched_hangup +4 u-1 NO_ANSWER\n\n"),
    (a.SchedDel("u-1"), b"api sched_del u-1\n\n"),
    (a.UuidTransfer("u-1", "100", "public"), b"api uuid_transfer u-1 100 XML public\n\n"),
    (
        a.UuidTransfer("u-1", "socket:h:1 async full", None, "inline", "both"),
        b"api uuid_transfer u-1 -both 'socket:h:1 async full' inline\n\n",
    ),
    (a.UuidRecord("u-1", "start", "/r/a b.wav"), b"api uuid_record u-1 start '/r/a b.wav'\n\n"),
    (a.UuidRecord("u-1", "start", "/r/a.wav", 60), b"api uuid_record u-1 start /r/a.wav 60\n\n"),
    (a.UuidRecord("u-1", "stop", "/r/a.wav"), b"api uuid_record u-1 stop /r/a.wav\n\n"),
    (a.UuidSendDtmf("u-1", "12w*#"), b"api uuid_send_dtmf u-1 12w*#\n\n"),
    (a.UuidAudio("u-1", True), b"api uuid_audio u-1 start read mute 1\n\n"),
    (a.UuidAudio("u-1", False), b"api uuid_audio u-1 stop\n\n"),
    (a.Originate("null/x", "home", "ctx"), b"api originate null/x home XML ctx\n\n"),
    (a.Originate("null/x"), b"api originate null/x &park()\n\n"),
    (
        a.Originate("{a='b c',d=\\,}null/x", "&playback(a b)"),
        b"api originate '{a=\\'b c\\',d=\\\\,}null/x' '&playback(a b)'\n\n",
    ),
    (a.Status(), b"api status\n\n"),
    (a.Switchname(), b"api switchname\n\n"),
    (a.ShowChannels(), b"api show channels as json\n\n"),
    (a.GlobalGetvar("v"), b"api global_getvar v\n\n"),
    (a.GlobalSetvar("v", "a=b"), b"api global_setvar v='a=b'\n\n"),
    (a.GlobalSetvar("v", ""), b"api global_setvar v=\n\n"),
]


@pytest.mark.parametrize(("command", "encoded"), EXACT, ids=lambda value: type(value).__name__)
def test_exact_bytes(command: a.ApiCommand, encoded: bytes) -> None:
    assert command.encode() == encoded


def test_every_api_has_an_exact_test() -> None:
    kinds = {kind for kind in vars(a).values() if isinstance(kind, type)}
    ours = {kind for kind in kinds if issubclass(kind, a.ApiCommand)} - {a.ApiCommand}
    assert {type(command) for command, _ in EXACT} == ours


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: a.UuidGetvar("u 1", "v"), "no uuid"),
        (lambda: a.UuidGetvar("u", "v w"), "no name"),
        (lambda: a.UuidSetvar("u", "v[0]", "x"), "no name"),
        (lambda: a.UuidSetvar("u", "v", "a\nb"), "CR, LF or NUL"),
        (lambda: a.UuidSetvar("u", "v", "ARRAY::a|:b"), "list"),
        (lambda: a.UuidSetvarMulti("u", ()), "not 1 to 64"),
        (lambda: a.UuidSetvarMulti("u", (("a", "b"),) * 65), "not 1 to 64"),
        (lambda: a.UuidSetvarMulti("u", (("a;b", "c"),)), "no name"),
        (lambda: a.UuidSetvarMulti("u", (("a", "b\r"),)), "CR, LF or NUL"),
        (lambda: a.UuidSetvarMulti("u", (("a", "${x}"),)), "[$]"),
        (lambda: a.UuidSetvarMulti("u", (("a", "ARRAY::x"),)), "list"),
        (lambda: a.UuidKill("u", "a b"), "no hangup cause"),
        (lambda: a.UuidBridge("u", ""), "no uuid"),
        (lambda: a.SchedHangup(0, "u"), "seconds"),
        (lambda: a.SchedTransferUnlessTalking(1, "u", "", "c"), "no name"),
        (lambda: a.SchedTransferUnlessTalking(0, "u", "x", "c"), "seconds"),
        (lambda: a.SchedApi(0, "g", a.Status()), "seconds"),
        (lambda: a.SchedApi(86_401, "g", a.Status()), "seconds"),
        (lambda: a.SchedDel("x y"), "no uuid"),
        (lambda: a.UuidTransfer("u", "-both", "c"), "no extension"),
        (lambda: a.UuidTransfer("u", "x", "c", leg="aleg"), "leg"),
        (lambda: a.UuidRecord("u", "mask", "/x"), "action"),
        (lambda: a.UuidRecord("u", "start", ""), "no path"),
        (lambda: a.UuidRecord("u", "start", "/x", 0), "limit_s"),
        (lambda: a.UuidSendDtmf("u", "1 2"), "no keys"),
        (lambda: a.UuidSendDtmf("u", ""), "no keys"),
        (lambda: a.Originate("null/x", "home"), "no application"),
        (lambda: a.Originate("null/x", "&park()", "ctx"), "no application"),
        (lambda: a.Originate(""), "no dial string"),
        (lambda: a.Originate("UNDEF"), "no dial string"),
        (lambda: a.Originate("^^:null/x"), "may not start"),
        (lambda: a.Originate("null/x", "undef"), "no application"),
        (lambda: a.GlobalSetvar("v", "${x}"), "[$]"),
        (lambda: a.GlobalSetvar("v=w", "x"), "no name"),
    ],
)
def test_bad_values_are_our_fault(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(CommandError, match=message):
        make()


@pytest.mark.parametrize(
    ("output", "failed"),
    [("+OK\n", False), ("-ERR no reply\n", True), ("-USAGE: x\n", True), ("", False)],
)
def test_failed(output: str, failed: bool) -> None:
    assert a.UuidKill("u").failed(output) is failed


@pytest.mark.parametrize(
    ("output", "failed"),
    [
        ("-ERR No such channel!\n", True),
        ("-USAGE: <uuid> <var>\n", True),
        ("-ERR No such channel!", False),
        ("-ERR x <sip:3000@h>", False),
        ("_undef_", False),
    ],
)
def test_a_value_that_looks_like_an_error_is_a_value(output: str, failed: bool) -> None:
    assert a.UuidGetvar("u", "v").failed(output) is failed


def test_equal_commands_are_equal_and_cannot_be_changed() -> None:
    command = a.UuidKill("u")
    assert command == a.UuidKill("u") != a.UuidKill("v")
    with pytest.raises(AttributeError):
        command.channel_uuid = "w\n"  # type: ignore[misc]
