"""What may be wrong with a FreeSWITCH, each with the one finding that there is then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from fsctl.check import State
from tests.unit.check.peers import EVENT_SOCKET, EXTENSION, Healthy, switch

PROBLEM, UNKNOWN = State.PROBLEM, State.UNKNOWN
Change = Callable[[Healthy], None]
FAR = "192.0.2.7:8084"
SOFIA = "xml_locate configuration configuration name sofia.conf"
SOCKET_CONF = "xml_locate configuration configuration name event_socket.conf"


def answer(line: str, text: str | None) -> Change:
    return lambda healthy: healthy.changed.update({line: text})


def edit(line: str, old: str, new: str) -> Change:
    def change(healthy: Healthy) -> None:
        text = healthy.answers()[line]
        assert old in text
        healthy.changed[line] = text.replace(old, new)

    return change


def variable(name: str, value: str) -> Change:
    return lambda healthy: healthy.globals.update({name: value})


def section(name: str, **values: object) -> Change:
    def change(healthy: Healthy) -> None:
        changed = replace(getattr(healthy.settings, name), **values)
        healthy.settings = replace(healthy.settings, **{name: changed})

    return change


def params(text: str) -> Change:
    return lambda healthy: setattr(healthy, "params", text)


def param(name: str, value: str) -> Change:
    return params(f'<param name="{name}" value="{value}"></param>')


def context(name: str, extensions: str) -> Change:
    return lambda healthy: healthy.contexts.update({name: extensions})


def calls(match: str = "1[0-9]{3}") -> Change:
    return lambda healthy: healthy.scope_calls(match)


def in_front(name: str, expression: str, more: str = "") -> Change:
    """Another extension stands before ours."""

    def change(healthy: Healthy) -> None:
        healthy.scope_calls()
        line = "xml_locate dialplan context name default"
        other = EXTENSION.format(name, expression).replace("<condition", f"{more}<condition", 1)
        edit(line, '<context name="default">', f'<context name="default">{other}')(healthy)

    return change


def socket_conf(**values: str) -> Change:
    lines = "".join(f'<param name="{n.replace("_", "-")}" value="{v}"/>' for n, v in values.items())
    return answer(SOCKET_CONF, EVENT_SOCKET.replace("</settings>", f"{lines}</settings>"))


def both(*changes: Change) -> Change:
    def change(healthy: Healthy) -> None:
        for each in changes:
            each(healthy)

    return change


def dead(healthy: Healthy) -> None:
    """No controller, and so nothing is armed."""
    text = healthy.answers()["global_getvar"]
    gone = ("fsctl_living_", "confirm_", "force_")
    lines = [line for line in text.splitlines() if not line.startswith(gone)]
    healthy.changed["global_getvar"] = "\n".join(lines)


def no_controllers(healthy: Healthy) -> None:
    """As with port 0 in [server] listen."""
    healthy.fixed = healthy.answers()
    section("dialplan", controllers=())(healthy)


def armed_without(healthy: Healthy) -> None:
    text = healthy.answers()["global_getvar"]
    healthy.changed["global_getvar"] = text.replace("fsctl_living_", "not_living_")


def NONE(healthy: Healthy) -> None:
    """Nothing is wrong."""


def no_profile(healthy: Healthy) -> None:
    edit("sofia xmlstatus", "<name>internal</name>", "<name>other</name>")(healthy)
    healthy.changed["sofia xmlstatus profile other"] = healthy.answers()[
        "sofia xmlstatus profile internal"
    ]


def starting(healthy: Healthy) -> None:
    answer("sofia xmlstatus", "<profiles></profiles>")(healthy)
    answer("uptime", "3\n")(healthy)
    healthy.settings = replace(healthy.settings, routes=healthy.settings.routes[3:])


def shipped(healthy: Healthy) -> None:
    healthy.settings = replace(healthy.settings, switches=(switch(password="ClueCon"),))


MARK = "fsctl_rescanned_internal"
RESCANNED = "the mark of whoever rescanned"
HOUSE = "xml_locate dialplan context name house"
VARIABLE = '<condition field="${toll_allow}" expression="local"/>'
SOUND = "/sounds/busy.wav"

SERVED = both(
    answer(
        "xml_locate configuration configuration name xml_curl.conf",
        '<configuration><param name="gateway-url" value="http://x/" bindings="dialplan"/>'
        "</configuration>",
    ),
    answer("module_exists mod_xml_curl", "true"),
)
"""mod_xml_curl makes the dialplan."""

LISTED = socket_conf(listen_ip="0.0.0.0", apply_inbound_acl="lan")

CHANGES: list[tuple[str, State, Change]] = [
    ("FSC003", PROBLEM, section("check", ignore=(("FSC999", "a slip"),))),
    ("FSC004", PROBLEM, lambda h: setattr(h, "settings", replace(h.settings, warnings=("f: x",)))),
    ("FSC005", PROBLEM, no_controllers),
    ("FSC105", PROBLEM, both(shipped, LISTED, answer("acl 192.0.2.1 lan", "false"))),
    ("FSC105", UNKNOWN, answer(SOCKET_CONF, "can't find anything\n")),
    (
        "FSC106",
        PROBLEM,
        both(
            socket_conf(listen_ip="::", apply_inbound_acl="all"),
            answer("acl 192.0.2.1 all", "true"),
        ),
    ),
    ("FSC201", PROBLEM, answer("version short", "1.10.11-release")),
    ("FSC201", UNKNOWN, answer("version short", "1.12.0")),
    ("FSC201", UNKNOWN, answer("version short", "our own \x1b[31mbuild")),
    ("FSC202", PROBLEM, answer("module_exists mod_loopback", "false")),
    ("FSC203", PROBLEM, answer("strepoch", str(int(time.time()) - 3600))),
    ("FSC301", PROBLEM, no_profile),
    ("FSC301", UNKNOWN, starting),
    ("FSC302", PROBLEM, param("fire-transfer-events", "false")),
    ("FSC302", PROBLEM, param("rtp-timer-name", "none")),
    ("FSC302", PROBLEM, param("disable-transfer", "yes")),
    ("FSC302", UNKNOWN, edit(SOFIA, 'profile name="internal"', 'profile name="in"')),
    ("FSC303", PROBLEM, edit("sofia xmlstatus profile internal", ">public<", ">old<")),
    ("FSC303", UNKNOWN, variable(MARK, "0123456789abcdef")),
    (
        "FSC304",
        PROBLEM,
        edit(
            SOFIA,
            '<param name="context" value="public"></param></settings>',
            '<param name="disable-transfer" value="true"/></settings>',
        ),
    ),
    (
        "FSC305",
        PROBLEM,
        edit("sofia xmlstatus profile external", "<nomedia>false", "<nomedia>true"),
    ),
    ("FSC306", PROBLEM, answer("xml_locate channels", "can't find anything\n")),
    ("FSC306", PROBLEM, edit("xml_locate channels", "loopback/", "user/")),
    (
        "FSC401",
        PROBLEM,
        answer("xml_locate dialplan context name fsctl_refer", "can't find anything"),
    ),
    ("FSC402", PROBLEM, edit("xml_locate dialplan context name fsctl_grace", "600", "500")),
    (
        "FSC402",
        PROBLEM,
        answer("xml_locate dialplan context name fsctl_command", "can't find anything"),
    ),
    ("FSC403", PROBLEM, context("house", EXTENSION.format("fsctl_arm", "^$"))),
    ("FSC501", PROBLEM, in_front("local", "^(10[01][0-9])$")),
    ("FSC501", PROBLEM, in_front("hotline", "^1234$")),
    ("FSC501", UNKNOWN, in_front("trunk", "^1", VARIABLE)),
    ("FSC501", UNKNOWN, in_front("pcre", "^[[:digit:]]+$")),
    ("FSC501", UNKNOWN, in_front("endless", "^(1+)+x?$")),
    ("FSC501", UNKNOWN, both(calls(), SERVED)),
    ("FSC601", PROBLEM, dead),
    ("FSC602", PROBLEM, variable("force_transfer_context", "fsctl_legacy")),
    ("FSC701", PROBLEM, answer("sofia xmlstatus gateway carrier", "Invalid Gateway!\n")),
    ("FSC701", UNKNOWN, answer("sofia xmlstatus gateway carrier", "-ERR what?\n")),
    (
        "FSC702",
        PROBLEM,
        lambda h: setattr(
            h,
            "settings",
            replace(
                h.settings,
                routes=(replace(h.settings.routes[1], profile="gone"), *h.settings.routes),
            ),
        ),
    ),
    (
        "FSC703",
        PROBLEM,
        answer("xml_locate directory domain name pbx.example.com", "can't find anything"),
    ),
    (
        "FSC704",
        PROBLEM,
        both(section("transfer", ringback=SOUND), answer(f"file_exists {SOUND}", "false")),
    ),
    ("FSC704", UNKNOWN, section("call", ringback="ivr/wait.wav")),
    ("FSC705", PROBLEM, answer(HOUSE, "can't find anything")),
]
