"""Targets in the switch's own dialplan (a route of kind "dialplan"), whatever they are there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import cycle, product
from typing import Any

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

BOTH = pytest.mark.parametrize("by", ["callee", "caller"])


def one_side_each(*rows: Any) -> list[Any]:
    """Rows of ``pytest.param``, with the transferors in turn: what becomes of a target does not
    depend on who has asked for it."""
    sides = cycle(("callee", "caller"))
    return [pytest.param(next(sides), *row.values, id=row.id) for row in rows]


def half_of_all() -> list[tuple[str, str, bool, str, str]]:
    """Of all five choices half, so that whatever four of them are there in every combination."""
    rows = []
    for when, dies, sender, outcome in product(
        ("at once", "after the loopback has left"),
        (False, True),
        ("target", "transferee"),
        ("answers", "busy"),
    ):
        odd = (when == "at once") ^ dies ^ (sender == "target") ^ (outcome == "busy")
        rows.append(("caller" if odd else "callee", when, dies, sender, outcome))
    return rows


HOUSE = {
    "3001": ["set continue_on_fail=true", "bridge user/1002@127.0.0.1"],
    "3002": ["bridge user/1002@127.0.0.1"],
    "3003": ["transfer 3002 XML house"],
    "3004": ["transfer 3002"],
    "3005": ["execute_extension 3002 XML house"],
    "3006": ["bridge loopback/3002/house"],
    "3010": [
        "set continue_on_fail=true",
        "set hangup_after_bridge=true",
        "bridge user/1002@127.0.0.1",
        "bridge user/1003@127.0.0.1",
    ],
    "3011": ["bridge user/1002@127.0.0.1,user/1003@127.0.0.1"],
    "3012": ["bridge user/1002@127.0.0.1|user/1003@127.0.0.1"],
    "3020": ["answer", "playback tone_stream://%(300,100,440);loops=-1"],
    "3021": ["conference room@default"],
    "3022": ["answer", "valet_park lot 5901"],
    "3030": ["hangup USER_BUSY"],
    "3031": ["respond 404 Closed line"],
    "3032": ["ring_ready", "sleep 60000"],
    "3033": [
        "set continue_on_fail=true",
        "bridge user/1002@127.0.0.1",
        "answer",
        "playback tone_stream://%(300,100,440);loops=-1",
    ],
    "3034": [
        "set effective_caller_id_number=${outbound_caller_id_number}",
        "set sip_h_X-Rights=${toll_allow}/${accountcode}/${callgroup}/${user_context}",
        "set sip_h_X-More=${my_own}/${context}/${caller_id_number}/${house_rule}",
        "bridge user/1002@127.0.0.1",
    ],
    "3040": ["pre_answer", "playback tone_stream://%(300,100,440);loops=-1"],
}
"""Extensions of the context ``house``: applications, one after the other."""

USERS = {"name": "desks", "match": "[12][0-9]{3}", "kind": "user", "domain": "127.0.0.1"}
ROUTE = {"name": "house", "match": "[3-9][0-9]*", "kind": "dialplan", "context": "house"}


AT_ONCE_S = 1.5
"""Before mod_loopback leaves by itself."""


def serve(world: World, route: dict[str, Any] | None = None, **more: Any) -> None:
    world.serve(routes=[{**ROUTE, "ring_timeout_s": 3, **(route or {})}], house=HOUSE, **more)


@BOTH
@pytest.mark.parametrize("number", ["3001", "3002", "3003", "3004", "3005", "3006"])
def test_a_user(world: World, by: str, number: str) -> None:
    serve(world)
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to(number))
    target.wait_received("INVITE")
    assert transferee.hears_ringback()
    assert not transferor.notifies
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    world.wait(lambda: world.legs() == 2, "the loopback has left")
    assert hear_each_other(transferee, target)
    assert transferor.notifies == ["SIP/2.0 200 OK"]
    target.hangs_up()
    transferee.wait_received("BYE")


def busy(world: World, number: str = "1002") -> Party:
    return world.party(number).refuses(486, "Gone fishing")


@pytest.mark.parametrize(
    ("by", "number", "prepare", "line"),
    one_side_each(
        pytest.param("3001", busy, "486 Gone fishing", id="busy, and the extension goes on"),
        pytest.param("3002", busy, "486 Gone fishing", id="busy"),
        pytest.param("3003", busy, "486 Gone fishing", id="forwarded, busy"),
        pytest.param("3004", busy, "486 Gone fishing", id="forwarded without a context, busy"),
        pytest.param("3005", busy, "486 Gone fishing", id="execute_extension, busy"),
        pytest.param("3006", busy, "486 Busy Here", id="another loopback, busy"),
        pytest.param(
            "3002",
            lambda world: world.party("1002").sends_early_media_and_refuses(486, "Busy now"),
            "486 Busy now",
            id="early media, busy",
        ),
        pytest.param(
            "3001",
            lambda world: world.party("1002").sends_early_media_and_refuses(486, "Busy now"),
            "486 Busy now",
            id="early media, busy, and the extension goes on",
        ),
        pytest.param(
            "3010",
            lambda world: (busy(world), world.party("1003").refuses(603, "Not now")),
            "603 Not now",
            id="hunt",
        ),
        pytest.param(
            "3012",
            lambda world: (world.party("1002").unreachable(), busy(world, "1003")),
            "486 Gone fishing",
            id="one after the other",
        ),
        pytest.param("3002", lambda world: None, "404 Not Found", id="no such user"),
        pytest.param("3030", lambda world: None, "486 Busy Here", id="hangup"),
        pytest.param("3031", lambda world: None, "404 Closed line", id="respond"),
        pytest.param("3999", lambda world: None, "404 Not Found", id="no extension"),
        pytest.param("3032", lambda world: None, "480 Temporarily Unavailable", id="no answer"),
        pytest.param(
            "3002",
            lambda world: world.party("1002").rings(),
            "480 Temporarily Unavailable",
            id="rings",
        ),
    ),
)
def test_a_failure_is_told_as_the_extension_has_it(
    world: World, by: str, number: str, prepare: Callable[[World], object], line: str
) -> None:
    serve(world)
    prepare(world)
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to(number))
    assert transferor.wait_notify() == f"SIP/2.0 {line}"
    assert hear_each_other(transferor, transferee)
    world.wait(lambda: world.legs() == 2, "nothing is left of the call")
    transferee.hangs_up()
    transferor.wait_over()
    assert transferor.notifies == [f"SIP/2.0 {line}"]
    assert transferor.notify_events == transferor.refer_events()


APPLICATIONS = pytest.mark.parametrize(
    "number",
    [
        pytest.param("3020", id="announcement"),
        pytest.param("3022", id="parking"),
        pytest.param("3033", id="announcement to who is busy"),
    ],
)


@BOTH
@APPLICATIONS
def test_an_application_that_answers_is_a_success(world: World, by: str, number: str) -> None:
    """And the loopback stays with it, and ends with it."""
    serve(world)
    busy(world)
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to(number))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    if number != "3022":
        assert transferee.hears_ringback()
    world.wait(lambda: world.legs() == 3, "the loopback stays")
    transferee.hangs_up()
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")
    assert transferor.notifies == ["SIP/2.0 200 OK"]


@BOTH
def test_a_conference(world: World, by: str) -> None:
    serve(world)
    dave = world.party("2003", "Dave")
    dave.calls("3021")
    dave.wait_talking()
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to("3021"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    world.wait_application("conference", 2)
    transferee.hangs_up()
    world.wait_application("conference", 1)
    dave.hangs_up()
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")


@BOTH
def test_a_parking_place(world: World, by: str) -> None:
    """Whoever comes there next talks with the one who was parked, and no loopback is left."""
    serve(world)
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to("3022"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    dave = world.party("2003", "Dave")
    dave.calls("3022")
    dave.wait_talking()
    assert hear_each_other(transferee, dave)
    world.wait(lambda: world.legs() == 2, "the loopbacks have left")
    assert hear_each_other(transferee, dave)
    transferee.hangs_up()
    dave.wait_over()


@BOTH
@pytest.mark.parametrize("answers", ["1002", "1003"])
@pytest.mark.parametrize("number", ["3010", "3011", "3012"])
def test_a_group(world: World, by: str, number: str, answers: str) -> None:
    """Hunted, ringing together, or one after the other: one of the two refuses."""
    serve(world)
    for each in ("1002", "1003"):
        _ = world.party(each).answers() if each == answers else busy(world, each)
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to(number))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    target = world.party(answers)
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    world.wait(lambda: world.legs() == 2, "the loopback has left")
    assert hear_each_other(transferee, target)
    transferee.hangs_up()
    target.wait_over()


@BOTH
def test_a_transferee_that_leaves_cancels_what_the_extension_calls(world: World, by: str) -> None:
    serve(world, {"ring_timeout_s": 20})
    transferor, transferee = talking(world, by)
    targets = [world.party(each).rings() for each in ("1002", "1003")]
    transferor.refers(world.refer_to("3011"))
    for target in targets:
        target.wait_received("INVITE")
    transferee.hangs_up()
    for target in targets:
        target.wait_received("CANCEL")
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")


@BOTH
@pytest.mark.parametrize("number", ["3002", "3003", "3010"])
def test_the_loopback_leaves_at_the_answer(world: World, by: str, number: str) -> None:
    """A REFER that meets its join two seconds later would be lost."""
    serve(world)
    busy(world, "1003")
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to(number))
    target.answers_now()
    transferor.hangs_up()
    world.wait(lambda: world.legs() == 2, "the loopback has left", AT_ONCE_S)
    assert hear_each_other(transferee, target)


@BOTH
@pytest.mark.parametrize(
    ("number", "outcome", "line"),
    [
        pytest.param("3002", "answers", "200 OK", id="answers"),
        pytest.param("3010", "answers", "200 OK", id="hunt, answers"),
        pytest.param("3002", "busy", "486 486", id="busy"),
        pytest.param("3010", "busy", "486 486", id="hunt, busy"),
        pytest.param("3032", "", "480 480", id="no answer"),
    ],
)
def test_the_controller_dies_while_it_rings(
    world: World, by: str, number: str, outcome: str, line: str
) -> None:
    serve(world, {"ring_timeout_s": 4})
    if number == "3010":
        busy(world, "1003")
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to(number))
    if outcome:
        target.wait_received("INVITE")
    else:
        world.wait(lambda: world.legs() == 4, "the extension is there")
    world.kill()
    if outcome == "answers":
        target.answers_now()
    elif outcome:
        target.refuses_now(486, "Gone fishing")
    assert transferor.wait_notify(limit_s=15) == f"SIP/2.0 {line}"
    two = (transferee, target) if outcome == "answers" else (transferor, transferee)
    assert hear_each_other(*two)
    if outcome == "answers":
        transferor.wait_over(20)
    world.wait(lambda: world.legs() == 2, "nothing is left of the call")
    assert hear_each_other(*two)
    assert transferor.notifies == [f"SIP/2.0 {line}"]


@BOTH
def test_the_controller_dies_in_a_legacy_transfer(world: World, by: str) -> None:
    """FreeSWITCH alone reports the code of the cause: a loopback hands no status on."""
    serve(world, transfer={"mode": "legacy"})
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("3002"))
    target.wait_received("INVITE")
    world.kill()
    target.refuses_now(486, "Gone fishing")
    assert transferor.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(transferor, transferee)


@pytest.mark.parametrize(("by", "when", "dies", "sender", "outcome"), half_of_all())
def test_who_has_been_joined_sends_a_refer(
    world: World, by: str, when: str, dies: bool, sender: str, outcome: str
) -> None:
    """A chain: either of the two transfers the other one, with another controller as well."""
    serve(world)
    transferor, transferee = talking(world, by)
    target = world.party("1002").answers()
    transferor.refers(world.refer_to("3002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.hangs_up()
    assert hear_each_other(transferee, target)
    if when != "at once":
        world.wait(lambda: world.legs() == 2, "the loopback has left")
    if dies:
        world.kill()
        world.restart()
    last = world.party("1003")
    _ = last.answers() if outcome == "answers" else busy(world, "1003")
    sends, moved = (target, transferee) if sender == "target" else (transferee, target)
    sends.refers(world.refer_to("1003"))
    told = "200 OK" if outcome == "answers" else "486 Gone fishing"
    assert sends.wait_notify() == f"SIP/2.0 {told}"
    two = (moved, last) if outcome == "answers" else (sends, moved)
    assert hear_each_other(*two)
    if outcome == "answers":
        sends.wait_over()
        # A controller that knows nothing of the loopback knows the number that was called.
        numbers = {moved.number} | ({"3002"} if dies and moved is target else set())
        seen = last.received("INVITE")[0].header("From")
        assert any(f"<sip:{number}@" in seen for number in numbers), seen
    world.wait(lambda: world.legs() == 2, "the loopback has left")
    assert hear_each_other(*two)
    assert sends.notifies == [f"SIP/2.0 {told}"]
    two[0].hangs_up()
    two[1].wait_over()


LEAVES = """
from fsctl.scenario import Disconnected, Scenario

scenario = Scenario()


@scenario.on(Disconnected)
def left(event):
    tell("left", event.call.number)
"""


@BOTH
def test_the_session_knows_whom_the_extension_has_called(world: World, by: str) -> None:
    """In its record, and when the loopback has left."""
    serve(world, scenario=LEAVES)
    transferor, transferee = talking(world, by)
    target = world.party("1002").answers()
    transferor.refers(world.refer_to("3003"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.hangs_up()
    world.wait(lambda: '"outcome"' in world.log(), "it is recorded")
    numbers = {"transferor": transferor.number, "transferee": transferee.number, "target": "1002"}
    (record,) = re.findall(r'"numbers": ({[^}]*})', world.log())
    assert json.loads(record) == numbers
    assert f'"target": "{world.leg(target)}"' in world.log()
    world.wait(lambda: world.legs() == 2, "the loopback has left")
    target.holds()
    target.resumes()
    assert hear_each_other(transferee, target)
    assert world.told() == [f"left {transferor.number}"]
    target.hangs_up()
    world.wait_told("left 1002")
    transferee.wait_over()


WAYS = pytest.mark.parametrize("way", ["connect", "call_user", "native"])

CALLS = """
from fsctl.scenario import CallAlerting, Scenario

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event):
    called = event.session.call_user(event.destination)
    called.wait_connected()
    event.session.send_media_between(event.call, called)
"""


def serve_calls(world: World, way: str) -> None:
    serve(world, scenario=CALLS if way == "call_user" else "")


def calling(world: World, way: str, number: str) -> Party:
    """Alice calls that number: by the settings, a scenario, or FreeSWITCH alone."""
    if way == "native":
        world.kill()
    alice = world.party("2000", "Alice")
    alice.calls(number)
    return alice


@WAYS
@pytest.mark.parametrize("number", ["3002", "3010"])
def test_a_call_is_answered(world: World, way: str, number: str) -> None:
    serve_calls(world, way)
    bob, other = world.party("1002").rings(), busy(world, "1003")
    alice = calling(world, way, number)
    alice.wait_received(180)
    assert not alice.received(183)
    bob.answers_now()
    assert hear_each_other(alice, bob)
    loopback = 2 if way == "call_user" else 0
    world.wait(lambda: world.legs() == 2 + loopback, "the loopback has left, or stays")
    assert hear_each_other(alice, bob)
    assert f"<sip:{alice.number}@" in bob.received("INVITE")[0].header("From")
    assert not other.received("INVITE")
    alice.hangs_up()
    bob.wait_over()
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")


@WAYS
@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        ("3002", 486, "Gone fishing"),
        ("3010", 603, "Not now"),
        ("3030", 486, "Busy Here"),
        ("3031", 404, "Closed line"),
        ("3999", 404, "Not Found"),
        ("3032", 480, "Temporarily Unavailable"),
    ],
)
def test_a_call_fails(world: World, way: str, number: str, code: int, reason: str) -> None:
    """FreeSWITCH alone knows the code of a cause, and no phrase."""
    serve_calls(world, way)
    busy(world)
    world.party("1003").refuses(603, "Not now")
    alice = calling(world, way, number)
    if way == "native":
        alice.wait_received(code)
    else:
        assert alice.wait_received(code).reason == reason
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")


@pytest.mark.parametrize("way", ["connect", "native"])
def test_a_caller_hears_early_media(world: World, way: str) -> None:
    serve_calls(world, way)
    alice = calling(world, way, "3040")
    alice.wait_received(183)
    assert alice.hears_ringback()
    alice.gives_up()
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")


@pytest.mark.parametrize("sender", ["callee", "caller"])
def test_a_call_of_a_scenario_is_transferred(world: World, sender: str) -> None:
    """The loopback stays: whoever is moved is heard by its half."""
    serve_calls(world, "call_user")
    bob = world.party("1002").answers()
    alice = calling(world, "call_user", "3002")
    carol = world.party("1003").answers()
    assert hear_each_other(alice, bob)
    sends, moved = (bob, alice) if sender == "callee" else (alice, bob)
    sends.refers(world.refer_to("1003"))
    assert sends.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(moved, carol)
    assert f"<sip:{moved.number}@" in carol.received("INVITE")[0].header("From")
    sends.wait_over()
    moved.hangs_up()
    carol.wait_over()
    world.wait(lambda: world.legs() == 0, "nothing is left of the call")


RIGHTS = [
    "set toll_allow=domestic,international",
    "set accountcode=1000",
    "set callgroup=sales",
    "set outbound_caller_id_number=5551234",
    "set my_own=secret",
]


@BOTH
@pytest.mark.parametrize("killed", [False, True], ids=["controller", "legacy alone"])
def test_the_extension_has_the_rights_of_the_transferee_and_nothing_else_of_it(
    world: World, by: str, killed: bool
) -> None:
    mode = {"mode": "legacy"} if killed else {}
    serve(world, {"variables": {"house_rule": "no"}}, dialplan=RIGHTS, transfer=mode)
    transferor, transferee = talking(world, by)
    if killed:
        world.kill()
    target = world.party("1002").answers()
    transferor.refers(world.refer_to("3034"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    invite = target.received("INVITE")[0]
    seen = transferor.number if killed else transferee.number
    # A callee has what its caller handed on (switch_ivr_originate.c): of these nothing.
    has = transferee is not world.party("1001")
    rights = "domestic,international/1000/sales/" if has else "///"
    assert invite.header("X-Rights").startswith(rights)
    assert invite.header("X-More") == f"/house/{seen}/no"
    assert ("<sip:5551234@" in invite.header("From")) == has
    assert hear_each_other(transferee, target)


@pytest.mark.parametrize(
    ("transfer", "seen"),
    [
        pytest.param({"caller_id": "transferee"}, '"Alice" <sip:2000@', id="transferee"),
        pytest.param({"caller_id": "transferor"}, "<sip:1001@", id="transferor"),
        pytest.param(
            {"caller_id": "fixed", "caller_id_number": "4711", "caller_id_name": "Reception"},
            '"Reception" <sip:4711@',
            id="fixed",
        ),
    ],
)
@pytest.mark.parametrize("number", ["3002", "3003", "3006"])
def test_the_target_sees_the_configured_caller_and_headers(
    world: World, transfer: dict[str, Any], seen: str, number: str
) -> None:
    said = ["set effective_caller_id_number=2000", "set effective_caller_id_name=Alice"]
    chosen = {**transfer, "headers": {"X-Chosen": "by the application"}}
    serve(world, transfer=chosen, dialplan=said)
    bob, _ = talking(world)
    target = world.party("1002").answers()
    bob.refers(f"<{world.uri(number)}?X-Account=42>", "<sip:1001@example.org>")
    invite = target.wait_received("INVITE")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert seen in invite.header("From")
    assert "Outbound Call" not in invite.header("From")
    if number != "3006":  # another loopback hands no headers on
        assert invite.header("X-Chosen") == "by the application"
        assert invite.header("X-Account") == "42"
        assert invite.header("Referred-By") == "<sip:1001@example.org>"
    text = str(invite.headers) + invite.body
    assert "X-FS-" not in text and "fsctl" not in text.lower()


@BOTH
def test_the_transferees_own_context_behind_our_own_extension(world: World, by: str) -> None:
    """The route names none."""
    behind = {"3050": ["transfer 3051"], "3051": ["bridge user/1002@127.0.0.1"]}
    world.serve(routes=[{"name": "own", "match": "30..", "kind": "dialplan"}], behind=behind)
    transferor, transferee = talking(world, by)
    target = world.party("1002").answers()
    transferor.refers(world.refer_to("3050"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
