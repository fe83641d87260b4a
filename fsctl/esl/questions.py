"""API commands that only ask: what FreeSWITCH runs, and what it has in force (pure).

None of them changes anything; FreeSWITCH answers each with text or XML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fsctl.errors import CommandError
from fsctl.esl.apis import ApiCommand
from fsctl.esl.fields import check_name

_ACCESS_LIST = re.compile("[0-9A-Za-z_.:/,-]{1,256}")


@dataclass(frozen=True, slots=True)
class Version(ApiCommand):
    """``1.10.12-release`` and the like."""

    def line(self) -> str:
        return "version short"


@dataclass(frozen=True, slots=True)
class Epoch(ApiCommand):
    """The host's clock, in whole seconds since 1970."""

    def line(self) -> str:
        return "strepoch"


@dataclass(frozen=True, slots=True)
class Uptime(ApiCommand):
    """For how long FreeSWITCH has run, in whole seconds."""

    def line(self) -> str:
        return "uptime"


@dataclass(frozen=True, slots=True)
class ModuleExists(ApiCommand):
    """``true`` where the module is loaded, ``false`` where it is not."""

    module: str

    def check(self) -> None:
        check_name("module", self.module)

    def line(self) -> str:
        return f"module_exists {self.module}"


@dataclass(frozen=True, slots=True)
class SofiaStatus(ApiCommand):
    """What sofia runs, as XML: all profiles and gateways, or one ``profile`` with its settings in
    force, or one ``gateway``. Neither knows of what does not run."""

    kind: str = ""
    name: str = ""

    def check(self) -> None:
        if self.kind:
            check_name(self.kind, self.name)

    def line(self) -> str:
        return f"sofia xmlstatus {self.kind} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class XmlLocate(ApiCommand):
    """A part of the configuration as it is loaded: a whole ``section``, or one tag of it, by the
    value of an attribute. ``can't find anything`` where there is none."""

    section: str
    tag: str = ""
    attribute: str = ""
    value: str = ""

    def check(self) -> None:
        for name, text in (("section", self.section), ("tag", self.tag), ("value", self.value)):
            if text or name == "section":
                check_name(name, text)

    def line(self) -> str:
        return f"xml_locate {self.section} {self.tag} {self.attribute} {self.value}".strip()


@dataclass(frozen=True, slots=True)
class Admits(ApiCommand):
    """Whether an access list admits an address: ``true`` or ``false``."""

    address: str
    access_list: str

    def check(self) -> None:
        check_name("address", self.address)
        if not _ACCESS_LIST.fullmatch(self.access_list):
            raise CommandError(f"access_list is none: {self.access_list!r}")

    def line(self) -> str:
        return f"acl {self.address} {self.access_list}"


@dataclass(frozen=True, slots=True)
class FileExists(ApiCommand):
    """Whether FreeSWITCH can see a file: ``true`` or ``false``."""

    path: str

    def line(self) -> str:
        return f"file_exists {self.path}"
