"""Where FreeSWITCH is on this machine, how to ask it, and with which settings fsctl is to run."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from xml.sax.saxutils import unescape

from fsctl import settings
from fsctl.check.security import SHIPPED_PASSWORD
from fsctl.errors import InstallError, SettingsError
from fsctl.install import includes, xml_text
from fsctl.install.freeswitch import LiveFreeSwitch, connect
from fsctl.install.plan import NewFile
from fsctl.settings import Settings, Switch

PLACES: Final = (Path("/etc/freeswitch"), Path("/usr/local/freeswitch/conf"))
"""Where its packages and its sources put the configuration."""
PASSWORD_FILE: Final = "event_socket.password"
_EVERYWHERE: Final = ("0.0.0.0", "::", "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says; None: nothing.

    ``config`` is where the settings are, or are to be.
    """

    config: Path
    conf: Path | None = None
    address: tuple[str, int] | None = None
    password_file: Path | None = None
    whatever: bool = False
    """Settings that are wrong do not matter: FreeSWITCH is only to be found."""


@dataclass(frozen=True, slots=True)
class Found:
    """FreeSWITCH's ``conf``, and its ``switch`` unless ``silent`` says why it cannot be asked.

    ``settings`` are those of ``config``, or those that ``new`` files are to hold.
    """

    conf: Path
    switch: LiveFreeSwitch | None
    silent: str
    settings: Settings
    new: tuple[NewFile, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _EventSocket:
    """What FreeSWITCH's own files say of it; empty: nothing."""

    host: str = ""
    port: int = 0
    password: str = ""


def find_all(wanted: Wanted, environ: Mapping[str, str]) -> tuple[list[Found], list[str]]:
    """Find the FreeSWITCH that is meant, or all of this machine that the settings name.

    Also returns, in sentences, which are on other machines. Raises as `find` does.
    """
    known = _known(wanted, environ).switches
    here = [each for each in known if _is_here(each.host)]
    if wanted.address or wanted.conf or len(known) < 2 or not here:
        return [find(wanted, environ)], []
    found = [find(replace(wanted, address=(each.host, each.port)), environ) for each in here]
    elsewhere = [
        f"{each.name} at {each.host}:{each.port} is on another machine: do the same there"
        for each in known
        if each not in here
    ]
    return found, elsewhere


def _is_here(host: str) -> bool:
    """Whether the address is one of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host.strip("[]"), 0), family=family):
            return True
    except OSError:
        return False


def find(wanted: Wanted, environ: Mapping[str, str]) -> Found:
    """Find FreeSWITCH. Raises InstallError, SettingsError, OSError."""
    known = _known(wanted, environ)
    guess = wanted.conf or next(
        (each for each in PLACES if (each / includes.FIRST).is_file()), None
    )
    said = _event_socket_of(guess) if guess else _EventSocket()
    named = _named(wanted, known)
    usual = Switch()
    host, port = wanted.address or (
        (named.host, named.port)
        if named and wanted.config.exists()
        else (said.host or usual.host, said.port or usual.port)
    )
    passwords = _passwords(wanted, named, said)
    try:
        switch, password = connect(host, port, passwords)
    except OSError as error:
        if wanted.conf is None:
            raise InstallError(
                f"FreeSWITCH does not answer at {host}:{port} ({error.strerror or error}): start "
                "it, or name its event socket by --switch HOST:PORT; with --conf DIR, its "
                "configuration, it may be down"
            ) from error
        return _described(
            wanted,
            environ,
            known,
            (host, port, passwords[0]),
            None,
            f"it does not answer at {host}:{port}",
        )
    return _described(wanted, environ, known, (host, port, password), switch, "")


def _described(
    wanted: Wanted,
    environ: Mapping[str, str],
    known: Settings,
    access: tuple[str, int, str],
    switch: LiveFreeSwitch | None,
    silent: str,
) -> Found:
    host, port, password = access
    conf = wanted.conf
    if switch is not None:
        runs = Path(switch.global_variables().get("conf_dir", ""))
        if conf is None:
            conf = runs
            if not (conf / includes.FIRST).is_file():
                raise InstallError(
                    f"FreeSWITCH at {host}:{port} has its configuration in {runs}, which is not on "
                    "this machine: run fsctl install there"
                )
        elif conf.resolve() != runs.resolve():
            switch.close()
            switch, silent = None, f"FreeSWITCH at {host}:{port} runs {runs}"
    assert conf is not None, "it was given, or FreeSWITCH has said it"
    if not (conf / includes.FIRST).is_file():
        raise InstallError(f"{conf}: there is no {includes.FIRST}: not FreeSWITCH's configuration")
    remarks = []
    if password == SHIPPED_PASSWORD and switch is None:  # else `check` says so
        remarks.append(
            f"the event socket has the password that everybody knows, {SHIPPED_PASSWORD}: change "
            f"it in {conf}/autoload_configs/event_socket.conf.xml, and for fsctl likewise"
        )
    new: tuple[NewFile, ...] = ()
    if not wanted.config.exists():
        new = _new_settings(wanted, host, port, password)
        own = {"HOST": host, "PORT": str(port), "PASSWORD": password}
        values = {f"FSCTL_SWITCH_{name}": value for name, value in own.items()}
        others = {n: v for n, v in environ.items() if n != "FSCTL_SWITCH_PASSWORD_FILE"}
        known = settings.load(None, {**others, **values})
    return Found(conf, switch, silent, known, new, tuple(remarks))


def _known(wanted: Wanted, environ: Mapping[str, str]) -> Settings:
    try:
        return settings.load(wanted.config if wanted.config.exists() else None, environ)
    except SettingsError:
        if wanted.whatever:
            return Settings()
        raise


def _named(wanted: Wanted, known: Settings) -> Switch | None:
    """The one of the settings' switches that is meant: by its address, or the one that is here."""
    for each in known.switches:
        here = _is_here(each.host) if wanted.address is None else False
        if here or (each.host, each.port) == wanted.address:
            return each
    return known.switches[0] if known.switches and wanted.address is None else None


def _passwords(wanted: Wanted, named: Switch | None, said: _EventSocket) -> list[str]:
    if wanted.password_file is not None:
        return [wanted.password_file.read_text(encoding="utf-8").strip("\r\n")]
    if named is not None:
        return [named.password]
    return [password for password in (said.password, SHIPPED_PASSWORD) if password]


def _event_socket_of(conf: Path) -> _EventSocket:
    """What the files say, as far as they can be read and understood."""
    try:
        tree = includes.read(conf)
        tags = [
            tag
            for path in tree.configuring("event_socket.conf")
            for tag in xml_text.parameters(tree.texts[path], "event_socket.conf")
        ]
    except (OSError, ValueError):
        return _EventSocket()
    values = {
        tag.attributes.get("name"): unescape(tree.expanded(tag.attributes.get("value", "")))
        for tag in tags
    }
    port = values.get("listen-port", "")
    host, password = values.get("listen-ip", ""), values.get("password", "")
    return _EventSocket(
        "127.0.0.1" if host in _EVERYWHERE else host,
        int(port) if port.isascii() and port.isdigit() else 0,
        "" if "$${" in password else password,
    )


def _new_settings(wanted: Wanted, host: str, port: int, password: str) -> tuple[NewFile, ...]:
    kept = wanted.config.parent / PASSWORD_FILE
    file = str(wanted.password_file.resolve()) if wanted.password_file else PASSWORD_FILE
    text = f"""\
# Written by `fsctl install`. All keys, with their defaults: fsctl.example.toml.

[switch]
host = {_toml(host)}
port = {port}
password_file = {_toml(file)}
"""
    made = [NewFile(wanted.config, text.encode(), 0o644)]
    if wanted.password_file is None:
        made.append(NewFile(kept, f"{password}\n".encode(), 0o600, secret=True))
    return tuple(made)


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
