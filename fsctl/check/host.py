"""FreeSWITCH's modules, its host's clock, and how long that host waits for one that has gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fsctl.check.answers import flag, number
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, on_its_own_host, problem, unknown
from fsctl.esl.questions import Epoch, ModuleExists
from fsctl.setting_tones import MUSIC, SILENCE
from fsctl.settings import Settings

CLOCK_S = 2.0
SYN_RETRIES = Path("/proc/sys/net/ipv4/tcp_syn_retries")
MOST_RETRIES = 2
MODULES = {
    "mod_sofia": "no SIP, and `sofia` in the dialplan",
    "mod_event_socket": "FreeSWITCH cannot call fsctl (`socket`)",
    "mod_dptools": "the contexts of fsctl cannot run (`set`, `bridge`, `transfer`)",
    "mod_commands": "no timers, no variables of other legs (`sched_api`, `uuid_getvar`)",
    "mod_dialplan_xml": "there is no dialplan",
    "mod_loopback": "no target in the switch's own dialplan, no attended transfer that is asked",
}
"""What the rendered files use, and what does not work without."""


_SERVICES: Final = {
    "mod_voicemail": ("voicemail", 'routes of kind = "voicemail" fail'),
    "mod_callcenter": ("queue", 'routes of kind = "queue" fail'),
}


def needed(settings: Settings) -> dict[str, str]:
    """Return the modules that these settings need, each with what does not work without it."""
    sounds = _sounds(settings)
    tones = {"mod_tone_stream": "no ringback (`ringback`)"}
    files = {"mod_sndfile": "no ringback or announcement from a file"}
    toned = any(sound.startswith(("%(", "tone_stream:")) for sound in sounds)
    filed = any("://" not in sound and not sound.startswith("%(") for sound in sounds)
    kinds = {route.kind for route in settings.routes}
    services = {name: what for name, (kind, what) in _SERVICES.items() if kind in kinds}
    return MODULES | services | (tones if toned else {}) | (files if filed else {})


def _sounds(settings: Settings) -> list[str]:
    transfer = settings.transfer
    given = (settings.call.ringback, transfer.ringback, transfer.transferor_hears)
    sounds = (*given, transfer.fallback_sound)
    return [sound for sound in sounds if sound not in ("", MUSIC, SILENCE)]


def modules(ground: Ground) -> Iterator[Finding]:
    """FSC202: what the rendered files use is loaded."""
    wanted = needed(ground.settings)
    answers = ground.ask_all(ModuleExists(name) for name in wanted)
    missing = [name for name, text in zip(wanted, answers, strict=True) if not flag(text)]
    for name in missing:
        yield problem(
            "FSC202",
            f"FreeSWITCH has not loaded {name}",
            wanted[name],
            f"{ground.fs_cli(f'load {name}')}, and for good: autoload_configs/modules.conf.xml",
        )
    if not missing:
        yield ok("FSC202", "all modules are loaded that fsctl's dialplan uses")


def clock(ground: Ground) -> Iterator[Finding]:
    """FSC203: FreeSWITCH's host and ours agree about the time."""
    before = time.time()
    theirs = number(ground.ask(Epoch()))
    apart = max(before - (theirs + 1), theirs - time.time(), 0.0)  # it tells whole seconds
    if apart <= CLOCK_S:
        yield ok("FSC203", "FreeSWITCH's clock and ours agree")
        return
    yield problem(
        "FSC203",
        f"FreeSWITCH's clock and ours are {apart:.0f} s apart",
        "times in records and logs of the two cannot be compared",
        "timedatectl set-ntp true (on both hosts)",
    )


def syn_retries(ground: Ground) -> Iterator[Finding]:
    """FSC204: FreeSWITCH does not wait for minutes for a controller's host that has vanished."""
    others = [each for each in ground.settings.dialplan.controllers if not on_its_own_host(each)]
    if not others:
        yield ok("FSC204", "the controllers are on FreeSWITCH's own host")
        return
    what = f"how long FreeSWITCH waits for {others[0]} should its host vanish"
    if ground.remote:
        yield unknown(
            "FSC204",
            what,
            "FreeSWITCH is on another host",
            "there: sysctl net.ipv4.tcp_syn_retries (should be 1)",
        )
        return
    try:
        retries = int(SYN_RETRIES.read_text())
    except (OSError, ValueError) as error:
        yield unknown("FSC204", what, str(error), "sysctl net.ipv4.tcp_syn_retries")
        return
    if retries <= MOST_RETRIES:
        yield ok("FSC204", f"tcp_syn_retries is {retries}")
        return
    yield problem(
        "FSC204",
        f"net.ipv4.tcp_syn_retries is {retries}",
        "a call waits for up to two minutes for a controller whose host has just vanished",
        "sysctl -w net.ipv4.tcp_syn_retries=1, and for good in /etc/sysctl.d/",
    )
