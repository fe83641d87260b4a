"""The ladder of a real transfer that has failed: what every phone's own trace says, and no less."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from sqlalchemy.exc import SQLAlchemyError

from fsctl import settings
from fsctl.hep.message import read
from fsctl.records import find, store
from fsctl.story import hear_each_other, talking
from tests.live.lab import ports, wait_for
from tests.live.lab.ports import LOCALHOST
from tests.live.lab.settings import sections
from tests.live.lab.switch import PASSWORD
from tests.live.lab.wire import SECRET, WirePhone

SOFIA = "autoload_configs/sofia.conf.xml"
REFUSES = """
from fsctl.scenario import AttendedTransferRequested, Scenario
scenario = Scenario()

@scenario.on(AttendedTransferRequested)
def requested(event):
    event.refuse()
"""


@pytest.fixture
def captured(switch):
    """Where FreeSWITCH sends copies of its messages, for this test."""
    port = ports.kept_port()
    path = switch.conf / SOFIA
    own = path.read_text()
    url = f'<param name="capture-server" value="udp:127.0.0.1:{port};hep=3;capture_id=9"/>'
    text = own.replace("</global_settings>", f"{url}</global_settings>")
    path.write_text(
        text.replace("<settings>\n", '<settings>\n<param name="sip-capture" value="yes"/>', 1)
    )
    switch._reload()
    switch.rescan_profile()
    yield f"127.0.0.1:{port}"
    path.write_text(own)
    switch._reload()
    switch.rescan_profile()
    switch.esl(f"sofia profile {switch.profile} capture off")
    ports.give_back(port)


class Ladders:
    """A controller that hears and keeps, and the command that shows ladders."""

    def __init__(self, served):
        self.served = served
        self._url = settings.load(served.config, {}).records.url

    def kept(self):
        """Wait until a transfer has ended, and its messages are kept; return both."""

        def look():
            engine = store.open_engine(self._url)
            try:
                ended = [row for row in find.transfers(engine, find.Wanted()) if row["outcome"]]
                return (
                    ended
                    and (messages := find.messages(engine, ended[0]["id"]))
                    and (
                        ended[0],
                        messages,
                    )
                )
            except SQLAlchemyError:
                return None
            finally:
                engine.dispose()

        return wait_for(look, 15.0, lambda: f"messages are kept\n{self.served.log_text()}")

    def show(self, *arguments):
        """Return what ``fsctl ladder`` prints."""
        told = self._run("ladder", *arguments)
        assert told.returncode == 0, told.stderr
        return told.stdout

    def proof(self):
        """How ``fsctl check`` finds that copies come, while the port is the controller's."""
        found = json.loads(self._run("check", "--json").stdout)["findings"]
        return [each["state"] for each in found if each["code"] == "FSC803"]

    def _run(self, *words):
        own = {name: text for name, text in os.environ.items() if not name.startswith("FSCTL_")}
        own |= {"COLUMNS": "160", "PYTHONIOENCODING": "utf-8", "FSCTL_SWITCH_PASSWORD": PASSWORD}
        command = [sys.executable, "-m", "fsctl", *words, "--config", str(self.served.config)]
        return subprocess.run(command, env=own, capture_output=True, text=True, timeout=30)


@pytest.fixture
def ladders(controller, switch, captured, tmp_path):
    """Start a controller that hears."""

    def serve(scenario=""):
        own = {"server": {"log_level": "debug", "drain_timeout_s": 1.0, "workers": 1}}
        own["records"] = {"keep": True, "folder": str(tmp_path / "state")}
        own["hep"] = {"listen": captured}
        return Ladders(controller({**sections(switch), **own}, scenario=scenario))

    return serve


def first_lines(texts):
    """By Call-ID, how often each first line with its CSeq is there."""
    found = {}
    for call_id, line, cseq in texts:
        found.setdefault(call_id, Counter())[f"{line} ({cseq})"] += 1
    return found


def of_phones(phones, until):
    """What the phones themselves have written, up to a moment."""
    return first_lines(
        (m.call_id, f"{m.start_line} {m.uri}".strip(), m.header("CSeq"))
        for phone in phones
        for m in phone.messages
        if m.time_s <= until
    )


def of_ladder(messages):
    """The same of what was captured."""
    readings = [read(message.text) for message in messages]
    return first_lines(
        (r.call_id, r.start.removeprefix("SIP/2.0 ").removesuffix(" SIP/2.0"), r.header("cseq"))
        for r in readings
    )


def normal(found):
    """Both sides write a first line in their own way."""
    return {
        call_id: Counter({line.replace("SIP/2.0 ", ""): n for line, n in lines.items()})
        for call_id, lines in found.items()
    }


def assert_equal(phones, messages, *others):
    """The ladder has every leg's messages: as many, and the same."""
    heard = normal(of_ladder(messages))
    until = max(m.time_s for m in messages) + 0.05
    traced = normal(of_phones([*phones.all, *others], until))
    assert heard == traced, f"{phones.ladder()}"
    return heard


def assert_reported(heard, row, legs):
    """REFER, its 202, and every NOTIFY are there."""
    assert len(heard) == legs
    of_transferor = heard[row["transferor_call_id"]]
    lines = " | ".join(of_transferor)
    assert re.search(r"REFER \S+ \(", lines) and re.search(r"202 Accepted \(\d+ REFER", lines)
    assert re.search(r"NOTIFY \S+ \(", lines) and re.search(r"200 OK \(\d+ NOTIFY", lines)


def sipfrags(messages):
    readings = [read(message.text) for message in messages]
    return [r.sipfrag for r in readings if r.sipfrag and not r.status]


BY_TRANSPORT = pytest.mark.parametrize("transport", ["udp", "tcp"])


@BY_TRANSPORT
def test_a_blind_transfer_that_fails(ladders, phones, transport, tmp_path):
    """Shown, drawn and exported with as many messages."""
    ladder = ladders()
    if transport == "tcp":
        phones.over_tcp("1001"), phones.over_tcp("1002")
    bob, alice = talking(phones)
    phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    row, messages = ladder.kept()
    heard = assert_equal(phones, messages)
    assert_reported(heard, row, 3)
    assert row["target_call_id"] in heard, "nobody has answered there, and yet it is known"
    assert {m.transport for m in messages} == {"udp", transport}
    assert not any(m.truncated or m.gap for m in messages)
    assert sipfrags(messages) == bob.notifies

    shown = ladder.show(row["id"][:8])
    for part in (
        *("transferee", "transferor", "target", "FreeSWITCH", "1001", "1002", "2000"),
        *("REFER ", "202 Accepted", "NOTIFY ", "SIP/2.0 486 Gone fishing", "the target fails"),
    ):
        assert part in shown, shown
    assert "not captured" not in shown
    ladder.show(row["id"], "--svg", str(tmp_path / "l.svg"))
    ET.parse(tmp_path / "l.svg")
    ladder.show(row["id"], "--pcap", str(tmp_path / "l.pcap"))
    if shutil.which("tshark"):  # which `.ci/run` installs; a machine without it proves the rest
        # The laboratory's ports are some that Wireshark takes for another protocol's.
        tshark = ["tshark", "-r", str(tmp_path / "l.pcap"), "-o", "udp.try_heuristic_first:TRUE"]
        tshark += ["-Y", "sip", "-T", "fields", "-e", "sip.Call-ID"]
        read_back = subprocess.run(tshark, capture_output=True, text=True, check=True).stdout
        assert len(read_back.splitlines()) == len(messages)
    assert ladder.proof() == ["ok"], "who has the port is asked"


@BY_TRANSPORT
def test_an_attended_transfer_that_fails(ladders, phones, transport):
    """Four legs, and a transferor with two of them: one lane."""
    ladder = ladders(REFUSES)
    if transport == "tcp":
        phones.over_tcp("1001"), phones.over_tcp("1002")
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    line = bob.consults("1002")
    line.wait_talking()
    assert hear_each_other(line, carol)
    bob.refers(phones.replacing(line, "1002"))
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    row, messages = ladder.kept()
    assert_reported(assert_equal(phones, messages), row, 4)
    assert sipfrags(messages) == bob.notifies
    shown = ladder.show(row["id"])
    assert shown.count("1001") and "Replaces" in shown
    heading = next(each for each in shown.splitlines() if "FreeSWITCH" in each)
    assert heading.split() == ["2000", "FreeSWITCH", "1001", "1002", "fsctl"], shown


@pytest.fixture
def wired(switch, captured):
    """Connects a phone over TLS, a WebSocket or IPv6: to profiles that send copies, too."""
    port, tls, ws, six = kept = [ports.kept_port() for _ in range(4)]
    secured = {"tls": "true", "tls-sip-port": tls, "tls-bind-params": "transport=tls"}
    secured |= {"tls-cert-dir": str(switch.root / "certs"), "tls-verify-policy": "none"}
    own = {"sip-capture": "yes", "sip-port": port, "ws-binding": f":{ws}", **secured}
    switch.add_profile("wire", own)
    own = {"sip-capture": "yes", "sip-port": six, "sip-ip": "::1", "rtp-ip": "::1"}
    switch.add_profile("wire6", own)
    made = []

    def connect(number, transport, says="200 OK"):
        host, at = {"tls": (LOCALHOST, tls), "ws": (LOCALHOST, ws), "udp": ("::1", six)}[transport]
        phone = WirePhone(number, transport, host, at, says)
        made.append(phone)
        profile = "wire6" if transport == "udp" else "wire"
        uri = f"sip:{number}@{phone.address};transport={transport}"
        switch.add_dialled(number, f"sofia/{profile}/{uri}")
        return phone

    yield connect
    for phone in made:
        phone.close()
        switch.remove_user(phone.number)
    switch.remove_profile("wire")
    switch.remove_profile("wire6")
    ports.give_back(*kept)


def test_over_a_websocket_ipv6_and_tls(ladders, phones, wired):
    """The messages are whole, their ends and transports right, and no credentials are left."""
    ladder = ladders()
    alice = wired("2000", "ws")
    bob = wired("1001", "udp")
    carol = wired("1002", "tls", says="486 Gone fishing")
    alice.calls("1001")
    bob.refers("1002")
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    row, messages = ladder.kept()
    alice.hangs_up()
    heard = assert_equal(phones, messages, alice, bob, carol)
    assert_reported(heard, row, 3)
    assert not any(m.truncated or m.gap for m in messages)
    ends = {(m.transport, *sorted(f"{host} {port}" for host, port in m.ends)) for m in messages}
    assert ends == {each.ends for each in (alice, bob, carol)}
    invites = [m.text for m in messages if b"\nAuthorization: " in m.text]
    assert invites and not any(SECRET.encode() in text for text in invites)
    shown = ladder.show(row["id"])
    for part in ("INVITE", "REFER ", "NOTIFY ", "486 Gone fishing"):
        assert part in shown, shown
    assert "not captured" not in shown
