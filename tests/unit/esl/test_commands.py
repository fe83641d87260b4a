"""fsctl.esl.commands: exact bytes, and nothing that ends a line or is expanded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.errors import CommandError
from fsctl.esl import commands as c
from fsctl.esl.apis import reference

LONG = "x=" + "\u00fc" * 950
EXACT = [
    (c.Auth("pa ss"), b"auth pa ss\n\n"),
    (c.Connect(), b"connect\n\n"),
    (c.Exit(), b"exit\n\n"),
    (c.Linger(5), b"linger 5\n\n"),
    (c.NoLinger(), b"nolinger\n\n"),
    (c.NoEvents(), b"noevents\n\n"),
    (c.Events(("CHANNEL_ANSWER", "DTMF")), b"event plain CHANNEL_ANSWER DTMF\n\n"),
    (
        c.Events(("DTMF",), ("sofia::transferor", "x::y")),
        b"event plain DTMF CUSTOM sofia::transferor x::y\n\n",
    ),
    (c.Events((), ("sofia::error",)), b"event plain CUSTOM sofia::error\n\n"),
    (c.Filter("Unique-ID", "u-1"), b"filter Unique-ID u-1\n\n"),
    (c.FilterOut("Application", "socket"), b"filter Application -socket\n\n"),
    (c.FilterOutDelete("Application", "set"), b"filter delete Application -set\n\n"),
    (c.Execute("answer"), b"sendmsg\ncall-command: execute\nexecute-app-name: answer\n\n"),
    (
        c.Execute("set", "a=b c", event_uuid="e-1", channel_uuid="u-1"),
        b"sendmsg u-1\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: a=b c\n"
        b"Event-UUID: e-1\n\n",
    ),
    (
        c.Execute("set", LONG),
        b"sendmsg\ncall-command: execute\nexecute-app-name: set\ncontent-type: text/plain\n"
        b"content-length: 1902\n\n" + LONG.encode(),
    ),
    (
        c.Execute("set", " a=b"),
        b"sendmsg\ncall-command: execute\nexecute-app-name: set\ncontent-type: text/plain\n"
        b"content-length: 4\n\n a=b",
    ),
    (
        c.Execute("set", "a=reload MOD_event_socket"),
        b"sendmsg\ncall-command: execute\nexecute-app-name: set\ncontent-type: text/plain\n"
        b"content-length: 25\n\na=reload MOD_event_socket",
    ),
    (
        c.BgApi(c.UuidKill("u-1"), "j-1"),
        b"bgapi uuid_kill u-1\nJob-UUID: j-1\n\n",
    ),
    (
        c.NotifyReferrer("u-1", "refer;id=7", b"SIP/2.0 486 Busy Here\r\n"),
        b"sendevent NOTIFY\nuuid: u-1\nevent-string: refer;id=7\n"
        b"content-type: message/sipfrag;version=2.0\ncontent-length: 23\n\n"
        b"SIP/2.0 486 Busy Here\r\n",
    ),
]


@pytest.mark.parametrize(("command", "encoded"), EXACT, ids=lambda value: type(value).__name__)
def test_exact_bytes(command: c.Command, encoded: bytes) -> None:
    assert command.encode() == encoded


def test_every_command_has_an_exact_test() -> None:
    kinds = {getattr(c, name) for name in c.__all__} - {c.Command}
    ours = {kind for kind in kinds if not issubclass(kind, c.ApiCommand)}
    assert {type(command) for command, _ in EXACT} == ours


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: c.Auth("a\n\napi status"), "CR, LF or NUL"),
        (lambda: c.Linger(0), "seconds"),
        (lambda: c.Events(()), "no events"),
        (lambda: c.Events(("CUSTOM",)), "CUSTOM"),
        (lambda: c.Events(("A B",)), "no name"),
        (lambda: c.Events(("A",), ("b c",)), "no name"),
        (lambda: c.Filter("delete", "x"), "no header"),
        (lambda: c.Filter("Add", "x"), "no header"),
        (lambda: c.Filter("Unique-ID", "/.*/"), "pattern"),
        (lambda: c.Filter("Unique-ID", "-x"), "pattern"),
        (lambda: c.Filter("Unique-ID", "+x"), "pattern"),
        (lambda: c.Filter("Unique-ID", ""), "pattern"),
        (lambda: c.Execute("set", "a=${system(id)}"), "expand"),
        (lambda: c.Execute("set", "a=$x"), "expand"),
        (lambda: c.Execute("set", "a=${uuid_kill(u)}", does=(c.UuidKill("v"),)), "expand"),
        (lambda: c.Execute("set", "a=${uuid_kill(u)}$b", does=(c.UuidKill("u"),)), "expand"),
        (lambda: c.Execute("set", 2 * "${uuid_kill(u)}", does=(c.UuidKill("u"),)), "expand"),
        (lambda: c.Execute("set", "a=b", does=(c.UuidKill("u"),)), "expand"),
        (lambda: c.Execute("set", "${hupall(A v $a)}", does=(c.Hupall("A", "v", "$a"),)), "expand"),
        (lambda: c.Execute("set", "%[a=b]c"), "expand"),
        (lambda: c.Execute("set", "%|[a=b]c"), "expand"),
        (lambda: c.Execute("set x", ""), "no name"),
        (lambda: c.Execute("set", "a\nEvent-UUID: x"), "CR, LF or NUL"),
        (lambda: c.Execute("set", "\udc80"), "surrogate"),
        (lambda: c.Execute("set", event_uuid="a b"), "no uuid"),
        (lambda: c.Execute("set", channel_uuid=""), "no uuid"),
        (lambda: c.BgApi(c.Status(), "x" * 37), "longer than 36"),
        (lambda: c.NotifyReferrer("u", "refer;id=x", b"SIP/2.0 200 OK\r\n"), "no event"),
        (lambda: c.NotifyReferrer("u", "talk", b"SIP/2.0 200 OK\r\n"), "no event"),
        (lambda: c.NotifyReferrer("u", "refer", b"SIP/2.0 200 OK"), "no sipfrag"),
        (lambda: c.NotifyReferrer("u", "refer", b"SIP/2.0 200 OK\r\nX: y\r\n"), "no sipfrag"),
        (lambda: c.Auth("reload mod_event_socket"), "reload of mod_event_socket"),
        (lambda: c.Filter("X", "UNLOAD Mod_Event_Socket"), "reload of mod_event_socket"),
    ],
)
def test_bad_values_are_our_fault(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(CommandError, match=message):
        make()


@pytest.mark.parametrize("value", ["a b", "%(2000,4000,440)", "a;b=c, <d>@e/f:g", "Jürgen", ""])
def test_what_an_argument_has_done(value: str) -> None:
    setting = c.UuidSetvarMulti("u-1", (("v", value), ("w", "1")))
    text = reference(setting)
    assert text == f"${{uuid_setvar_multi(u-1 v='{value}';w='1')}}"
    assert c.Execute("eval", f"a{text}b", does=(setting,)).argument == f"a{text}b"


@pytest.mark.parametrize("value", ["a)b", "(a", "(a(b)c)", "a{b", "a}b", "a\\b", "a'b"])
def test_what_would_end_a_reference_has_none(value: str) -> None:
    assert reference(c.UuidSetvarMulti("u-1", (("v", value),))) is None


def test_the_password_is_never_shown() -> None:
    assert "secret" not in repr(c.Auth("secret")) + c.Auth("secret").label


@given(st.text(), st.text(), st.text())
def test_no_value_ends_a_line(one: str, two: str, three: str) -> None:
    for make in (
        lambda: c.Execute(one, two, event_uuid=three or None),
        lambda: c.Execute("set", one),
        lambda: c.Filter(one, two),
        lambda: c.Filter("Unique-ID", two),
        lambda: c.Auth(one),
        lambda: c.UuidSetvar("u", "v", one),
        lambda: c.UuidBroadcast("u", one),
        lambda: c.Originate(one),
        lambda: c.GlobalSetvar("v", one),
        lambda: c.UuidTransfer("u", one, "c"),
        lambda: c.BgApi(c.UuidSetvarMulti("u", (("a", one), ("b", two))), "j"),
    ):
        try:
            command = make()
        except CommandError:
            continue
        head, blank, _ = command.encode().partition(b"\n\n")
        assert blank and b"\r" not in head and b"\x00" not in head
        assert head.count(b"\n") == len(command.lines()) - 1 + bool(command.body())
