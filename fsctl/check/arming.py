"""Whether a controller is there, and FreeSWITCH sends transfers while one is, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import gevent

from fsctl.check.contexts import again
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, on_its_own_host, problem, unknown
from fsctl.esl.apis import GlobalGetvar
from fsctl.switch.armed import armed_everywhere
from fsctl.switch.global_variables import listed

FORGOTTEN_S = 5.0
"""After so long FreeSWITCH has forgotten a controller that has died (service/living.py)."""
_LOOK_S = 0.5


def controllers(ground: Ground) -> Iterator[Finding]:
    """FSC601: those that FreeSWITCH is to call show signs of life."""
    plan = ground.settings.dialplan
    missing = [each for each in plan.controllers if each not in ground.alive]
    if not ground.alive:
        yield problem(
            "FSC601",
            "no controller is alive",
            "FreeSWITCH transfers by itself"
            if plan.scope == "transfers"
            else "FreeSWITCH connects calls by the routes; transfers are refused with 403",
            f"systemctl start fsctl (or: {ground.fsctl('serve')})",
            f"FreeSWITCH has no sign of life from {', '.join(plan.controllers)}",
        )
    elif missing and plan.only_living:
        yield problem(
            "FSC601",
            f"of {len(plan.controllers)} controllers not all are alive: no sign of "
            + ", ".join(missing),
            "the others have its calls, and nobody takes theirs over",
            f"systemctl start fsctl (there; or: {ground.fsctl('serve')})",
        )
    else:
        yield ok("FSC601", f"alive: {', '.join(ground.alive)}")


def arming(ground: Ground) -> Iterator[Finding]:
    """FSC602: all legs are armed, as the settings say; FSC603: nobody left them armed."""
    wanted = armed_everywhere(ground.settings)
    if ground.armed and (not ground.alive or not wanted):
        yield _left_behind(ground, bool(wanted))
    elif wanted and ground.alive and ground.armed != wanted:
        wrong = [
            f"{n}={ground.armed.get(n, '')}, not {wanted[n]}"
            for n in wanted
            if ground.armed.get(n) != wanted[n]
        ]
        yield problem(
            "FSC602",
            "the legs of FreeSWITCH are not armed as the settings say",
            "FreeSWITCH transfers by itself, or sends transfers where nobody expects them",
            "systemctl restart fsctl",
            ", ".join(wrong),
        )
    elif wanted and ground.alive:
        yield ok("FSC602", "all legs of FreeSWITCH are armed, for as long as a controller lives")


def _left_behind(ground: Ground, wanted: bool) -> Finding:
    names = ", ".join(ground.armed)
    if wanted and ground.quick:
        return unknown("FSC603", "whether legs stay armed without a controller", "one look only")
    if wanted and not _stays_armed(ground):
        return ok("FSC603", "the last controller has just died, and FreeSWITCH has forgotten it")
    unset = " && ".join(ground.fs_cli(f"global_setvar {name}=") for name in ground.armed)
    return problem(
        "FSC603",
        "all legs are armed, though no controller keeps them so"
        if wanted
        else "all legs are armed by global variables, which the present settings do not mean",
        "every transfer of a call that no controller runs is refused with 403",
        f"remove them from vars.xml, then: {unset}",
        f"set are {names}",
    )


def _stays_armed(ground: Ground) -> bool:
    """Whether they outlive the timer that unsets them. Raises LinkError."""
    looks = int(FORGOTTEN_S / _LOOK_S)
    for _ in range(looks):
        gevent.sleep(_LOOK_S)
        reply = ground.link.send(GlobalGetvar(), ground.deadline.left_s())
        if not ground.armed.keys() & listed(reply.text).keys():
            return False
    return True


def addresses(ground: Ground) -> Iterator[Finding]:
    """FSC604: the controllers' addresses mean us from where FreeSWITCH stands."""
    local = [each for each in ground.settings.dialplan.controllers if on_its_own_host(each)]
    if local and ground.remote:
        yield problem(
            "FSC604",
            f"FreeSWITCH is on another host, and is to call {local[0]}, which is itself",
            "nothing comes to fsctl",
            "set [server] home (and listen) to this host's address as FreeSWITCH sees it, then "
            + again(ground),
        )
    elif ground.settings.dialplan.controllers:
        yield ok("FSC604", "the controllers' addresses can be meant by FreeSWITCH")
