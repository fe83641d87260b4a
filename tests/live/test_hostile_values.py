"""What phones write beside Refer-To is expanded nowhere, and a display name arrives as it was."""

from __future__ import annotations

import csv
import json
import unicodedata
from urllib.parse import quote

import pytest

from fsctl.story import hear_each_other
from tests.live.lab.kept import TOKEN, Kept
from tests.live.lab.ports import LOCALHOST, kept_port
from tests.live.lab.settings import sections
from tests.live.lab.steps import Answer, Ring
from tests.live.lab.wire import WirePhone

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


def test_an_attended_transfer(controller, phones, switch):
    controller(sections(switch, **TABLES, transfer={"attended": "application"}))
    bob = phones.party("1001", "Bob").takes(Ring(), Answer(HEADERS))
    carol = phones.party("1002", "Carol").takes(Ring(), Answer(HEADERS))
    alice = phones.caller("2000", "1001", HEADERS, name=HOSTILE)
    line = phones.caller("1001", "1002", HEADERS, name=HOSTILE)
    for phone in (alice, bob, line, carol):
        phone.wait_talking()
    replaces = f"Replaces={line.replaces}"
    refer_to = f"<{switch.uri('1002')}?{replaces}&X-Trap={quote(TRAP)}>"
    bob.refers(refer_to, f'"{HOSTILE}" <sip:1001@example.org>', HEADERS)
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden", "a variable in Refer-To is no request"
    assert hear_each_other(alice, bob) and hear_each_other(line, carol)
    named = f'"O\\"B\'{{,}}" <sip:1002,user/1003;x={{a}}@example.org?X-A=%22%27%5C,&{replaces}>'
    bob.refers(named, f'"{HOSTILE}" <sip:1001@example.org>', HEADERS)
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    carol.hangs_up()
    alice.wait_over()
    assert "sprung" not in switch.esl("global_getvar")


NO_UTF_8 = "caf\udce9 \udcff\udcc0\udcaf"
ESCAPES = "\x1b[2J\x07<script>\u202e\x85"
NO_TEXT = ("Cc", "Cf", "Zl", "Zp")
MARK = "-.!%*_+`'~"
"""Besides letters and digits all that a tag may have (RFC 3261 25.1)."""


@pytest.fixture
def wired(switch):
    """Makes the phone of a number that says what SIPp cannot."""
    made = []

    def make(number, says="200 OK"):
        name = f'"{NO_UTF_8} x%0AERROR forged {ESCAPES}" '
        made.append(WirePhone(number, "udp", LOCALHOST, switch.sip_port, says, name, MARK))
        switch.add_dialled(number, f"sofia/{switch.profile}/sip:{number}@{made[-1].address}")
        return made[-1]

    yield make
    for phone in made:
        phone.close()
        switch.remove_user(phone.number)


PRINTS = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    print("from", event.display_name, flush=True)
    event.session.connect(event.call, event.destination)

@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.connect(event.transferee, event.transfer_to)
"""


def test_what_is_kept_and_shown_is_text(controller, phones, switch, wired, tmp_path):
    """Of a failed and of an attended transfer by phones that write no UTF-8, and more."""
    server = {"log_level": "debug", "drain_timeout_s": 1.0, "log_format": "json"}
    http = {"listen": f"{LOCALHOST}:{kept_port()}", "token": TOKEN}
    own = {"server": server, "http": http, "records": {"keep": True, "folder": str(tmp_path)}}
    own["transfer"] = {"attended": "application"}
    kept = Kept(controller(sections(switch, **TABLES, **own), scenario=PRINTS), http["listen"])
    bob, line = wired("1001"), wired("1005")
    wired("1003", f"486 {NO_UTF_8} {ESCAPES}")
    carol = phones.party("1002", "Carol").answers()
    alice = phones.caller("2000", "1001")
    alice.wait_talking()
    referred_by = f'Referred-By: "{NO_UTF_8}{ESCAPES}" <sip:1001@example.org>'
    odd = f'"{NO_UTF_8}{ESCAPES}" <{switch.uri("1003")}?X-A=%C2%85%E2%80%A8>'
    bob.refers(odd, referred_by, f"X-Trap: {NO_UTF_8}")
    assert bob.wait_notify().startswith("SIP/2.0 486 caf\ufffd ")
    line.calls("1002")
    carol.wait_talking()
    bob.refers(f'"{NO_UTF_8}" <{switch.uri("1002")}?Replaces={line.replaces}>', referred_by)
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    carol.hangs_up()
    alice.wait_over()

    rows = kept.wait(2)
    assert [row["kind"] for row in rows] == ["attended", "blind"]
    table, told = kept.says("records", "--format", "csv"), kept.served.log_text()
    shown = [kept.says("records", row["id"]) for row in rows]
    for text in (*shown, table, told, kept.says("records"), kept.get("/metrics")):
        assert not [c for c in text if unicodedata.category(c) in NO_TEXT and c != "\n"], text
    assert len({len(row) for row in csv.reader(table.splitlines())}) == 1
    assert json.loads(kept.get("/api/v1/transfers"))["transfers"][1]["code"] == 486
    messages = [json.loads(line)["message"] for line in told.splitlines()]
    named = [text for text in messages if "ERROR forged" in text]
    assert named and all(text.startswith("from caf\ufffd") for text in named)
