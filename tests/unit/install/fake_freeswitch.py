"""FreeSWITCH as an installation meets it: it reads ``conf`` line by line, as switch_xml.c does."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

SOFIA = ".//configuration[@name='sofia.conf']/profiles"
_INCLUDE = re.compile(r'<X-PRE-PROCESS\s+cmd="(\w+)"\s+data="([^"]*)"')


class FakeFreeSwitch:
    """Each sofia profile runs; ``parameters`` are what it does, and ``told`` is what it was asked.

    ``refuses`` is what the next ``reloadxml`` answers.
    """

    def __init__(self, conf: Path) -> None:
        self.conf = conf
        self.parameters: dict[str, dict[str, str]] = {}
        self.variables = {"conf_dir": str(conf)}
        self.modules: set[str] = set()
        self.told: list[str] = []
        self.refuses: list[str] = []
        self._root = ElementTree.Element("document")
        assert not self.reload()
        for profile in self._root.findall(f"{SOFIA}/profile"):
            self.parameters[profile.attrib["name"]] = {}
            assert not self.rescan(profile.attrib["name"])
        self.told.clear()

    def global_variables(self) -> dict[str, str]:
        return dict(self.variables)

    def running_profiles(self) -> list[str]:
        return list(self.parameters)

    def has_module(self, name: str) -> bool:
        return name in self.modules

    def locate(self, what: str) -> str:
        section, *rest = what.split()
        found = self._root.find(f"section[@name='{section}']")
        if found is not None and rest:
            tag, name, value = rest
            found = found.find(f"{tag}[@{name}='{value}']")
        return "can't find anything\n" if found is None else ElementTree.tostring(found, "unicode")

    def reload(self) -> str:
        self.told.append("reloadxml")
        if self.refuses and (reason := self.refuses.pop(0)):
            return reason
        try:
            self._root = ElementTree.fromstring(self._preprocessed(self.conf / "freeswitch.xml"))
        except ElementTree.ParseError as error:
            return f"[error near line {error.position[0]}]"
        return ""

    def rescan(self, profile: str) -> str:
        """A parameter that is no longer there keeps its value."""
        self.told.append(f"rescan {profile}")
        settings = self._root.find(f"{SOFIA}/profile[@name='{profile}']/settings")
        assert settings is not None, profile
        for each in settings.iter("param"):
            self.parameters[profile][each.attrib["name"]] = each.attrib["value"]
        return ""

    def disarm(self, names: Iterable[str]) -> None:
        for name in names:
            self.told.append(f"unset {name}")
            del self.variables[name]

    def hurry(self) -> None:
        pass

    def _preprocessed(self, path: Path) -> str:
        lines = []
        for line in path.read_text(encoding="latin-1").splitlines():
            found = _INCLUDE.search(line)
            if "<include>" in line or "</include>" in line or "<?" in line:
                continue
            if not found:
                lines.append(line)
            elif found[1] == "include":
                for each in sorted(glob.glob(os.path.join(path.parent, found[2]))):
                    lines.append(self._preprocessed(Path(each)))
        return "\n".join(lines)
