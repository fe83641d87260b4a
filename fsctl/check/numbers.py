"""Which extension the numbers take that fsctl is to have, or one that is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from xml.etree.ElementTree import Element

from fsctl.check.answers import flag
from fsctl.check.contexts import OUR_EXTENSIONS
from fsctl.check.dialled import Taken, Taking, taking
from fsctl.check.expressions import compiled, samples
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, aside, ok, problem, unknown
from fsctl.dialplan import FIRST_FILE
from fsctl.esl.questions import ModuleExists

_MOST_NAMED = 5
_SERVED = "mod_xml_curl makes the dialplan, and may make another one for each call"
_Verdict = tuple[str, Taken]
"""A number, and the extension that takes it, or may take it."""


def inbound(ground: Ground) -> Iterator[Finding]:
    """FSC501: in scope calls the numbers of inbound_match come to fsctl's extensions first."""
    plan = ground.settings.dialplan
    if plan.scope != "calls":
        return
    if _served(ground):
        what = f"who takes the numbers {plan.inbound_match}"
        yield unknown("FSC501", what, _SERVED, ground.fsctl("check --number NUMBER"))
        return
    for name in plan.inbound_contexts:
        context = ground.locate("dialplan", "context", name)
        if context is None or not _ours(context):
            continue  # that is another finding
        yield aside(partial(_first, ground, context, name))


def _ours(context: Element) -> bool:
    return any(each.get("name") in OUR_EXTENSIONS for each in context.iter("extension"))


def _first(ground: Ground, context: Element, name: str) -> Finding:
    match = ground.settings.dialplan.inbound_match
    what = f"the numbers {match} in the context {name}"
    numbers = _numbers(match, context)
    if not numbers:
        return unknown("FSC501", f"who takes {what}", "no number could be made of inbound_match")
    sure, perhaps = _in_front(context, numbers)
    if sure:
        return problem(
            "FSC501",
            f"{what} are taken before fsctl's extension: {_named(sure)}",
            "these calls never come to fsctl",
            f"remove that extension, or have {name}/{FIRST_FILE} included before it; then: "
            + ground.fs_cli("reloadxml"),
        )
    if perhaps:
        return unknown(
            "FSC501",
            f"whether {what} are taken before fsctl's extension: {_named(perhaps)}",
            "its conditions depend on what only a call knows",
            ground.fsctl(f"check --number {perhaps[0][0]} --context {name}"),
        )
    return ok("FSC501", f"{what} come to fsctl first ({len(numbers)} of them tried)")


def _numbers(match: str, context: Element) -> list[str]:
    """Numbers that inbound_match means: some of its own, and those that others may want, too."""
    pattern = compiled(match)
    if pattern is None:
        return []
    found = samples(match)
    for condition in context.iter("condition"):
        if condition.get("field") == "destination_number":
            found += samples(condition.get("expression", ""))
    return [number for number in dict.fromkeys(found) if pattern.fullmatch(number)]


def _in_front(context: Element, numbers: list[str]) -> tuple[list[_Verdict], list[_Verdict]]:
    """Who takes a number before fsctl does, and who may: by a condition on just that number."""
    sure: list[_Verdict] = []
    perhaps: list[_Verdict] = []
    for number in numbers:
        for taken in taking(context, number):
            if taken.name in OUR_EXTENSIONS:
                break
            if taken.taking is Taking.YES:
                sure.append((number, taken))
            elif taken.by_number:
                perhaps.append((number, taken))
    return sure, perhaps


def _named(verdicts: list[_Verdict]) -> str:
    by_extension: dict[str, list[str]] = {}
    for number, taken in verdicts:
        by_extension.setdefault(taken.name, []).append(number)
    parts = []
    for extension, numbers in by_extension.items():
        more = ", …" if len(numbers) > _MOST_NAMED else ""
        parts.append(f"{extension} ({', '.join(numbers[:_MOST_NAMED])}{more})")
    return "; ".join(parts)


def one(ground: Ground) -> Iterator[Finding]:
    """FSC502: which extension the number takes that was asked about."""
    number = ground.wanted.number
    if not number:
        return
    name = ground.wanted.context or ground.settings.dialplan.inbound_contexts[0]
    context = ground.locate("dialplan", "context", name)
    if context is None:
        yield problem(
            "FSC502",
            f"the dialplan has no context {name}",
            f"a call to {number} there ends at once",
            "name another one: --context",
        )
        return
    if _served(ground):
        yield unknown("FSC502", f"which extension {number} takes", _SERVED)
        return
    found = aside(lambda: list(taking(context, number)))
    yield _who_takes(number, name, found)


def _served(ground: Ground) -> bool:
    """Whether mod_xml_curl answers where a dialplan is looked for."""
    found = ground.locate("configuration", "configuration", "xml_curl.conf")
    urls = () if found is None else found.iter("param")
    given = [each.get("bindings", "") for each in urls if each.get("name") == "gateway-url"]
    dialplan = any(not each or "dialplan" in each for each in given)
    return dialplan and flag(ground.ask(ModuleExists("mod_xml_curl")))


def _who_takes(number: str, context: str, found: list[Taken]) -> Finding:
    sure = next((each for each in found if each.taking is Taking.YES), None)
    perhaps = [each for each in found if each.taking is Taking.PERHAPS]
    named = ", ".join(each.name for each in perhaps)
    unless = f", unless a call's own state makes it {named}" if perhaps else ""
    if any(each.by_number for each in perhaps) or (perhaps and sure is None):
        last = f", else {sure.name}" if sure else ", else none"
        return unknown(
            "FSC502",
            f"{number} in the context {context} takes {named}{last}",
            "conditions depend on what only a call knows (its variables, the time)",
        )
    if sure is None:
        return problem(
            "FSC502",
            f"no extension of the context {context} takes {number}",
            "such a call ends at once, a transfer to it fails",
            "add an extension, or correct the number",
        )
    return ok("FSC502", f"{number} in the context {context} takes {sure.name}{unless}")
