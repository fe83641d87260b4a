"""Fraud by transfer, in every form: refused, told, recorded, nobody called, and all talk on."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from fsctl.policy.counts import Counts
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
from fsctl.service.shared import Shared, make_shared
from fsctl.session.calling.judging import Policed
from fsctl.settings import Policy, Route, Rule, Transfer
from fsctl.simulator import Departure
from fsctl.stage import CALLS, Stage
from fsctl.switch.marks import Mark
from tests.unit.records import Records

ROUTES = (
    Route(name="users", match=r"[12]\d{3}", kind="user"),
    Route(name="carrier", match=r"[+0-9].*", kind="gateway", gateway="carrier"),
)
SETTINGS = replace(CALLS, routes=ROUTES, policy=Policy(country="DE"))
FORMS = {
    "abroad": "<sip:+442079460000@example.org>",
    "escaped": "<sip:%2B442079460000@example.org>",
    "with 00": "<sip:00442079460000@example.org>",
    "tel": "<tel:+44-20-7946-0000>",
    "user=phone": "<sip:+44(20)79460000;ext=1@example.org;user=phone>",
    "premium": "<sip:09001123456@example.org>",
    "premium, longer": "<sip:0900112345678@example.org>",
    "satellite": "<sip:+870773111111@example.org>",
}


class Fraud:
    """Alice (1000, or +4930123456 from outside) talks with Bob (1001)."""

    def __init__(self, settings=SETTINGS, scenario=None, *, outside=False):
        self.stage = Stage(settings, scenario)
        self.stage.switch.gateways.add("carrier")
        self.records = Records()
        log = logging.getLogger("fsctl.session.record")
        log.addHandler(self.records)
        log.setLevel(logging.INFO)
        self.alice = self.stage.phone("+4930123456" if outside else "1000")
        self.alice.authenticates = not outside
        self.bob = self.stage.phone("1001")
        for number in ("1002", "030123456", "+442079460000"):
            self.stage.phone(number)
        self.alice.calls("1001")
        self.stage.until(self.talking)

    def talking(self):
        return self.alice.hears == self.bob.number and self.bob.hears == self.alice.number

    def told(self, phone):
        self.stage.until(lambda: phone.notifies)
        return [body.removeprefix("SIP/2.0 ") for _, body in phone.notifies]

    def numbers(self):
        """Who was ever called."""
        return {number for number, phone in self.stage.switch.phones.items() if phone.dialogs}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        logging.getLogger("fsctl.session.record").removeHandler(self.records)
        self.stage.close()


NOT_ALLOWED = {"in-session": "403 Transfer Not Allowed", "legacy": "403 403"}
"""Natively FreeSWITCH reports, which says no phrase."""
NOBODY_ELSE = {"1000", "1001", "+4930123456"}


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
@pytest.mark.parametrize("form", FORMS)
def test_what_costs_money_is_closed(form, mode):
    settings = replace(SETTINGS, transfer=Transfer(mode=mode))
    with Fraud(settings) as fraud:
        fraud.bob.refers(FORMS[form])
        assert fraud.told(fraud.bob) == [NOT_ALLOWED[mode]]
        fraud.stage.until(fraud.talking)
        assert fraud.numbers() <= NOBODY_ELSE
        fraud.stage.until(lambda: fraud.records.all)
        (record,) = fraud.records.all
        assert (record["outcome"], record["code"]) == ("failed", 403)
        assert record["rule"] in ("abroad", "premium")
        assert record["allowed"] is False


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
@pytest.mark.parametrize("to", ["1002", "030123456", "+442079460000"])
def test_who_is_outside_transfers_nobody(to, mode):
    with Fraud(replace(SETTINGS, transfer=Transfer(mode=mode)), outside=True) as fraud:
        fraud.alice.refers(f"<sip:{to}@example.org>", referred_by="<sip:1000@example.org>")
        assert fraud.told(fraud.alice) == [NOT_ALLOWED[mode]]
        fraud.stage.until(fraud.talking)
        assert fraud.numbers() <= NOBODY_ELSE


def test_two_outsiders_are_not_joined_but_where_that_is_opened():
    with Fraud(outside=True) as fraud:
        fraud.bob.refers("<sip:030123456@example.org>")
        assert fraud.told(fraud.bob) == ["403 Transfer Not Allowed"]
        fraud.stage.until(lambda: fraud.records.all)
        assert fraud.records.all[0]["rule"] == "two-outsiders"
        fraud.stage.until(fraud.talking)
    opened = Rule(name="bob", by=("user:1001",), of=("outside",), to=("national",), then="allow")
    with Fraud(replace(SETTINGS, rules=(opened,)), outside=True) as fraud:
        fraud.bob.refers("<sip:030123456@example.org>")
        assert fraud.told(fraud.bob) == ["200 OK"]
        fraud.stage.until(lambda: fraud.records.all)
        assert fraud.records.all[0]["rule"] == "bob"


@pytest.mark.parametrize("opened", [False, True])
def test_a_redirection_is_its_partys_wish(opened):
    """1002's phone names a number abroad, or one outside for somebody from outside."""
    settings = SETTINGS
    if opened:
        rule = Rule(name="forwards", to=("country:GB",), start=("redirect",), then="allow")
        settings = replace(SETTINGS, rules=(rule,))
    with Fraud(settings) as fraud:
        fraud.stage.phone("1002").redirects("<sip:+442079460000@example.org>")
        fraud.bob.refers("<sip:1002@example.org>")
        (told,) = fraud.told(fraud.bob)
        assert told.startswith("200") is opened
        assert ("+442079460000" in fraud.numbers()) is opened


def test_a_plain_call_is_not_redirected_abroad():
    with Fraud() as fraud:
        carol, dave = fraud.stage.phone("1002"), fraud.stage.phone("1003")
        carol.redirects("<sip:+442079460000@example.org>")
        dave.calls("1002")
        fraud.stage.until(lambda: not dave.in_call and dave.dialogs)
        assert "+442079460000" not in fraud.numbers()


@pytest.mark.parametrize("alive", [True, False])
def test_who_is_outside_names_no_number_for_its_recall(alive):
    """It leaves behind its REFER: with its From it might have any number called."""
    with Fraud(outside=True) as fraud:
        fraud.alice.leaves_after_refer(Departure("202"))
        if not alive:
            fraud.stage.worker.stop()
        fraud.alice.refers("<sip:1002@example.org>")
        fraud.stage.until(lambda: not fraud.bob.in_call)
        fraud.stage.advance(30.0)
        assert fraud.numbers() <= NOBODY_ELSE
        assert len(fraud.alice.dialogs) == 1


def test_a_user_who_has_left_is_called_again():
    with Fraud() as fraud:
        fraud.stage.phone("1002").refuses(486, "Busy Here")
        fraud.bob.leaves_after_refer(Departure("202"))
        fraud.bob.refers("<sip:1002@example.org>")
        fraud.stage.until(lambda: len(fraud.bob.dialogs) == 2 and fraud.talking())


@pytest.mark.parametrize("to", ["1002", "+442079460000"])
@pytest.mark.parametrize("outside", [True, False])
def test_attended_is_judged_by_who_is_there(to, outside):
    """Bob consults, and joins: another user, or somebody abroad whom he may dial himself."""
    with Fraud(outside=outside) as fraud:
        line = fraud.stage.phone("1001")
        carol = fraud.stage.phone(to)
        second = fraud.bob.calls(to)
        fraud.stage.until(lambda: carol.in_call)
        first = fraud.bob.dialogs[0]
        fraud.bob.refers(f"<sip:{to}@example.org?Replaces={second.replaces}>", dialog=first)
        fraud.stage.until(lambda: line.notifies)
        (told,) = fraud.told(line)
        allowed = to == "1002"
        fraud.stage.until(lambda: fraud.records.all)
        assert told.startswith("200") is allowed
        if allowed:
            fraud.stage.until(lambda: fraud.alice.hears == to)
        assert fraud.records.all[-1]["allowed"] is allowed


@pytest.mark.parametrize(
    ("to", "allowed"), [("1002", True), ("990", False), ("sip:100@evil.example", False)]
)
def test_a_target_that_rings_is_judged_by_the_way_it_is_called(to, allowed):
    """990 looks like one of ours, and is the carrier's; so does 100, at another host."""
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event):
        event.session.connect(event.call, to if event.destination == "7000" else event.destination)

    partner = Route(name="partner", match=".+", kind="uri", hosts=("evil.example",))
    with Fraud(replace(SETTINGS, routes=(partner, *ROUTES)), scenario, outside=True) as fraud:
        line = fraud.stage.phone("1001")
        rings = fraud.stage.phone("100" if "@" in to else to)
        rings.rings()
        second = fraud.bob.calls("7000")
        fraud.stage.until(lambda: any(dialog.state == "ringing" for dialog in rings.dialogs))
        first = fraud.bob.dialogs[0]
        fraud.bob.refers(f"<sip:7000@example.org?Replaces={second.replaces}>", dialog=first)
        if allowed:
            rings.answers_now()
        (told,) = fraud.told(line)
        fraud.stage.until(lambda: fraud.records.all)
        assert told.startswith("200") is allowed
        assert fraud.records.all[-1]["allowed"] is allowed


def test_who_has_joined_by_somebody_elses_word_names_no_number_for_its_recall():
    """Both have called in, the one that leaves behind its REFER with a number of its choice."""
    opened = Rule(name="bob", by=("user:1001",), then="allow")
    with Fraud(replace(SETTINGS, rules=(opened,)), outside=True) as fraud:
        mallory = fraud.stage.phone("+442079460000")
        mallory.authenticates = False
        line = fraud.stage.phone("1001")
        mallory.calls("1001")
        fraud.stage.until(lambda: len(fraud.bob.dialogs) == 2 and mallory.in_call)
        one, other = fraud.bob.dialogs
        fraud.bob.refers(f"<sip:x@example.org?Replaces={other.replaces}>", dialog=one)
        fraud.stage.until(lambda: line.notifies)
        fraud.stage.until(lambda: fraud.alice.hears == mallory.number)
        joined = [fraud.alice.dialogs[0].channel, mallory.dialogs[0].channel]
        assert [leg.get_variable(Mark.CLAIMED) for leg in joined] == ["true", "true"]
        mallory.leaves_after_refer(Departure("202"))
        mallory.refers("<sip:1002@example.org>")
        fraud.stage.until(lambda: not fraud.alice.in_call)
        fraud.stage.advance(30.0)
        assert len(mallory.dialogs) == 1
        assert not fraud.stage.phone("1002").dialogs


@pytest.mark.parametrize("outside", [True, False])
def test_attended_to_an_application_is_judged_by_who_asks(outside):
    """Alice's second call is in a conference: from outside she may not bring Bob there."""
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event):
        if event.destination == "7000":
            event.call.answer()
            event.call.execute("conference", "room")
        else:
            event.session.connect(event.call, event.destination)

    with Fraud(scenario=scenario, outside=outside) as fraud:
        number = fraud.alice.number
        line = fraud.stage.phone(number)
        line.authenticates = not outside
        second = line.calls("7000")
        fraud.stage.until(lambda: line.hears == "conference room")
        to = f"<sip:7000@example.org?Replaces={second.replaces}>"
        fraud.alice.refers(to, dialog=fraud.alice.dialogs[0])
        fraud.stage.until(lambda: line.notifies)
        (told,) = fraud.told(line)
        assert told.startswith("403" if outside else "200")


def test_storms_and_loops_end():
    with Fraud() as fraud:
        # the same minute for all of it, however slow the machine is
        fraud.stage.worker.switchboard.part(Policed).counts = Counts(now=lambda: 60.0)
        fraud.stage.phone("1002").refuses(486, "Busy Here")
        for asked in range(1, 32):
            fraud.bob.refers("<sip:1002@example.org>")
            fraud.stage.until(lambda asked=asked: len(fraud.bob.notifies) == asked)
            fraud.stage.until(fraud.talking)
        codes = [body.split()[1] for _, body in fraud.bob.notifies]
        assert codes == ["486"] * 30 + ["503"]


def test_a_refer_that_another_worker_takes_over_is_counted_once():
    shared = Shared(make_shared())
    with Fraud() as fraud:
        fraud.stage.worker.switchboard.part(Policed).counts = shared.counts(1, lambda: 60.0)
        fraud.stage.phone("1002").refuses(486, "Busy Here")
        fraud.bob.refers("<sip:1002@example.org>")
        assert fraud.told(fraud.bob) == ["486 Busy Here"]
        channel = fraud.bob.dialogs[0].channel
        another = shared.counts(2, lambda: 60.0)
        (user, everybody) = another.listed()
        assert (another.listed()[user], everybody) == (1, "all of simulator")
        refer = f"{channel.uuid} {channel.get_variable('sip_blind_transfer_event')}"
        assert [another.add(user, refer), another.add(everybody, refer)] == [1, 1]
        assert another.add(user, f"{channel.uuid} refer;id=99") == 2


def test_a_chain_ends():
    """Everybody passes Alice on to the next."""
    with Fraud(replace(SETTINGS, policy=replace(SETTINGS.policy, max_chain=3))) as fraud:
        for number in ("1002", "1003", "1004"):
            phone = fraud.stage.phone(number)
            fraud.bob.refers(f"<sip:{number}@example.org>")
            assert fraud.told(fraud.bob) == ["200 OK"]
            fraud.bob = phone
            fraud.stage.until(fraud.talking)
        fraud.bob.refers("<sip:1002@example.org>")
        assert fraud.told(fraud.bob) == ["483 Too Many Transfers"]
        fraud.stage.until(fraud.talking)


def test_a_scenario_is_asked_only_where_somebody_may_be_called():
    asked = []
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event):
        asked.append(event.transfer_to)
        event.session.call_user("+442079460000")

    with Fraud(scenario=scenario, outside=True) as fraud:
        fraud.alice.refers("<sip:1002@example.org>")
        assert fraud.told(fraud.alice) == ["403 Transfer Not Allowed"]
        assert not asked
        fraud.bob.refers("<sip:1002@example.org>")
        assert fraud.told(fraud.bob)[0].startswith("403")
        assert asked
        fraud.stage.until(fraud.talking)
        assert fraud.numbers() <= NOBODY_ELSE


def test_observe_only_says_it(caplog):
    policy = replace(SETTINGS.policy, mode="observe")
    with (
        caplog.at_level(logging.WARNING, "fsctl"),
        Fraud(replace(SETTINGS, policy=policy), outside=True) as fraud,
    ):
        fraud.alice.refers("<sip:1002@example.org>")
        assert fraud.told(fraud.alice) == ["200 OK"]
        fraud.stage.until(lambda: fraud.records.all)
        (record,) = fraud.records.all
        assert (record["rule"], record["allowed"]) == ("outside-asks", False)
    assert "would be refused" in caplog.text
