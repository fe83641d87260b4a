"""Fraud by transfer on a switch of somebody's own: the shipped policy."""

from __future__ import annotations

import json

import pytest

from fsctl.story import hear_each_other
from tests.live.lab import wait_for
from tests.live.lab.fsctl_process import Sections
from tests.live.vanilla.installation import Installation, State
from tests.live.vanilla.kinds import ANSWERS, OUTSIDE
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


@pytest.mark.parametrize(
    ("by", "refer_to"),
    [
        (OUTSIDE, "<sip:1002@127.0.0.1>"),
        (OUTSIDE, "<sip:12125551212@127.0.0.1>"),
        (OUTSIDE, "<tel:+442079460000>"),
        ("1000", "<sip:12125551212@127.0.0.1>"),
        ("1000", "<sip:011442079460000@127.0.0.1>"),
        ("1000", "<sip:%2B442079460000@127.0.0.1>"),
        ("1000", "<sip:00442079460000@127.0.0.1>"),
        ("1000", "<tel:+44-20-7946-0000>"),
        ("1000", "<sip:19005551212@127.0.0.1>"),
    ],
)
def test_it_is_refused_and_talk_goes_on(
    scene: Scene, installation: Installation, by: str, refer_to: str
) -> None:
    _outside_calls(scene)
    seen = len(_records(installation))
    scene[by].refers(refer_to, "<sip:1000@127.0.0.1>")
    wait_for(lambda: scene[by].notifies, TOLD_S, "a report")
    assert scene[by].notifies == REFUSED
    assert hear_each_other(scene["1000"], scene[OUTSIDE])
    assert not scene["1002"].received("INVITE") + scene[PROVIDER].received("INVITE")
    (record,) = wait_for(lambda: _records(installation)[seen:], TOLD_S, "a record")
    assert record["allowed"] is False
    assert record["rule"] in ("outside-asks", "two-outsiders", "abroad", "premium")


def test_who_is_outside_names_no_number_for_its_recall(scene: Scene) -> None:
    """It leaves behind its REFER: its From may be any number, which is not called."""
    _outside_calls(scene)
    scene[OUTSIDE].refers("<sip:1002@127.0.0.1>", "<sip:12125551212@127.0.0.1>")
    scene[OUTSIDE].hangs_up()
    wait_for(lambda: not scene["1000"].in_call, TOLD_S, "1000 is let go")
    assert not scene["1002"].received("INVITE") + scene[PROVIDER].received("INVITE")


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
    assert "would be refused" in installation.controller.log_text()
