"""Whether what is loaded of the dialplan is what the present settings would render."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from fsctl.check.answers import canonical, first_difference, preprocessed
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, problem, unknown
from fsctl.dialplan import CONTEXTS, FIRST_FILE
from fsctl.errors import SettingsError
from fsctl.switch.marks import Context

OUR_EXTENSIONS = frozenset({"fsctl", "fsctl_number", "fsctl_other", "fsctl_arm"})
"""What may stand first in a context of the operator's own, or has stood there."""

_BESIDE: Final[dict[str, str]] = {
    Context.KEYS: "the codes of [keys] do nothing: phones' keys are keys like others",
    Context.PRESSED: "the codes of [keys] do nothing: phones' keys are keys like others",
    Context.COMMAND: "`fsctl transfer`, and a transfer by HTTP, reach no controller",
}
"""Contexts without which a REFER is served as ever, and what is not."""


def rendering(ground: Ground) -> Iterator[Finding]:
    """FSC005: it can be said what FreeSWITCH should have."""
    try:
        yield ok("FSC005", f"the settings render {len(ground.rendered)} files")
    except SettingsError as error:
        yield problem(
            "FSC005",
            "FreeSWITCH's files cannot be rendered from the settings",
            "what FreeSWITCH should have is not known, and cannot be installed",
            "correct the settings",
            str(error),
        )


def _contexts(ground: Ground) -> Iterator[tuple[Element, Element | None]]:
    """Each context that is rendered, with the one that is loaded."""
    for wanted in ground.rendered[CONTEXTS]:
        yield wanted, ground.locate("dialplan", "context", wanted.get("name", ""))


def contexts(ground: Ground) -> Iterator[Finding]:
    """FSC401: fsctl's contexts are loaded; FSC402: as the present settings would render them."""
    pairs = list(_contexts(ground))
    missing = [wanted.get("name", "") for wanted, found in pairs if found is None]
    if not set(missing) <= set(_BESIDE):
        everything = len(missing) == len(pairs)
        yield problem(
            "FSC401",
            "FreeSWITCH has nothing of fsctl in its dialplan"
            if everything
            else f"contexts are missing: {', '.join(missing)}",
            _consequence(ground),
            again(ground),
        )
        return
    yield ok("FSC401", "fsctl's contexts are loaded")
    if missing:
        yield problem(
            "FSC402",
            f"contexts are missing: {', '.join(missing)}",
            "; ".join(dict.fromkeys(_BESIDE[name] for name in missing)),
            again(ground),
        )
    else:
        yield _as_rendered(ground, pairs)


def _consequence(ground: Ground) -> str:
    if ground.armed:
        return "every transfer is refused with 403: its legs are armed, and have nowhere to go"
    return "no transfer and no call comes to fsctl"


def again(ground: Ground) -> str:
    """The command that brings the files anew; what is the case already it leaves alone."""
    if not ground.remote:
        return ground.fsctl("install")
    return (
        f"on FreeSWITCH's host: fsctl install (or {ground.fsctl('dialplan render')} --output DIR)"
    )


def _as_rendered(ground: Ground, pairs: list[tuple[Element, Element | None]]) -> Finding:
    opaque = [wanted for wanted, _ in pairs if preprocessed(wanted)]
    for wanted, found in pairs:
        assert found is not None, "missing ones are told before"
        if wanted not in opaque and canonical(wanted) != canonical(found):
            name = wanted.get("name", "")
            return problem(
                "FSC402",
                f"the context {name} is not what the present settings render",
                "FreeSWITCH goes by other settings, or another version, than fsctl does",
                again(ground),
                f"first difference: {first_difference(wanted, found)}",
            )
    if opaque:
        return unknown(
            "FSC402",
            "whether the contexts are what the present settings render",
            f"FreeSWITCH's preprocessor changes {opaque[0].get('name', '')} (your own template)",
        )
    return ok("FSC402", "the contexts are what the present settings render")


def first_extensions(ground: Ground) -> Iterator[Finding]:
    """FSC403: where calls enter, fsctl's extensions are there, or none that other settings left."""
    wanted = {path: root for path, root in ground.rendered.items() if path.endswith(FIRST_FILE)}
    names = {path.split("/")[1]: list(root) for path, root in wanted.items()}
    bad = 0
    for context in _inbound(ground, names):
        found = ground.locate("dialplan", "context", context)
        ours = [each for each in found or () if each.get("name") in OUR_EXTENSIONS]
        if list(map(canonical, ours)) == list(map(canonical, names.get(context, []))):
            continue
        bad += 1
        yield _first_differs(ground, context, bool(ours), context in names)
    if not bad:
        yield ok("FSC403", "fsctl's extensions stand where calls enter, and nowhere else")


def _inbound(ground: Ground, wanted: dict[str, list[Element]]) -> list[str]:
    """The contexts to be looked at; at a start only those that must have something."""
    if ground.quick:
        return sorted(wanted)
    whole = ground.locate("dialplan")
    there = [each.get("name", "") for each in ([] if whole is None else whole.iter("context"))]
    with_ours = [name for name in there if not name.startswith("fsctl_")]
    return sorted({*wanted, *with_ours})


def _first_differs(ground: Ground, context: str, there: bool, wanted: bool) -> Finding:
    file = f"dialplan/{context}/{FIRST_FILE}"
    if not wanted:
        return problem(
            "FSC403",
            f"{file} was left behind by other settings",
            "calls go to fsctl, or are armed, that the present settings do not mean",
            f"rm {ground.variables.get('conf_dir', '/etc/freeswitch')}/{file} && "
            + ground.fs_cli("reloadxml"),
        )
    return problem(
        "FSC403",
        f"fsctl's extensions in the context {context} are of other settings"
        if there
        else f"the context {context} has no extension of fsctl",
        "calls that enter there do not come to fsctl as the settings say",
        again(ground),
    )
