"""fsctl.dialplan: the routes that FreeSWITCH takes by itself when no controller answers."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fsctl import dialplan
from fsctl.settings import Group, Route, Settings, Transfer

ALL_KINDS = (
    Route(name="a", match=r"1\d{3}", kind="user"),
    Route(name="b", match="2.*", kind="user", domain="pbx.example.com"),
    Route(name="c", match="3.*", kind="sofia", profile="p", host="h", port=5080, transport="tcp"),
    Route(name="d", match="0.*", kind="gateway", gateway="g", strip=1, prefix="+49"),
    Route(name="e", match="7.*", kind="dialplan", context="house", variables=(("x", "1=2"),)),
    Route(name="f", match=".+", kind="uri", profile="p", hosts=("*.example.com", "h?")),
)


def rescue(output: Path, settings: Settings) -> ElementTree.Element:
    dialplan.render(settings, output)
    found = ElementTree.parse(output / "dialplan/fsctl.xml").find("context[@name='fsctl_rescue']")
    assert found is not None
    return found


def actions(node: ElementTree.Element) -> list[tuple[str, str]]:
    return [(each.attrib["application"], each.attrib["data"]) for each in node.iter("action")]


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


def test_each_kind_of_route_has_its_dial_string() -> None:
    common = (
        "{originate_timeout=60,outbound_redirect_fatal=true,"
        "exclude_outgoing_extra_header=(?i)^sip_h_(?!(?:Referred-By)(?!.)),"
        "execute_on_pre_bridge_fsctl=unset sip_h_Referred-By,"
        "fsctl_number=${fsctl_dialled_number}"
        ",origination_callee_id_name=${fsctl_dialled_number}"
        ",origination_callee_id_number=${fsctl_dialled_number}"
    )
    cut = "=+49${fsctl_dialled_number:1}"
    hidden = "".join(
        f",origination_caller_id_{part}=${{fsctl_anonymous}}" for part in ("number", "name")
    )
    media = ",origination_audio_mode=sendrecv,media_mix_inbound_outbound_codecs=true}"
    shown = common + media
    user, common = common + hidden + ",bridge_early_media=true" + media, common + hidden + media
    settings = with_routes(*ALL_KINDS)
    assert [dialplan.native_route(route, settings).dial_string for route in ALL_KINDS] == [
        user + "user/${fsctl_dialled_number}@${fsctl_domain}",
        user + "user/${fsctl_dialled_number}@pbx.example.com",
        common + "sofia/p/sip:${fsctl_dialled_number}@h:5080;transport=tcp",
        re.sub(r"(callee_id_\w+)=[^,]+", rf"\1{cut}", shown)
        + "sofia/gateway/g/+49${fsctl_dialled_number:1}",
        common.replace(media, ",fsctl_for=${uuid},fsctl_target_context=house,x=1=2" + media)
        + "loopback/${fsctl_dialled_number}/fsctl_target/XML",
        common + "sofia/p/sip:${fsctl_dialled_number}@${fsctl_dialled_host}",
    ]


def test_routes_are_rendered_in_order_for_the_stages_in_which_nobody_has_dialled(
    tmp_path: Path,
) -> None:
    context_node = rescue(tmp_path, with_routes(*ALL_KINDS))
    names = [each.attrib["name"] for each in context_node]
    routes = [name for name in names if name.startswith("fsctl_route_")]
    assert routes == [f"fsctl_route_{letter}" for letter in "abcdef"]
    assert names.index("fsctl_route_f") < names.index("fsctl_no_route")
    node = extension(context_node, "fsctl_route_a")
    assert conditions(node) == {
        "destination_number": "^(?:rescue|recall)$",
        "${fsctl_stage}": "^(?:new|legacy|dialling|recall)$",
        "${fsctl_own_host}@${fsctl_dialled_host}": "(?i)^(?:own@.*|@)$",
        "${fsctl_dialled_number}": r"^(?:1\d{3})$",
    }
    steps = [step for step in actions(node) if "unset" not in step[0]]
    assert steps[-2][0] == "bridge"
    assert steps[-1] == ("execute_extension", "settle XML fsctl_rescue")


def test_a_regex_with_markup_reaches_freeswitch_unchanged(tmp_path: Path) -> None:
    route = Route(name="x", match='[^<>&"]+', kind="user")
    node = extension(rescue(tmp_path, with_routes(route)), "fsctl_route_x")
    assert conditions(node)["${fsctl_dialled_number}"] == '^(?:[^<>&"]+)$'


def test_alternatives_stay_inside_the_whole_match() -> None:
    route = dialplan.native_route(Route(match="1|2"), Settings())
    assert re.search(route.number, "2")
    assert not re.search(route.number, "12")


def test_a_number_that_strip_would_empty_does_not_match() -> None:
    route = dialplan.native_route(Route(match="0.*", strip=2), Settings())
    assert not re.search(route.number, "01")
    assert re.search(route.number, "012")


@pytest.mark.parametrize(
    ("host", "uri_matches", "user_matches"),
    [
        ("@a.example.com", True, True),
        ("own@A.Example.Com:5080", True, True),
        ("@hx", True, True),
        ("@", False, True),
        ("@example.com", False, False),
        ("@a.example.com.evil", False, False),
        ("@axexamplexcom", False, False),
        ("own@pbx", False, False),
        ("@?", False, False),
        ("@h?", False, False),
    ],
)
def test_hosts_are_globs(host: str, uri_matches: bool, user_matches: bool) -> None:
    """A new call has no host of its own; only a route that dials the host needs one."""
    hosts = ("*.example.com", "h?")
    for kind, matches in (("uri", uri_matches), ("user", user_matches)):
        route = Route(kind=kind, hosts=hosts)  # type: ignore[arg-type]
        expression = dialplan.native_route(route, Settings()).host
        assert bool(re.search(expression, host)) is matches


@pytest.mark.parametrize(
    ("hosts", "admitted"),
    [
        (("own",), ["@", "own@pbx"]),
        (("own", "b.example"), ["@", "own@pbx", "@b.example:5080"]),
        (("*",), ["@", "own@pbx", "@evil.example", "@b.example:5080"]),
    ],
)
def test_which_hosts_a_route_admits(hosts, admitted) -> None:
    """A host that cannot be read ("?") is never admitted."""
    asked = ["@", "own@pbx", "@evil.example", "@b.example:5080", "@?"]
    expression = dialplan.native_route(Route(hosts=hosts), Settings()).host
    assert [each for each in asked if re.search(expression, each)] == admitted


def test_codecs_and_timeout_go_to_the_called_leg() -> None:
    settings = Settings(call=dataclasses.replace(Settings().call, codecs="PCMU,opus@20i"))
    string = dialplan.native_route(Route(ring_timeout_s=9), settings).dial_string
    assert string.startswith("{originate_timeout=9,outbound_redirect_fatal=true,")
    assert "absolute_codec_string=^^:PCMU:opus@20i}" in string


@pytest.mark.parametrize(
    ("call", "route", "own", "others"),
    [
        ((), None, "", "X-Account User-to-User Referred-By-x X-FS-Refer-Params Diversion"),
        (("X-*", "User-to-User"), None, "X-Account x-b USER-TO-USER X-FS", "X-FS-A P-A User"),
        (("*",), None, "Subject Fromage", "From Via Identity P-Asserted-Identity Content-X t"),
        (("X-*",), (), "", "X-Account"),
        ((), ("X-A",), "X-A", "X-AB X-"),
    ],
)
def test_headers_that_freeswitch_holds_back(call, route, own, others) -> None:
    settings = Settings(call=dataclasses.replace(Settings().call, pass_headers=call))
    string = dialplan.native_route(Route(pass_headers=route), settings).dial_string
    held_back = string.partition("exclude_outgoing_extra_header=")[2].partition(",execute_")[0]
    for never, passed in (("", f"Referred-By {own}".split()), ("(?!)", ["Referred-By"])):
        expression = held_back.replace("${fsctl_never}", never)
        names = {*f"Referred-By {own} {others}".split()}
        kept = {name for name in names if not re.search(expression, f"sip_h_{name}")}
        assert kept == {*passed}


@pytest.mark.parametrize(
    ("transfer", "override", "context", "confirm"),
    [
        (Transfer(), None, "fsctl_refer", "true"),
        (Transfer(mode="legacy"), None, "fsctl_legacy", "true"),
        (Transfer(mode="legacy", legacy_report="at-once"), None, "fsctl_legacy", "false"),
        (Transfer(legacy_report="at-once"), "legacy", "fsctl_legacy", "false"),
        (Transfer(mode="legacy", legacy_report="at-once"), "in-session", "fsctl_refer", "true"),
    ],
)
def test_a_call_that_was_rescued_can_be_transferred(
    tmp_path: Path, transfer: Transfer, override: str | None, context: str, confirm: str
) -> None:
    route = Route(name="x", transfer_mode=override)  # type: ignore[arg-type]
    settings = Settings(transfer=transfer, routes=(route,))
    node = extension(rescue(tmp_path, settings), "fsctl_route_x")
    assert actions(node)[:3] == [
        ("export", f"confirm_blind_transfer={confirm}"),
        ("export", f"force_transfer_context={context}"),
        ("export", "force_transfer_dialplan=XML"),
    ]


def test_a_group_is_a_route_of_its_own_that_dials_its_members(tmp_path: Path) -> None:
    """All at once, or each when the time of those before it is over; who has no route is not."""
    gateway = Route(name="out", match="0.*", kind="gateway", gateway="g", strip=1, prefix="+49")
    users = Route(name="users", match="1...", kind="user", ring_timeout_s=20)
    members = ("1001", "x", "0301")
    turns = Group("turns", "7", members=members, ring="in-turn", ring_timeout_s=9)
    both = (Group("all", "8|9", members=members), turns)
    settings = dataclasses.replace(with_routes(users, gateway), groups=both)
    together, in_turn = (dialplan.native_group(each, settings) for each in settings.groups)
    assert together is not None and in_turn is not None
    assert together.number == "^(?:8|9)$" and together.host == "(?i)^(?:own@.*|@)$"
    desk, outside = together.dial_string.split(":_:")
    assert desk.endswith("}user/1001@${fsctl_domain}") and "originate_timeout=20," in desk
    assert "fsctl_number=1001,origination_callee_id_name=1001," in desk
    assert outside.endswith("}sofia/gateway/g/+49301")
    assert "callee_id_number=+49301," in outside and "${fsctl_dialled_number" not in outside
    first, second = in_turn.dial_string.split(":_:")
    assert "originate_delay_start" not in first and "originate_timeout=9," in first
    assert ",originate_delay_start=9000}" in second
    assert dialplan.native_group(Group("none", "7", on_busy="1"), settings) is None
    names = [each.attrib["name"] for each in rescue(tmp_path, settings)]
    assert names.index("fsctl_route_group_all") < names.index("fsctl_route_users")
