"""Transfers on which a web service decides: a real one, over HTTP, on either switch."""

from __future__ import annotations

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from fsctl.decide.signature import read_secret, verify
from fsctl.story import hear_each_other, talking
from tests.stories.simulated import SimulatedWorld
from tests.stories.world import World
from tests.unit.decide.services import Asked, Behaviour, Service, serving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BY = pytest.mark.parametrize("by", ["callee", "caller"])


@pytest.fixture
def service() -> Iterator[Service]:
    """It says nothing yet."""
    with serving() as made:
        yield made


def answering(service: Service, **answer: Any) -> None:
    """It answers so from now on."""
    service.then(service.answers(json.dumps(answer).encode()))


def serve(world: World, service: Service, *, policy: dict[str, Any] | None = None,
          scenario: str = "", rules: Sequence[dict[str, Any]] = (), **decide: Any,
          ) -> None:  # fmt: skip
    world.serve(
        rules=rules,
        decide={"url": service.url, "secret": SECRET, **decide},
        policy=policy,
        scenario=scenario,
        transfer={"release_transferor_after_s": 1},
    )


def record(world: World) -> dict[str, Any]:
    """That of the only transfer."""
    world.wait(lambda: '"outcome"' in world.log(), "it is recorded")
    (line,) = re.findall(r'^.*?(\{"session".*\})', world.log(), re.MULTILINE)
    found: dict[str, Any] = json.loads(line)
    return found


@BY
def test_it_connects_the_transferee_elsewhere(world: World, service: Service, by: str) -> None:
    """Its question says who and whom, its answer what the target sees."""
    headers = {"X-Via": "decide"}
    answering(service, decision="connect", targets=["1003"], headers=headers,
              caller_id="4711", display_name="Hotline", ring_timeout_s=20)  # fmt: skip
    serve(world, service)
    transferor, transferee = talking(world, by)
    carol, dave = world.party("1002").answers(), world.party("1003").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    (invite,) = dave.received("INVITE")
    assert invite.header("X-Via") == "decide"
    assert '"Hotline" <sip:4711@' in invite.header("From")
    assert not carol.received("INVITE")
    transferor.wait_over()
    ((said, body),) = service.asked
    verify(said, body, [read_secret(SECRET)], time.time())
    question = json.loads(body)
    assert (question["type"], question["kind"]) == ("transfer.requested", "blind")
    assert question["number"] == "1002" and "1002" in question["refer_to"]
    assert transferor.number in question["referred_by"]
    assert question["transferor"]["number"] == transferor.number
    assert question["transferee"]["number"] == transferee.number
    assert re.fullmatch("[0-9a-f-]{36}", question["transferor"]["channel"])
    written = record(world)
    assert (written["outcome"], written["decided_by"]) == ("succeeded", "web")
    exchange = written["exchange"]
    assert exchange.pop("ms") >= 0
    assert exchange == {"id": question["id"], "host": "127.0.0.1", "status": 200,
                        "decision": "connect 1003"}  # fmt: skip
    assert SECRET not in world.log() and SECRET[6:] not in world.log()


@BY
def test_it_refuses_and_the_first_two_talk_on(world: World, service: Service, by: str) -> None:
    answering(service, decision="refuse", code=486, phrase="Not before noon")
    serve(world, service)
    transferor, transferee = talking(world, by)
    carol = world.party("1002").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 486 Not before noon"
    assert hear_each_other(transferee, transferor)
    assert not carol.received("INVITE")
    written = record(world)
    assert (written["code"], written["decided_by"]) == (486, "web")
    assert written["exchange"]["decision"] == "refuse 486 Not before noon"


def test_it_leaves_it_to_the_settings(world: World, service: Service) -> None:
    answering(service, decision="settings")
    serve(world, service)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    assert record(world)["decided_by"] == "settings"
    assert record(world)["exchange"]["decision"] == "settings"


# -- it fails -----------------------------------------------------------------------------------


def _hangs_up(asked: Asked) -> None:
    asked.hear()


def _silent(asked: Asked) -> None:
    asked.hear()
    asked.stopped.wait(10)


def _fails(asked: Asked) -> None:
    asked.hear()
    asked.say("500 No")


def _nonsense(asked: Asked) -> None:
    asked.hear()
    asked.say("200 OK", b'{"decision": "connect", "targets": ["${x}"]}')


FAILURES: dict[str, tuple[Behaviour | None, str]] = {
    "down": (None, "no connection: Connection refused"),
    "silent": (_silent, "no answer within 0.3 s"),
    "fails": (_fails, "HTTP 500"),
    "nonsense": (_nonsense, "answer: targets: "),
}


@pytest.mark.parametrize("on_failure", ["settings", "refuse"])
@pytest.mark.parametrize("how", FAILURES)
def test_it_fails(world: World, service: Service, how: str, on_failure: str) -> None:
    behave, failure = FAILURES[how]
    service.then(behave or _hangs_up)
    if behave is None:
        service.stop()
    serve(world, service, on_failure=on_failure, timeout_s=0.3)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.transfers("1002")
    if on_failure == "settings":
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, carol)
    else:
        assert bob.wait_notify() == "SIP/2.0 503 Service Unavailable"
        assert hear_each_other(alice, bob)
        assert not carol.received("INVITE")
    written = record(world)
    assert written["decided_by"] == "settings"
    assert written["exchange"]["failure"].startswith(failure)


# -- somebody leaves while it is asked ----------------------------------------------------------


def asked_meanwhile(
    world: World,
    service: Service,
    refers: Callable[[], None],
    act: Callable[[], None],
    **answer: Any,
) -> None:
    """Have somebody send a REFER, and do something while the service thinks, which then answers."""
    heard, go = threading.Event(), threading.Event()

    def think(asked: Asked) -> None:
        service.asked.append(asked.hear())
        heard.set()
        go.wait(10)
        asked.say("200 OK", json.dumps(answer).encode())

    service.then(think)
    if isinstance(world, SimulatedWorld):
        world.waits_for_answers = False
    refers()
    world.wait_really(heard.is_set, "it is asked")
    act()
    if isinstance(world, SimulatedWorld):
        world.let_pass(0.0)  # in every run fsctl hears of it first
        world.waits_for_answers = True
    go.set()


def test_the_transferor_leaves_while_it_is_asked(world: World, service: Service) -> None:
    serve(world, service)
    bob, alice = talking(world)
    carol = world.party("1003").answers()

    refers = functools.partial(bob.transfers, "1002")
    asked_meanwhile(world, service, refers, bob.hangs_up, decision="connect", targets=["1003"])
    assert hear_each_other(alice, carol)
    assert record(world)["decided_by"] == "web"


@pytest.mark.parametrize("decision", ["connect", "refuse"])
def test_the_transferee_leaves_while_it_is_asked(
    world: World, service: Service, decision: str
) -> None:
    """What it answers is dropped: nobody is called for somebody who is not there."""
    serve(world, service)
    bob, alice = talking(world)
    carol = world.party("1003").answers()

    def leave() -> None:
        alice.hangs_up()
        assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"

    refers = functools.partial(bob.transfers, "1002")
    asked_meanwhile(world, service, refers, leave, decision=decision, targets=["1003"])
    bob.wait_over()
    written = record(world)
    assert (written["outcome"], written["decided_by"]) == ("abandoned", "web")
    assert not carol.received("INVITE")


def test_somebody_takes_the_transferee_while_it_is_asked(world: World, service: Service) -> None:
    serve(world, service)
    bob, alice = talking(world)
    dave, erin = world.party("1003").answers(), world.party("1004").answers()

    def take() -> None:
        world.moves(alice, "1004", world.context)
        world.wait_logged("-> transferee taken")

    refers = functools.partial(bob.transfers, "1002")
    asked_meanwhile(world, service, refers, take, decision="connect", targets=["1003"])
    world.wait_logged("that is too late")
    assert hear_each_other(alice, erin)
    assert not dave.received("INVITE")


# -- several targets ----------------------------------------------------------------------------


@BY
def test_it_names_several_to_be_called_in_turn(world: World, service: Service, by: str) -> None:
    answering(service, decision="connect", targets=["1002", "9" * 9, "1003", "1004"])
    serve(world, service)
    transferor, transferee = talking(world, by)
    carol = world.party("1002").refuses(486, "Busy Here")
    dave, erin = world.party("1003").answers(), world.party("1004").answers()
    transferor.transfers("1005")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    assert len(carol.received("INVITE")) == 1 and not erin.received("INVITE")
    transferor.wait_over()
    assert record(world)["outcome"] == "succeeded"


@pytest.mark.parametrize("mode", ["in-turn", "at-once"])
def test_none_of_several_answers(world: World, service: Service, mode: str) -> None:
    """The best of all failures is told (RFC 3261 section 16.7)."""
    answering(service, decision="connect", targets=["1002", "1003"], mode=mode)
    serve(world, service)
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Gone fishing")
    world.party("1003").refuses(503, "Nobody here")
    bob.transfers("1005")
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    assert record(world)["code"] == 486


@pytest.mark.parametrize("mode", ["in-turn", "at-once"])
def test_none_of_several_can_be_called(world: World, service: Service, mode: str) -> None:
    answering(service, decision="connect", targets=["9" * 9, "sip:1002@elsewhere.org"], mode=mode)
    serve(world, service)
    bob, alice = talking(world)
    bob.transfers("1005")
    assert bob.wait_notify() == "SIP/2.0 404 Not Found"
    assert hear_each_other(alice, bob)


@BY
def test_it_has_several_ring_at_once(world: World, service: Service, by: str) -> None:
    answering(service, decision="connect", targets=["1002", "1003", "1004"], mode="at-once",
              ring_timeout_s=20)  # fmt: skip
    serve(world, service)
    transferor, transferee = talking(world, by)
    carol, erin = world.party("1002").rings(), world.party("1004").refuses(486, "Busy Here")
    dave = world.party("1003").rings()
    transferor.transfers("1005")
    carol.wait_received("INVITE")
    dave.wait_received("INVITE")
    erin.wait_received("INVITE")
    dave.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    carol.wait_received("CANCEL")
    transferor.wait_over()
    assert record(world)["outcome"] == "succeeded"
    dave.hangs_up()
    transferee.wait_over()


@BY
def test_of_two_that_answer_at_once_one_is_joined(world: World, service: Service, by: str) -> None:
    answering(service, decision="connect", targets=["1002", "1003"], mode="at-once")
    serve(world, service)
    transferor, transferee = talking(world, by)
    both = [world.party(number).answers() for number in ("1002", "1003")]
    transferor.transfers("1005")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    world.wait(lambda: sum(party.in_call for party in both) == 1, "one is released")
    (joined,) = (party for party in both if party.in_call)
    assert hear_each_other(transferee, joined)
    assert record(world)["outcome"] == "succeeded"


HOUSE = {"3001": ["hangup USER_BUSY"], "3002": ["bridge user/1002@127.0.0.1"],
         "3003": ["bridge user/1003@127.0.0.1"]}  # fmt: skip
IN_HOUSE = {"name": "house", "match": "3[0-9]*", "kind": "dialplan", "context": "house"}


@BY
@pytest.mark.parametrize("mode", ["in-turn", "at-once"])
def test_several_in_the_switchs_own_dialplan(
    world: World, service: Service, mode: str, by: str
) -> None:
    """Of a call that is the switch's own, as everything is in scope transfers."""
    answering(service, decision="connect", targets=["3001", "3002", "3003"], mode=mode,
              ring_timeout_s=20)  # fmt: skip
    world.serve(
        decide={"url": service.url, "secret": SECRET},
        scope="transfers",
        routes=[IN_HOUSE],
        house=HOUSE,
        transfer={"release_transferor_after_s": 1},
    )
    transferor, transferee = talking(world, by)
    carol, dave = world.party("1002").rings(), world.party("1003").answers()
    transferor.transfers("1005")
    if mode == "in-turn":
        carol.wait_received("INVITE")
        carol.answers_now()
    target = carol if mode == "in-turn" else dave
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    written = record(world)
    assert (written["outcome"], written["decided_by"]) == ("succeeded", "web")
    if mode == "in-turn":
        assert not dave.received("INVITE")
    else:
        carol.wait_received("CANCEL")
    target.hangs_up()
    transferee.wait_over()


# -- attended -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "on_failure", "joined"),
    [
        ({"decision": "settings"}, "refuse", True),
        ({"decision": "refuse", "code": 486}, "settings", False),
        ({"decision": "connect", "targets": ["1003"]}, "settings", True),
        ({"decision": "connect", "targets": ["1003"]}, "refuse", False),
    ],
)
def test_it_lets_an_attended_transfer_be_or_refuses_it(
    world: World, service: Service, answer: dict[str, Any], on_failure: str, joined: bool
) -> None:
    """It cannot connect anybody else; FreeSWITCH knows no other failure than 403."""
    answering(service, **answer)
    serve(world, service, on_failure=on_failure)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    line = bob.consults("1002")
    line.wait_talking()
    assert hear_each_other(line, carol)
    bob.refers(world.replacing(line, "1002"), "<sip:referrer@example.org>")
    if joined:
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, carol)
        line.wait_over()
    else:
        assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
        assert hear_each_other(alice, bob) and hear_each_other(line, carol)
    question = json.loads(service.asked[0][1])
    assert (question["kind"], question["number"]) == ("attended", "1002")
    assert question["referred_by"] == "<sip:referrer@example.org>"
    written = record(world)
    by_web = answer["decision"] == "refuse"
    assert (written["kind"], written["decided_by"]) == ("attended", "web" if by_web else "settings")
    assert written["exchange"]["decision"].startswith(answer["decision"])


def test_a_party_leaves_while_it_is_asked_of_an_attended_one(
    world: World, service: Service
) -> None:
    serve(world, service)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    line = bob.consults("1002")
    line.wait_talking()
    assert hear_each_other(line, carol)

    def leave() -> None:
        alice.hangs_up()
        world.wait_logged("the transferee hangs up")

    refers = functools.partial(bob.refers, world.replacing(line, "1002"))
    asked_meanwhile(world, service, refers, leave, decision="settings")
    assert record(world)["outcome"] != "succeeded"
    assert hear_each_other(line, carol)


# -- who else decides ---------------------------------------------------------------------------

SCENARIO = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.connect(event.transferee, "1003")
"""


def test_a_scenario_that_decides_on_transfers_goes_before(world: World, service: Service) -> None:
    answering(service, decision="refuse")
    serve(world, service, scenario=SCENARIO)
    bob, alice = talking(world)
    dave = world.party("1003").answers()
    bob.transfers("1002")
    assert hear_each_other(alice, dave)
    bob.wait_over()
    assert not service.connections
    assert record(world)["decided_by"] == "scenario" and record(world)["exchange"] == {}


ENFORCED = {"mode": "enforce", "outside": ["user:2000"]}
"""Who calls is outside, and may transfer nobody."""


@pytest.mark.parametrize("may_open", [False, True])
def test_it_opens_what_our_rules_close_only_where_it_may(
    world: World, service: Service, may_open: bool
) -> None:
    answering(service, decision="connect", targets=["1002"])
    serve(world, service, policy=ENFORCED, may_open=may_open)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    alice.transfers("1002")
    written: dict[str, Any]
    if may_open:
        assert alice.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(bob, carol)
        question = json.loads(service.asked[0][1])
        assert question["policy"]["rule"] == "outside-asks" and not question["policy"]["allowed"]
        assert question["transferor"]["side"] == "outside"
        alice.wait_over()
        world.wait_logged("opened by the web service, against rule outside-asks")
    else:
        assert alice.wait_notify() == "SIP/2.0 403 Transfer Not Allowed"
        assert hear_each_other(alice, bob)
        assert not service.connections and not carol.received("INVITE")
    written = record(world)
    assert (written["rule"], written["allowed"]) == ("outside-asks", False)
    assert written["decided_by"] == ("web" if may_open else "settings")


@pytest.mark.parametrize("answer", ["settings", "nothing"])
def test_what_it_has_not_opened_stays_closed(world: World, service: Service, answer: str) -> None:
    if answer == "settings":
        answering(service, decision="settings")
    else:
        service.then(_fails)
    serve(world, service, policy=ENFORCED, may_open=True)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    alice.transfers("1002")
    assert alice.wait_notify() == "SIP/2.0 403 Transfer Not Allowed"
    assert hear_each_other(alice, bob)
    assert service.connections and not carol.received("INVITE")


def test_a_bound_is_never_opened(world: World, service: Service) -> None:
    answering(service, decision="connect", targets=["1002"])
    bounds = {"mode": "enforce", "max_per_minute": 1, "outside": ["user:2000"]}
    serve(world, service, policy=bounds, may_open=True)
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Busy Here")
    alice.transfers("1002")
    assert alice.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(alice, bob)
    alice.transfers("1002")
    assert alice.wait_notify(2) == "SIP/2.0 503 Too Many Transfers"
    assert hear_each_other(alice, bob)
    assert service.connections == 1


def test_a_rule_of_the_operators_is_never_opened(world: World, service: Service) -> None:
    answering(service, decision="connect", targets=["1002", "1003"])
    rule = {"name": "mine", "to": ["number:1002"], "then": "refuse", "phrase": "Never"}
    serve(world, service, policy=ENFORCED, rules=[rule], may_open=True)
    bob, alice = talking(world)
    carol, dave = world.party("1002").answers(), world.party("1003").answers()
    alice.transfers("1005")
    assert alice.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(bob, dave)
    assert not carol.received("INVITE")
    alice.wait_over()
