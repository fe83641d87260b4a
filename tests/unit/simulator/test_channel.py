"""Headers and variables of events, against the recorded streams of the real switch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import
RECORDED = Path(__file__).parents[2] / "data" / "esl"
# Media, SIP transport and accounting, which the simulator does not play.
IGNORED = re.compile(
    r"variable_(rtp_|remote_|local_media|advertised|audio_media|video_media|text_media|video"
    r"|switch_[rm]_sdp|ep_codec|sip_(full_via|recover|via|invite_stamp|received|local|reply"
    r"|network|contact|cseq|outgoing|req_|to_|full_to|from_|full_from)|read_|write_"
    r"|original_read|dtmf|recovery_profile|sofia_profile_url|DP_MATCH|originator_codec"
    r"|last_sent|last_hold)|.*-Time$|Content-Length$|.*Codec"
)
# Names, times and places that differ from run to run.
VOLATILE = re.compile(
    r"Event-|FreeSWITCH|Core-UUID|session_id|call_id|transfer_(source|history)|fsctl_home"
    r"|Transfer-Source|Application-UUID"
    r"|blind_transfer_event"
)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|1001-leg-\d|target-\d")


def answered(lab: Lab) -> None:
    lab.call()
    lab.alice.hangs_up()


def busy(lab: Lab) -> None:
    lab.bob.busy()
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    lab.switch.run_until(lambda: link.completed("e1"))
    link.execute("respond", "486 Busy Here")


def noanswer(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    link, _, _ = lab.handle(timeout_s=2)
    lab.switch.run_until(lambda: link.completed("e1"))
    link.ask("sendmsg\ncall-command: hangup\nhangup-cause: NO_ANSWER")


def refer_b_ok(lab: Lab) -> None:
    _, caller, callee = lab.call()
    link, _, _ = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: lab.bob.notifies)
    link.ask(f"api sched_hangup +2 {callee} BLIND_TRANSFER")
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    lab.alice.hangs_up()


def refer_b_busy(lab: Lab) -> None:
    lab.carol.busy()
    _, caller, callee = lab.call()
    link, _, identity = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: link.completed(identity))
    lab.report_failure(link, caller, callee, "joined")
    lab.switch.run_until(lambda: lab.bob.hears == "1000")


@pytest.mark.parametrize(
    ("story", "link"),
    [(answered, 0), (busy, 0), (noanswer, 0), (refer_b_ok, 1), (refer_b_busy, 1)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_events_carry_what_the_real_ones_carry(
    lab: Lab, story: Callable[[Lab], None], link: int
) -> None:
    lab.switch.fire_transfer_events = False
    story(lab)
    lab.switch.settle()
    simulated = _by_kind(lab.controller.links[link].events)
    recorded = _by_kind(_recorded(f"{story.__name__}.link{link}.txt"))
    assert set(recorded) <= set(simulated)
    for kind, events in recorded.items():
        for real, made in zip(events, simulated[kind], strict=False):
            assert _comparable(made) == _comparable(real), kind


def test_the_connect_reply_of_a_reentry_has_the_same_headers(lab: Lab) -> None:
    refer_b_ok(lab)
    made = lab.controller.links[1].frames[0][0]
    raw = (RECORDED / "refer_b_ok.link1.txt").read_text(encoding="ascii")
    real = dict(line.split(": ", 1) for line in raw.partition("\n\n")[0].split("\n"))
    names = {name for name in real if not IGNORED.match(name)}
    assert {name for name in made if not IGNORED.match(name)} == names
    for name in ("Control", "Socket-Mode", "Reply-Text", "Content-Type", "Event-Name"):
        assert made[name] == real[name]
    assert made["Caller-Context"] == "fsctl_refer"
    assert made["Channel-Destination-Number"] == "1002"


def _recorded(name: str) -> list[dict[str, str]]:
    raw = (RECORDED / name).read_bytes()
    events = []
    for match in re.finditer(rb"Content-Length: (\d+)\nContent-Type: text/event-plain\n\n", raw):
        text = raw[match.end() : match.end() + int(match.group(1))].decode("ascii")
        pairs = (line.split(": ", 1) for line in text.split("\n") if ": " in line)
        events.append({name: unquote(value) for name, value in pairs})
    return events


def _by_kind(events: list[dict[str, str]]) -> dict[tuple[str, ...], list[dict[str, str]]]:
    kinds = defaultdict(list)
    for event in events:
        names = ("Event-Name", "Call-Direction", "Application", "Caller-Destination-Number")
        kinds[tuple(event.get(name, "") for name in names)].append(event)
    return kinds


def _comparable(event: dict[str, str]) -> dict[str, str]:
    """The event without what is out of scope; uuids and volatile values are blanked."""
    return {
        name: "*" if VOLATILE.search(name) else UUID.sub("*", _plain(value))
        for name, value in event.items()
        if not IGNORED.match(name)
    }


def _plain(value: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "HOST", value)


def test_variables_fall_back_to_the_profile_and_to_globals(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.controller.next_link(1)
    (channel,) = lab.switch.channels.values()
    assert channel.get_variable("destination_number") == "1001"
    assert channel.get_variable("domain") == "localhost"
    assert channel.get_variable("nothing") is None
    channel.set_variable("domain", "here")
    assert channel.get_variable("domain") == "here"


def test_an_empty_value_removes_a_variable(lab: Lab) -> None:
    lab.alice.calls("1001")
    lab.controller.next_link(1)
    (channel,) = lab.switch.channels.values()
    channel.set_variable("x", "1")
    channel.set_variable("x", "")
    assert "x" not in channel.variables
