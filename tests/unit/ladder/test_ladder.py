"""fsctl.ladder: one ladder of a call, drawn and exported."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fsctl.hep.message import Message
from fsctl.ladder import pcap, plain, svg, text
from fsctl.ladder.ladder import Event, Ladder, Lane, build
from tests.unit.hep.messages import sip
from tests.unit.ladder.calls import (
    ALICE,
    AT,
    BOB,
    CAROL,
    LEGS,
    STEPS,
    SWITCH,
    TRANSFER,
    heard,
    message,
)

SVG = "{http://www.w3.org/2000/svg}"
LINES = [
    ("2000", "FreeSWITCH", "INVITE 1 (SDP)"),
    ("FreeSWITCH", "1001", "INVITE 7"),
    ("1001", "FreeSWITCH", "200 OK (7 INVITE)"),
    ("FreeSWITCH", "2000", "200 OK (1 INVITE)"),
    ("2000", "FreeSWITCH", "ACK 1"),
    ("1001", "FreeSWITCH", "REFER 2 <sip:1002@h>"),
    ("FreeSWITCH", "1001", "202 Accepted (2 REFER)"),
    ("FreeSWITCH", "1001", "NOTIFY 8 SIP/2.0 100 Trying"),
    ("fsctl", "fsctl", "the application calls the target → calling target"),
    ("FreeSWITCH", "1002", "INVITE 9"),
    ("1002", "FreeSWITCH", "486 Gone fishing (9 INVITE)"),
    ("fsctl", "fsctl", "the target fails → reconnecting"),
    ("FreeSWITCH", "1001", "NOTIFY 9 SIP/2.0 486 Gone fishing"),
]


def clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%H:%M:%S.%f")[:-3]


def lines(ladder: Ladder) -> list[tuple[str, str, str]]:
    names = [lane.name for lane in ladder.lanes]
    return [(names[e.source], names[e.target], e.label) for e in ladder.events]


def whole(messages: list[Message] | None = None) -> Ladder:
    return build([TRANSFER], LEGS, STEPS, heard() if messages is None else messages)


def test_messages_of_all_legs_and_our_steps_are_one_ladder() -> None:
    """Also of the target, whose leg has no Call-ID in the records."""
    ladder = whole()
    assert lines(ladder) == LINES
    assert [(lane.name, lane.role) for lane in ladder.lanes] == [
        *(("2000", "transferee"), ("FreeSWITCH", ""), ("1001", "transferor")),
        *(("1002", "target"), ("fsctl", "")),
    ]
    assert [e.count for e in ladder.events] == [2, *[1] * 12], "what was sent again is folded"
    assert "failed, 486 Gone fishing" in ladder.title


def moved(address: tuple[str, int], index: int, one: Message) -> Message:
    """That end of each message is at a place of its own."""
    ends = [(f"198.51.100.{index}", 7000 + index) if e == address else e for e in one.ends]
    return message(one.time_s - AT, (ends[0], ends[1]), one.text)


@pytest.mark.parametrize("end", [SWITCH, ALICE, BOB, CAROL], ids=str)
def test_lanes_are_participants_not_addresses(end: tuple[str, int]) -> None:
    assert lines(whole([moved(end, i, m) for i, m in enumerate(heard())])) == LINES


def test_addresses_that_lie_matter_not() -> None:
    nobody = (("::", 5060), ("::", 5060))
    assert lines(whole([message(m.time_s - AT, nobody, m.text) for m in heard()])) == LINES


def test_without_the_beginning_addresses_tell_the_way() -> None:
    late = [each for each in heard() if each.time_s >= AT + 5]
    ladder = whole(late)
    marked = [e for e in ladder.events if e.kind == "gap"]
    assert len(marked) == 1 and "not captured" in marked[0].label
    told = [line for line, e in zip(lines(ladder), ladder.events, strict=True) if e.message]
    assert told == [line for line in LINES[5:] if line[0] != "fsctl"]
    assert ("2000", "FreeSWITCH", "calls 1001") in lines(ladder), "its messages were not heard"


def test_of_calls_whose_beginning_nobody_knows_addresses_alone_tell_the_way() -> None:
    late = [each for each in heard() if each.time_s >= AT + 1.01 and b"c-carol" not in each.text]
    told = lines(build([], [], [], late))
    assert [line for line in told if "captured" not in line[2]] == [
        line for line in LINES[3:] if line[0] != "fsctl" and "1002" not in line and line != LINES[9]
    ]


def test_without_messages_it_shows_what_the_records_say() -> None:
    told = lines(whole([]))
    assert told == [
        ("2000", "FreeSWITCH", "calls 1001"),
        ("FreeSWITCH", "1001", "is called"),
        ("FreeSWITCH", "2000", "answered"),
        ("1001", "FreeSWITCH", "answered"),
        ("1001", "FreeSWITCH", "asks for a transfer to <sip:1002@h>"),
        LINES[8],
        ("FreeSWITCH", "1002", "is called"),
        LINES[11],
        ("1002", "FreeSWITCH", "ended"),
        ("FreeSWITCH", "1001", "is told 486 Gone fishing"),
    ]
    assert {e.kind for e in whole([]).events} == {"noted", "step"}


def test_what_is_missing_is_marked() -> None:
    messages = heard()
    messages[8] = replace(messages[8], truncated=True, gap=True)
    ladder = whole(messages)
    (gap,) = [e for e in ladder.events if e.kind == "gap"]
    assert ladder.events[ladder.events.index(gap) + 1].truncated
    drawn = text.draw(ladder, clock, 200)
    assert "[truncated]" in drawn and "not captured" in drawn


def test_several_transfers_of_one_call_are_one_ladder() -> None:
    second = TRANSFER | {"id": "b", "transferor": "ch-2000", "transferor_number": "2000"}
    ladder = build([TRANSFER, second], LEGS, STEPS, heard())
    assert lines(ladder) == LINES and "1 more" in ladder.title
    assert ladder.lanes[0].role == "transferee, transferor"


@pytest.mark.parametrize("width", [20, 80, 100, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_terminals_width_is_kept(width: int, unicode: bool) -> None:
    drawn = text.draw(whole(), clock, width, unicode=unicode)
    assert unicode or drawn.isascii()
    body = drawn.split("\n")[2:]
    assert max(map(len, body)) <= max(width, 23 + 5 * 16)
    if width >= 100:
        for _, _, label in LINES:
            shown = label if unicode else label.replace("→", "->")
            assert shown in " ".join(drawn.split()), label
    assert "08:00:05.000" in drawn and "+3.980" in drawn and "x2" in drawn


HOSTILE = 'x\x1b[2J\u202e</text><script>alert(1)</script>&"\0\ud800é'


def test_nothing_that_a_network_has_sent_breaks_out() -> None:
    bad = TRANSFER | {"reason": HOSTILE, "transferor_number": HOSTILE, "kind": HOSTILE}
    noisy = sip(f"SIP/2.0 486 {HOSTILE}".replace("\ud800", ""), call_id="c-bob", cseq="1 INVITE")
    told = message(1, (BOB, SWITCH), noisy.replace(b"sip:1001", b"sip:<\x1b&"))
    ladder = build([bad], LEGS, STEPS, [*heard(), told])
    for unicode in (True, False):
        drawn = text.draw(ladder, clock, 120, unicode=unicode)
        assert all(line.isprintable() for line in drawn.split("\n"))
    picture = svg.draw(ladder, clock)
    assert "script" not in {each.tag.removeprefix(SVG) for each in ET.fromstring(picture).iter()}
    exported = plain.write([told], clock)
    assert all(line.isprintable() for line in exported.split("\n"))


def test_the_picture_is_whole_and_stands_alone() -> None:
    root = ET.fromstring(svg.draw(whole(), clock))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    titles = [each.text or "" for each in root.iter(f"{SVG}title")]
    assert titles[0] == whole().title and "Refer-To: <sip:1002@h>" in "".join(titles)
    shown = [each.text or "" for each in root.iter(f"{SVG}text")]
    for source, _, label in LINES:
        assert source in shown and any(each.startswith(label) for each in shown)
    (style,) = [each.text or "" for each in root.iter(f"{SVG}style")]
    assert "prefers-color-scheme:dark" in style
    assert "url(" not in style and "http" not in "".join(
        value for each in root.iter() for value in each.attrib.values()
    )


def read_back(path: Path, *fields: str) -> list[list[str]]:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    checked = [f"{name}.check_checksum:TRUE" for name in ("ip", "udp")]
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    for each in checked:
        command += ["-o", each]
    for name in fields:
        command += ["-e", name]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.split("|") for line in told.stdout.splitlines()]


def test_wireshark_reads_as_many_messages_as_were_exported(tmp_path: Path) -> None:
    six = (("2001:db8::7", 5066), ("2001:db8::1", 5060))
    mixed = (("::", 5066), ("192.0.2.1", 5060))
    long = sip("INVITE sip:b@h", "x" * 64_000)
    messages = [
        *heard(),
        *(message(9, ends, heard()[0].text) for ends in (six, six[::-1], mixed)),
        *(replace(heard()[0], transport=each) for each in ("tcp", "tls", "wss")),
        message(10, (ALICE, SWITCH), long),
        message(11, six, long),
    ]
    file = tmp_path / "call.pcap"
    file.write_bytes(pcap.write(messages))
    rows = read_back(
        file,
        *("sip.Call-ID", "udp.length", "frame.time_epoch"),
        *("ip.checksum.status", "udp.checksum.status", "udp.srcport", "ipv6.plen"),
    )
    assert len(rows) == len(messages)
    for row, one in zip(rows, messages, strict=True):
        assert row[0].startswith("c-") and int(row[1]) == 8 + len(one.text)
        assert float(row[2]) == pytest.approx(one.time_s, abs=1e-5)
        assert row[3] in ("1", "") and row[4] == "1", "checksums are right"
        assert int(row[5]) == one.source_port and row[6] in (row[1], "")


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=70_000),
            st.sampled_from(["0.0.0.0", "::", "255.255.255.255", "2001:db8::1"]),
            st.integers(0, 65535),
            st.floats(0, 4e9),
        ),
        max_size=5,
    )
)
def test_an_export_has_every_message(made: list[tuple[bytes, str, int, float]]) -> None:
    messages = [
        Message(time_s, address, port, "192.0.2.1", 5060, "tcp", data)
        for data, address, port, time_s in made
    ]
    exported, at, found = pcap.write(messages), 24, 0
    while at < len(exported):
        at += 16 + int.from_bytes(exported[at + 8 : at + 12], "little")
        found += 1
    assert (at, found) == (len(exported), len(messages))
    assert plain.write(messages, clock).count(" -> 192.0.2.1:5060") >= len(messages)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 400), st.binary(max_size=8))))
def test_whatever_was_heard_a_ladder_is_drawn(damage: list[tuple[int, int, bytes]]) -> None:
    messages = heard()
    for which, at, noise in damage:
        one = messages[which % len(messages)]
        damaged = one.text[:at] + noise + one.text[at + len(noise) :]
        messages[which % len(messages)] = replace(one, text=damaged)
    ladder = whole(messages)
    assert sum(e.count for e in ladder.events if e.message) == len(messages)
    assert text.draw(ladder, clock, 90)
    ET.fromstring(svg.draw(ladder, clock))


def test_an_empty_ladder_can_be_drawn() -> None:
    empty = build([], [], [], [])
    assert text.draw(empty, clock) and ET.fromstring(svg.draw(empty, clock)) is not None
    assert isinstance(Event(0.0, "gap", 0, 0, ""), Event)


LETTERS = st.sampled_from("aZ 1名留番한Ａe\u0301\U0001f600.,-")


@given(st.text(LETTERS, max_size=120), st.integers(40, 140))
def test_lanes_stand_below_each_other_whatever_is_written_between(label: str, width: int) -> None:
    """In a terminal some letters take two cells, and others none."""
    lanes = (Lane("2000"), Lane("FreeSWITCH"), Lane(label[:30] or "x"))
    ways = [("message", 0, 1), ("message", 1, 0), ("noted", 1, 2), ("step", 2, 2), ("gap", 0, 0)]
    plain = Event(0.0, "message", 0, 1, "x")
    events = [Event(1.0, kind, *way, label) for kind, *way in ways]  # type: ignore[arg-type]
    lines = text.draw(Ladder("t", lanes, (plain, *events)), clock, width).splitlines()[3:]
    at = [place for place, letter in enumerate(lines[0]) if letter == "│"]
    assert len(at) == 3
    for line in lines:
        for place, letter in enumerate(line):
            if letter in "│●┆":
                assert cell_len(line[:place]) in at, line
