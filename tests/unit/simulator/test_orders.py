"""The order of events and the states in them, against what the real switch sent.

Each ``tests/data/esl/*.order.txt`` is the whole event stream of one call on FreeSWITCH 1.10.12,
reduced to what matters. Events of different legs race each other there (threads), so the orders
are compared leg by leg.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lab = Any  # the class is in conftest.py, which tests cannot import
RECORDED = Path(__file__).parents[2] / "data" / "esl"
_UNCOUNTED = {
    "NOTIFY",
    "ADD_SCHEDULE",
    "DEL_SCHEDULE",
    "BACKGROUND_JOB",
    "PLAYBACK_START",
    "PLAYBACK_STOP",
    "CALL_UPDATE",
}

# A state that the peer of a bridge passes through so fast that its own thread seldom sees it.
_RACED = "CHANNEL_STATE CS_CONSUME_MEDIA 7 ACTIVE answered - -"


def answered(lab: Lab) -> None:
    lab.call()
    lab.alice.hangs_up()


def callee_bye(lab: Lab) -> None:
    link, _, _ = lab.call()
    lab.bob.hangs_up()
    lab.switch.run_until(lambda: link.completed("e1"))
    link.ask("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING")


def busy(lab: Lab) -> None:
    lab.bob.busy()
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    lab.switch.run_until(lambda: link.completed("e1"))
    link.execute("respond", "486 Busy Here")
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 486))


def noanswer(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    link, _, _ = lab.handle(timeout_s=2)
    lab.switch.run_until(lambda: link.completed("e1"))
    link.ask("sendmsg\ncall-command: hangup\nhangup-cause: NO_ANSWER")
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 480))


def giveup(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    lab.handle()
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 180), limit_s=1)
    lab.alice.hangs_up()
    lab.switch.run_until(lambda: lab.bob.received("CANCEL"))


def early_busy(lab: Lab) -> None:
    lab.bob.early_media_then_busy()
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    lab.switch.run_until(lambda: link.completed("e1"))
    link.execute("respond", "486 Busy Here")


def redirect(lab: Lab) -> None:
    lab.bob.redirects("sip:1005@127.0.0.1:25505")
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    lab.switch.run_until(lambda: link.completed("e1"))
    link.execute("respond", "404 Not Found")


def unreachable(lab: Lab) -> None:
    lab.bob.unreachable()
    lab.alice.calls("1001")
    link, _, _ = lab.handle()
    lab.switch.run_until(lambda: link.completed("e1"))
    link.ask("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_TEMPORARY_FAILURE")


def nolisten(lab: Lab) -> None:
    lab.controller.server.stop()
    lab.alice.calls("1001")
    lab.switch.run_until(lambda: lab.alice.received("INVITE", 480))


def refer_b_ok(lab: Lab) -> None:
    _, caller, callee = lab.call()
    link, _, _ = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: lab.bob.notifies)
    link.ask(f"api sched_hangup +2 {callee} BLIND_TRANSFER")
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    lab.alice.hangs_up()


def refer_b_ok_cbye(lab: Lab) -> None:
    _, caller, callee = lab.call()
    link, _, identity = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: lab.bob.notifies)
    lab.bob.hangs_up()
    lab.switch.settle()
    lab.carol.hangs_up()
    lab.switch.run_until(lambda: link.completed(identity))
    link.ask("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING")


def refer_b_busy(lab: Lab) -> None:
    lab.carol.busy()
    _, caller, callee = lab.call()
    for stage in ("joined", ""):
        link, _, identity = lab.refer(caller, callee, lab.bob)
        lab.switch.run_until(lambda link=link, identity=identity: link.completed(identity))
        lab.report_failure(link, caller, callee, stage)
        lab.switch.run_until(lambda: lab.bob.hears == "1000")
    lab.bob.hangs_up()


def refer_a_ok(lab: Lab) -> None:
    _, caller, callee = lab.call()
    link, _, _ = lab.refer(callee, caller, lab.alice)
    lab.switch.run_until(lambda: lab.alice.notifies)
    link.ask(f"api sched_hangup +2 {caller} BLIND_TRANSFER")
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    lab.bob.hangs_up()


def refer_a_busy(lab: Lab) -> None:
    lab.carol.busy()
    _, caller, callee = lab.call()
    link, _, identity = lab.refer(callee, caller, lab.alice)
    lab.switch.run_until(lambda: link.completed(identity))
    lab.report_failure(link, callee, caller, "joined")
    lab.switch.run_until(lambda: lab.alice.hears == "1001")
    lab.alice.hangs_up()


def refer_crash(lab: Lab) -> None:
    lab.call()
    lab.bob.refers("<sip:1002@127.0.0.1:25502>")
    link = lab.controller.next_link(2)
    lab.controller.server.stop()
    link.sock.close()
    lab.switch.run_until(lambda: lab.bob.notifies and lab.bob.hears == "1000")
    lab.alice.hangs_up()


def refer_crash_bridge(lab: Lab) -> None:
    lab.carol.busy(after_s=1)
    _, caller, callee = lab.call()
    link, _, _ = lab.refer(caller, callee, lab.bob)
    lab.controller.server.stop()
    link.sock.close()
    lab.switch.run_until(lambda: lab.bob.notifies and lab.bob.hears == "1000")
    lab.alice.hangs_up()


def refer_twice(lab: Lab) -> None:
    lab.carol.answers(after_s=1.5)
    link, caller, callee = lab.call()
    lab.refer(caller, callee, lab.bob)
    lab.bob.refers("<sip:1003@127.0.0.1:25503>")
    lab.bob.refers("<sip:127.0.0.1>")
    lab.switch.run_until(lambda: len(lab.bob.notifies) > 1)
    lab.alice.hangs_up()
    link.ask(f"api uuid_kill {callee}")


def refer_te_gone(lab: Lab) -> None:
    lab.carol.rings()
    _, caller, callee = lab.call()
    link, _, _ = lab.refer(caller, callee, lab.bob)
    lab.switch.run_until(lambda: lab.carol.sent("INVITE", 180))
    lab.alice.hangs_up()
    lab.switch.run_until(lambda: lab.carol.received("CANCEL"))
    link.ask(f"api uuid_kill {callee} ORIGINATOR_CANCEL")


def refer_tr_gone(lab: Lab) -> None:
    _, caller, callee = lab.call()
    lab.refer(caller, callee, lab.bob)
    lab.bob.hangs_up()
    lab.switch.run_until(lambda: lab.alice.hears == "1002")
    lab.alice.hangs_up()


def close_old(lab: Lab) -> None:
    lab.carol.busy(after_s=1)
    old, caller, callee = lab.call()
    lab.refer(caller, callee, lab.bob)
    old.ask("exit")
    lab.switch.run_until(lambda: lab.bob.notifies and lab.bob.hears == "1000")
    lab.alice.hangs_up()


def native(lab: Lab) -> None:
    for number in ("501", "502"):
        lab.switch.phone(number)
    lab.alice.calls("native501")
    lab.switch.run_until(lambda: lab.alice.hears == "501")
    lab.switch.phone("501").refers("<sip:502@127.0.0.1>", "<sip:501@127.0.0.1>")
    lab.switch.run_until(lambda: lab.switch.phone("501").notifies)
    lab.switch.settle()


def native_ok(lab: Lab) -> None:
    native(lab)
    lab.switch.phone("501").hangs_up()
    lab.switch.settle()
    lab.switch.phone("502").hangs_up()


def native_busy(lab: Lab) -> None:
    lab.switch.phone("502").busy()
    native(lab)
    lab.switch.run_until(lambda: lab.switch.phone("501").hears == "1000")
    lab.switch.phone("501").hangs_up()


def originate(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    link.ask("linger")
    link.execute("answer")
    link.execute("playback", "tone_stream://%(2000,4000,440,480);loops=-1")
    variables = f"origination_uuid=b,originate_timeout=9,park_timeout=10,{lab.leg}"
    link.ask(f"bgapi originate {{{variables}}}sofia/lab/sip:1001@127.0.0.1:25501 &park()")
    lab.switch.run_until(lambda: lab.bob.in_call)
    assert lab.alice.hears == "ringback"
    link.ask(f"api uuid_bridge {caller} b")
    lab.switch.run_until(lambda: lab.bob.hears == "1000")
    lab.bob.hangs_up()


def attended(lab: Lab) -> tuple[Any, str, str]:
    """Bob asks to replace his second line; the controller's link, the transferee, the target."""
    lab.attended_transfers_ask()
    _, caller, _ = lab.call()
    # The recording's second line belonged to a phone of its own.
    second = lab.switch.phone("1001b").calls("1002")
    _, _, target = lab.handle("1002")
    lab.switch.run_until(lambda: lab.carol.hears == "1001b")
    refer_to = f"<sip:1002@127.0.0.1:25060?Replaces={second.call_id}%3Bto-tag%3Dx%3Bfrom-tag%3Dy>"
    lab.bob.refers(refer_to, "<sip:1001@127.0.0.1>")
    link = lab.controller.next_link(3)
    link.ask("linger")
    return link, caller, target


def att_ok(lab: Lab) -> None:
    link, caller, target = attended(lab)
    link.execute("answer")
    lab.switch.run_until(lambda: lab.alice.hears == "silence")
    link.ask(f"api uuid_bridge {caller} {target}")
    lab.switch.run_until(lambda: lab.alice.hears == "1002")
    lab.alice.hangs_up()


def att_no(lab: Lab) -> None:
    link, _, _ = attended(lab)
    link.execute("hangup", "CALL_REJECTED")
    lab.switch.run_until(lambda: lab.bob.notifies)
    lab.alice.hangs_up()
    lab.switch.phone("1001b").hangs_up()


def nolinger(lab: Lab) -> None:
    link, _, _ = lab.call()
    link.ask("nolinger")
    lab.alice.hangs_up()


STORIES: list[Callable[[Lab], None]] = [
    answered, callee_bye, busy, noanswer, giveup, early_busy, redirect, unreachable, nolisten,
    refer_b_ok, refer_b_ok_cbye, refer_b_busy, refer_a_ok, refer_a_busy, refer_crash,
    refer_crash_bridge, refer_twice, refer_te_gone, refer_tr_gone, close_old, native_ok,
    native_busy, originate, att_ok, att_no, nolinger,
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_events_of_each_leg_come_as_on_the_real_switch(
    lab: Lab, story: Callable[[Lab], None]
) -> None:
    recorded = _recorded(story.__name__)
    lab.switch.fire_transfer_events = "sofia::transferor" in str(recorded)
    story(lab)
    lab.switch.settle()
    lab.close_links()
    lab.switch.run_until(lambda: not lab.switch.channels)
    assert _simulated(lab) == recorded


def _simulated(lab: Lab) -> dict[str, list[str]]:
    legs: dict[str, str] = {}
    rows: dict[str, list[str]] = {}
    for event in lab.switch.events:
        uuid = event.get("Unique-ID")
        if event.name in _UNCOUNTED or not uuid:
            continue
        leg = legs.setdefault(uuid, "ABCDEFGH"[len(legs)])
        values = [
            event.subclass or event.name,
            *(event.get(f"Channel-{name}") for name in ("State", "State-Number", "Call-State")),
            event.get("Answer-State"),
            event.get("Application") or "-",
            event.get("Hangup-Cause") or "-",
        ]
        rows.setdefault(leg, []).append(" ".join(str(value) for value in values))
    return rows


def _recorded(name: str) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    text = (RECORDED / f"{name}.order.txt").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        leg, row = line.split(" ", 1)
        if row == _RACED:
            continue
        rows.setdefault(leg, []).append(row)
    return rows
