"""What phones write beside Refer-To is expanded nowhere, and a display name arrives as it was."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other
from tests.live.lab.settings import sections
from tests.live.lab.steps import Answer, Ring

TRAP = "${global_setvar(sprung=yes)}"
HOSTILE = f"$${{sprung}} {TRAP} {{a}} ^^:b|c,d;e='f' %0a%0d \\n"
HEADERS = tuple((name, HOSTILE) for name in ("X-Trap", "User-Agent", "Subject", "Reason"))
TABLES = {"call": {"pass_headers": ["X-*"]}}
COPIES = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    event.session.connect(event.call, event.destination)

@scenario.on(BlindTransferRequested)
def requested(event):
    name = event.transferee.display_name
    headers = {"X-Name": name}
    event.session.connect(event.transferee, event.transfer_to, display_name=name, headers=headers)
"""


@pytest.mark.parametrize("scenario", ["", COPIES], ids=["settings", "scenario"])
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (r"O'Brien, \"Bob\" \\ ü", "O'Brien, ＂Bob＂ ＼ ü"),
        (HOSTILE, "＄％{sprung} ％{global_setvar(sprung=yes)} {a} ^^：b|c,d;e='f'    ＼n"),
    ],
    ids=["quoted pairs", "hostile"],
)
def test_the_target_sees_it_as_it_was(controller, phones, switch, scenario, said, shown):
    """FreeSWITCH itself puts ``%`` where a name has the ``$`` of a ``${``."""
    controller(sections(switch, **TABLES), scenario=scenario)
    bob = phones.party("1001", "Bob").takes(Ring(), Answer(HEADERS))
    carol = phones.party("1002", "Carol").takes(Ring(), Answer(HEADERS))
    alice = phones.caller("2000", "1001", HEADERS, name=said)
    for phone in (alice, bob):
        phone.wait_talking()
    bob.refers(phones.refer_to("1002"), f'"{HOSTILE}" <sip:1001@example.org>', HEADERS)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    (invite,) = carol.received("INVITE")
    assert invite.header("From").startswith(f'"{shown}" <sip:2000@')
    carol.hangs_up()
    alice.wait_over()
    assert len(bob.notifies) == 1
    assert "sprung" not in switch.esl("global_getvar")


def test_a_phrase_is_not_expanded(controller, phones, switch):
    """FreeSWITCH keeps no value with ``${`` in it: the code's own phrase stands for it."""
    controller(sections(switch, **TABLES))
    bob = phones.party("1001", "Bob").takes(Ring(), Answer(HEADERS))
    phones.party("1002", "Carol").refuses(486, f"Busy {TRAP} %0a")
    alice = phones.caller("2000", "1001", HEADERS)
    for phone in (alice, bob):
        phone.wait_talking()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_over()
    assert len(bob.notifies) == 1
    assert "sprung" not in switch.esl("global_getvar")
