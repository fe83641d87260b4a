"""Logging: one line an entry, whatever is in it; the call's or session's id in every line."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal


def set_up(level: str, form: Literal["text", "json"], process: str = "") -> None:
    """Log to standard error in the chosen form, from ``level`` (``debug`` … ``error``) upwards.

    ``process`` names this one of several processes in each line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine(process) if form == "json" else _TextLine(process))
    root = logging.getLogger("fsctl")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False


class _TextLine(logging.Formatter):
    """A text line; control characters of values from the network are escaped."""

    def __init__(self, process: str) -> None:
        where = f"[{process}] " if process else ""
        super().__init__(f"%(asctime)s %(levelname)s {where}%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        head, *trace = super().format(record).split("\n")
        return "\n    ".join(_printable(line) for line in (head, *trace))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _printable(record.message)
        return super().formatMessage(record)


class _JsonLine(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = {"process": process} if process else {}

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            **self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
