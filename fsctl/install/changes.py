"""Files as they are and as they are to be, and the difference as text. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fsctl import log


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what it holds ``before`` and ``after`` (None: it is not there).

    ``mode`` is that of a new file. ``inserted`` is what has been put into the operator's file.
    ``passing`` is what it holds for a moment in between. What is ``hidden`` is our own business, of
    what is ``secret`` the content is not shown.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    mode: int = 0o644
    inserted: tuple[str, ...] = ()
    passing: bytes | None = None
    hidden: bool = False
    secret: bool = False


class Reader(Protocol):
    """The files that there are."""

    def read(self, path: Path) -> bytes | None:
        """What a file holds; None: there is none. Raises OSError."""

    def is_folder(self, path: Path) -> bool:
        """Whether there is such a folder."""


def missing_folders(paths: Iterable[Path], is_folder: Callable[[Path], bool]) -> list[Path]:
    """Return the folders to be made for these files, each behind the one in which it stands."""
    missing: list[Path] = []
    for path in paths:
        wanted = []
        for folder in path.parents:
            if is_folder(folder) or folder in missing:
                break
            wanted.append(folder)
        missing += reversed(wanted)
    return missing


def shown(changes: Iterable[Change]) -> str:
    """Return the unified diff of all changes that are not hidden; nothing in it controls a
    terminal."""
    return "".join(_diff(change) for change in changes if not change.hidden)


def _diff(change: Change) -> str:
    before, after = _lines(change.before), _lines(change.after)
    if change.secret:
        before, after = ["(not shown)\n"] * bool(before), ["(not shown)\n"] * bool(after)
    old = "/dev/null" if change.before is None else str(change.path)
    new = "/dev/null" if change.after is None else str(change.path)
    lines = difflib.unified_diff(before, after, old, new)
    return "".join(
        printable(line)
        if line.endswith("\n")
        else f"{printable(line)}\n\\ No newline at end of file\n"
        for line in lines
    )


def _lines(content: bytes | None) -> list[str]:
    text = (content or b"").decode("utf-8", errors="backslashreplace")
    return [line + "\n" for line in text.split("\n")[:-1]] + [
        line for line in text.split("\n")[-1:] if line
    ]


def printable(text: str) -> str:
    """Return the text without control characters; lines and tabs stay."""
    keep = re.split(r"([\n\t])", text)
    return "".join(part if part in ("\n", "\t") else log.printable(part) for part in keep)
