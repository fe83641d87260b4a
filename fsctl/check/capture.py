"""Copies of SIP messages: who is FreeSWITCH's capture server, and do they come to us?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import gevent

from fsctl.check.answers import Unreadable, is_true, parameters, xml
from fsctl.check.copies import PROOF_S, Address, Proof
from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, problem, unknown
from fsctl.esl.questions import SofiaStatus
from fsctl.sip.uri import UriError, parse_uri

_FILE: Final = "autoload_configs/sofia.conf.xml"
_FOLLOWS: Final = "fsctl gets no copies of SIP messages"
_URL: Final = re.compile(r"udp:(?P<host>.+):(?P<port>[0-9]{1,5})(?P<parameters>(?:;[^;]*)*)")
_KNOWN: Final = {"hep": (1, 3), "capture_id": (1, 2**32 - 1), "bufsize": (2048, 65000)}
"""What sofia-sip takes (tport_open_log); with anything else it captures nothing, and says nothing
of it. ``bufsize`` is taken since June 2026 only."""

_BUFSIZE: Final = "; with bufsize in capture-server sofia-sip of before June 2026 captures nothing"


class _Unusable(Exception):
    """FreeSWITCH captures nothing with this capture server: why."""


@dataclass(frozen=True, slots=True)
class _Server:
    """``udp:HOST:PORT;hep=VERSION``, as sofia-sip reads it."""

    host: str
    port: int
    version: int


def copies(ground: Ground) -> Iterator[Finding]:
    """FSC801: ``[hep] listen`` is FreeSWITCH's capture server; FSC802: the profiles that run are
    to send it copies; FSC803: a packet that has come proves it."""
    listen = ground.settings.hep.listen
    if not listen:
        return
    captured = [name for name in ground.running if _captured(ground, name)]
    yield from _profiles(ground, [name for name in ground.running if name not in captured])
    own = _own(listen)
    if ground.remote and ipaddress.ip_address(own[0]).is_loopback:
        yield problem(
            "FSC801",
            f"FreeSWITCH is on another host, and cannot send to {listen}, which is itself",
            _FOLLOWS,
            "set [hep] listen to this host's address as FreeSWITCH sees it",
        )
        return
    try:
        server = _server(_url(ground))
    except _Unusable as error:
        yield _no_server(ground, captured, str(error))
        return
    ours = _ours(server, own)
    if ours and server.version != 3:
        yield _no_server(ground, captured, f"it asks for HEP {server.version}, fsctl reads 3")
    else:
        yield from _proved(ground, captured, server, ours)


def _profiles(ground: Ground, without: list[str]) -> Iterator[Finding]:
    if without:
        yield problem(
            "FSC802",
            f"sip-capture is not set in the sofia profile {', '.join(without)}",
            "fsctl gets no copies of the SIP messages there, or not after FreeSWITCH's next start",
            '<param name="sip-capture" value="yes"/> in <settings> there, in place of "no", then: '
            + _read_again(ground, without),
        )
    elif ground.running:
        yield ok("FSC802", "the sofia profiles that run are to send copies of SIP messages")


def _captured(ground: Ground, name: str) -> bool:
    """Of a profile that is not in what is loaded (an alias) only a packet can tell."""
    given = dict(ground.sofia.get(name, [("sip-capture", "yes")]))
    return is_true(given.get("sip-capture", "no"))


def _url(ground: Ground) -> str:
    found = ground.locate("configuration", "configuration", "sofia.conf")
    settings = None if found is None else found.find("global_settings")
    return dict(parameters(settings)).get("capture-server", "")


def _server(url: str) -> _Server:
    """Raises _Unusable."""
    if not url:
        raise _Unusable("")
    found = _URL.fullmatch(url)
    if found is None or not 1024 <= int(found["port"]) <= 65535:
        raise _Unusable(f"it is {url}, not udp:HOST:PORT with a port from 1024 on")
    version = 3
    for parameter in found["parameters"].split(";")[1:]:
        name, _, value = parameter.partition("=")
        low, high = _KNOWN.get(name, (0, -1))
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise _Unusable(f"with {parameter!r} in {url} it captures nothing")
        version = int(value) if name == "hep" else version
    return _Server(found["host"].strip("[]"), int(found["port"]), version)


def _ours(server: _Server, own: Address) -> bool:
    """Which address a name has, FreeSWITCH alone knows: the proof will show it."""
    try:
        same = ipaddress.ip_address(server.host) == ipaddress.ip_address(own[0])
    except ValueError:
        same = True
    return same and server.port == own[1]


def _own(listen: str) -> Address:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _no_server(ground: Ground, captured: Sequence[str], why: str) -> Finding:
    wanted = f"udp:{ground.settings.hep.listen};hep=3"
    return problem(
        "FSC801",
        "FreeSWITCH's capture-server is of no use" if why else "FreeSWITCH has no capture-server",
        _FOLLOWS,
        ("correct capture-server" if why else f'<param name="capture-server" value="{wanted}"/>')
        + f" in <global_settings> of {_FILE}, then: "
        + _read_again(ground, captured or ground.running),
        why,
    )


def _read_again(ground: Ground, names: Sequence[str]) -> str:
    """It reads the files, too."""
    if len(names) == 1:
        return ground.fs_cli(f"sofia profile {names[0]} rescan")
    each = ground.fs_cli("RESCAN").replace("RESCAN", '"sofia profile $p rescan"')
    return f"for p in {' '.join(names)}; do {each}; done"


def _proved(ground: Ground, captured: list[str], server: _Server, ours: bool) -> Iterator[Finding]:
    listen = ground.settings.hep.listen
    addresses = {name: each for name in captured if (each := _address(ground, name))}
    what = f"whether copies of SIP messages come to {listen}"
    proofs: dict[str, Proof] = {}
    if captured and not addresses:
        yield unknown("FSC803", what, "no sofia profile has an address on UDP that we can reach")
    elif addresses:
        try:
            ground.copies.open(_own(listen))
        except OSError as error:
            cause = f"it cannot be listened to: {error.strerror}"
            command = f"ss -lunp 'sport = :{_own(listen)[1]}' tells who does; it must be ours"
            yield unknown("FSC803", what, cause, command)
        else:
            proofs = _proofs(ground, addresses)
    by = {proof: [n for n, found in proofs.items() if found is proof] for proof in Proof}
    if not ours and by[Proof.SILENT] and not by[Proof.SEEN]:
        yield _others(listen, server)
        return
    if ours:
        yield ok("FSC801", f"FreeSWITCH's capture-server is {listen}")
    elif by[Proof.SEEN]:
        yield ok("FSC801", f"{server.host}:{server.port} forwards FreeSWITCH's copies to {listen}")
    yield from _by_packet(ground, by, what)


def _others(listen: str, server: _Server) -> Finding:
    """Who it is we cannot know: it is never to be replaced, FreeSWITCH has only one."""
    there = f"{server.host}:{server.port}"
    return problem(
        "FSC801",
        f"FreeSWITCH's capture-server is another one, {there}",
        _FOLLOWS,
        f"leave it (FreeSWITCH has one only), and have {there} forward its packets to {listen}; "
        "or, if it was meant for fsctl, set [hep] listen to it",
        f"nothing came to {listen}",
    )


def _by_packet(ground: Ground, by: dict[Proof, list[str]], what: str) -> Iterator[Finding]:
    seen, silent, mute = (by[each] for each in (Proof.SEEN, Proof.SILENT, Proof.MUTE))
    if seen:
        yield ok("FSC803", f"a packet came of the sofia profile {', '.join(seen)}")
    if silent:
        yield problem(
            "FSC803",
            f"no packet came of the sofia profile {', '.join(silent)}",
            "fsctl gets no copies of the SIP messages there",
            _read_again(ground, silent) + ("; let UDP in on this host" if ground.remote else ""),
            f"it has answered an OPTIONS, of which no copy came within {PROOF_S:g} s"
            + _BUFSIZE * ("bufsize" in _url(ground)),
        )
    if mute:
        yield unknown(
            "FSC803",
            what,
            f"the sofia profile {', '.join(mute)} does not answer an OPTIONS that comes from here",
        )


def _proofs(ground: Ground, addresses: dict[str, Address]) -> dict[str, Proof]:
    asked = {name: gevent.spawn(ground.copies.prove, each) for name, each in addresses.items()}
    try:
        gevent.joinall(list(asked.values()), raise_error=True)
    finally:
        gevent.killall(list(asked.values()))
    return {name: greenlet.get() for name, greenlet in asked.items()}


def _address(ground: Ground, name: str) -> Address | None:
    """Where a profile takes UDP, as far as it can be reached from here. LinkError, Unreadable."""
    info = xml(ground.ask(SofiaStatus("profile", name))).find("profile-info")
    url = None if info is None else info.findtext("bind-url")
    if info is None or not url:
        return None  # TLS only
    try:
        uri = parse_uri(url)
        address = ipaddress.ip_address((info.findtext("sip-ip") or uri.host).strip("[]"))
    except (UriError, ValueError) as error:
        raise Unreadable(f"the sofia profile {name} is at {url!r}: {error}") from None
    if "udp" not in (uri.parameter("transport") or "udp").split(","):
        return None
    if address.is_unspecified:
        return ground.link.sock.getpeername()[0], uri.port or 5060
    if address.is_loopback and ground.remote:
        return None
    return str(address), uri.port or 5060
