"""Hunting through the dialplan, and its XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsctl.errors import SettingsError
from fsctl.simulator import SimulatedSwitch, load_dialplan, parse_dialplan
from fsctl.simulator.channel import Channel
from fsctl.simulator.expand import expand
from fsctl.simulator.profile import CallerProfile


@pytest.fixture
def channel() -> Channel:
    """A channel that nobody runs."""
    profile = CallerProfile("u", "c", "100", "default", "inbound", "inbound")
    profile.caller_id_number = "1000"
    return Channel(SimulatedSwitch(parse_dialplan("<x/>")), profile)


def hunt(channel: Channel, extensions: str, number: str = "100") -> list[str]:
    dialplan = parse_dialplan(f'<context name="c">{extensions}</context>')
    found = dialplan.hunt(channel, number, "c")
    return [f"{action.application} {action.argument}".strip() for action in found]


def extension(conditions: str, more: str = "") -> str:
    return f'<extension name="e" {more}>{conditions}</extension>'


def condition(field: str, expression: str, inside: str, more: str = "") -> str:
    return f'<condition field="{field}" expression="{expression}" {more}>{inside}</condition>'


RUN = '<action application="a" data="1"/>'
ALWAYS = f"<condition>{RUN}</condition>"
ANTI = '<anti-action application="b" data="2"/>'
NUMBER = "destination_number"


@pytest.mark.parametrize(
    ("extensions", "found"),
    [
        (extension(ALWAYS), ["a 1"]),
        (extension(condition(NUMBER, "^100$", RUN)), ["a 1"]),
        (extension(condition(NUMBER, "^200$", RUN)), []),
        (extension(condition(NUMBER, "^200$", RUN + ANTI)), ["b 2"]),
        (extension(condition(NUMBER, "^200$", RUN) + ALWAYS), []),
        (extension(condition(NUMBER, "^2$", RUN, 'break="never"') + ALWAYS),
         ["a 1"]),
        (extension(condition(NUMBER, "1", RUN, 'break="on-true"') + ALWAYS),
         ["a 1"]),
        (extension(ALWAYS) * 2, ["a 1"]),
        (extension(ALWAYS, 'continue="true"') * 2, ["a 1", "a 1"]),
        (extension(condition("${v}", "^yes$", RUN)), ["a 1"]),
        (extension(condition("caller_id_number", "^1000$", RUN)), ["a 1"]),
        (extension(condition(NUMBER, "^(1)(0+)$", '<action application="a" data="$2-$1-$9"/>')),
         ["a 00-1-"]),
    ],
)  # fmt: skip
def test_conditions(channel: Channel, extensions: str, found: list[str]) -> None:
    channel.set_variable("v", "yes")
    assert hunt(channel, extensions) == found


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("a ${v} b", "a yes b"),
        ("${nothing}", ""),
        ("${w}", "yes"),
        ("\\${v}", "${v}"),
        ("${v", "yes"),
        ("${n${one}}", "nested"),
        ("${v}${v}", "yesyes"),
        # What stands right behind a reference is no escape.
        ("${v}\\${v}", "yes\\yes"),
        ("$v $1 {v}", "$v $1 {v}"),
        ("${create(1)}", ""),
        ("${uuid_exists(${one})}", "false"),
        ("${uuid_exists u}", "false"),
        ("${global_getvar(g_${one})}", "global"),
        ("${global_getvar g_1}-${g_1}", "global-global"),
        # Behind a blank the first parenthesis that closes ends the arguments, even a nested call's.
        ("${global_getvar ${global_getvar(where)}_x}", "global"),
        ("${global_getvar(${global_getvar(where)}_x)}", ""),
        ("${global_getvar(${global_getvar(where)})}", "global"),
        ("[${sched_del(${one})}]", "[+OK Deleted: 0\n]"),
    ],
)
def test_expansion(channel: Channel, text: str, expanded: str) -> None:
    channel.variables.update({"v": "yes", "w": "${v}", "one": "1", "n1": "nested"})
    channel.switch.global_variables.update({"g_1": "global", "where": "g_1"})
    assert expand(channel, text) == expanded


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<x", "x.xml: unclosed token"),
        (
            f"<context name='c'>{extension(condition(NUMBER, '(', RUN))}</context>",
            "x.xml: extension 'e': '\\('",
        ),
        (
            "<context name='c'><extension><condition regex='all'/></extension></context>",
            "knows no regex=",
        ),
        ("<include>" + extension("") + "</include>", "outside any context"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        parse_dialplan(text, name="x.xml")


def test_a_directory_as_freeswitch_lays_it_out(tmp_path: Path) -> None:
    folder = tmp_path / "dialplan" / "default"
    folder.mkdir(parents=True)
    (folder / "00.xml").write_text(
        f"<include>{extension(f'<condition>{RUN}</condition>')}</include>"
    )
    (tmp_path / "dialplan" / "x.xml").write_text('<include><context name="$${c}"/></include>')
    dialplan = load_dialplan(tmp_path, {"c": "named"})
    assert sorted(dialplan.contexts) == ["default", "named"]
    with pytest.raises(SettingsError, match="no dialplan files"):
        load_dialplan(tmp_path / "dialplan")


def test_inline_actions_run_while_hunting(lab: Any) -> None:
    text = (
        '<context name="public">'
        + extension(
            '<condition><action application="set" data="x=1" inline="true"/></condition>',
            'continue="true"',
        )
        + extension(condition("${x}", "^1$", '<action application="hangup" data="17"/>'))
        + "</context>"
    )
    lab.switch.dialplan = parse_dialplan(text)
    lab.alice.calls("5")
    lab.switch.run_until(lambda: lab.alice.dialog.final_status)
    assert lab.alice.dialog.final_status == 486


def test_a_function_with_quoted_arguments(channel: Channel) -> None:
    channel.set_variable("other", "u2")
    text = "x=${sched_broadcast(+30 ${other} 'execute_extension::parked XML fsctl_rescue' aleg)}"
    assert expand(channel, text) == "x=+OK Message scheduled\n"
    assert len(channel.switch.scheduler.pending("u2")) == 1


def test_conditions_ask_functions_and_globals(channel: Channel) -> None:
    channel.set_variable("home", "h:1")
    channel.switch.global_variables["live_h:1"] = "yes"
    asked = condition("${global_getvar(live_${home})}", "^yes$", RUN)
    assert hunt(channel, extension(asked)) == ["a 1"]
    channel.switch.run_api("global_setvar", "live_h:1=")
    assert hunt(channel, extension(asked)) == []
    assert hunt(channel, extension(condition("${uuid_exists(${nobody})}", "^false$", RUN)))


def test_values_are_expanded_again_even_from_the_profile(channel: Channel) -> None:
    """Why no dialplan may refer to what the network wrote, not even in a condition."""
    channel.profile.caller_id_name = "${system(id)}"
    hunt(channel, extension(condition("${caller_id_name}", "x", RUN)))
    assert channel.switch.expanded_apis == [("system", "id")]


def test_what_a_condition_captures_is_kept_until_the_next_one_does(channel: Channel) -> None:
    """Recorded: ``variable_DP_MATCH: ARRAY::1001|:1001`` (tests/data/esl)."""
    captured = '<action application="a" data="[${DP_MATCH[1]}|${DP_MATCH[2]}|${DP_MATCH[0]}]"/>'
    met = condition(NUMBER, "^(1)0", "") + condition(NUMBER, "^1", captured)
    (found,) = hunt(channel, extension(met))
    assert expand(channel, found.removeprefix("a ")) == "[1||10]"
    hunt(channel, extension(condition(NUMBER, "^(?:1)0+$", "") + condition(NUMBER, "^2(0)", "")))
    assert channel.get_variable("DP_MATCH") == "100"
    hunt(channel, extension(condition(NUMBER, "^(2?)(1)(0)", "")))
    assert channel.get_variable("DP_MATCH") == "ARRAY::1|:0", "an empty one takes the first away"
    assert expand(channel, "${v[0]}") == ""


def test_a_value_with_a_reference_is_not_taken(channel: Channel) -> None:
    channel.set_variable("v", "old")
    channel.set_variable("v", "a${b}")
    assert channel.get_variable("v") == "old"


def test_uuid_setvar_takes_what_will_be_executed(lab: Any) -> None:
    """Measured: ``uuid_setvar`` keeps ``${...}``, and ``${variable}`` executes it later."""
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    assert link.ask(f"api uuid_setvar {caller} v a${{create_uuid()}}") == "+OK\n"
    assert link.ask(f"api uuid_getvar {caller} v") == "a${create_uuid()}"
    link.execute("set", "w=${v}")
    lab.switch.settle()
    assert lab.switch.expanded_apis == [("create_uuid", "")]
    assert len(link.ask(f"api uuid_getvar {caller} w")) == 37
