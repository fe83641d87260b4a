"""Reads FreeSWITCH's dialplan XML, and the directory that ``fsctl dialplan render`` writes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from fsctl.errors import SettingsError
from fsctl.simulator.dialplan import Action, Condition, Dialplan, Extension

_PRE_PROCESS = re.compile(r"\$\$\{([\w.-]+)\}")


def parse_dialplan(
    text: str, context: str = "", globals_: dict[str, str] | None = None, name: str = "<xml>"
) -> Dialplan:
    """A dialplan from XML text.

    Extensions that stand outside a ``<context>`` (files meant for inclusion into one) go to
    ``context``. ``$${name}`` is replaced from ``globals_``. Raises SettingsError for XML that is
    not well-formed, for expressions that do not compile, and for stray extensions without
    ``context``; ``name`` says where.
    """
    known = globals_ or {}
    text = _PRE_PROCESS.sub(lambda match: known.get(match.group(1), ""), text)
    try:
        return _parsed(text, context)
    except (ElementTree.ParseError, SettingsError) as error:
        raise SettingsError(f"{name}: {error}") from error


@lru_cache(maxsize=256)
def _parsed(text: str, context: str) -> Dialplan:
    contexts: dict[str, tuple[Extension, ...]] = {}
    for found, elements in _contexts(ElementTree.fromstring(text), context):
        if not found:
            raise SettingsError("an extension stands outside any context")
        made = tuple(_extension(element) for element in elements)
        contexts[found] = contexts.get(found, ()) + made
    return Dialplan(contexts)


def load_dialplan(directory: Path, globals_: dict[str, str] | None = None) -> Dialplan:
    """The dialplan in a rendered directory, or in FreeSWITCH's own ``conf/``.

    Reads ``dialplan/*.xml`` (contexts) and ``dialplan/<context>/*.xml`` (extensions of that
    context). Raises SettingsError as ``parse_dialplan``, and when there is nothing to read.
    """
    folder = directory / "dialplan"
    paths = sorted(folder.glob("*.xml")) + sorted(folder.glob("*/*.xml"))
    if not paths:
        raise SettingsError(f"{folder}: no dialplan files here")
    dialplan = Dialplan()
    for path in paths:
        context = "" if path.parent == folder else path.parent.name
        text = path.read_text(encoding="utf-8")
        dialplan = dialplan.merged(parse_dialplan(text, context, globals_, str(path)))
    return dialplan


def _contexts(
    root: ElementTree.Element, default: str
) -> Iterable[tuple[str, list[ElementTree.Element]]]:
    if root.tag == "context":
        return [(root.get("name", ""), root.findall("extension"))]
    if root.tag == "extension":
        return [(default, [root])]
    found = [(node.get("name", ""), node.findall("extension")) for node in root.iter("context")]
    loose = root.findall("extension")
    return [*found, (default, loose)] if loose else found


def _extension(element: ElementTree.Element) -> Extension:
    title = element.get("name", "")
    where = f"extension {title!r}"
    conditions = tuple(_condition(node, where) for node in element.findall("condition"))
    return Extension(title, conditions, element.get("continue", "").lower() == "true")


def _condition(node: ElementTree.Element, where: str) -> Condition:
    if node.get("regex") or node.find("condition") is not None:
        raise SettingsError(f"{where}: the simulator knows no regex= and no nested conditions")
    written = node.find("expression")
    expression = (written.text or "") if written is not None else node.get("expression", "")
    try:
        re.compile(expression)
    except re.error as error:
        raise SettingsError(f"{where}: {expression!r}: {error}") from error
    return Condition(
        field=node.get("field", ""),
        expression=expression,
        actions=_actions(node.findall("action")),
        anti_actions=_actions(node.findall("anti-action")),
        break_on=node.get("break", "on-false").lower(),
    )


def _actions(nodes: Iterable[ElementTree.Element]) -> tuple[Action, ...]:
    return tuple(
        Action(
            node.get("application", ""),
            node.text if node.text and node.text.strip() else node.get("data", ""),
            node.get("inline", "").lower() == "true",
        )
        for node in nodes
    )
