"""Fraud by transfer on a switch of somebody's own: the shipped policy."""

from __future__ import annotations

import json

import pytest

from fsctl.story import hear_each_other
from tests.live.lab import Refuse, wait_for
from tests.live.lab.fsctl_process import Sections
from tests.live.vanilla.installation import Installation, State
from tests.live.vanilla.kinds import ANSWERS, CALLER, OUTSIDE
from tests.live.vanilla.scene import PROVIDER, Scene

pytestmark = pytest.mark.parametrize("state", [State.ALIVE], ids=str)
REFUSED = ["SIP/2.0 403 Transfer Not Allowed"]
TOLD_S = 10.0
OPENED: Sections = {
    "rule": [
        {"name": "provider", "by": ["gateway:example.com"], "to": ["internal"], "then": "allow"},
        {"name": "net", "by": ["network:127.0.0.0/8"], "to": ["internal"], "then": "allow"},
        {"name": "mobile", "by": ["user:1000"], "to": ["national"], "then": "allow"},
    ]
}
HIDDEN = "%3Csip:12125551212%40127.0.0.1%3E"
ASKED: Sections = {"transfer": {"attended": "application"}}
DIALLED: Sections = {
    "route": [
        {"name": "users", "match": "1[0-9]{3}", "kind": "user", "domain": "127.0.0.1"},
        {"name": "dialplan", "match": ".+", "kind": "dialplan"},
    ]
}
OBSERVED: Sections = {"policy": {"mode": "observe", "country": "US"}}


def _records(installation: Installation) -> list[dict[str, object]]:
    lines = (line for line in installation.controller.log_text().splitlines() if "{" in line)
    found = [line.partition("fsctl.session.record: ")[2] for line in lines]
    return [json.loads(text) for text in found if text]


def _outside_calls(scene: Scene) -> None:
    scene.add("1000", ANSWERS)
    scene.add("1002", ANSWERS)
    scene.add(PROVIDER, ANSWERS)
    scene.dial_from_outside("5551212").wait_talking()
    assert hear_each_other(scene["1000"], scene[OUTSIDE])


def _inside_calls(scene: Scene) -> None:
    scene.add("1000", ANSWERS)
    scene.add("1002", ANSWERS)
    scene.add(PROVIDER, ANSWERS)
    assert hear_each_other(scene.talk(CALLER, "1000"), scene["1000"])


def _refused(scene: Scene, installation: Installation, seen: int, rule: str) -> None:
    """Nobody was called, and the one record says by which rule."""
    assert not scene["1002"].received("INVITE") + scene[PROVIDER].received("INVITE")
    (record,) = wait_for(lambda: _records(installation)[seen:], TOLD_S, "a record")
    assert (record["rule"], record["allowed"], record["code"]) == (rule, False, 403)


@pytest.mark.parametrize(
    ("by", "refer_to", "rule"),
    [
        (OUTSIDE, "<sip:1002@127.0.0.1>", "outside-asks"),
        (OUTSIDE, "<sip:12125551212@127.0.0.1>", "outside-asks"),
        (OUTSIDE, "<tel:+442079460000>", "outside-asks"),
        (OUTSIDE, f"<sip:1002@127.0.0.1?Refer-To={HIDDEN}&Referred-By={HIDDEN}>", "outside-asks"),
        ("1000", "<sip:12125551212@127.0.0.1>", "two-outsiders"),
        ("1000", "<sip:011442079460000@127.0.0.1>", "abroad"),
        ("1000", "<sip:%2B442079460000@127.0.0.1>", "abroad"),
        ("1000", "<sip:00442079460000@127.0.0.1>", "abroad"),
        ("1000", "<tel:+44-20-7946-0000>", "abroad"),
        ("1000", "<sip:19005551212@127.0.0.1>", "premium"),
        (CALLER, "<sip:1900555%31212@127.0.0.1;user=phone;phone-context=+1>", "premium"),
        (CALLER, "<sip:011442079460000@127.0.0.1>", "abroad"),
    ],
)
def test_it_is_refused_and_talk_goes_on(
    scene: Scene, installation: Installation, by: str, refer_to: str, rule: str
) -> None:
    """Whoever asks says that it is 1000. (By keys nothing is asked for yet: a row's place.)"""
    (_inside_calls if by == CALLER else _outside_calls)(scene)
    other = scene[CALLER] if by == CALLER else scene[OUTSIDE]
    seen = len(_records(installation))
    scene[by].refers(refer_to, "<sip:1000@127.0.0.1>")
    wait_for(lambda: scene[by].notifies, TOLD_S, "a report")
    assert scene[by].notifies == REFUSED
    assert hear_each_other(scene["1000"], other)
    _refused(scene, installation, seen, rule)


def test_who_is_outside_names_no_number_for_its_recall(
    scene: Scene, installation: Installation
) -> None:
    """It leaves behind its REFER: its From may be any number, which is not called."""
    _outside_calls(scene)
    seen = len(_records(installation))
    scene[OUTSIDE].refers("<sip:1002@127.0.0.1>", "<sip:12125551212@127.0.0.1>")
    scene[OUTSIDE].hangs_up()
    wait_for(lambda: not scene["1000"].in_call, TOLD_S, "1000 is let go")
    _refused(scene, installation, seen, "outside-asks")


@pytest.mark.parametrize("settings", [ASKED], ids=["asked"])
def test_two_who_are_outside_are_not_joined_by_a_consultation(
    scene: Scene, installation: Installation
) -> None:
    """1000 may call the provider by itself, as ever."""
    _outside_calls(scene)
    line = scene.dial("1000", "12125551212", "second call")
    line.wait_talking()
    seen = len(_records(installation))
    scene.joins("1000", "12125551212", "second call")
    wait_for(lambda: scene["1000"].notifies, TOLD_S, "a report")
    assert scene["1000"].notifies == ["SIP/2.0 403 Forbidden"]
    assert hear_each_other(scene["1000"], scene[OUTSIDE])
    assert hear_each_other(line, scene[PROVIDER])
    (record,) = wait_for(lambda: _records(installation)[seen:], TOLD_S, "a record")
    assert (record["rule"], record["allowed"], record["code"]) == ("two-outsiders", False, 403)
    assert len(scene[PROVIDER].received("INVITE")) == 1


@pytest.mark.parametrize("settings", [DIALLED], ids=["dialled by fsctl"])
def test_a_phone_redirects_nobody_abroad(scene: Scene, installation: Installation) -> None:
    """Its 302 is its own wish: the transfer to it was allowed, and ends with that."""
    _outside_calls(scene)
    scene.add("1003", [Refuse(302, "Moved", (("Contact", "<sip:011442079460000@127.0.0.1>"),))])
    seen = len(_records(installation))
    scene["1000"].transfers("1003")
    wait_for(lambda: scene["1000"].notifies, TOLD_S, "a report")
    assert not scene["1000"].notifies[0].startswith("SIP/2.0 2")
    assert hear_each_other(scene["1000"], scene[OUTSIDE])
    assert not scene[PROVIDER].received("INVITE")
    (record,) = wait_for(lambda: _records(installation)[seen:], TOLD_S, "a record")
    assert (record["rule"], record["outcome"]) == ("inside", "failed")
    assert "rule abroad" in installation.controller.log_text()


@pytest.mark.parametrize("settings", [OPENED], ids=["opened"])
def test_a_rule_opens_one_door(scene: Scene) -> None:
    _outside_calls(scene)
    scene[OUTSIDE].refers("<sip:12125551212@127.0.0.1>")
    wait_for(lambda: scene[OUTSIDE].notifies, TOLD_S, "a report")
    assert scene[OUTSIDE].notifies == REFUSED
    scene[OUTSIDE].refers("<sip:1002@127.0.0.1>")
    wait_for(lambda: len(scene[OUTSIDE].notifies) == 2, TOLD_S, "a report")
    assert scene[OUTSIDE].notifies[-1] == "SIP/2.0 200 OK"
    assert hear_each_other(scene["1000"], scene["1002"])


@pytest.mark.parametrize("settings", [OBSERVED], ids=["observed"])
def test_observed_it_goes_as_it_would(scene: Scene, installation: Installation) -> None:
    _outside_calls(scene)
    scene[OUTSIDE].refers("<sip:1002@127.0.0.1>")
    wait_for(lambda: scene[OUTSIDE].notifies, TOLD_S, "a report")
    assert scene[OUTSIDE].notifies == ["SIP/2.0 200 OK"]
    installation.controller.wait_log("would be refused")
