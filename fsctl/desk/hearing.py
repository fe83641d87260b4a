"""Hears the copies of FreeSWITCH's SIP messages, and has them ready for who asks for a ladder.

A thread of its own reads the socket: what it does costs nobody who is shown something a wait. What
is not taken in time the kernel drops.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fsctl import log as logs
from fsctl.errors import HepError
from fsctl.hep.masking import mask
from fsctl.hep.message import Message, read
from fsctl.hep.packet import Packet, parse
from fsctl.hep.proof import answer_to, is_proof
from fsctl.hep.reassembly import Streams
from fsctl.journal import Entry
from fsctl.ladder.messages import OVERHEAD_BYTES, Limits, Messages
from fsctl.settings import Settings
from fsctl.sip.refer import parse_refer_to

log = logging.getLogger(__name__)

AFTER_S: Final = 3.0
"""So long after the end of a transfer its messages are kept: the last NOTIFY may be on its way."""
_SESSIONS: Final = 20_000
"""Of so many sessions it is known which Call-IDs are theirs."""
_OF_ONE: Final = 100
"""So many Call-IDs of one session are."""
_WAITING: Final = 1000
"""So many transfers' messages wait for a database that cannot be used."""
_PROOFS: Final = 64
_DATAGRAM: Final = 65_535
_BUFFER: Final = 4 << 20
_AGAIN_S: Final = 3.0
"""A port that is another's is tried again then: a check has it for some seconds."""
_LOOK_S: Final = 0.5

Address = tuple[str, int]


@dataclass(slots=True)
class _Due:
    """Messages that are to be kept, from then on."""

    at_s: float
    call_ids: list[str] = field(default_factory=list)


class Hearing:
    """Listens at ``[hep] listen`` from `start` until `stop`. Several threads may ask it at once."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is bound yet; without ``[hep] listen`` nothing ever is."""
        hep = settings.hep
        self._hep = hep
        self._hosts = [switch.host for switch in settings.switches]
        limits = Limits(hep.memory_mb << 20, keep_s=hep.keep_s, wait_s=hep.wait_s)
        self._messages = Messages(limits)
        self._streams = Streams()
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, dict[str, None]] = OrderedDict()
        """The Call-IDs of each session, as far as it was heard of lately."""
        self._session_of: dict[str, str] = {}
        """By the Call-ID: the one whose leg it was last."""
        self._due: OrderedDict[str, _Due] = OrderedDict()
        """By the transfer's id."""
        self._proofs: deque[str] = deque(maxlen=_PROOFS)
        """Call-IDs of those that ``fsctl check`` has sent, to see whether they come."""
        self._sources: frozenset[str] = frozenset()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self.heard_at: float | None = None
        """When a packet came last, in seconds since 1970; None: no one yet, and then nothing that
        FreeSWITCH says of its copies is to be believed."""
        self.refused = 0
        """Datagrams of others, and what was none of HEP's."""

    # -- for the API -------------------------------------------------------------------------------

    def messages_of(self, call_ids: Iterable[str]) -> list[Message]:
        """Return what was heard of these calls lately, in the order of time."""
        with self._lock:
            return self._messages.of(call_ids)

    def messages_of_session(self, session: str) -> list[Message]:
        """As `messages_of`, of all legs of a session: those that only rang, too."""
        with self._lock:
            return self._messages.of(self._sessions.get(session, ()))

    @property
    def figures(self) -> dict[str, int]:
        """What may be shown of it: messages that are kept and their bytes, those heard so far, and
        those of known calls that were dropped for want of room."""
        with self._lock:
            messages = self._messages
            return {
                **{"messages": messages.count, "bytes": messages.size, "heard": messages.heard},
                **{"dropped": messages.dropped, "discarded": self._streams.discarded},
                **{"refused": self.refused},
            }

    # -- what the journal tells --------------------------------------------------------------------

    def take(self, entry: Entry) -> None:
        """Take what has happened: which calls are ours, and whose messages are to be kept."""
        if not self._hep.listen:
            return
        fields = entry.fields
        if entry.what in ("leg", "branch"):
            self._know(fields.get("session"), [fields.get("call_id")], of_it=True)
        elif entry.what in ("transfer", "record"):
            call_ids = fields.get("call_ids")
            self._know(
                fields.get("session"), call_ids.values() if isinstance(call_ids, dict) else ()
            )
        if entry.what == "record" and fields.get("outcome") in ("failed", "abandoned"):
            self._keep_soon(str(fields.get("id")), fields)

    def remember(self, legs: Iterable[Mapping[str, Any]]) -> None:
        """Those go on, as the database says: of a desk that starts anew."""
        if self._hep.listen:
            for leg in legs:
                self._know(leg["call"], [leg["call_id"]], of_it=True)

    def _know(self, session: Any, call_ids: Iterable[Any], *, of_it: bool = False) -> None:
        """``of_it``: the session has these legs itself; a transfer's may be another one's."""
        with self._lock:
            known = self._sessions.setdefault(str(session), {})
            self._sessions.move_to_end(str(session))
            for call_id in call_ids:
                if isinstance(call_id, str) and call_id:
                    self._messages.know(call_id)
                    if len(known) < _OF_ONE:
                        known[call_id] = None
                    if of_it and call_id in known:
                        self._session_of[call_id] = str(session)
            if len(self._sessions) > _SESSIONS:
                gone, call_ids = self._sessions.popitem(last=False)
                for call_id in call_ids:
                    if self._session_of.get(call_id) == gone:
                        del self._session_of[call_id]

    def _keep_soon(self, transfer: str, fields: dict[str, Any]) -> None:
        told = fields.get("call_ids")
        theirs = told.values() if isinstance(told, dict) else ()
        with self._lock:
            call_ids = [str(each) for each in theirs if each]
            sessions = [str(fields.get("session")), *map(self._session_of.get, call_ids)]
            for session in dict.fromkeys(filter(None, sessions)):
                call_ids += self._sessions.get(session, ())
            self._due[transfer] = _Due(time.monotonic() + AFTER_S, call_ids)
            if len(self._due) > _WAITING:
                self._due.popitem(last=False)

    def due(self, *, all_of_them: bool = False) -> list[tuple[str, list[Message]]]:
        """Return the transfers whose messages are to be kept now, with these; `kept` says that they
        are. ``all_of_them``: as it ends, those as well that would be later."""
        now = time.monotonic()
        most = self._hep.transfer_kb << 10
        with self._lock:
            ripe = [name for name, due in self._due.items() if all_of_them or due.at_s <= now]
            found = [(name, self._of_transfer(self._due[name].call_ids)) for name in ripe]
        return [(name, _within(messages, most)) for name, messages in found]

    def _of_transfer(self, call_ids: list[str]) -> list[Message]:
        """With the dialog that a REFER of theirs wanted replaced: that may be no call of ours."""
        found = self._messages.of(call_ids)
        named = [_replaced(message) for message in found if message.text.startswith(b"REFER ")]
        return self._messages.of([*call_ids, *filter(None, named)]) if any(named) else found

    def kept(self, transfer: str) -> None:
        """They are in the database."""
        with self._lock:
            self._due.pop(transfer, None)

    # -- what FreeSWITCH tells ---------------------------------------------------------------------

    def start(self) -> None:
        """Listen, if the settings say where; what stands in the way is logged."""
        if self._hep.listen:
            self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Listen no more; what was heard stays."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * _LOOK_S)

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            try:
                with _bound(self._hep.listen) as sock:
                    log.info("copies of SIP messages are awaited at %s", self._hep.listen)
                    self._sources = self._allowed()
                    self._listen(sock)
            except OSError as error:
                failures += 1
                log.log(  # the first time it may be a check that has it
                    logging.ERROR if failures == 2 else logging.DEBUG,
                    "[hep] listen = %s: %s; no copies of SIP messages are heard",
                    self._hep.listen,
                    error.strerror or error,
                )
            self._ended.wait(_AGAIN_S)

    def _listen(self, sock: socket.socket) -> None:
        forward = _address(self._hep.forward) if self._hep.forward else None
        looked = 0.0
        while not self._ended.is_set():
            data, source = b"", ("", 0)
            with suppress(TimeoutError, ConnectionError):
                data, source = sock.recvfrom(_DATAGRAM)[:2]
            now = time.monotonic()
            if data:
                self._datagram(sock, data, source, forward)
            if now - looked > 1.0:
                looked = now
                with self._lock:
                    self._hear(self._streams.expire(now))
                    self._messages.expire(now)

    def _datagram(
        self, sock: socket.socket, data: bytes, source: tuple[Any, ...], forward: Address | None
    ) -> None:
        if not self._is_allowed(source[0]):
            self.refused += 1
            log.warning("not heard: %s is no switch of ours", source[0], extra=logs.seldom("hep"))
            return
        if answer := answer_to(data, self._proofs):
            with suppress(OSError):
                sock.sendto(answer, source)
            return
        try:
            packet = parse(data)
        except HepError as error:
            self.refused += 1
            log.warning("not heard, of %s: %s", source[0], error, extra=logs.seldom("hep"))
            return
        if forward is not None:
            with suppress(OSError):
                sock.sendto(data, forward)
        if self.heard_at is None:
            log.info("copies of SIP messages come from %s", source[0])
        self.heard_at = time.time()
        self.take_packet(packet)

    def take_packet(self, packet: Packet) -> None:
        """Take one copy."""
        with self._lock:
            self._hear(self._streams.take(packet, time.monotonic()))

    def _hear(self, messages: Iterable[Message]) -> None:
        now = time.monotonic()
        for message in messages:
            masked = replace(message, text=mask(message.text))
            reading = read(masked.text)
            if is_proof(reading):
                self._proofs.append(reading.call_id)
            else:
                self._messages.hear(masked, now, reading)

    def _allowed(self) -> frozenset[str]:
        """The addresses that copies may come from, besides this host's own loopback."""
        found = {*self._hep.sources, _address(self._hep.listen)[0]}
        for host in self._hosts:
            with suppress(OSError):
                found |= {str(each[4][0]) for each in socket.getaddrinfo(host.strip("[]"), None)}
        return frozenset(map(_plain, found))

    def _is_allowed(self, source: str) -> bool:
        address = _plain(source)
        return address in self._sources or ipaddress.ip_address(address).is_loopback


def _replaced(message: Message) -> str:
    """Call-ID of the dialog that a REFER names; empty: it names none."""
    try:
        replaces = parse_refer_to(read(message.text).header("refer-to")).replaces
    except ValueError:
        return ""
    return replaces.call_id if replaces is not None else ""


def _within(messages: list[Message], most: int) -> list[Message]:
    """The newest that fit, the first of which has ``gap`` where others did not."""
    left, size = len(messages), 0
    while left:
        size += len(messages[left - 1].text) + OVERHEAD_BYTES
        if size > most:
            break
        left -= 1
    kept = messages[left:]
    if left and kept:
        kept[0] = replace(kept[0], gap=True)
    return kept


def _bound(listen: str) -> socket.socket:
    address = _address(listen)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        sock.settimeout(_LOOK_S)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _plain(address: str) -> str:
    """Without a zone; IPv4 as itself."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
