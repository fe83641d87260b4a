"""fsctl.stage: what stages share, and what they must not."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from fsctl.scenario import CallAlerting, Scenario
from fsctl.stage import CALLS, Stage


def rejecting(code: int) -> Scenario:
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def reject(event: CallAlerting) -> None:
        event.call.reject(code)

    return scenario


def test_stages_at_once_have_each_its_own_controller() -> None:
    codes = (480, 486, 603)
    with ExitStack() as at_once:
        stages = [at_once.enter_context(Stage(scenario=rejecting(code))) for code in codes]
        told = []
        for stage in stages:
            alice = stage.phone("1000")
            alice.calls("1001")
            stage.until(lambda alice=alice: alice.dialog.final_status)
            told.append(alice.dialog.final_status)
    assert told == list(codes)


def test_templates_of_ones_own_may_change_between_two_stages(tmp_path: Path) -> None:
    settings = replace(CALLS, dialplan=replace(CALLS.dialplan, overrides=tmp_path))
    found = []
    for value in ("true", "false"):
        text = f'<include>\n<param name="fire-transfer-events" value="{value}"/>\n</include>\n'
        (tmp_path / "params.xml.j2").write_text(text, encoding="utf-8")
        with Stage(settings) as stage:
            found.append(stage.switch.fire_transfer_events)
    assert found == [True, False]
