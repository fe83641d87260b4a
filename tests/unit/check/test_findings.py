"""Each finding in each of its states, on a FreeSWITCH with which everything else is well."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from fsctl import dialplan
from fsctl.check import State, Wanted, arming, examine, host, profiles
from fsctl.check.codes import CODES, PAGE, with_table
from fsctl.check.text import lines
from fsctl.cli import main
from fsctl.errors import SettingsError
from fsctl.settings import load
from tests.unit.check.changes import (
    CHANGES,
    FAR,
    MARK,
    PROBLEM,
    SOFIA,
    UNKNOWN,
    VARIABLE,
    Change,
    answer,
    armed_without,
    both,
    calls,
    dead,
    edit,
    section,
    shipped,
    socket_conf,
)
from tests.unit.check.peers import EXTENSION, Healthy, freeswitch, listening


def found(healthy: Healthy, *, quick: bool = False, wanted: Wanted | None = None) -> dict:
    """The states by code, of what is not ok."""
    with listening(
        freeswitch(healthy.answers(), healthy.settings.switches[0].password), healthy.settings
    ) as settings:
        report = examine(settings, quick=quick, wanted=wanted)
    assert len(set(report.findings)) == len(report.findings)
    for finding in report.findings:
        assert finding.code in CODES
        assert "\x1b" not in repr(finding.as_json())
        assert finding.state is State.OK or finding.cause or finding.command, finding
        assert finding.state is not PROBLEM or (finding.consequence and finding.command), finding
    return {each.code: each.state for each in report.findings if each.state is not State.OK}


@pytest.mark.parametrize(
    ("code", "state", "change"),
    [pytest.param(*row, id=f"{row[0]}-{row[1].value}-{n}") for n, row in enumerate(CHANGES)],
)
def test_what_is_wrong_is_the_only_finding(code: str, state: State, change: Change) -> None:
    healthy = Healthy()
    change(healthy)
    assert found(healthy) == {code: state}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda h: None, id="transfers"),
        pytest.param(calls(), id="calls"),
        pytest.param(both(shipped, socket_conf(listen_ip="::")), id="as shipped"),
        pytest.param(
            both(shipped, socket_conf(listen_ip="::", apply_inbound_acl="loopback.auto")),
            id="its own host",
        ),
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_where_all_is_well_nothing_is_found(change: Change, quick: bool) -> None:
    healthy = Healthy()
    change(healthy)
    assert found(healthy, quick=quick) == {}


ELSEWHERE = {
    *((f"FSC00{n}", s) for n, s in ((0, PROBLEM), (1, PROBLEM), (2, UNKNOWN))),
    *(("FSC101", PROBLEM), ("FSC102", PROBLEM), ("FSC102", UNKNOWN)),
    *(("FSC103", PROBLEM), ("FSC104", PROBLEM)),
    *(("FSC204", PROBLEM), ("FSC204", UNKNOWN), ("FSC402", UNKNOWN), ("FSC604", PROBLEM)),
    *(("FSC502", PROBLEM), ("FSC502", UNKNOWN), ("FSC603", PROBLEM), ("FSC603", UNKNOWN)),
    *(("FSC801", PROBLEM), ("FSC802", PROBLEM), ("FSC803", PROBLEM), ("FSC803", UNKNOWN)),
}
"""States that are tested below, in test_event_socket.py and in test_capture.py."""


def test_every_code_is_tested_in_every_state_that_it_can_have() -> None:
    documented = {(code, PROBLEM) for code, each in CODES.items() if each.problem}
    documented |= {(code, UNKNOWN) for code, each in CODES.items() if each.unknown}
    assert {(code, state) for code, state, _ in CHANGES} | ELSEWHERE == documented


def test_the_page_lists_every_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_table(text), "run python -m fsctl.check.codes"


@pytest.mark.parametrize(
    ("remote", "retries", "expected"),
    [
        (False, "6\n", {"FSC204": PROBLEM}),
        (False, "1\n", {}),
        (False, None, {"FSC204": UNKNOWN}),
        (True, "6\n", {"FSC204": UNKNOWN}),
    ],
)
def test_a_controller_on_another_host(
    remote: bool,
    retries: str | None,
    expected: dict[str, State],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "tcp_syn_retries"
    if retries is not None:
        file.write_text(retries, encoding="utf-8")
    monkeypatch.setattr(host, "SYN_RETRIES", file)
    monkeypatch.setattr("fsctl.check.ground.Ground.remote", remote)
    healthy = Healthy()
    section("dialplan", controllers=(FAR,))(healthy)
    assert found(healthy) == expected


def test_freeswitch_on_another_host_cannot_call_its_own_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fsctl.check.ground.Ground.remote", True)
    healthy = Healthy()
    dead(healthy)
    assert found(healthy) == {"FSC604": PROBLEM}


def test_a_template_that_freeswitch_changes_cannot_be_compared(tmp_path: Path) -> None:
    (tmp_path / "grace.xml.j2").write_text(
        '{% extends "fsctl/grace.xml.j2" %}{% block told %}<extension name="own"><condition>'
        '<action application="log" data="$${domain}"/></condition></extension>{% endblock %}',
        encoding="utf-8",
    )
    healthy = Healthy()
    section("dialplan", overrides=tmp_path)(healthy)
    assert found(healthy) == {"FSC402": UNKNOWN}


@pytest.mark.parametrize(
    ("missing", "code", "consequence"),
    [
        (("fsctl_keys", "fsctl_pressed"), "FSC402", "the codes of [keys] do nothing"),
        (("fsctl_keys", "fsctl_command"), "FSC402", "`fsctl transfer`, and"),
        (("fsctl_keys", "fsctl_refer"), "FSC401", "every transfer is refused with 403"),
    ],
    ids=["keys", "keys and command", "keys and refer"],
)
def test_a_context_that_is_missing_is_told_by_what_needs_it(
    missing: tuple[str, ...], code: str, consequence: str
) -> None:
    healthy = Healthy()
    section("keys", blind="*2")(healthy)
    for name in missing:
        healthy.changed[f"xml_locate dialplan context name {name}"] = "can't find anything"
    # It hides nothing that does not follow from it.
    edit("xml_locate channels", "loopback/", "user/")(healthy)
    with listening(
        freeswitch(healthy.answers(), healthy.settings.switches[0].password), healthy.settings
    ) as settings:
        report = examine(settings)
    told = {each.code: each for each in report.findings if each.state is PROBLEM}
    assert consequence in told[code].consequence
    assert all(name in told[code].what for name in missing)
    assert ("FSC306" in told) == (code == "FSC402")


@pytest.mark.parametrize(("quick", "state"), [(False, PROBLEM), (True, UNKNOWN)])
def test_armed_without_a_controller(
    quick: bool, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set in vars.xml: they outlive the timers."""
    monkeypatch.setattr(arming, "FORGOTTEN_S", 0.05)
    monkeypatch.setattr(arming, "_LOOK_S", 0.05)
    healthy = Healthy()
    armed_without(healthy)
    assert found(healthy, quick=quick) == {"FSC601": PROBLEM, "FSC603": state}


def test_nothing_installed_is_one_finding_however_it_is_armed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arming, "FORGOTTEN_S", 0.05)
    monkeypatch.setattr(arming, "_LOOK_S", 0.05)
    healthy = Healthy()
    armed_without(healthy)
    for line in healthy.answers():
        if "name fsctl_" in line or line == "xml_locate channels":
            healthy.changed[line] = "can't find anything\n"
    edit(SOFIA, "fire-transfer-events", "fire")(healthy)
    assert found(healthy) == {"FSC401": PROBLEM, "FSC601": PROBLEM}


@pytest.mark.parametrize(
    ("number", "where", "expected"),
    [
        ("1234", "default", {}),
        ("234", "", {}),
        ("4711", "default", {"FSC502": PROBLEM}),
        ("1", "nowhere", {"FSC502": PROBLEM}),
        ("9", "house", {"FSC502": UNKNOWN}),
        ("7", "house", {"FSC502": UNKNOWN}),
        ("886", "house", {}),
        ("887", "house", {}),
        ("888", "house", {}),
        ("5\n", "no such name", {"FSC502": UNKNOWN}),
    ],
)
def test_which_extension_a_number_takes(
    number: str, where: str, expected: dict[str, State]
) -> None:
    healthy = Healthy()
    healthy.scope_calls()
    healthy.contexts["house"] = (
        EXTENSION.format("any", "^9").replace("<condition", VARIABLE + "<condition", 1)
        + '<extension name="day"><condition field="destination_number" expression="^7$" wday="2"/>'
        + "</extension>"
        + EXTENSION.format("goes on", ".*").replace(">", ' continue="true">', 1)
        + '<extension name="some"><condition regex="any">'
        + '<regex field="destination_number" expression="^886$"/>'
        + '<regex field="${destination_number}" expression="/^X?887$/i"/>'
        + "</condition></extension>"
        + '<extension name="else"><condition field="destination_number" expression="^[0-9]{1,2}$">'
        + '<anti-action application="answer"/></condition></extension>'
    )
    assert found(healthy, wanted=Wanted(number, where)) == expected


def test_an_ignored_finding_is_shown_with_its_reason_and_does_not_count(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    healthy = Healthy()
    answer("module_exists mod_loopback", "false")(healthy)
    with listening(freeswitch(healthy.answers()), healthy.settings) as settings:
        file = tmp_path / "fsctl.toml"
        routes = "".join(f'[[route]]\nname = "{r}"\nkind = "user"\n' for r in ("x",))
        file.write_text(f'[check]\nignore = {{ FSC202 = "not used here" }}\n{routes}')
        monkeypatch.setenv("FSCTL_SWITCH_PORT", str(settings.switches[0].port))
        monkeypatch.setenv("FSCTL_SWITCH_PASSWORD", settings.switches[0].password)
        status = main(["check", "--json", "--config", str(file)])
        document = json.loads(capsys.readouterr().out)
        main(["check", "--config", str(file)])
    codes = {each["code"] for each in document["findings"] if each["state"] != "ok"}
    assert [(each["code"], each["reason"]) for each in document["ignored"]] == [
        ("FSC202", "not used here")
    ]
    assert "FSC202" not in codes and document["status"] == status
    assert re.search(r"^ignored: FSC202 .*[(]not used here[)]$", capsys.readouterr().out, re.M)


@pytest.mark.parametrize(
    "ignore", ['"FSC202"', '{ FSC20 = "x" }', '{ FSC202 = "" }', '{ FSC202 = "a\\u001b" }']
)
def test_what_is_no_code_or_has_no_reason_is_refused(ignore: str, tmp_path: Path) -> None:
    file = tmp_path / "fsctl.toml"
    file.write_text(f"[check]\nignore = {ignore}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="ignore"):
        load(file, {})


@pytest.mark.parametrize("command", list(Healthy().answers()))
def test_whatever_is_answered_there_is_no_traceback(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nonsense in place of each answer, with control characters: never a fault of our own."""
    healthy = Healthy()
    healthy.changed[command] = "<a\x1b[31m b='\ufffd'>]]>\n-ERR " + "x" * 5000
    with listening(freeswitch(healthy.answers()), healthy.settings) as settings:
        report = examine(settings)
    assert "a fault of fsctl" not in repr(report)
    assert "\x1b" not in repr(report.as_json())
    captured = capfd.readouterr()
    assert "Traceback" not in captured.err + captured.out


@pytest.mark.parametrize("quick", [False, True])
def test_a_slow_freeswitch_is_left_in_time(quick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent from some question on: what was found until then counts."""
    module = import_module("fsctl.check.examine")
    monkeypatch.setattr(module, "DEADLINE_S", 0.3)
    monkeypatch.setattr(module, "QUICK_DEADLINE_S", 0.3)
    healthy = Healthy()
    answer("version short", "1.10.2")(healthy)
    answer("sofia xmlstatus", None)(healthy)
    begun = time.monotonic()
    assert found(healthy, quick=quick) == {"FSC201": PROBLEM, "FSC102": UNKNOWN}
    assert time.monotonic() - begun < 5


def test_old_files_were_read_as_freeswitch_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sip_profiles").mkdir()
    for name in ("vars.xml", dialplan.PARAMETERS):
        (tmp_path / name).write_text("", encoding="utf-8")
    healthy = Healthy()
    healthy.globals = {"conf_dir": str(tmp_path), MARK: ""}
    assert found(healthy) == {"FSC303": UNKNOWN}
    monkeypatch.setattr(profiles.time, "time", lambda: time.monotonic() + 9e9)
    assert found(healthy) == {}


def test_several_freeswitches_are_asked_at_once_and_named() -> None:
    """One that has ended hides nothing of the other."""
    healthy = Healthy()
    answer("module_exists mod_loopback", "false")(healthy)
    with listening(freeswitch(healthy.answers()), healthy.settings) as settings:
        gone = replace(settings.switches[0], name="berlin", port=1)
        report = examine(replace(settings, switches=(gone, *settings.switches)))
    wrong = {(each.switch, each.code) for each in report.findings if each.state is PROBLEM}
    assert wrong == {("berlin", "FSC101"), ("freeswitch", "FSC202")}
    shown = "\n".join(lines(report))
    assert "FSC101 berlin: " in shown and "FSC202 freeswitch: " in shown
