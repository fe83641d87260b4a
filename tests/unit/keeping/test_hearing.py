"""fsctl.desk.hearing: whose messages are heard, and which are kept with a transfer's record."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent.event import Event as GeventEvent
from sqlalchemy import Engine

from fsctl.check.copies import Copies
from fsctl.desk import hearing
from fsctl.desk.hearing import Hearing
from fsctl.hep.message import read
from fsctl.journal import Entry
from fsctl.records import find, store
from fsctl.settings import Hep, Settings, Switch
from tests.unit.hep.messages import packet, sip

INVITE = sip("INVITE sip:1002@h", tags=("a", ""))
DIGEST = 'Authorization: Digest username="bob", response="5ecre7"'


def hep(text: bytes, port: int = 5062) -> bytes:
    chunks = {
        **{1: b"\x02", 2: b"\x11", 3: b"\xc0\0\2\7", 4: b"\xc0\0\2\1", 7: struct.pack("!H", port)},
        **{8: b"\x13\xc4", 9: struct.pack("!I", int(time.time())), 10: bytes(4), 11: b"\1"},
        15: text,
    }
    body = b"".join(struct.pack("!HHH", 0, k, len(v) + 6) + v for k, v in chunks.items())
    return b"HEP3" + struct.pack("!H", len(body) + 6) + body


def entry(what: str, **fields: Any) -> Entry:
    return Entry("1-1-1.jsonl", 0, what, 1_800_000_000.0, fields)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hearing]]:
    monkeypatch.setattr(hearing, "_LOOK_S", 0.02)  # so long its end may take
    made: list[Hearing] = []

    def start(**settings: Any) -> Hearing:
        made.append(Hearing(Settings(hep=Hep(listen=f"127.0.0.1:{free_port()}", **settings))))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


def send(to: Hearing, *datagrams: bytes) -> None:
    host, _, port = to._hep.listen.rpartition(":")
    before = to.figures["heard"] + to.figures["refused"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        deadline = time.monotonic() + 10
        while to.figures["heard"] + to.figures["refused"] == before:
            for each in datagrams:
                sock.sendto(each, (host, int(port)))
            time.sleep(0.02)
            assert time.monotonic() < deadline


def offline(**settings: Any) -> Hearing:
    return Hearing(Settings(hep=Hep(listen="127.0.0.1:9060", **settings)))


def test_what_comes_is_heard_without_its_secrets(listening: Callable[..., Hearing]) -> None:
    ear = listening()
    assert ear.heard_at is None, "FreeSWITCH is believed once a packet has come"
    send(ear, hep(sip("INVITE sip:1002@h", tags=("a", ""), more=(DIGEST,))))
    assert ear.heard_at and ear.messages_of(["c-1"])
    assert b"5ecre7" not in ear.messages_of(["c-1"])[0].text
    send(ear, b"HEP3 but not quite")
    assert ear.figures["refused"] >= 1


def test_it_goes_on_to_another_capture_server(listening: Callable[..., Hearing]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(10)
        ear = listening(forward=f"127.0.0.1:{other.getsockname()[1]}")
        copy = hep(INVITE)  # with the second in which it is made
        send(ear, copy)
        assert other.recv(65535) == copy


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        *(("127.0.0.1", True), ("::1", True), ("192.0.2.5", True), ("::ffff:192.0.2.5", True)),
        *(("192.0.2.9", True), ("198.51.100.1", True), ("192.0.2.6", False), ("::2", False)),
        ("fe80::1%eth0", False),
    ],
)
def test_only_switches_are_heard(source: str, allowed: bool) -> None:
    settings = Settings(
        switches=(Switch(host="192.0.2.5"), Switch(host="no-such-host.invalid")),
        hep=Hep(listen="192.0.2.9:9060", sources=("198.51.100.1",)),
    )
    ear = Hearing(settings)
    ear._sources = ear._allowed()
    assert ear._is_allowed(source) == allowed


def test_a_check_is_told_by_who_has_the_port(listening: Callable[..., Hearing]) -> None:
    ear = listening()
    host, _, port = ear._hep.listen.rpartition(":")
    send(ear, hep(INVITE))
    copies = Copies()
    copies.open((host, int(port)))
    try:
        event = copies._awaited[b"proof-1"] = GeventEvent()
        copies._ask("proof-1")
        assert not event.wait(0.2)
        proof = sip("OPTIONS sip:h", call_id="proof-1", users=("fsctl-check", "x"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(hep(proof), (host, int(port)))
        wait(lambda: ear.figures["heard"] and (copies._ask("proof-1"), event.wait(0.02))[1])
    finally:
        copies.close()


def test_a_port_that_is_anothers_is_said_and_nothing_breaks(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "_AGAIN_S", 0.01)
    monkeypatch.setattr(hearing, "_LOOK_S", 0.02)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{sock.getsockname()[1]}"
        ear = Hearing(Settings(hep=Hep(listen=listen)))
        ear.start()
        wait(lambda: "no copies of SIP messages are heard" in caplog.text)
    send(ear, hep(INVITE))
    ear.stop()
    assert ear.messages_of(["c-1"])


LEG = {"session": "s-1", "leg": "ch", "call_id": "c-1"}
RECORD = {"id": "t-1", "session": "s-1", "outcome": "failed", "call_ids": {"target": "c-2"}}


def heard(ear: Hearing, *call_ids: str) -> None:
    for call_id in call_ids:
        ear.take_packet(packet(sip("INVITE sip:b@h", tags=("a", ""), call_id=call_id), "udp"))


def test_messages_of_every_leg_are_kept_when_a_transfer_fails(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    """Those of phones that only rang, too; a little later, for the last NOTIFY."""
    monkeypatch.setattr(hearing, "AFTER_S", 0.05)
    ear = offline()
    heard(ear, "c-1", "c-2", "c-3", "stranger")
    ear.take(entry("leg", **LEG))
    ear.take(entry("branch", session="s-1", leg="callee", call_id="c-3"))
    ear.take(entry("record", **RECORD))
    assert ear.due() == []
    heard(ear, "c-2")
    wait(ear.due)
    ((transfer, messages),) = ear.due()
    assert [m.text.split(b"Call-ID: ")[1][:3] for m in messages] == [b"c-1", b"c-2", b"c-3", b"c-2"]
    store.keep_messages(engine, transfer, messages)
    store.keep_messages(engine, transfer, messages)  # its answer was lost
    assert find.messages(engine, "t-1") == messages
    ear.kept(transfer)
    assert ear.due(all_of_them=True) == []
    assert [m.text for m in ear.messages_of_session("s-1")] == [m.text for m in messages]


def test_the_dialog_that_is_to_be_replaced_belongs_to_it() -> None:
    """It is another session's, or, where fsctl sees transfers only, nobody's."""
    ear = offline()
    heard(ear, "c-2", "theirs", "named", "stranger")
    ear.take(entry("leg", session="s-2", leg="x", call_id="c-2"))
    ear.take(entry("leg", session="s-2", leg="y", call_id="theirs"))
    refer = ("Refer-To: <sip:1003@h?Replaces=named%3Bto-tag%3Da%3Bfrom-tag%3Db>",)
    ear.take_packet(packet(sip("REFER sip:b@h", call_id="c-2", more=refer), "udp"))
    broken = ("Refer-To: <sip:1003@h?Replaces=%zz>",)
    ear.take_packet(packet(sip("REFER sip:b@h", call_id="c-2", more=broken), "udp"))
    ear.take(entry("record", **RECORD))
    ((_, messages),) = ear.due(all_of_them=True)
    assert {read(m.text).call_id for m in messages} == {"c-2", "theirs", "named"}


@pytest.mark.parametrize("outcome", ["succeeded", None])
def test_of_others_they_only_live_for_a_while(outcome: str | None) -> None:
    ear = offline()
    heard(ear, "c-2")
    ear.take(entry("record", **(RECORD | {"outcome": outcome})))
    assert ear.due(all_of_them=True) == [] and ear.messages_of(["c-2"])


def test_what_is_kept_of_one_transfer_is_bounded() -> None:
    ear = offline(transfer_kb=16)
    for _ in range(40):
        heard(ear, "c-2")
    ear.take(entry("record", **RECORD))
    ((_, messages),) = ear.due(all_of_them=True)
    assert 10 < len(messages) < 40 and messages[0].gap and not messages[1].gap


@pytest.mark.parametrize(
    "fields",
    [{}, {"call_ids": [1]}, {"session": 7, "call_id": ["x"]}, {"call_ids": {"target": 5}}],
)
def test_a_damaged_entry_harms_nothing(fields: dict[str, Any]) -> None:
    ear = offline()
    for what in ("leg", "branch", "transfer", "record", "step", "other"):
        ear.take(entry(what, **fields, **({"outcome": "failed"} if what == "record" else {})))
    assert [messages for _, messages in ear.due(all_of_them=True)] == [[]]


def test_addresses_and_marks_come_back_from_the_database(engine: Engine) -> None:
    ear = offline()
    ear.take_packet(
        packet(INVITE[:-9] + b"\0\xff\r\n\r\n", "udp", source="2001:db8::7", truncated=True)
    )
    ear.take(entry("record", **(RECORD | {"call_ids": {"target": "c-1"}})))
    ((transfer, messages),) = ear.due(all_of_them=True)
    store.keep_messages(engine, transfer, messages)
    assert find.messages(engine, transfer) == messages and messages[0].truncated


def test_a_day_of_calls_stays_within_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours and strangers', over UDP and in slices of streams that never end, from ever new ports;
    transfers that fail while no database takes their messages."""
    clock = [1000.0]
    monkeypatch.setattr(hearing.time, "monotonic", lambda: clock[0])
    ear, sdp, calls = offline(memory_mb=4, keep_s=6 * 3600), "v=0\r\n" + "a=x\r\n" * 400, 0
    most = 0
    while clock[0] < 1000.0 + 24 * 3600:
        clock[0] += 36.0
        calls += 1
        call_id = f"c-{calls}"
        invite = sip("INVITE sip:b@h", sdp, tags=("a", ""), call_id=call_id)
        ear.take_packet(packet(invite, "udp", clock[0]))
        if calls % 4:
            ear.take(entry("leg", session=f"s-{calls}", leg=f"l-{calls}", call_id=call_id))
        for start in ("SIP/2.0 180 Ringing", "SIP/2.0 200 OK", "SIP/2.0 486 Busy"):
            text = sip(start, sdp, cseq="1 INVITE", call_id=call_id)
            ear.take_packet(packet(text, "udp", clock[0], sent=True))
        cut = packet(invite[:900], "tcp", clock[0], source_port=1024 + calls)
        ear.take_packet(cut)
        if calls % 3 == 0:
            failed = {"session": f"s-{calls}", "call_ids": {"transferor": call_id}}
            ear.take(entry("record", id=f"t-{calls}", outcome="failed", **failed))
        ear._hear(ear._streams.expire(clock[0]))
        ear._messages.expire(clock[0])
        most = max(most, ear.figures["bytes"])
    assert calls == 2400 and ear.figures["heard"] > 4 * calls
    assert most <= 4 << 20 and ear.figures["dropped"] > 0, "there was more than it may keep"
    assert len(ear._messages._dialogs) <= 2000
    assert len(ear._messages._calls) <= 1024 and len(ear._due) <= 1000
    assert len(ear._streams._rests) <= 3 and ear._streams.waiting_bytes < 4000
    assert len(ear._session_of) <= len(ear._sessions) <= 20_000
    assert ear.messages_of([f"c-{calls}"]), "the latest are there"
