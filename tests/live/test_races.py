"""Two things at the same moment, on the real switch; whoever wins, the invariants hold."""

from __future__ import annotations

import os
import signal
import time

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab import NotInTime, Pause, Refuse, Ring, free_port, wait_for
from tests.live.lab.fsctl_process import REPOSITORY
from tests.live.lab.late_news import LateNews
from tests.live.lab.settings import sections
from tests.stories.test_legacy_transfers import CALLS_BY_ITSELF

UNDECIDED = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    print("TOLD requested", flush=True)
"""


@pytest.fixture
def served(controller, switch):
    return controller(sections(switch, ring_timeout_s=4))


@pytest.fixture(params=["callee", "caller"])
def direction(request):
    return request.param


@pytest.fixture
def parties(served, phones, direction):
    return talking(phones, direction)


@pytest.fixture
def frozen(served):
    """Stop the controller's process, and let it go on: what happens between comes late."""

    class Frozen:
        def __enter__(self):
            os.killpg(served.pid, signal.SIGSTOP)

        def __exit__(self, *_):
            os.killpg(served.pid, signal.SIGCONT)

    return Frozen()


def no_leg_is_left(switch):
    """Soon after the last phone has hung up; a zombie is waited for, and told of all the same."""
    try:
        switch.wait_no_channels(5.0)  # a transferor that stays is released within 3.5 s
    except NotInTime:
        switch.wait_no_channels(20.0)
        raise


def later(delay_ms):
    time.sleep(delay_ms / 1000)  # the race itself: nothing is waited for


def target_leaves(phones, switch, direction, delay_ms, who="target"):
    """A target that answers leaves so soon after that, or the transferee does: the transferor is
    told once, and nobody is left."""
    transferor, transferee = talking(phones, direction)
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.answers_now()
    later(delay_ms)
    (target if who == "target" else transferee).command("bye")
    if transferor.wait_notify() != "SIP/2.0 200 OK" and who == "target":
        assert hear_each_other(transferee, transferor)
        transferor.hangs_up()
    for phone in (transferor, transferee, target):
        phone.wait_over()
    assert len(transferor.notifies) == 1
    no_leg_is_left(switch)


# -- somebody leaves


@pytest.mark.parametrize(
    "delay_ms",
    [0, 1, 20, 280],
)
def test_transferor_leaves_after_the_202(parties, phones, switch, delay_ms):
    transferor, transferee = parties
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    later(delay_ms)
    transferor.hangs_up()
    target.answers_now()
    assert hear_each_other(transferee, target)
    target.hangs_up()
    transferee.wait_over()
    no_leg_is_left(switch)


@pytest.mark.parametrize("delay_ms", [0, 5, 10, 15, 20, 30])
def test_transferor_leaves_as_a_scenario_is_asked(controller, phones, switch, direction, delay_ms):
    """Its leaving was taken for the end of the call that it had had with the transferee."""
    sample = REPOSITORY / "examples" / "call_user_transfer.py"
    controller(sections(switch), scenario=sample.read_text(encoding="utf-8"))
    transferor, transferee = talking(phones, direction)
    target = phones.party("1002").answers()
    transferor.refers(phones.refer_to("1002"))
    later(delay_ms)
    transferor.hangs_up()
    target.wait_talking()
    assert not transferee.received("BYE")


@pytest.mark.parametrize("delay_ms", [0, 280])
def test_transferor_leaves_and_the_target_is_busy(parties, phones, switch, delay_ms):
    """It is called again; where it cannot be, the transferee's call ends, and no leg stays."""
    transferor, transferee = parties
    phones.party("1002").takes(Ring(), Pause(delay_ms or 1), Refuse(486, "Busy"))
    transferor.refers(phones.refer_to("1002"))
    transferor.hangs_up()
    if transferor.number == "1001":  # the other one has no telephone that could be called
        transferor.wait_received("INVITE", times=2)
        assert hear_each_other(transferee, transferor)
        transferee.hangs_up()
        transferor.wait_over()
    transferee.wait_over()
    no_leg_is_left(switch)


@pytest.mark.parametrize(
    "delay_ms",
    [0, 20, 280],
)
def test_transferee_leaves_after_the_202(parties, phones, switch, delay_ms):
    transferor, transferee = parties
    phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    later(delay_ms)
    transferee.hangs_up()
    assert transferor.wait_notify(limit_s=3) == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
    assert len(transferor.notifies) == 1
    no_leg_is_left(switch)


def test_transferee_leaves_before_the_controller_looks(parties, phones, switch, frozen):
    transferor, transferee = parties
    with frozen:
        transferor.refers(phones.refer_to("1002"))
        transferee.hangs_up()
        transferee.wait_over()
    transferor.wait_notify()
    transferor.wait_over()
    no_leg_is_left(switch)


def test_transferor_leaves_before_the_controller_looks(parties, phones, switch, frozen):
    transferor, transferee = parties
    target = phones.party("1002").answers()
    with frozen:
        transferor.refers(phones.refer_to("1002"))
        transferor.hangs_up()
        transferor.wait_over()
    target.wait_received("INVITE")
    assert hear_each_other(transferee, target)
    target.hangs_up()
    transferee.wait_over()
    no_leg_is_left(switch)


def test_both_leave_before_the_controller_looks(parties, phones, switch, frozen):
    transferor, transferee = parties
    target = phones.party("1002").answers()
    with frozen:
        transferor.refers(phones.refer_to("1002"))
        for phone in (transferor, transferee):
            phone.hangs_up()
            phone.wait_over()
    no_leg_is_left(switch)
    assert not target.received("INVITE")


@pytest.mark.parametrize("delay_ms", [0, 10, 50])
def test_target_answers_and_leaves_at_once(parties, phones, delay_ms):
    """Success was true for a moment, or it was not: never a drop without a success report."""
    transferor, transferee = parties
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.command("answer")
    target.wait_received("ACK")
    later(delay_ms)
    target.command("bye")
    target.wait_over()
    if transferor.wait_notify() == "SIP/2.0 200 OK":
        transferee.wait_over()
        transferor.wait_over()
    else:
        assert hear_each_other(transferee, transferor)
    assert len(transferor.notifies) == 1


@pytest.mark.parametrize("who", ["target", "transferee"])
@pytest.mark.parametrize("delay_ms", [0, 10, 20, 30, 40])
def test_somebody_leaves_a_target_that_a_scenario_has_called(
    controller, phones, switch, direction, delay_ms, who
):
    """However short the join: the transferor is told once, and nobody is left."""
    sample = REPOSITORY / "examples" / "call_user_transfer.py"
    controller(sections(switch), scenario=sample.read_text(encoding="utf-8"))
    target_leaves(phones, switch, direction, delay_ms, who)


@pytest.mark.parametrize("late_s", [0.05, 0.1])
@pytest.mark.parametrize("delay_ms", [4, 8, 12])
def test_a_transferee_is_back_before_the_news_of_its_join(
    controller, phones, switch, direction, delay_ms, late_s
):
    """Its target has left at once; what is told of that comes by an older link."""
    port = free_port()
    news = LateNews(port, late_s)
    settings = sections(switch, dialplan={"controllers": [news.address]})
    settings["server"] |= {"home": news.address}
    sample = REPOSITORY / "examples" / "call_user_transfer.py"
    controller(settings, port=port, scenario=sample.read_text(encoding="utf-8"))
    target_leaves(phones, switch, direction, delay_ms)
    news.close()


@pytest.mark.parametrize("loops", ["", ";loops=-1"], ids=["four seconds", "for ever"])
@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
@pytest.mark.parametrize("delay_ms", [5, 15, 25])
def test_somebody_else_lets_the_transferee_hear_something_as_it_is_joined(
    controller, phones, switch, delay_ms, leaves, loops
):
    """FreeSWITCH executes that before it reports the join: the transferor waits for its NOTIFY.

    What has no end is broken off.
    """
    sample = REPOSITORY / "examples" / "call_user_transfer.py"
    joins = "session.send_media_between(out2.call, inc.call)\n"
    text = sample.read_text(encoding="utf-8")
    assert joins in text
    served = controller(
        sections(switch), scenario=text.replace(joins, f'{joins}{16 * " "}print("JOINS")\n')
    )
    bob, alice = talking(phones)
    (channel,) = (row["uuid"] for row in switch.wait_channels(2) if row["direction"] == "inbound")
    carol = phones.party("1002").answers()
    bob.refers(phones.refer_to("1002"))
    served.wait_log("JOINS")
    later(delay_ms)
    switch.esl(f"uuid_broadcast {channel} playback::tone_stream://%(4000,0,440){loops}")
    if leaves:
        later(30)
        carol.hangs_up()
    if bob.wait_notify(limit_s=15) == "SIP/2.0 200 OK" and not leaves:
        bob.wait_over()
        assert hear_each_other(alice, carol)
    elif bob.notifies == ["SIP/2.0 487 Request Terminated"]:
        assert leaves and hear_each_other(alice, bob)
    else:  # they had talked
        assert leaves and bob.notifies == ["SIP/2.0 200 OK"]
    assert len(bob.notifies) == 1


def test_both_leave_as_the_target_answers(parties, phones, switch):
    transferor, transferee = parties
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.answers_now()
    transferor.command("bye")
    transferee.command("bye")
    for phone in (transferor, transferee, target):
        phone.wait_over()
    no_leg_is_left(switch)


def test_transferor_leaves_as_it_gets_its_call_back(parties, phones, switch):
    transferor, transferee = parties
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.refuses_now(486, "Busy")
    transferor.command("bye")
    transferor.wait_sent("BYE")
    # it has left its call, or the transfer: then it is called again, where it can be
    phones.wait(lambda: not transferor.in_call or not transferee.in_call)
    phones.wait(lambda: not transferee.in_call or len(transferor.received("INVITE")) == 2)
    if transferee.in_call:
        assert hear_each_other(transferee, transferor)
        transferee.hangs_up()
    transferor.wait_over()
    transferee.wait_over()
    no_leg_is_left(switch)


# -- the ring timeout


@pytest.mark.parametrize("before_ms", [60, 30, 10, 0])
def test_target_answers_as_its_time_is_over(controller, phones, switch, before_ms):
    """FreeSWITCH cancels at a full second: the answer and the CANCEL cross."""
    controller(sections(switch, ring_timeout_s=1))
    bob, alice = talking(phones)
    wait_for(lambda: time.time() % 1 > 0.5, 2, "the second half of a second", 0.001)
    target = phones.party("1002").rings()
    wait_for(lambda: time.time() % 1 < 0.1, 2, "a second begins", 0.001)
    bob.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    later(max(0.0, (1 - time.time() % 1) * 1000 - before_ms))
    target.command("answer")
    line = bob.wait_notify()
    if line == "SIP/2.0 200 OK":
        assert hear_each_other(alice, target)
        bob.wait_over()
    else:
        assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


def test_stalled_beyond_the_ring_timeout(controller, phones, switch):
    """The process stands still, the target answers meanwhile: the call stays."""
    served = controller(sections(switch, ring_timeout_s=2))
    bob, alice = talking(phones)
    target = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    os.killpg(served.pid, signal.SIGSTOP)
    target.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    later(6000)
    os.killpg(served.pid, signal.SIGCONT)
    bob.wait_over()
    assert hear_each_other(alice, target)
    assert len(bob.notifies) == 1


def test_stalled_for_a_moment(parties, phones, frozen):
    transferor, transferee = parties
    target = phones.party("1002").answers()
    with frozen:
        transferor.refers(phones.refer_to("1002"))
        later(700)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()


def test_stalled_for_longer_than_anybody_waits(parties, phones, switch, frozen):
    """FreeSWITCH ends the transfer by itself, and the next one works again."""
    transferor, transferee = parties
    target = phones.party("1002").answers()
    with frozen:
        transferor.refers(phones.refer_to("1002"))
        assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(transferee, transferor)
    switch.wait(switch.living, what="FreeSWITCH knows it again")
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()


# -- REFERs at awkward moments


def test_refer_at_the_moment_of_the_answer(served, phones, switch, direction):
    bob = phones.party("1001").rings()
    alice = phones.caller("2000", "1001")
    target = phones.party("1002").answers()
    bob.wait_sent(180)
    bob.command("answer")
    transferor, transferee = (bob, alice) if direction == "callee" else (alice, bob)
    transferor.refers(phones.refer_to("1002"))
    phones.wait(lambda: transferor.notifies or transferor.received("BYE"), "told, or over")
    # FreeSWITCH hangs up a callee that refers before it is bridged: no dialog, no report
    assert len(transferor.notifies) <= 1
    if transferor.notifies in ([], ["SIP/2.0 200 OK"]):
        assert hear_each_other(transferee, target)
        transferor.wait_over()
        target.hangs_up()
        transferee.wait_over()
        no_leg_is_left(switch)
    else:
        assert hear_each_other(transferee, transferor)


@pytest.mark.parametrize("delay_ms", [0, 4, 8, 12, 20, 40])
def test_target_refers_as_its_call_becomes_the_switchs_own(
    controller, phones, switch, direction, delay_ms
):
    """In scope transfers its link is closed: the next REFER's leg may be waiting at another one."""
    controller(sections(switch, dialplan={"scope": "transfers"}))
    transferor, transferee = talking(phones, direction)
    carol, dave = phones.party("1002").answers(), phones.party("1003").answers()
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    later(delay_ms)
    carol.refers(phones.refer_to("1003"))
    told = carol.wait_notify()
    assert hear_each_other(transferee, dave if told == "SIP/2.0 200 OK" else carol)
    assert len(carol.notifies) == 1 and transferor.notifies == ["SIP/2.0 200 OK"]
    transferee.hangs_up()
    phones.wait(lambda: not carol.in_call or told == "SIP/2.0 200 OK", "all are released")
    no_leg_is_left(switch)


def test_refer_at_the_moment_the_first_two_are_joined_again(parties, phones):
    transferor, transferee = parties
    phones.party("1002").refuses(486, "Busy")
    target = phones.party("1003").answers()
    transferor.refers(phones.refer_to("1002"))
    transferor.wait_notify()
    transferor.refers(phones.refer_to("1003"))
    if transferor.wait_notify(2) == "SIP/2.0 200 OK":
        assert hear_each_other(transferee, target)
        transferor.wait_over()
    else:
        assert hear_each_other(transferee, transferor)
    assert len(transferor.notifies) == 2


def test_both_refer_at_the_same_time(parties, phones, switch):
    one, other = parties
    first, second = phones.party("1002").rings(), phones.party("1003").rings()
    one.command("refer", lines=[f"Refer-To: <{switch.uri('1002')}>"])
    other.command("refer", lines=[f"Refer-To: <{switch.uri('1003')}>"])
    one.wait_received(202)
    other.wait_received(202)
    for phone in (first, second):
        if phone.received("INVITE"):
            phone.command("answer")
    for phone in (one, other):
        phones.wait(lambda p=phone: p.notifies or p.received("BYE"), "told, or over")
        assert len(phone.notifies) <= 1


@pytest.mark.parametrize("busy", [False, True])
def test_transfer_to_oneself(served, phones, busy):
    """Bob names his own number: his phone takes a second call, or is busy."""
    bob, alice = talking(phones)
    desk = phones.line(bob)
    desk.refuses(486, "Busy") if busy else desk.answers()
    bob.refers(phones.refer_to("1001"))
    if busy:
        assert bob.wait_notify() == "SIP/2.0 486 Busy"
        assert hear_each_other(alice, bob)
    else:
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, desk)
        bob.wait_over()


def test_transfer_to_the_other_party(served, phones):
    """Alice sends Bob to Bob's own number."""
    bob, alice = talking(phones)
    phones.line(bob).refuses(486, "Busy")
    alice.refers(phones.refer_to("1001"))
    assert alice.wait_notify() == "SIP/2.0 486 Busy"


# -- FreeSWITCH's own attended transfer


def test_attended_transfer_between_two_calls(controller, phones, switch, direction):
    """Left to FreeSWITCH: the survivors talk, and one of them can transfer again."""
    controller(sections(switch, ring_timeout_s=4, transfer={"attended": "switch"}))
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    consultation = bob.consults("1002")
    if direction == "caller":
        consultation.wait_talking()
        transferor, survivor = alice, bob
    else:
        transferor, survivor = bob, alice
    consultation.wait_talking()
    transferor.refers(phones.replacing(consultation, "1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(survivor, carol)
    consultation.wait_over()
    transferor.hangs_up_all()
    assert hear_each_other(survivor, carol)
    dave = phones.party("1003").answers()
    carol.refers(phones.refer_to("1003"))
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(survivor, dave)
    dave.hangs_up()
    survivor.wait_over()
    carol.wait_over()
    no_leg_is_left(switch)


# -- death and the end of the controller


def test_killed_before_the_decision(controller, phones, switch):
    """Nobody else is there: FreeSWITCH reports and joins the first two again."""
    served = controller(sections(switch), scenario=UNDECIDED)
    bob, alice = talking(phones)
    target = phones.party("1002").answers()
    bob.refers(phones.refer_to("1002"))
    served.wait_log("TOLD requested")
    served.kill9()
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    assert not target.received("INVITE")


@pytest.mark.parametrize("decided", [False, True])
def test_killed_and_the_second_controller_takes_over(controller, phones, switch, decided):
    """Two controllers in the list: the second goes on where the first has died."""
    ports = free_port(), free_port()
    listed = {"controllers": [f"127.0.0.1:{port}" for port in ports]}
    settings = sections(switch, dialplan=listed)
    first = controller(settings, port=ports[0], scenario="" if decided else UNDECIDED)
    second = controller(settings, port=ports[1], install=False)
    bob, alice = talking(phones)
    target = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    if decided:
        target.wait_sent(180)
        first.kill9()
        target.refuses_now(486, "Gone fishing")
        assert bob.wait_notify().startswith("SIP/2.0 486")
        assert hear_each_other(alice, bob)
    else:
        first.wait_log("TOLD requested")
        first.kill9()
        target.answers_now()
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, target)
        bob.wait_over()
    assert len(bob.notifies) == 1
    assert second.is_running


def test_home_is_dead_and_another_lives(controller, phones, switch):
    ports = free_port(), free_port()
    listed = {"controllers": [f"127.0.0.1:{port}" for port in ports]}
    settings = sections(switch, dialplan=listed)
    first = controller(settings, port=ports[0])
    controller(settings, port=ports[1], install=False)
    bob, alice = talking(phones)
    first.kill9()
    phones.party("1002").refuses(486, "Gone fishing")
    target = phones.party("1003").answers()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    alice.refers(phones.refer_to("1003"))
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(bob, target)
    alice.wait_over()


@pytest.mark.parametrize("moment", ["requested", "202", "rejoined", "alerting", "joined"])
def test_sigterm(controller, phones, switch, moment):
    served = controller(sections(switch), scenario=UNDECIDED if moment == "requested" else "")
    if moment == "alerting":
        bob = phones.party("1001").rings()
        alice = phones.caller("2000", "1001")
        alice.wait_received(180)
        assert served.terminate() == 0
        bob.answers_now()
        alice.wait_talking()
        assert hear_each_other(alice, bob)
        return
    bob, alice = talking(phones)
    phones.party("1002").refuses(486, "Busy")
    target = phones.party("1003").answers()
    bob.refers(phones.refer_to("1002" if moment == "rejoined" else "1003"))
    if moment == "requested":
        served.wait_log("TOLD requested")
    elif moment in ("rejoined", "joined"):
        bob.wait_notify()
    assert served.terminate() == 0
    line = bob.wait_notify()
    assert hear_each_other(alice, target if line == "SIP/2.0 200 OK" else bob)
    assert len(bob.notifies) == 1


# -- many


def test_limit_of_calls_is_reached(controller, phones, switch):
    """A transfer of a call that is up needs one link more than the limit leaves."""
    settings = sections(switch)
    settings["server"]["max_calls"] = 1
    controller(settings)
    bob, alice = talking(phones)
    target = phones.party("1002").answers()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.wait_over()


@pytest.mark.parametrize("overload", ["switch", "refuse"])
def test_a_call_above_the_limit_is_answered_at_once(controller, phones, switch, overload):
    settings = sections(switch)
    settings["server"] |= {"max_calls": 1, "overload": overload}
    served = controller(settings)
    talking(phones)
    carol = phones.party("1005").answers()
    dave = phones.caller("2005", "1005")
    if overload == "switch":
        dave.wait_talking()
        assert hear_each_other(carol, dave)
    else:
        assert dave.wait_received(503).start_line == "SIP/2.0 503 Service Unavailable"
        assert not carol.received("INVITE")
    served.wait_log("1 sessions run")


def test_eight_calls_each_with_a_transfer(served, phones, switch):
    pairs = []
    for n in range(8):
        bob = phones.party(f"11{n:02}").answers()
        pairs.append((phones.caller(f"21{n:02}", f"11{n:02}"), bob))
    targets = [phones.party(f"12{n:02}").answers() for n in range(8)]
    for alice, _ in pairs:
        alice.wait_talking()
    transferors = [pair[n % 2] for n, pair in enumerate(pairs)]
    transferees = [pair[1 - n % 2] for n, pair in enumerate(pairs)]
    for n, phone in enumerate(transferors):
        phone.command("refer", lines=[f"Refer-To: <{switch.uri(f'12{n:02}')}>"])
    for phone in transferors:
        assert phone.wait_notify(limit_s=10) == "SIP/2.0 200 OK"
    for transferee, target in zip(transferees, targets, strict=True):
        assert hear_each_other(transferee, target)
    for phone in transferors:
        phone.wait_over()
        assert len(phone.notifies) == 1
    for transferee, target in zip(transferees, targets, strict=True):
        target.hangs_up()
        transferee.wait_over()
    no_leg_is_left(switch)


# -- legacy


@pytest.fixture
def legacy(controller, phones, switch, direction):
    served = controller(
        sections(switch, transfer={"mode": "legacy"}),
        scenario="""
from fsctl.scenario import Scenario, TransferComplete, TransferFailed
scenario = Scenario()

@scenario.on(TransferComplete)
def complete(event):
    print("TOLD complete", event.call.number, flush=True)

@scenario.on(TransferFailed)
def failed(event):
    print("TOLD failed", event.call.number, event.code, flush=True)
""",
    )
    return served, *talking(phones, direction)


def told(served):
    return [line for line in served.log_text().splitlines() if line.startswith("TOLD")]


def test_legacy_transferee_leaves_while_the_target_rings(legacy, phones):
    served, transferor, transferee = legacy
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    transferee.hangs_up()
    target.wait_received("CANCEL")
    served.wait_log(f"TOLD failed {transferor.number}")
    transferor.wait_notify()
    transferor.wait_over()
    assert len(told(served)) == 1


@pytest.mark.parametrize("delay_ms", [0, 100])
def test_legacy_transferor_leaves_after_the_202(legacy, phones, delay_ms):
    served, transferor, transferee = legacy
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    later(delay_ms)
    transferor.hangs_up()
    target.answers_now()
    assert hear_each_other(transferee, target)
    served.wait_log(f"TOLD complete {transferor.number}")
    assert len(told(served)) == 1


def test_legacy_target_answers_and_leaves_at_once(legacy, phones):
    served, transferor, transferee = legacy
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.command("answer")
    target.wait_sent(200)
    target.command("bye")
    line = transferor.wait_notify()
    served.wait_log("TOLD")
    assert ("complete" in told(served)[0]) == (line == "SIP/2.0 200 OK")
    if line != "SIP/2.0 200 OK":
        assert hear_each_other(transferee, transferor)
    else:
        transferee.wait_over()
        transferor.wait_over()
    assert len(told(served)) == len(transferor.notifies) == 1


@pytest.mark.parametrize("delay_ms", [0, 8, 16, 40])
def test_legacy_target_that_a_scenario_joins_leaves_at_once(
    controller, phones, switch, direction, delay_ms
):
    """FreeSWITCH reports, and joins the first two again, where it has given up the join."""
    controller(sections(switch, transfer={"mode": "legacy"}), scenario=CALLS_BY_ITSELF)
    target_leaves(phones, switch, direction, delay_ms)


@pytest.mark.parametrize("delay_ms", [0, 5, 15, 25, 40, 60])
def test_a_target_of_the_scenario_answers_and_leaves_at_once(controller, phones, switch, delay_ms):
    """Between the join and the meeting of the legs FreeSWITCH would drop the transferee."""
    sample = REPOSITORY / "examples" / "call_user_transfer.py"
    controller(sections(switch), scenario=sample.read_text(encoding="utf-8"))
    bob, alice = talking(phones)
    target = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.command("answer")
    target.wait_received("ACK")
    later(delay_ms)
    target.command("bye")
    target.wait_over()
    if bob.wait_notify() == "SIP/2.0 200 OK":
        alice.wait_over()
        bob.wait_over()
    else:
        assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


def test_who_wants_no_subscription_is_told_all_the_same(controller, phones, switch):
    """FreeSWITCH reads no Refer-Sub (RFC 4488): its 202 echoes none, and the result is sent."""
    controller(sections(switch))
    bob, alice = talking(phones)
    target = phones.party("1002").answers()
    headers = [("Refer-Sub", "false"), ("Supported", "norefersub")]
    bob.refers(phones.refer_to("1002"), headers=headers)
    assert not bob.wait_received(202).header("Refer-Sub")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)


@pytest.mark.parametrize("answers", [True, False])
def test_the_transferor_has_forgotten_its_refer(controller, phones, switch, answers):
    """Its 481 to the NOTIFY (RFC 6665 section 4.2.2) costs nobody the call."""
    controller(sections(switch))
    bob, alice = talking(phones)
    bob.forgets_refers()
    target = phones.party("1002")
    target = target.answers() if answers else target.refuses(486, "Busy Here")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == f"SIP/2.0 {'200 OK' if answers else '486 Busy Here'}"
    bob.wait_sent(481)
    assert hear_each_other(alice, target if answers else bob)
    if answers:
        bob.wait_over()
