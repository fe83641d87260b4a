"""Logging: one line an entry, whatever is in it; the call's or session's id in every line.

Nothing here waits for whoever reads the log (see :mod:`fsctl.log_writer`). What an entry's values
are known by (the session, its calls with their numbers and SIP Call-IDs) becomes fields of its
line in the JSON form: a value says so by its attribute ``log_fields``.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from io import TextIOBase
from types import TracebackType
from typing import Any, Literal, Protocol, TextIO

from fsctl import log_writer

Form = Literal["text", "json"]

MAX_CHARACTERS = 8192
"""Of a message, and of a traceback: what comes from the network can be as long as it likes."""
SELDOM_S = 60.0
"""How often an entry of a kind that is logged :func:`seldom` has a line."""
_STDOUT, _STDERR = 1, 2
_NOT_IN_A_LINE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What JSON leaves in a string, and terminals or readers of lines do not take as text: control
characters, ends of lines, and what turns the direction of the text that follows."""


class Field(str):
    """A text that is a field of the log lines in which it stands: ``Field("session", id)``."""

    __slots__ = ("log_fields",)
    log_fields: dict[str, Any]

    def __new__(cls, name: str, value: str) -> Field:
        """Return ``value``, known as ``name``."""
        made = super().__new__(cls, value)
        made.log_fields = {name: value}
        return made

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def seldom(kind: str) -> dict[str, Any]:
    """``extra`` of an entry that strangers can cause as often as they like.

    The first has its line; those that follow within :data:`SELDOM_S` are counted, and have one line
    together, which names the ``kind`` and shows the last.
    """
    return {"seldom": kind}


def with_fields(fields: Mapping[str, Any], message: str = "") -> dict[str, Any]:
    """``extra`` of an entry with fields of its own, and with another ``message`` in JSON lines.

    Such an entry is a record that somebody keeps: it is written at once.
    """
    return {"fields": dict(fields), "json_message": message, "at_once": True}


def set_up(level: str, form: Form, process: str = "") -> None:
    """Log to standard error in the chosen form, from ``level`` (``debug`` … ``error``) upwards.

    ``process`` names this one of several processes in each line. What others write by the root
    logger, as a scenario may, goes there as well. May be repeated.
    """
    handler = _Handler(_JsonLine(process) if form == "json" else _TextLine(process))
    root, ours = logging.getLogger(), logging.getLogger("fsctl")
    for logger in (root, ours):
        for old in [each for each in logger.handlers if isinstance(each, _Handler)]:
            logger.removeHandler(old)
            old.tell_counts()
    ours.handlers[:] = [handler]
    ours.propagate = False
    root.addHandler(handler)
    set_level(level)
    atexit.register(handler.tell_counts)  # before the writer, which was registered earlier, ends


def set_level(level: str) -> None:
    """Log from this level on (``debug`` … ``error``), as :func:`set_up` was told another."""
    for logger in (logging.getLogger(), logging.getLogger("fsctl")):
        logger.setLevel(level.upper())


def take_over() -> None:
    """In a process that serves: all that it prints goes out as the log does, and never waits.

    That is what a scenario prints, warnings, and the traceback of whatever nobody has caught. In
    the JSON form each of these is an entry. To be called once, after :func:`set_up`.
    """
    if sys.stderr is not sys.__stderr__:
        return  # whoever has put another there wants it so
    log_writer.keep_standard_descriptors()
    for number, name in ((_STDOUT, "stdout"), (_STDERR, "stderr")):
        setattr(sys, name, _Printed(getattr(sys, name), number, name))
    warnings.showwarning = _show_warning
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def uncaught(context: object, error: BaseException) -> None:
    """Log what nobody has caught: a fault of ours, or of a scenario's own thread or greenlet."""
    what = f" in {context!r:.200}" if context is not None else ""
    logging.getLogger("fsctl").error("nobody has caught%s: %r", what, error, exc_info=error)


def say(message: str, **fields: Any) -> None:
    """A line for whoever waits for it, at every level: ``fsctl: MESSAGE``, or an INFO entry."""
    handler = _own_handler()
    if handler is None:
        print(f"fsctl: {message}", file=sys.stderr, flush=True)
        return
    if handler.is_json:
        handler.emit(_record(logging.INFO, message, fields))
    else:
        handler.put(f"fsctl: {printable(message)}")


def last_words(message: str, form: Form = "text") -> None:
    """Say why we end, by the first that takes it: stderr, stdout, the machine's log, its console.

    None of them is waited for.
    """
    handler = _own_handler()
    is_json = handler.is_json if handler else form == "json"
    line = f"fsctl: {printable(message)}"
    if is_json:
        formatter = handler.formatter if handler else None
        line = (formatter or _JsonLine("")).format(_record(logging.ERROR, message, {}))
    log_writer.keep_standard_descriptors()
    for descriptor, stream in ((_STDERR, sys.stderr), (_STDOUT, sys.stdout)):
        sink = _sink(descriptor, stream)
        sink.put(_encoded(line))
        if descriptor not in log_writer.CLOSED and sink.close():
            return
    if not log_writer.to_syslog(message):
        log_writer.to_console(_encoded(line))


# -- where lines go ---------------------------------------------------------------------------


class _Sink(Protocol):
    """Takes whole lines."""

    def put(self, line: bytes, *, at_once: bool = False) -> None: ...
    def close(self) -> bool: ...


class _Stream:
    """A stream that somebody has put in the place of ours: a test, or who embeds us."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def put(self, line: bytes, *, at_once: bool = False) -> None:
        with suppress(ValueError):  # its owner has closed it, and reads no more
            self._stream.write(line.decode(errors="replace"))

    def close(self) -> bool:
        return True


def _sink(descriptor: int, stream: object) -> _Sink:
    ours = (sys.__stdout__, sys.__stderr__, None)
    if isinstance(stream, _Printed) or any(stream is each for each in ours):
        return log_writer.writer_to(descriptor, _gap, _cannot_write)
    return _Stream(stream)  # type: ignore[arg-type]


def _gap(count: int) -> bytes:
    """The line that stands for those that are missing."""
    text = f"{count} lines of the log are missing here: nobody has read it"
    record = _record(logging.WARNING, text, {"dropped": count})
    handler = _own_handler()
    return _encoded(handler.format(record) if handler else f"fsctl: {text}")


def _cannot_write(error: OSError) -> None:
    log_writer.to_syslog(f"the log cannot be written: {error}")


def _own_handler() -> _Handler | None:
    handlers = logging.getLogger("fsctl").handlers
    return next((each for each in handlers if isinstance(each, _Handler)), None)


def _encoded(line: str) -> bytes:
    return line.encode(errors="backslashreplace") + b"\n"


class _Handler(logging.Handler):
    """Gives formatted lines to the writer; counts those that may come as often as they like."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.is_json = isinstance(formatter, _JsonLine)
        self._sink = _sink(_STDERR, sys.stderr)
        self._counts: dict[str, _Count] = {}

    def put(self, line: str, *, at_once: bool = False) -> None:
        """Have a formatted line written."""
        self._sink.put(_encoded(line), at_once=at_once)

    def emit(self, record: logging.LogRecord) -> None:
        kind = getattr(record, "seldom", "")
        try:
            if not kind or self._has_line(kind, record):
                # An error may be the last words.
                at_once = record.levelno >= logging.ERROR or getattr(record, "at_once", False)
                self.put(self.format(record), at_once=at_once)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """At the end: what was counted has its line."""
        self.tell_counts()
        super().close()

    def tell_counts(self) -> None:
        """Write the lines of what has been counted and not told yet."""
        for kind in list(self._counts):
            self._tell(kind, last=True)

    def _has_line(self, kind: str, record: logging.LogRecord) -> bool:
        count = self._counts.get(kind)
        if count is None:
            self._counts[kind] = _Count(self._later(kind))
            return True
        count.number += 1
        count.last = record
        return False

    def _later(self, kind: str) -> threading.Timer:
        timer = threading.Timer(SELDOM_S, self._tell, (kind,))
        timer.daemon = True
        timer.start()
        return timer

    def _tell(self, kind: str, last: bool = False) -> None:
        """The time of a kind is up: its count is told, and begins anew if there was anything."""
        with self.lock:  # type: ignore[union-attr]
            count = self._counts.pop(kind, None)
            if count is None:
                return
            count.timer.cancel()
            if count.last is None:
                return
            if not last:
                self._counts[kind] = _Count(self._later(kind))
            text = f"{kind}: {count.number} more, the last: {count.last.getMessage()}"
            record = _record(count.last.levelno, text, {"count": count.number})
            record.name = count.last.name
            self.put(self.format(record))


class _Count:
    """How often a kind of entry has come since it had a line."""

    def __init__(self, timer: threading.Timer) -> None:
        self.timer = timer
        self.number = 0
        self.last: logging.LogRecord | None = None


class _Printed(TextIOBase):
    """In the place of ``sys.stdout`` and ``sys.stderr``: lines go to the writer.

    In the JSON form, and on standard error, they are entries of the log.
    """

    def __init__(self, before: TextIO | None, descriptor: int, name: str) -> None:
        self._before, self._descriptor, self._name = before, descriptor, name
        self._begun = ""
        self._lock = threading.RLock()
        self._writer = log_writer.writer_to(descriptor, _gap, _cannot_write)

    encoding = "utf-8"

    @property
    def buffer(self) -> Any:
        """The stream of bytes beneath, for who writes bytes: it may have to wait."""
        return self._before.buffer if self._before else None

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._put(line)
        return len(text)

    def flush(self) -> None:
        """Lines are on their way; what has no end yet goes with its line."""

    def _put(self, line: str) -> None:
        handler = _own_handler()
        if handler is not None and handler.is_json:
            record = _record(logging.INFO, line, {}, self._name)
            self._writer.put(_encoded(handler.format(record)))
        else:
            self._writer.put(_encoded(line))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = "%s:%d: %s: %s"
    logging.getLogger("fsctl").warning(text, filename, lineno, category.__name__, message)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    uncaught(None, error)


# -- how lines look ---------------------------------------------------------------------------


def _record(
    level: int, message: str, fields: Mapping[str, Any], name: str = "fsctl"
) -> logging.LogRecord:
    record = logging.LogRecord(name, level, "", 0, "%s", (message,), None)
    record.fields = fields
    return record


@lru_cache(maxsize=1)
def _second(seconds: int) -> tuple[str, str, str]:
    """Date, time and the zone's offset; most lines come in the second of the line before."""
    text = datetime.fromtimestamp(seconds).astimezone().isoformat()
    return text[:10], text[11:19], text[19:]


def _time_of(record: logging.LogRecord, between: str) -> str:
    """To the millisecond, with the zone's offset: machines in several zones write to one place."""
    seconds, rest = divmod(record.created, 1)
    date, time, offset = _second(int(seconds))
    return f"{date}{between}{time}.{int(rest * 1000):03d}{offset}"


class _TextLine(logging.Formatter):
    """A text line; control characters of values from the network are escaped."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = f"[{process}] " if process else ""

    def format(self, record: logging.LogRecord) -> str:
        when, message = _time_of(record, " "), _short(record.getMessage())
        lines = [f"{when} {record.levelname} {self._process}{record.name}: {message}"]
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        if record.stack_info:
            lines += record.stack_info.split("\n")
        return "\n    ".join(map(printable, lines))


class _JsonLine(logging.Formatter):
    """One JSON object a line, with the fields of its values."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = {"process": process} if process else {}

    def format(self, record: logging.LogRecord) -> str:
        message = getattr(record, "json_message", "") or record.getMessage()
        entry: dict[str, Any] = {
            "time": _time_of(record, "T"),
            "level": record.levelname.lower(),
            "pid": record.process,
            **self._process,
            "logger": record.name,
            "message": _short(message),
            **_fields_of(record),
        }
        if record.exc_info:
            entry["traceback"] = _short(self.formatException(record.exc_info))
        return _NOT_IN_A_LINE.sub(
            lambda found: f"\\u{ord(found[0]):04x}",
            json.dumps(entry, ensure_ascii=False, default=str),
        )


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Of the entry itself, and of the values in it; those of several calls make a list."""
    fields: dict[str, Any] = {}
    values = record.args if isinstance(record.args, tuple) else ()
    for value in values:
        for name, text in getattr(value, "log_fields", {}).items():
            known = fields.setdefault(name, text)
            if isinstance(known, list) and known is not text:
                fields[name] = known + [each for each in text if each not in known]
    return fields | dict(getattr(record, "fields", {}))


def _short(text: str) -> str:
    """The end of a traceback says more than its middle; a message's begin more than its end."""
    left = len(text) - MAX_CHARACTERS
    if left <= 0:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]} … {left} characters … {text[-half:]}"


def printable(text: str) -> str:
    """Return it with escapes in place of what is no printable character."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
