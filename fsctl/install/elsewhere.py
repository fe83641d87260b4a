"""Where FreeSWITCH's configuration comes from somewhere else than its files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fsctl.dialplan import CHANNELS, CONTEXTS, PARAMETERS
from fsctl.install import xml_text
from fsctl.install.includes import Tree

_SECTIONS = ("dialplan", "configuration")


def advice(tree: Tree, has_module: Callable[[str], bool]) -> list[str]:
    """Return what to do, in lines, where FreeSWITCH would not read what is written into files.

    ``has_module`` says whether FreeSWITCH has loaded a module. Nothing: its files count.
    """
    script = _lua(tree) if has_module("mod_lua") else ""
    if script:
        fusion = "xml_handler" in script
        who = "FusionPBX" if fusion else f"the Lua script {script}"
        return [
            f"{who} answers for FreeSWITCH's dialplan and configuration (lua.conf.xml): what "
            "stands in files would not be read, and nothing was written.",
            *(_in_fusion() if fusion else _in_general(who)),
        ]
    url = _curl(tree) if has_module("mod_xml_curl") else ""
    if url:
        return [
            f"mod_xml_curl asks {url} for FreeSWITCH's dialplan or configuration "
            "(xml_curl.conf.xml): what stands in files would not be read, and nothing was written.",
            *_in_general("that server"),
        ]
    return []


def loaded_by(tree: Tree) -> Callable[[str], bool]:
    """Return whether FreeSWITCH loads a module at its start."""
    names = {tag.attributes.get("module") for tag in _said(tree, "modules.conf")}
    return lambda name: name in names


def _lua(tree: Tree) -> str:
    values = {
        tag.attributes.get("name"): tag.attributes.get("value", "")
        for tag in _said(tree, "lua.conf")
    }
    bound = values.get("xml-handler-bindings", "")
    return values.get("xml-handler-script", "") if _is_ours(bound) else ""


def _curl(tree: Tree) -> str:
    for tag in _said(tree, "xml_curl.conf"):
        named = tag.attributes.get("name") == "gateway-url"
        if named and _is_ours(tag.attributes.get("bindings", "")):
            return tag.attributes.get("value", "?")
    return ""


def _is_ours(bindings: str) -> bool:
    """Whether these sections are among those that are bound; none named: all are."""
    return not bindings.strip() or any(section in bindings for section in _SECTIONS)


def _said(tree: Tree, configuration: str) -> Iterator[xml_text.Tag]:
    for path in tree.configuring(configuration):
        try:
            yield from xml_text.parameters(tree.texts[path], configuration)
        except ValueError:
            continue


def _rendered() -> str:
    return "`fsctl dialplan render --output DIR` writes what is meant below into DIR."


def _in_fusion() -> list[str]:
    return [
        _rendered(),
        f"{CONTEXTS}: Dialplan > Dialplan Manager > Add: each <extension> becomes a dialplan of "
        "its own, with the name of the <context> around it as Context, in the same order.",
        f"{PARAMETERS}: Advanced > SIP Profiles > internal (and external): each <param> becomes a "
        "setting, enabled; then rescan the profile (Status > SIP Status).",
        f"{CHANNELS}: copy it beside freeswitch.xml, and add in freeswitch.xml, beside the "
        f"sections: {xml_text.line_including(CHANNELS)}",
    ]


def _in_general(who: str) -> list[str]:
    return [
        _rendered(),
        f"{CONTEXTS}: {who} has to answer with the <context> of that name for the dialplan's "
        "contexts fsctl_*.",
        f"{PARAMETERS}: {who} has to have its <param> lines in <settings> of each sofia profile "
        "(configuration, sofia.conf).",
        f"{CHANNELS}: {who} has to answer the section channels with it, or (not bound) "
        f"freeswitch.xml has, beside the sections: {xml_text.line_including(CHANNELS)}",
    ]
