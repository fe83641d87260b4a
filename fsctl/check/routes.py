"""What the settings name, FreeSWITCH must have: gateways, profiles, domains, contexts, sounds."""

from __future__ import annotations

from collections.abc import Iterator

from fsctl.check.answers import flag
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, problem, unknown
from fsctl.esl.questions import FileExists, SofiaStatus
from fsctl.setting_tones import MUSIC, SILENCE
from fsctl.settings import Route


def gateways(ground: Ground) -> Iterator[Finding]:
    """FSC701: the gateways of the routes are there."""
    wanted = _named(ground, "gateway", "gateway")
    for name, routes in wanted.items():
        answer = ground.ask(SofiaStatus("gateway", name))
        if answer.lstrip().startswith("Invalid Gateway"):
            yield problem(
                "FSC701",
                f"there is no gateway {name}, which {_routes(routes)} names",
                "calls and transfers along it fail",
                f"correct gateway in the settings; {ground.fs_cli('sofia status')} lists them",
            )
        elif "<gateway>" in answer:
            yield ok("FSC701", f"the gateway {name} is there")
        else:
            yield unknown("FSC701", f"whether there is a gateway {name}", f"it says {answer!r}")


def profiles(ground: Ground) -> Iterator[Finding]:
    """FSC702: the sofia profiles of the routes run."""
    wanted = _named(ground, "profile", "sofia", "uri")
    for name, routes in wanted.items():
        if name in ground.running:
            yield ok("FSC702", f"the sofia profile {name} of {_routes(routes)} runs")
            continue
        yield problem(
            "FSC702",
            f"no sofia profile {name} runs, which {_routes(routes)} names",
            "calls and transfers along it fail",
            "correct profile in the settings",
            f"running are: {', '.join(ground.running) or 'none'}",
        )


def domains(ground: Ground) -> Iterator[Finding]:
    """FSC703: the domains of the routes are in the directory."""
    wanted = _named(ground, "domain", "user")
    for name, routes in wanted.items():
        if ground.locate("directory", "domain", name) is not None:
            yield ok("FSC703", f"the directory has the domain {name}")
            continue
        yield problem(
            "FSC703",
            f"the directory has no domain {name}, which {_routes(routes)} names",
            "its users cannot be called",
            f"correct domain in the settings; {ground.fs_cli('global_getvar domain')}",
        )


def contexts(ground: Ground) -> Iterator[Finding]:
    """FSC705: the contexts of the routes into the switch's own dialplan are there."""
    wanted = _named(ground, "context", "dialplan")
    for name, routes in wanted.items():
        if ground.locate("dialplan", "context", name) is not None:
            yield ok("FSC705", f"the dialplan has the context {name}")
            continue
        yield problem(
            "FSC705",
            f"the dialplan has no context {name}, which {_routes(routes)} names",
            "calls and transfers along it fail",
            "correct context in the settings",
        )


def sounds(ground: Ground) -> Iterator[Finding]:
    """FSC704: FreeSWITCH can see the sound files that the settings name by their whole path."""
    transfer = ground.settings.transfer
    named = {
        "[call] ringback": ground.settings.call.ringback,
        "[transfer] ringback": transfer.ringback,
        "[transfer] transferor_hears": transfer.transferor_hears,
        "[transfer] fallback_sound": transfer.fallback_sound,
    }
    for key, path in named.items():
        if path in ("", MUSIC, SILENCE) or path.startswith("%(") or "://" in path:
            continue
        if not path.startswith("/"):
            what = f"whether FreeSWITCH has the sound {path} of {key}"
            yield unknown("FSC704", what, "not a whole path: it depends on a call's language")
        elif flag(ground.ask(FileExists(path))):
            yield ok("FSC704", f"FreeSWITCH can see {path}")
        else:
            yield problem(
                "FSC704",
                f"FreeSWITCH cannot see {path} of {key}",
                "who waits hears nothing",
                f"put it there, on FreeSWITCH's host: {path}",
            )


def _named(ground: Ground, attribute: str, *kinds: str) -> dict[str, list[Route]]:
    """The names that routes of these kinds give, each with those routes."""
    found: dict[str, list[Route]] = {}
    for route in ground.settings.routes:
        name = str(getattr(route, attribute)) if route.kind in kinds else ""
        if name:
            found.setdefault(name, []).append(route)
    return found


def _routes(routes: list[Route]) -> str:
    return "the route " + ", ".join(route.name for route in routes)
