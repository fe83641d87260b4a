"""fsctl.dialplan: what is rendered is well-formed, safe, and exactly what the settings say."""

from __future__ import annotations

import dataclasses
import re
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fsctl import dialplan
from fsctl.errors import SettingsError
from fsctl.esl.events import Event
from fsctl.policy.parties import FACTS, FACTS_OF
from fsctl.settings import (
    SAFE_NUMBER,
    Call,
    Dialplan,
    Route,
    Server,
    Settings,
    Switch,
    Transfer,
    load,
)
from fsctl.stage import CALLS
from fsctl.switch.timers import timed

ALL_KINDS = (
    Route(name="a", match=r"1\d{3}", kind="user"),
    Route(name="b", match="2.*", kind="user", domain="pbx.example.com"),
    Route(name="c", match="3.*", kind="sofia", profile="p", host="h", port=5080, transport="tcp"),
    Route(name="d", match="0.*", kind="gateway", gateway="g", strip=1, prefix="+49"),
    Route(name="e", match=".+", kind="uri", profile="p", hosts=("*.example.com", "h?")),
)


def render(output: Path, settings: Settings | None = None) -> dict[str, ElementTree.Element]:
    paths = dialplan.render(settings or CALLS, output)
    return {str(path.relative_to(output)): ElementTree.parse(path).getroot() for path in paths}


def contexts(output: Path, settings: Settings | None = None) -> dict[str, ElementTree.Element]:
    root = render(output, settings)["dialplan/fsctl.xml"]
    return {context.attrib["name"]: context for context in root.iter("context")}


def actions(node: ElementTree.Element) -> list[tuple[str, str]]:
    found = node.iter("action")
    return [(each.attrib["application"], each.attrib.get("data", "")) for each in found]


def extension(context: ElementTree.Element, name: str) -> ElementTree.Element:
    found = context.find(f"extension[@name='{name}']")
    assert found is not None, f"no extension {name}"
    return found


def conditions(node: ElementTree.Element) -> dict[str, str]:
    return {
        each.attrib["field"]: each.attrib["expression"]
        for each in node.iter("condition")
        if "field" in each.attrib
    }


def with_routes(*routes: Route) -> Settings:
    return Settings(routes=routes)


def overriding(folder: Path, name: str, text: str) -> Settings:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return Settings(dialplan=Dialplan(overrides=folder))


# -- the files


def test_the_layout_can_be_laid_over_conf(tmp_path: Path) -> None:
    assert list(render(tmp_path)) == [
        "dialplan/default/00_fsctl.xml",
        "dialplan/fsctl.xml",
        "sip_profiles/fsctl_params.xml",
        "fsctl_channels.xml",
    ]


def test_the_event_socket_is_rendered_on_demand_and_is_not_for_everybody(tmp_path: Path) -> None:
    password = "a<b>&\"'c"
    settings = Settings(
        dialplan=Dialplan(
            event_socket=True,
            event_socket_port=8022,
            event_socket_password=password,
            event_socket_acl="lan",
        ),
    )
    name = "autoload_configs/event_socket.conf.xml"
    params = {
        p.attrib["name"]: p.attrib["value"] for p in render(tmp_path, settings)[name].iter("param")
    }
    assert params["password"] == password
    assert (params["listen-port"], params["apply-inbound-acl"]) == ("8022", "lan")
    assert not (tmp_path / name).stat().st_mode & stat.S_IRWXO
    assert (tmp_path / "dialplan/fsctl.xml").stat().st_mode & stat.S_IROTH


def test_the_event_socket_needs_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="event_socket: needs"):
        render(tmp_path, Settings(dialplan=Dialplan(event_socket=True)))


def test_rendering_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = dialplan.render(with_routes(*ALL_KINDS), tmp_path / "1")
    second = dialplan.render(with_routes(*ALL_KINDS), tmp_path / "2")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_files_are_replaced_and_others_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dialplan").mkdir()
    (tmp_path / "dialplan/fsctl.xml").write_text("old")
    (tmp_path / "dialplan/own.xml").write_text("own")
    paths = dialplan.render(Settings(), tmp_path)
    assert (tmp_path / "dialplan/own.xml").read_text() == "own"
    assert (tmp_path / "dialplan/fsctl.xml").read_text() != "old"
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*paths, tmp_path / "dialplan/own.xml"}


def test_the_preprocessor_loses_nothing(tmp_path: Path) -> None:
    """FreeSWITCH drops every line that holds an include tag, whatever else stands on it."""
    for path in dialplan.render(with_routes(*ALL_KINDS), tmp_path):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if "include>" in line] == ["<include>", "</include>"]
        kept = "\n".join(line for line in lines if "include>" not in line)
        whole = ElementTree.canonicalize(from_file=str(path), strip_text=True)
        assert ElementTree.canonicalize(f"<include>{kept}</include>", strip_text=True) == whole


def test_an_unwritable_output_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        dialplan.render(Settings(), tmp_path / "file")


# -- a new call


def test_only_a_safe_number_is_copied(tmp_path: Path) -> None:
    root = render(tmp_path)["dialplan/default/00_fsctl.xml"]
    number, new = list(root)
    for each in (number, new):  # not a leg that we have sent there (`fsctl_target`)
        assert each[0].attrib == {"field": "${fsctl_target_context}", "expression": "^$"}
    assert number.get("continue") == "true"
    pattern = number[2].attrib["expression"]
    assert re.search(pattern, "+49-1.x_y~*9")
    for refused in ("${system(id)}", "1,2", "1 2", "a" * 65, "1|2", "'1", "a/b", "1\\2"):
        assert not re.search(pattern, refused)
    found = re.search(pattern, "5;phone-context=${system(id)}@h")
    assert found is not None
    assert found.groups() == ("5",)
    copied = "${uuid_setvar(${uuid} fsctl_dialled_number ${DP_MATCH[1]})}"
    assert list(number[3].attrib.values()) == [copied, "^"]
    # The profile's or the directory's.
    assert "${uuid_setvar(${uuid} fsctl_own_context ${context})}" in conditions(new)
    assert actions(number) == []
    assert actions(new) == [
        ("execute_extension", "new XML fsctl_controllers"),
        ("execute_extension", "rescue XML fsctl_rescue"),
    ]


def test_inbound_settings_are_used(tmp_path: Path) -> None:
    wanted = Dialplan(
        scope="calls",
        inbound_contexts=("public", "lan"),
        inbound_match='1[^<>&"]{3}',
        controllers=("a:1", "b:2"),
    )
    files = render(tmp_path, Settings(dialplan=wanted))
    for context in wanted.inbound_contexts:
        for each in files[f"dialplan/{context}/00_fsctl.xml"]:
            assert each[1].attrib["expression"] == f'^(?:1[^<>&"]{{3}}){dialplan._BESIDE_NUMBER}$'
    steps = actions(files["dialplan/fsctl.xml"][0])
    fields = "".join(conditions(files["dialplan/fsctl.xml"][0]))
    assert re.findall(r"fsctl_controllers\}(\w+:\d\|)", fields) == ["a:1|", "b:2|"]
    assert ("socket", "${fsctl_controllers} async full") in steps


@pytest.mark.parametrize("controllers", [("a:1",), ("a:1", "b:2")])
def test_a_leg_that_is_not_claimed_goes_on(tmp_path: Path, controllers: tuple[str, ...]) -> None:
    settings = Settings(dialplan=Dialplan(claim_timeout_s=3, controllers=controllers))
    for name in ("fsctl_controllers", "fsctl_refer", "fsctl_legacy", "fsctl_return"):
        steps = list(contexts(tmp_path, settings)[name].iter())
        at = next(i for i, step in enumerate(steps) if step.get("application") == "socket")
        timer = "claim-${uuid} uuid_transfer ${uuid} unclaimed XML fsctl_rescue"
        before = [step.get("data", "") + step.get("field", "") for step in steps[:at]]
        armed = max(i for i, text in enumerate(before) if f"${{sched_api(+4 {timer})}}" in text)
        assert set(before[armed + 1 :]) <= {"", "${fsctl_controllers}"}, "nothing else is asked"
        assert steps[at + 1].get("data", "").startswith("${sched_del(claim-${uuid})}"), "as nobody"


def test_only_living_controllers_are_dialled(tmp_path: Path) -> None:
    settings = Settings(dialplan=Dialplan(controllers=("a:1", "b:2"), only_living=True))
    made = contexts(tmp_path, settings)
    any_of = made["fsctl_controllers"]
    for number, address in enumerate(("a:1", "b:2"), 1):
        living = extension(any_of, f"fsctl_controllers_controller_{number}")
        asked = conditions(living)
        assert asked[f"${{global_getvar(fsctl_living_{address})}}"] == "^yes$"
        assert not re.search(asked["${fsctl_unclaimed}"], address), "it has had its time"
        assert re.search(asked["${fsctl_unclaimed}"], "")
        noted = f"${{uuid_setvar(${{uuid}} fsctl_controllers ${{fsctl_controllers}}{address}|)}}"
        assert list(asked)[-1] == noted
    assert ("socket", "${fsctl_controllers} async full") in actions(any_of)
    living_home = "${fsctl_home}${global_getvar(fsctl_living_${fsctl_home})}"
    expression = conditions(made["fsctl_refer"])[living_home]
    assert re.search(expression, "10.0.0.1:8084yes")
    assert not re.search(expression, "10.0.0.1:8084")


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, []),
        (
            {"fallback": "number", "fallback_number": "9"},
            [("transfer", "9 XML ${fsctl_own_context}")],
        ),
        ({"fallback": "voicemail"}, []),
        (
            {"fallback": "announcement", "fallback_sound": "/a.wav"},
            [("answer", ""), ("playback", "/a.wav")],
        ),
        (
            {"fallback": "announcement", "fallback_sound": "%(9,0,440)"},
            [("answer", ""), ("playback", "tone_stream://%(9,0,440)")],
        ),
    ],
)
def test_the_fallback(tmp_path: Path, settings: dict[str, str], steps: list[object]) -> None:
    made = contexts(tmp_path, Settings(transfer=Transfer(**settings)))  # type: ignore[arg-type]
    fallback = extension(made["fsctl_rescue"], "fsctl_fallback")
    assert actions(fallback) == [*steps, ("hangup", "NORMAL_CLEARING")]


@pytest.mark.parametrize("recall", [True, False])
def test_the_transferor_is_called_again_where_that_is_wanted(tmp_path: Path, recall: bool) -> None:
    made = contexts(tmp_path, Settings(transfer=Transfer(recall=recall)))
    steps = actions(extension(made["fsctl_rescue"], "fsctl_forsaken"))
    assert (("execute_extension", "recall XML fsctl_rescue") in steps) is recall
    assert steps[-1] == ("execute_extension", "fallback XML fsctl_rescue")
    nobody = conditions(extension(made["fsctl_rescue"], "fsctl_recall_nobody")) if recall else {}
    for expression in [each for field, each in nobody.items() if field == "${fsctl_recall}"]:
        numbers = [number for number in ("", GONE, "1001") if re.search(expression, number)]
        assert numbers == ["", GONE], "also of who has left as it was read"


def test_controllers_must_be_known(tmp_path: Path) -> None:
    settings = load(None, {"FSCTL_SERVER_LISTEN": "127.0.0.1:0"})
    with pytest.raises(SettingsError, match=r"\[dialplan\] controllers: must be set"):
        render(tmp_path, settings)
    assert not list(tmp_path.iterdir())


# -- a transfer


def test_the_refer_context_uses_nothing_that_the_network_chose(tmp_path: Path) -> None:
    context = contexts(tmp_path)["fsctl_refer"]
    names = [each.attrib["name"] for each in context]
    begins = names[names.index("fsctl_refer_begins") :]
    assert begins[-1] == "fsctl_refer"
    refer = [node for name in begins for node in extension(context, name).iter()]
    # What FreeSWITCH vouches for of the party that asks: safe characters, or nothing of it.
    asked = "${uuid_getvar(${blind_transfer_uuid}"
    safe = "[0-9A-Za-z+*#._~@:/-]*"
    by_asker = [
        {
            "field": ";".join(
                [way, *(f"{asked} {fact})}}" if fact in known else "_undef_" for fact in FACTS[1:])]
            ),
            "expression": f"^({safe}(?:;{safe}){{{len(FACTS) - 1}}})$",
        }
        for way, known in FACTS_OF.items()
    ]
    assert [node.attrib for node in refer if node.attrib in by_asker] == by_asker
    admitted = ("", "")
    # uuids, and nothing else
    movers = r"^(?!.*([0-9a-fA-F-]{36}) ?//\1$)[0-9a-fA-F -]*//[0-9a-fA-F-]{36}$"
    for node in refer:
        if node.attrib in by_asker or node.attrib.get("expression") == movers:
            continue
        if "unset" in node.attrib.get("application", ""):
            continue
        for value in node.attrib.values():
            # this one variable is FreeSWITCH's own: `refer;id=` and a number (sofia.c)
            own = value.replace(f"{asked} sip_blind_transfer_event)}}", "")
            own = re.sub(r"(?<=[ ;])sip_invite_failure_(status|phrase)=(?=;)", "", own)  # unset
            own = own.replace(";sip_copy_custom_headers=false;", ";")
            for name in ("sip_authorized", "sip_auth_username"):
                own = own.replace(f"{asked} {name})}}", "")
            assert not re.search(r"destination_number|sip_", own)
            assert "$1" not in own
        field, expression = node.attrib.get("field", ""), node.attrib.get("expression", "")
        if field.startswith("${uuid_setvar(${uuid} fsctl_recall ${"):
            of = field.removeprefix("${uuid_setvar(${uuid} fsctl_recall ").removesuffix(")}")
            if of == "${DP_MATCH[1]}":
                continue  # see test_what_a_condition_has_captured_is_safe_to_expand
            assert admitted[0].endswith(of)
            safe_only = rf"\^(outbound/_undef_/|true/)?\(\?!_undef_\){re.escape(SAFE_NUMBER)}\$"
            assert re.fullmatch(safe_only, admitted[1])
        admitted = (field, expression)


A, B = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
GONE = "-ERR No such channel!\n"


@pytest.mark.parametrize("context", ["fsctl_refer", "fsctl_legacy"])
@pytest.mark.parametrize(
    ("by", "asked", "served", "is_new"),
    [
        (A, "refer;id=3", "", True),
        (A, "refer;id=4", f"{A}/refer;id=3", True),
        (A, "refer;id=3", f"{B}/refer;id=3", True),
        (A, GONE, "", True),
        (A, GONE, f"{B}/", True),
        (A, "refer;id=3", f"{A}/refer;id=3", False),
        (A, "_undef_", f"{A}/_undef_", False),
        (A, GONE, f"{A}/refer;id=3", False),
        ("", "-USAGE: <uuid> <var>\n", "", False),
        ("", "-USAGE: <uuid> <var>\n", f"{A}/refer;id=3", False),
    ],
)
def test_a_refer_is_known_by_its_party_and_request(
    tmp_path: Path, context: str, by: str, asked: str, served: str, is_new: bool
) -> None:
    node = extension(contexts(tmp_path)[context], f"{context}_new_refer")
    field, expression = next(iter(conditions(node).items()))
    assert field.endswith("/${fsctl_refer_event}//${fsctl_referred}")
    (read,) = conditions(extension(contexts(tmp_path)[context], f"{context}_unknown"))
    event = "${uuid_getvar(${blind_transfer_uuid} sip_blind_transfer_event)}"
    assert f";fsctl_refer_event='{event}'" in read
    assert bool(re.search(expression, f"{by}/{asked}//{served}")) is is_new


def test_the_refer_context_goes_home_first_and_then_to_the_rescue(tmp_path: Path) -> None:
    refer = contexts(tmp_path)["fsctl_refer"]
    steps = actions(extension(refer, "fsctl_refer"))
    (forgotten,) = conditions(extension(refer, "fsctl_refer_begins"))
    assert " originate_disposition=;" in forgotten
    assert ";sip_invite_failure_status=;" in forgotten, "of an earlier transfer"
    assert [step for step in steps if step[0] in ("socket", "execute_extension")] == [
        ("socket", "${fsctl_home} async full"),
        ("execute_extension", "overtaken XML fsctl_rescue"),
        ("execute_extension", "rescue XML fsctl_rescue"),
        ("execute_extension", "settle XML fsctl_rescue"),
        ("execute_extension", "forsaken XML fsctl_rescue"),
    ]
    ends = "${sched_del(${blind_transfer_uuid})}${sched_del(${uuid})}"
    assert steps[-1][1].endswith(ends), "they talk again"


def test_the_longest_park_is_that_of_the_longest_ringing(tmp_path: Path) -> None:
    settings = Settings(
        transfer=Transfer(ring_timeout_s=20, rescue_after_s=5),
        routes=(Route(ring_timeout_s=90), Route(ring_timeout_s=10)),
    )
    refer = contexts(tmp_path, settings)["fsctl_refer"]
    armed = "".join(conditions(extension(refer, "fsctl_refer_transferor")))
    by = "${blind_transfer_uuid}"
    # to claim twice, to decide, to ring, and a bit; the transferee somewhat before
    assert f"${{sched_api(+114 {by} expand uuid:{by} uuid_transfer {by}" in armed
    assert "${sched_api(+109 ${uuid} expand uuid:${uuid} uuid_transfer ${uuid}" in armed
    assert ";fsctl_timed=114;" in armed
    # Right behind a reference a backslash escapes nothing: they would name no leg.
    assert armed.count("}${fsctl_dollar}{variable_") == 3
    (begins,) = conditions(extension(refer, "fsctl_refer_begins"))
    assert ";fsctl_dollar=$;" in begins
    assert re.findall(r".(?=\\[$])", armed) == [" ", "(", "}"]
    assert r"\${variable_current_application}\${variable_bridge_to}" in armed, "no reference"


@pytest.mark.parametrize("claim_timeout_s", [1, 2, 5, 30])
def test_no_timer_fires_before_what_it_waits_for(tmp_path: Path, claim_timeout_s: int) -> None:
    """Each may be early by the part of a second that has passed, and late by half a second."""
    own = Transfer(decision_timeout_s=2.5, ring_timeout_s=20, rescue_after_s=5)
    settings = Settings(
        transfer=own,
        call=Call(ring_timeout_s=20),
        dialplan=Dialplan(claim_timeout_s=claim_timeout_s),
    )
    refer = contexts(tmp_path, settings)["fsctl_refer"]
    text = "".join(f for node in refer.iter("extension") for f in conditions(node))
    text += "".join(data for _, data in actions(refer))

    def told(timer: str) -> int:
        (seconds,) = set(re.findall(rf"sched_api\(\+([0-9]+) {timer}", text))
        return int(seconds)

    by = re.escape("${blind_transfer_uuid}")
    leg = re.escape("${uuid} expand uuid:${uuid} uuid_transfer ")
    claim, idle = told(re.escape("claim-${uuid} ")), told(leg + r"\\\$[{]cond")
    assert claim - 1 >= claim_timeout_s
    claimed_twice = 2 * claim + 0.5
    assert idle - 1 >= claimed_twice and told(by + re.escape(" expand uuid:${uuid}")) == idle
    transferor, transferee = told(f"{by} expand uuid:{by}"), told(leg + r"[$][{]uuid[}]")
    waits_s = claimed_twice + own.decision_timeout_s + own.ring_timeout_s
    assert transferee - 1 > waits_s
    assert transferor - transferee > claim + 1, "another one is asked for the transferee"
    (noted,) = re.findall(";fsctl_timed=([0-9]+);", text)
    assert timed(Event(f"variable_fsctl_timed: {noted}\n".encode())) == transferor - 1


@pytest.mark.parametrize("home", ["", "evil", "h:1|x:2", "${x}:1", "h:1 async"])
def test_a_home_that_is_no_address_is_not_dialled(tmp_path: Path, home: str) -> None:
    expression = conditions(contexts(tmp_path)["fsctl_refer"])["${fsctl_home}"]
    assert re.search(expression, "10.0.0.1:8084")
    assert not re.search(expression, home)


def test_the_rescue_of_a_transfer_tries_every_controller_unless_it_is_over(tmp_path: Path) -> None:
    settings = Settings(dialplan=Dialplan(controllers=("a:1", "b:2")))
    node = extension(contexts(tmp_path, settings)["fsctl_rescue"], "fsctl_transfer")
    steps = actions(node)
    assert [steps[0], steps[2]] == [
        ("set", "fsctl_asked=all"),
        ("execute_extension", "any XML fsctl_controllers"),
    ]
    assert steps[1][1].startswith("${sched_api(+8 ${uuid} "), "the leg's own timers have gone"
    expression = conditions(node)["${originate_disposition}"]
    assert [
        bool(re.search(expression, d)) for d in ("", "USER_BUSY", "SUCCESS", "call accepted")
    ] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("refer_to", "host"),
    [
        ("<sip:1@h.example.com>", "h.example.com"),
        ("<sip:1@h:5080;transport=tcp>;x=y", "h:5080"),
        ("sip:1@h", "h"),
        ("<sip:1@${x}>", None),
        ("<sip:1@a,b>", None),
        ("<tel:+1>", None),
        ("<sip:0900@[2001:db8::1]>", None),
        ("<sips:1@h>", None),
        ('"a@b" <sip:1@h?X=1@own>', "h"),
        ('"a@b" <sip:1@h?X=1>', "h"),
        ('"<sip:1@own>" <sip:0900@evil>', None),
        ("x@own;<sip:0900@evil>", "evil"),
        ("<sip:0900@evil>;x=<sip:1@own>", None),
    ],
)
def test_the_legacy_context_copies_a_safe_host_only(
    tmp_path: Path, refer_to: str, host: str | None
) -> None:
    legacy = contexts(tmp_path)["fsctl_legacy"]
    (node,) = (each for each in legacy if each.attrib["name"] == "fsctl_legacy_host")
    expression = conditions(node)["${sip_refer_to}"]
    found = re.search(expression, refer_to)
    assert (found and found[1]) == host


def test_the_legacy_context_forgets_the_number_of_the_call_before(tmp_path: Path) -> None:
    legacy = contexts(tmp_path)["fsctl_legacy"]
    names = [each.attrib["name"] for each in legacy]
    assert names.index("fsctl_legacy_begins") < names.index("fsctl_legacy_number")
    (forgotten,) = conditions(extension(legacy, "fsctl_legacy_begins"))
    assert ";fsctl_dialled_number=;" in forgotten


def test_an_unknown_dialog_is_refused(tmp_path: Path) -> None:
    files = render(tmp_path)
    channels = files["fsctl_channels.xml"]
    params = {p.attrib["name"]: p.attrib["value"] for p in channels.iter("param")}
    assert params == {
        "dial-prefix": "{origination_callee_id_name=_undef_}",
        "absolute-dial-string": "loopback/attended/fsctl_attended",
    }
    attended = files["dialplan/fsctl.xml"].find("context[@name='fsctl_attended']")
    assert attended is not None
    main = next(e for e in attended if e.attrib["name"] == "fsctl_attended")
    others, settle = (
        ("execute_extension", f"{word} XML fsctl_attended") for word in ("others", "settle")
    )
    assert [step for step in actions(main) if step[0] in ("socket", "execute_extension")] == [
        ("socket", "${fsctl_home} async full"),
        others,
        settle,
        settle,
    ]
    refuse = next(e for e in attended if e.attrib["name"] == "fsctl_attended_refuse")
    assert actions(refuse) == [("hangup", "CALL_REJECTED")]


def test_the_profile_parameters(tmp_path: Path) -> None:
    root = render(tmp_path)["sip_profiles/fsctl_params.xml"]
    assert {p.attrib["name"]: p.attrib["value"] for p in root} == {
        "rtp-timer-name": "soft",
        "channel-xml-fetch-on-nightmare-transfer": "true",
        "make-every-transfer-a-nightmare": "true",
        "fire-transfer-events": "true",
        "pass-callee-id": "false",
        "disable-transfer": "false",
    }


SWITCH = Switch(enabled=True, password="x")


def test_in_scope_transfers_no_call_comes_to_us(tmp_path: Path) -> None:
    """With ``[switch]`` nothing of the operator's own contexts is touched; else all are armed."""
    assert list(render(tmp_path / "1", Settings(switches=(SWITCH,)))) == [
        "dialplan/fsctl.xml",
        "sip_profiles/fsctl_params.xml",
        "fsctl_channels.xml",
    ]
    static = Settings(dialplan=Dialplan(inbound_contexts=("default", "public")))
    files = render(tmp_path / "2", static)
    for context in ("default", "public"):
        (arm,) = files[f"dialplan/{context}/00_fsctl.xml"]
        assert arm.attrib == {"name": "fsctl_arm", "continue": "true"}
        assert actions(arm) == [
            ("export", "fsctl_own_context=${context}"),
            ("export", "force_transfer_context=fsctl_refer"),
            ("export", "force_transfer_dialplan=XML"),
            ("export", "confirm_blind_transfer=true"),
        ]
    params = files["sip_profiles/fsctl_params.xml"]
    assert {p.attrib["name"]: p.attrib["value"] for p in params}[
        "make-every-transfer-a-nightmare"
    ] == "false", "written out: a line that is gone changes nothing"


@pytest.mark.parametrize("everywhere", [True, False])
def test_what_global_variables_arm_is_armed_by_nothing_else(
    tmp_path: Path, everywhere: bool
) -> None:
    settings = Settings(switches=(SWITCH,)) if everywhere else Settings()
    text = (tmp_path / "dialplan/fsctl.xml", contexts(tmp_path, settings))[0].read_text()
    for name in ("confirm_blind_transfer=", "force_transfer_context=", "force_transfer_dialplan="):
        assert (f'application="export" data="{name}' in text) is not everywhere


def test_whoever_is_moved_without_us_is_sent_on_and_no_word_of_ours_is(tmp_path: Path) -> None:
    """FreeSWITCH's own transfer goes on in whatever context of ours the leg is in."""
    made = contexts(tmp_path, Settings(switches=(SWITCH,)))
    text = (tmp_path / "dialplan/fsctl.xml").read_text()
    ours = set(re.findall(r"([a-z_]+)(?: XML |:XML:)(fsctl_[a-z]+)", text)) | {
        ("attended", "fsctl_attended"),
        ("fsctl_return", "fsctl_return"),
        ("kept", "fsctl_rescue"),
    }
    assert len(ours) > 15
    # A number that comes to `fsctl_target` goes on in the context that has been called there; the
    # half of a loopback that a mailbox or a queue serves is nobody's transferee.
    loopbacks = {"fsctl_target", "fsctl_target_over", "fsctl_service"}
    for name in set(made) - {"fsctl_refer", "fsctl_legacy", *loopbacks}:
        first = made[name][0]
        assert actions(first) == [("transfer", "$1 XML fsctl_refer")]
        asked = conditions(first)["destination_number"]
        assert re.search(asked, "1002")
        assert not [word for word, where in ours if where == name and re.search(asked, word)]


def test_attended_transfers_can_be_left_to_the_switch(tmp_path: Path) -> None:
    settings = Settings(transfer=Transfer(attended="switch"))
    root = render(tmp_path, settings)["sip_profiles/fsctl_params.xml"]
    params = {p.attrib["name"]: p.attrib["value"] for p in root}
    assert params["make-every-transfer-a-nightmare"] == "false"
    assert params["channel-xml-fetch-on-nightmare-transfer"] == "true"


# -- overrides and errors


def test_an_override_replaces_one_block_of_a_shipped_template(tmp_path: Path) -> None:
    settings = overriding(
        tmp_path / "own",
        "refer.xml.j2",
        '{% extends "fsctl/refer.xml.j2" %}'
        '{% block prepare %}<condition><action application="log" data="INFO hi"/></condition>'
        "{% endblock %}",
    )
    refer = extension(contexts(tmp_path / "out", settings)["fsctl_refer"], "fsctl_refer")
    assert actions(refer)[0] == ("log", "INFO hi")
    assert ("unset", "originate_disposition") not in actions(refer)
    assert ("socket", "${fsctl_home} async full") in actions(refer)


def test_an_override_can_replace_a_whole_template(tmp_path: Path) -> None:
    text = '<include>\n<section name="channels"/>\n</include>\n'
    settings = overriding(tmp_path / "own", "channels.xml.j2", text)
    dialplan.render(settings, tmp_path / "out")
    assert (tmp_path / "out/fsctl_channels.xml").read_text() == text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "refr.xml.j2",
            "",
            "own/refr.xml.j2: unknown template refr.xml.j2; did you mean refer.xml.j2?",
        ),
        ("refer.xml", "", "own/refer.xml: unknown template refer.xml; did you mean refer.xml.j2?"),
        (
            "refer.xml.j2",
            '{% extends "fsctl/refer.xml.j2" %}{% block prepar %}{% endblock %}',
            "own/refer.xml.j2: unknown block prepar; did you mean prepare?",
        ),
        (
            "channels.xml.j2",
            "<a>\n{{ transfer.ring_timout_s }}</a>",
            "channels.xml.j2: line 2: [transfer] ring_timout_s: unknown setting",
        ),
        ("refer.xml.j2", "<a>{{ tranfer }}</a>", "refer.xml.j2: line 1: tranfer: unknown setting"),
        ("channels.xml.j2", "<a>\n{% if %}</a>", "own/channels.xml.j2: line 2: "),
        ("channels.xml.j2", "<a>", "channels.xml.j2: the result is not well-formed XML: "),
        (
            "channels.xml.j2",
            "<include><a/>\n</include>",
            "channels.xml.j2: result line 1: <include> must stand alone",
        ),
        ("channels.xml.j2", '{% extends "fsctl/gone.xml.j2" %}', "gone.xml.j2"),
    ],
)
def test_a_wrong_override_is_named_and_nothing_is_written(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    settings = overriding(tmp_path / "own", name, text)
    with pytest.raises(SettingsError) as caught:
        dialplan.render(settings, tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_of_overrides_is_named(tmp_path: Path) -> None:
    settings = Settings(dialplan=Dialplan(overrides=tmp_path / "gone"))
    with pytest.raises(SettingsError, match=r"\[dialplan\] overrides: .*gone"):
        dialplan.render(settings, tmp_path / "out")


def test_values_are_escaped_in_a_template_of_the_operators(tmp_path: Path) -> None:
    settings = overriding(tmp_path / "own", "channels.xml.j2", '<a b="{{ server.home }}"/>')
    settings = dataclasses.replace(settings, server=Server(home="\"><x y='&"))
    root = render(tmp_path / "out", settings)["fsctl_channels.xml"]
    assert root.attrib["b"] == "\"><x y='&"


def test_every_template_is_cut_into_blocks() -> None:
    for name, text in dialplan.shipped_templates().items():
        assert "{% block " in text or name == "steps.xml.j2", name


@pytest.mark.parametrize(
    ("refer_to", "blind"),
    [
        ("<sip:1002@pbx>", True),
        ("<sip:1002@pbx?X-Replaces=1>", True),
        ("<sip:3000@pbx?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", False),
        ("<sip:3000@pbx?X-A=1&Replaces=a>", False),
        ("", False),
    ],
)
def test_what_an_attended_transfer_leaves_is_no_blind_refer(
    tmp_path: Path, refer_to: str, blind: bool
) -> None:
    """FreeSWITCH sends a leg to the number of an application, and its Refer-To stays there."""
    rendered = contexts(tmp_path)
    for context in ("fsctl_refer", "fsctl_legacy"):
        asked = conditions(extension(rendered[context], f"{context}_sent_away"))
        assert bool(re.search(asked["${sip_refer_to}"], refer_to)) is blind


_EXPANDED = frozenset(
    # FreeSWITCH's own words: uuids, contexts, causes, states, addresses of its own
    "uuid direction context originator blind_transfer_uuid other_loopback_leg_uuid last_bridge_to "
    "endpoint_disposition originate_disposition originate_causes last_bridge_hangup_cause "
    "hangup_cause "
    "sip_blind_transfer_event sip_authorized sip_gateway sofia_profile_name park_timeout "
    "sip_local_network_addr local_ip_v4 domain api_before_bridge_fsctl "
    "signal_bond soft_holding_uuid variable_current_application variable_bridge_to "
    # the directory's, or an operator's, who has expanded it already
    "user_context effective_caller_id_number domain_name dialed_domain export_vars "
    "hold_music "
    # of a message: set by switch_channel_set_variable, which takes nothing that holds "${"
    "sip_refer_to sip_h_X-FS-Refer-From sip_h_X-FS-Refer-For sip_Privacy sip_req_host "
    "sip_hangup_phrase sip_invite_failure_status".split()
)


def test_what_a_phone_has_written_is_not_expanded() -> None:
    """FreeSWITCH expands the value of a variable again, and the answer of an API not; `set` both.

    A number, a name or a history of transfers is no variable that FreeSWITCH has checked.
    """
    text = "".join(dialplan.shipped_templates().values())
    names = set(re.findall(r"\$\{([A-Za-z_][\w-]*)[}:]", text))
    assert {name for name in names if not name.startswith("fsctl_")} == _EXPANDED
    answers = re.findall(r'application="(?:set|export)" data="([^"]*\$\{\w+\([^"]*)"', text)
    assert sorted(answer.partition("=")[0] for answer in answers) == [
        "fsctl_home",
        "fsctl_home",
        "fsctl_home",
    ]


def test_what_a_condition_has_captured_is_safe_to_expand(tmp_path: Path) -> None:
    """FreeSWITCH keeps the groups of a condition in a variable (mod_dialplan_xml.c, DP_MATCH)."""
    facts = r"[0-9A-Za-z+*#._~@:/-]*(?:;[0-9A-Za-z+*#._~@:/-]*){12}"
    uuid = "[0-9a-fA-F-]{36}"
    safe = {SAFE_NUMBER, dialplan._FOREIGN_CONTEXT, facts, uuid, "inbound|outbound"}
    copied: set[str] = set()
    for root in render(tmp_path, CALLS).values():
        for context in root.iter("context"):
            before = ""
            for condition in context.iter("condition"):
                text, expression = condition.get("field", ""), condition.get("expression", "")
                for group in re.findall(r"\$\{DP_MATCH\[(\d)\]", text):
                    assert group == "1"
                    (part,) = (each for each in safe if f"({each})" in before)
                    assert re.compile(before).groups == 1
                    copied.add(part)
                    assert "(?!_undef_)(" in before or "fsctl_recall" not in text
                before = expression if "(" in expression else before
    assert copied == safe
    assert not any(re.fullmatch(part, bad) for part in safe for bad in ("${x}", "$", "a b", ""))


def test_a_right_that_would_be_expanded_is_not_copied(tmp_path: Path) -> None:
    target = contexts(tmp_path)["fsctl_target"]
    asked = conditions(extension(target, "fsctl_target_toll_allow"))
    (expression,) = (text for field, text in asked.items() if "toll_allow" in field)
    values = ("domestic,local", "_undef_", "-ERR No such channel!", "${system(x)}", "a$b", "")
    assert [bool(re.search(expression, value)) for value in values] == [True, *[False] * 5]
