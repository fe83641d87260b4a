"""What an installation has changed: ``.fsctl/manifest.json`` below FreeSWITCH's ``conf``. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fsctl.errors import InstallError

FOLDER: Final = ".fsctl"
VERSION: Final = 1
Kind = Literal["file", "line", "settings"]
"""A file of ours; a line of ours in the operator's file; the settings that we have begun with."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: ``path`` as `Manifest.name_of` says it, ``after`` the hash of what we have left.

    ``backup`` is the name of the file that holds what was there before (empty: nothing was), and
    ``inserted`` what we have put into it (kind "line").
    """

    path: str
    kind: Kind
    after: str
    backup: str = ""
    inserted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All entries, the folders that we have made, and the sofia profiles that read our parameters.

    Paths below ``conf`` are relative: a configuration may be moved.
    """

    entries: tuple[Entry, ...] = ()
    folders: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()

    def dumped(self) -> bytes:
        """The manifest as the bytes of its file."""
        return (json.dumps({"version": VERSION, **asdict(self)}, indent=1) + "\n").encode()


def loaded(content: bytes, where: Path) -> Manifest:
    """Read a manifest. Raises InstallError when it is none, or of a newer fsctl."""
    try:
        raw: Mapping[str, Any] = json.loads(content)
        if raw["version"] != VERSION:
            raise InstallError(f"{where}: is of another version of fsctl ({raw['version']!r})")
        entries = [
            Entry(**{**each, "inserted": tuple(each["inserted"])}) for each in raw["entries"]
        ]
        return Manifest(tuple(entries), tuple(raw["folders"]), tuple(raw["profiles"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstallError(f"{where}: is damaged: {error}") from error


def name_of(path: Path, conf: Path) -> str:
    """Return the path as it stands in a manifest of ``conf``."""
    return str(path.relative_to(conf)) if path.is_relative_to(conf) else str(path)


def hash_of(content: bytes | None) -> str:
    """Return the hash by which a content is known again; empty: there is no file."""
    return "" if content is None else hashlib.sha256(content).hexdigest()
