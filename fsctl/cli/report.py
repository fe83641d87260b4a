"""``fsctl report``: one file with what somebody must know who is to find a fault."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from fsctl import __version__, moments, settings
from fsctl.check import Wanted, examine
from fsctl.cli.desk_api import DeskApi
from fsctl.cli.ladder import heard_now
from fsctl.cli.masking import HIDDEN, Mask, forms, secrets_in, secrets_of
from fsctl.cli.options import add_config
from fsctl.errors import FsctlError
from fsctl.settings import Settings

_LOG: Final = Path("/var/log/fsctl/fsctl.log")
_LOG_BYTES: Final = 4 << 20
_LOG_LINES: Final = 5000
_WIDE: Final = 160
_PACKAGES: Final = ("gevent", "SQLAlchemy", "Flask", "prometheus-client", "psycopg", "alembic")
_MISSING: Final = "not to be had: "
"""So begins a part that could not be made."""
_PARTIES: Final = ("transferor_number", "transferee_number", "target_number")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        help="make one file with all that helps to find a fault",
        description="Versions, settings, `fsctl check`, status, log, the latest transfers with "
        "their ladders, the dialplan. Secrets are taken out, and numbers and names as well.",
    )
    add_config(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="default: fsctl-report-TIME.tar.gz, here"
    )
    parser.add_argument(
        "--transfers", type=int, default=20, metavar="N", help="so many (default: %(default)s)"
    )
    parser.add_argument("--id", action="append", default=[], help="this transfer, too")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help=f"default: the journal of the unit, or {_LOG}"
    )
    parser.add_argument("--numbers", action="store_true", help="leave numbers and names in it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write it, and say what is in it; 0. Raises OSError."""
    logging.getLogger("fsctl").addHandler(logging.NullHandler())
    output = arguments.output or Path(time.strftime("fsctl-report-%Y%m%d-%H%M%S.tar.gz"))
    loaded, secrets, why = _settings(arguments.config)
    mask = Mask(secrets, numbers=arguments.numbers)
    parts: dict[str, str] = {}

    def add(name: str, made: Callable[[], str]) -> None:
        """A part that cannot be made says why: the others are there all the same."""
        try:
            parts[name] = made()
        except Exception as error:
            parts[name] = _missing(error)

    add("versions.txt", _versions)
    if loaded is None:
        add("settings.txt", lambda: f"they cannot be used: {why}\n")
    else:
        settled = loaded
        for name, made in _transfers(settled, arguments, mask):
            add(name, made)
        add("settings.txt", lambda: "\n".join(_shown("", settled)) + "\n")
        add("check.json", lambda: _check(settled, arguments.config))
        for path in ("status", "calls", "transfers?live=1", "policy/counts"):
            name = f"{path.partition('?')[0].replace('/', '-')}.json"
            add(name, lambda path=path: _json(DeskApi(settled).get(f"/api/v1/{path}")))  # type: ignore[misc]
        for name, text in _dialplan(settled):
            parts[f"dialplan/{name}"] = text
    add("log.txt", lambda: _log(arguments.log))
    for name, text in parts.items():  # who is known by the last is hidden in the first
        mask(text, code=name.startswith("dialplan/"))
    masked = {name: mask(text, code=name.startswith("dialplan/")) for name, text in parts.items()}
    _write(output, masked)
    for name, text in masked.items():
        told = f"  {text.strip()}" if text.startswith(_MISSING) else ""
        print(f"{len(text):10}  {name}{told}"[:_WIDE])
    hides = "secrets are" if arguments.numbers else "secrets, numbers and names are"
    print(f"{output}: {hides} taken out as far as they are known. Look into it before it leaves.")
    return 0


def _missing(error: Exception) -> str:
    return f"{_MISSING}{type(error).__name__}: {error}\n"


def _settings(config: Path | None) -> tuple[Settings | None, list[str], str]:
    try:
        loaded = settings.load(config, os.environ)
    except Exception as error:  # a report is wanted most where something is wrong
        return None, [*_found_in(config)], str(error)
    return loaded, [*secrets_of(loaded)], ""


def _found_in(config: Path | None) -> Iterator[str]:
    """What may be secret in settings that cannot be used, and in the files that they name."""
    with suppress(OSError, UnicodeError):
        for found in secrets_in(config.read_text(encoding="utf-8")) if config else ():
            named = config.parent / found if config else Path(found)
            try:
                for text in named.read_text(encoding="utf-8").split():
                    yield from forms(text)
            except (OSError, UnicodeError, ValueError):
                yield found


def _versions() -> str:
    lines = [f"fsctl {__version__}", f"Python {sys.version}", platform.platform()]
    with suppress(OSError):
        lines.append(platform.freedesktop_os_release().get("PRETTY_NAME", ""))
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            lines.append(f"{name} {metadata.version(name)}")
    return "\n".join(lines) + "\n"


def _shown(name: str, value: Any) -> Iterator[str]:
    """Each setting, a line; of what is secret whether it is set."""
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        for number, each in enumerate(value, 1):
            yield from _shown(f"{name}[{number}]", each)
    elif is_dataclass(value):
        for field in fields(value):
            of_it = getattr(value, field.name)
            place = f"{name}.{field.name}" if name else field.name
            if field.repr:
                yield from _shown(place, of_it)
            else:
                yield f"{place} is {'set' if of_it else 'empty'}"
    else:
        yield f"{name} = {_without_query(value) if name.endswith('url') else value!r}"


def _without_query(url: object) -> str:
    """A token may stand there."""
    before, mark, _ = str(url).partition("?")
    return repr(before + mark + (HIDDEN if mark else ""))


def _check(loaded: Settings, config: Path | None) -> str:
    return _json(examine(loaded, wanted=Wanted("", "", config)).as_json())


def _transfers(
    loaded: Settings, arguments: argparse.Namespace, mask: Mask
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Their records and ladders; ``mask`` comes to know their parties."""
    from fsctl.cli.records import open_records
    from fsctl.ladder import text
    from fsctl.records import find, ladders

    try:
        engine = open_records(loaded)
        newest = find.transfers(engine, find.Wanted(most=max(1, arguments.transfers)))
        asked = [row for name in arguments.id for row in find.one_transfer(engine, name)]
        rows = {row["id"]: row for row in [*asked, *newest]}
        known = [find.in_full(engine, name) for name in rows]
    except Exception as error:
        why = _missing(error)
        yield "transfers/README.txt", lambda: why
        return
    for found in known:
        for row in found:
            mask.know(row[name] or "" for name in _PARTIES)
            for leg in row["legs"]:
                mask.know((leg[name] or "") for name in ("number", "name", "dialled"))

    def ladder(name: str) -> str:
        drawn = ladders.of_transfer(engine, name, lambda ids: heard_now(loaded, ids))
        return text.draw(drawn.ladder(), ladders.clock, _WIDE) if drawn else ""

    for name, found in zip(rows, known, strict=True):
        yield f"transfers/{name}.json", lambda found=found: _json(found)  # type: ignore[misc]
        yield f"transfers/{name}.txt", lambda name=name: ladder(name)  # type: ignore[misc]


def _dialplan(loaded: Settings) -> Iterator[tuple[str, str]]:
    from fsctl import dialplan

    try:
        for each in dialplan.rendered(loaded):
            yield each.path, each.text
    except FsctlError as error:
        yield "README.txt", f"{_MISSING}{error}\n"


def _log(file: Path | None) -> str:
    """The last lines: of ``file``, else of the unit, else of the usual file."""
    if file is None and shutil.which("journalctl"):
        asked = ["journalctl", "-u", "fsctl", "-n", str(_LOG_LINES), "--no-pager", "-o", "cat"]
        told = subprocess.run(asked, capture_output=True, timeout=20, check=False).stdout
        if told.strip() and not told.startswith(b"-- No entries"):
            return told.decode("utf-8", "replace")
    try:
        opened = (file or _LOG).open("rb")
    except FileNotFoundError as error:
        if file is None:
            raise FileNotFoundError(
                f"neither a journal of the unit nor {_LOG}: --log FILE"
            ) from error
        raise
    with opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - _LOG_BYTES))
        return "\n".join(opened.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=_plain) + "\n"


def _plain(value: object) -> str:
    return moments.for_programs(value) if isinstance(value, datetime) else str(value)


def _write(output: Path, parts: dict[str, str]) -> None:
    """For us alone; the old file or the new one, never a part."""
    base = output.name.partition(".")[0]
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=".fsctl-report-")
    try:
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
            for part, text in parts.items():
                data = text.encode("utf-8", "replace")
                entry = tarfile.TarInfo(f"{base}/{part}")
                entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
                bundle.addfile(entry, io.BytesIO(data))
        os.replace(name, output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
