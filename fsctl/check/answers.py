"""What FreeSWITCH answers, read strictly: XML, flags, lists of variables (pure)."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_PROFILE = re.compile(r"<profile>\s*<name>([^<>\s]+)</name>")
_NOTHING = "can't find anything"
_TRUE = frozenset({"yes", "on", "true", "t", "enabled", "active", "allow"})
"""What switch_true() takes for true, besides numbers other than 0 (switch_utils.h)."""


class Unreadable(Exception):
    """An answer of FreeSWITCH is not what was expected: nothing can be said."""


def xml(text: str) -> Element:
    """Return the root of an XML answer. Raises Unreadable, also for an error in its place."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("FreeSWITCH answered with a document type of its own")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        raise Unreadable(f"FreeSWITCH answered {text.strip()[:120]!r}") from None


def located(text: str) -> Element | None:
    """Return what `XmlLocate` has found, None if there is no such thing. Raises Unreadable."""
    return None if text.startswith(_NOTHING) else xml(text)


def flag(text: str) -> bool:
    """Return what ``true`` or ``false`` says. Raises Unreadable."""
    word = text.strip()
    if word not in ("true", "false"):
        raise Unreadable(f"FreeSWITCH answered {word[:120]!r} where true or false was expected")
    return word == "true"


def is_true(value: str) -> bool:
    """Whether FreeSWITCH takes a parameter's value for true."""
    word = value.strip().lower()
    return word in _TRUE or (word.isascii() and word.isdigit() and int(word) != 0)


def number(text: str) -> float:
    """Return a number. Raises Unreadable."""
    try:
        return float(text.strip())
    except ValueError:
        raise Unreadable(f"FreeSWITCH answered {text.strip()[:120]!r}, not a number") from None


def parameters(settings: Element | None) -> list[tuple[str, str]]:
    """Return the ``<param>`` of such an element, in their order; of two alike the later counts."""
    found = () if settings is None else settings.iter("param")
    return [(each.get("name", ""), each.get("value", "")) for each in found]


def profiles_of(sofia: Element | None) -> dict[str, list[tuple[str, str]]]:
    """Return the parameters of each profile of ``sofia.conf``, by its name."""
    found = () if sofia is None else sofia.iter("profile")
    return {each.get("name", ""): parameters(each.find("settings")) for each in found}


def canonical(element: Element) -> object:
    """Return the same for two elements that mean the same to FreeSWITCH: without comments, and
    blanks around text (which it takes for an action's data)."""
    attributes = tuple(sorted(element.attrib.items()))
    inside = tuple(canonical(each) for each in element)
    return element.tag, attributes, (element.text or "").strip(), inside


def first_difference(wanted: Element, found: Element) -> str:
    """Return where the two begin to differ, by the names of extensions."""
    for ours, theirs in zip(wanted, found, strict=False):
        if canonical(ours) != canonical(theirs):
            return ours.get("name", ours.tag)
    return f"{len(found)} extensions in place of {len(wanted)}"


def preprocessed(element: Element) -> bool:
    """Whether FreeSWITCH makes something else of it as it reads the file."""
    values = (value for each in element.iter() for value in each.attrib.values())
    return element.find(".//X-PRE-PROCESS") is not None or any("$${" in each for each in values)


def running_profiles(status: str) -> list[str]:
    """Return the names of sofia's profiles that run, each once, from ``sofia xmlstatus``.

    It tells a profile for each of its transports, no aliases here, and escapes nothing: with some
    gateways it is no XML.
    """
    return list(dict.fromkeys(_PROFILE.findall(status)))
