"""What FreeSWITCH says of its configuration, and whether that is what was written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from xml.etree import ElementTree

from fsctl.check.answers import canonical
from fsctl.dialplan import CHANNELS, CONTEXTS, PARAMETERS, Rendered
from fsctl.switch.armed import CONFIRM, CONTEXT, DIALPLAN
from fsctl.switch.marks import Context

DEFAULTS: Final = {
    "rtp-timer-name": "none",
    "channel-xml-fetch-on-nightmare-transfer": "false",
    "make-every-transfer-a-nightmare": "false",
    "fire-transfer-events": "false",
    "pass-callee-id": "true",
    "disable-transfer": "false",
}
"""What sofia does where its profile says nothing (``config_sofia`` in sofia.c). A parameter that
is no longer there keeps its last value until the profile is restarted, which would cut calls."""

Locate = Callable[[str], str]
"""The reply to ``xml_locate …``."""


def refusal(reply: str) -> str:
    """Return why ``reloadxml`` has kept the old configuration; empty: it has taken the new one."""
    text = reply.strip()
    return "" if text.startswith("+OK [Success]") else text.removeprefix("+OK ").strip("[]") or "?"


def armed_by_us(variables: Mapping[str, str]) -> list[str]:
    """Return the global variables by which FreeSWITCH sends transfers into contexts of ours."""
    if variables.get(CONTEXT, "") not in (Context.REFER, Context.LEGACY):
        return []
    return [name for name in (CONFIRM, DIALPLAN, CONTEXT) if variables.get(name)]


def not_in_force(
    rendered: Iterable[Rendered], profiles: Sequence[str], locate: Locate
) -> list[str]:
    """Return, in sentences, what FreeSWITCH does not run of what was written."""
    texts = {each.path: each.text for each in rendered}
    missing = []
    for context in ElementTree.fromstring(texts[CONTEXTS]).iter("context"):
        name = context.get("name", "")
        found = _parsed(locate(f"dialplan context name {name}"))
        if found is None or canonical(found) != canonical(context):
            missing.append(f"the dialplan's context {name} is not the one in {CONTEXTS}")
    section = ElementTree.fromstring(texts[CHANNELS]).find("section")
    found = _parsed(locate("channels"))
    if section is None or found is None or canonical(found) != canonical(section):
        missing.append(f"the section channels is not the one in {CHANNELS}")
    return missing + _parameters_not_in_force(texts[PARAMETERS], profiles, locate)


def _parameters_not_in_force(text: str, profiles: Sequence[str], locate: Locate) -> list[str]:
    wanted = parameters(text)
    sofia = _parsed(locate("configuration configuration name sofia.conf"))
    missing = []
    for profile in profiles:
        found = _parameters_in(sofia, profile)
        if different := [name for name, value in wanted.items() if found.get(name) != value]:
            missing.append(f"the profile {profile} has not {', '.join(different)} of {PARAMETERS}")
    return missing


def still_in_force(profiles: Sequence[str], locate: Locate) -> list[str]:
    """Return, in sentences, what FreeSWITCH still runs of fsctl."""
    found = []
    for context in Context:
        element = _parsed(locate(f"dialplan context name {context}"))
        if element is not None and element.get("name") == context:
            found.append(f"the dialplan's context {context}")
    if Context.ATTENDED in locate("channels"):
        found.append("the section channels")
    sofia = _parsed(locate("configuration configuration name sofia.conf"))
    for profile in profiles:
        names = _parameters_in(sofia, profile)
        if "channel-xml-fetch-on-nightmare-transfer" in names:
            found.append(f"the parameters of the profile {profile}")
    return found


def parameters(text: str) -> dict[str, str]:
    """Return the parameters in a rendered ``fsctl_params.xml``."""
    return _parameters_of(ElementTree.fromstring(text))


def defaults_for(text: str) -> tuple[bytes, list[str]]:
    """Return the same file with sofia's own values, and the parameters that have none known."""
    names = parameters(text)
    lines = [
        f'  <param name="{name}" value="{DEFAULTS[name]}"/>' for name in names if name in DEFAULTS
    ]
    body = "\n".join(["<include>", *lines, "</include>", ""])
    return body.encode(), [name for name in names if name not in DEFAULTS]


def _parameters_in(sofia: ElementTree.Element | None, profile: str) -> dict[str, str]:
    """Those of one profile in ``sofia.conf``; none where there is no such profile."""
    wanted = f"profiles/profile[@name='{profile}']/settings"
    settings = None if sofia is None else sofia.find(wanted)
    return {} if settings is None else _parameters_of(settings)


def _parameters_of(settings: ElementTree.Element) -> dict[str, str]:
    """By name; of several with one name sofia takes the last."""
    return {each.get("name", ""): each.get("value", "") for each in settings.iter("param")}


def _parsed(text: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(text[text.index("<") :])
    except (ValueError, ElementTree.ParseError):
        return None
