"""The sofia profiles: what is configured, what is in force, and what FreeSWITCH does not tell.

`XmlLocate` says what is loaded (by ``reloadxml``), which a profile reads at its start and at
``rescan``; `SofiaStatus` says what a profile has in force, but of a few parameters only (not of
those of ``fsctl_params.xml``; mod_sofia.c, cmd_xml_status). So that the others are in force
follows only from this: their files are older than FreeSWITCH's start, or whoever had the profile
rescanned has left a mark (`rescan_mark`), which ends with FreeSWITCH as the need for it does.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fsctl.check import answers
from fsctl.check.answers import is_true, number, parameters, profiles_of, xml
from fsctl.check.contexts import again
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, problem, unknown
from fsctl.dialplan import CHANNELS, PARAMETERS
from fsctl.esl.questions import SofiaStatus, Uptime
from fsctl.switch.marks import Mark

_FLAGS = {
    "channel-xml-fetch-on-nightmare-transfer": "false",
    "make-every-transfer-a-nightmare": "false",
    "fire-transfer-events": "false",
    "pass-callee-id": "true",
    "disable-transfer": "false",
    "inbound-bypass-media": "false",
    "inbound-proxy-media": "false",
}
"""Flags, as FreeSWITCH has them where nothing is said (sofia.c)."""
_SHOWN = {
    "context": "context",
    "dialplan": "dialplan",
    "inbound-late-negotiation": "late-neg",
    "inbound-bypass-media": "nomedia",
    "inbound-proxy-media": "proxy-media",
}
"""Parameters whose value in force is shown, and how it is called there."""
_STARTS_S = 30.0


def main_profile(ground: Ground) -> Iterator[Finding]:
    """FSC301: the profile of the settings runs."""
    name = ground.settings.dialplan.sofia_profile
    if name in ground.running:
        yield ok("FSC301", f"the sofia profile {name} runs")
    elif not ground.running and number(ground.ask(Uptime())) < _STARTS_S:
        yield unknown("FSC301", f"whether the sofia profile {name} runs", "FreeSWITCH is starting")
    else:
        yield problem(
            "FSC301",
            f"no sofia profile {name} runs",
            "no phone can call, and no target on it can be called",
            f"{ground.fs_cli(f'sofia profile {name} start')}, or set [dialplan] sofia_profile",
            f"running are: {', '.join(ground.running) or 'none'}",
        )


def parameters_loaded(ground: Ground) -> Iterator[Finding]:
    """FSC302: the profile of the settings has fsctl's parameters in what is loaded; FSC304: no
    other profile that runs has one of them the other way round."""
    wanted = dict(parameters(ground.rendered[PARAMETERS]))
    main = ground.settings.dialplan.sofia_profile
    if main in ground.running:
        yield _loaded(ground, main, wanted)
    for name in ground.running:
        if name == main:
            continue
        given = dict(ground.sofia.get(name, ()))
        for each in ("disable-transfer", "make-every-transfer-a-nightmare"):
            if is_true(given.get(each, "false")) and not is_true(wanted.get(each, "false")):
                yield problem(
                    "FSC304",
                    f"the sofia profile {name} has {each}={given[each]}",
                    "transfers of its phones are refused with 403",
                    f'set it to "false" there, then: {_rescan(ground, name)}',
                )


def _loaded(ground: Ground, name: str, wanted: dict[str, str]) -> Finding:
    if name not in ground.sofia:
        return unknown(
            "FSC302",
            f"whether the sofia profile {name} has fsctl's parameters",
            "FreeSWITCH has no profile of that name in what is loaded (an alias, or xml_curl)",
        )
    given = dict(ground.sofia[name])
    wrong = [each for each in wanted if not _same(each, given.get(each), wanted[each])]
    if not wrong:
        return ok("FSC302", f"the sofia profile {name} is configured with fsctl's parameters")
    return problem(
        "FSC302",
        f"the sofia profile {name} is not configured with fsctl's parameters",
        "transfers are refused, go past fsctl, or are told wrongly, by what is missing",
        f"{again(ground)}; by hand: fsctl_params.xml is included as the last line of <settings>, "
        f"then {ground.fs_cli('reloadxml')} && {_rescan(ground, name)}",
        ", ".join(f"{each}={given.get(each, '')}, not {wanted[each]}" for each in wrong),
    )


def _same(name: str, given: str | None, wanted: str) -> bool:
    default = _FLAGS.get(name)
    if default is None:
        return (wanted if given is None and name == "rtp-timer-name" else given) == wanted
    return is_true(default if given is None else given) == is_true(wanted)


def _rescan(ground: Ground, name: str) -> str:
    return ground.fs_cli(f"sofia profile {name} rescan")


def in_force(ground: Ground) -> Iterator[Finding]:
    """FSC303: the profile has read its parameters since they were loaded."""
    name = ground.settings.dialplan.sofia_profile
    if name not in ground.running or name not in ground.sofia:
        return
    stale = _shown_otherwise(ground, name)
    variable, digest = f"{Mark.RESCANNED}{name}", _digest(ground.sofia[name])
    remedy = " && ".join(
        [_rescan(ground, name), ground.fs_cli(f"global_setvar {variable}={digest}")]
    )
    if stale:
        yield problem(
            "FSC303",
            f"the sofia profile {name} has not read its parameters since they were changed",
            "it goes on with the old ones",
            remedy,
            stale,
        )
    elif ground.variables.get(variable) == digest:
        yield ok("FSC303", f"the sofia profile {name} was rescanned with these parameters")
    elif _older_than_start(ground):
        yield ok(
            "FSC303", f"the sofia profile {name} has read its parameters as FreeSWITCH started"
        )
    else:
        yield unknown(
            "FSC303",
            f"whether the sofia profile {name} has read its parameters since they were changed",
            "FreeSWITCH does not tell which of them are in force",
            f"{remedy} (ends no call; the second part tells the next check)",
        )


def rescan_mark(profile: str, located: str) -> tuple[str, str]:
    """Return name and value of the global variable that whoever had a profile rescanned sets;
    ``located`` is what FreeSWITCH has loaded as ``sofia.conf``, then (see `XmlLocate`).

    The value is empty, so the variable is to be unset, where fsctl's parameters are not there.
    """
    name = f"{Mark.RESCANNED}{profile}"
    try:
        given = profiles_of(answers.located(located)).get(profile, [])
    except answers.Unreadable:
        return name, ""
    return name, _digest(given) if "channel-xml-fetch-on-nightmare-transfer" in dict(given) else ""


def _digest(given: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(list(given)).encode("utf-8", "replace")).hexdigest()[:16]


def _shown_otherwise(ground: Ground, name: str) -> str:
    """A parameter whose value in force is shown, and is not the one that is loaded."""
    info = xml(ground.ask(SofiaStatus("profile", name))).find("profile-info")
    given = dict(ground.sofia[name])
    for parameter, shown in _SHOWN.items():
        force = None if info is None else info.findtext(shown)
        if parameter not in given or force is None:
            continue
        if force in ("true", "false"):
            same = is_true(given[parameter]) == (force == "true")
        else:
            same = given[parameter] == force
        if not same:
            return f"{parameter} is {force}, configured is {given[parameter]}"
    return ""


def _older_than_start(ground: Ground) -> bool:
    """Whether the files that are here have not been changed since FreeSWITCH began."""
    conf = ground.variables.get("conf_dir", "")
    if ground.remote or not conf:
        return False
    began = time.time() - number(ground.ask(Uptime()))
    try:
        profiles = Path(conf, "sip_profiles")
        files = [*profiles.rglob("*.xml"), Path(conf, "vars.xml"), Path(conf, PARAMETERS)]
        return max(each.stat().st_ctime for each in files) < began
    except OSError:
        return False


def media(ground: Ground) -> Iterator[Finding]:
    """FSC305: media of every profile that runs passes FreeSWITCH, or a transfer ends the call."""
    wrong = 0
    for name in ground.running:
        info = xml(ground.ask(SofiaStatus("profile", name))).find("profile-info")
        for shown, parameter in (
            ("nomedia", "inbound-bypass-media"),
            ("proxy-media", "inbound-proxy-media"),
        ):
            if info is not None and info.findtext(shown) == "true":
                wrong += 1
                yield problem(
                    "FSC305",
                    f"the sofia profile {name} has {parameter} in force",
                    "a REFER in such a call hangs its sender up, or the talk is lost",
                    f'set {parameter} to "false" there, then: {_rescan(ground, name)}',
                )
    if ground.running and not wrong:
        yield ok("FSC305", "media passes FreeSWITCH on every profile that runs")


def channels_section(ground: Ground) -> Iterator[Finding]:
    """FSC306: FreeSWITCH asks fsctl's dialplan what a REFER with Replaces is to dial."""
    wanted = dict(parameters(ground.rendered[CHANNELS]))
    given = dict(parameters(ground.locate("channels")))
    if given.items() >= wanted.items():
        yield ok("FSC306", "the section channels is loaded")
        return
    asked = ground.settings.attended == "application"
    yield problem(
        "FSC306",
        "the section channels is another one" if given else "the section channels is not loaded",
        "attended transfers go past fsctl"
        if asked
        else "an attended transfer to a dialog that is not here dials the host that a phone names",
        f"{again(ground)}; by hand: {CHANNELS} is included in freeswitch.xml beside the "
        f"sections, then {ground.fs_cli('reloadxml')}",
    )
