"""A phone's ears and mouth: RTP that says whose it is, and a record of what is heard.

Each phone sends PCMU (or PCMA) whose every payload byte is its own *mark*. FreeSWITCH passes it
between two legs of one codec bit by bit, so whoever receives such a payload hears exactly that
phone; between two codecs each byte becomes another one (`transcoded`). What is neither a
mark nor silence is something the switch plays: ringback, an announcement, music.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from typing import Literal

from tests.live.lab.waiting import NotInTime, wait_for

PACKET_S = 0.02
SAMPLES = 160
PCMU, PCMA = 0, 8
TELEPHONE_EVENT = 101
KEYS = "0123456789*#ABCD"
_KEY_PACKETS, _KEY_ENDS = 6, 3
SILENCE = frozenset({0x7F, 0xFF})
# payload bytes that are far from both silence codes
_MARKS = tuple(range(0x01, 0x40))
_next_mark = count()

Kind = Literal["mark", "silence", "sound"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One received packet: when (``time.monotonic()``), what, and whose mark it is.

    ``mark`` is the byte that all of the payload consists of, -1 when there are several.
    """

    at_s: float
    kind: Kind
    mark: int = -1


def classify(payload: bytes) -> tuple[Kind, int]:
    """What a payload is."""
    values = set(payload)
    if values <= SILENCE:
        return "silence", -1
    if len(values) == 1 and payload[0] in _MARKS:
        return "mark", payload[0]
    return "sound", payload[0] if len(values) == 1 else -1


def transcoded(mark: int, spoken: int, heard: int) -> int:
    """The byte that a phone of one payload type hears when one of another sends ``mark``."""
    if spoken == heard:
        return mark
    return _pcma(sample(mark)) if spoken == PCMU else _pcmu(_from_pcma(mark))


# -- ITU-T G.711: a byte and its sample of 16 bits


def sample(byte: int) -> int:
    """Of 16 bits, of a byte in PCMU."""
    byte = ~byte & 0xFF
    value = (((byte & 0xF) << 3) + 0x84) << ((byte & 0x70) >> 4)
    return 0x84 - value if byte & 0x80 else value - 0x84


def _pcmu(sample: int) -> int:
    value = min(abs(sample), 32635) + 0x84
    exponent = value.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | (value >> (exponent + 3)) & 0xF) & 0xFF


def _from_pcma(byte: int) -> int:
    byte ^= 0x55
    value, segment = ((byte & 0xF) << 4) + 8, (byte & 0x70) >> 4
    if segment:
        value = (value + 0x100) << (segment - 1)
    return value if byte & 0x80 else -value


def _pcma(sample: int) -> int:
    value = -sample - 1 if sample < 0 else min(sample, 32767)
    exponent = max(value.bit_length() - 8, 0)
    sign = 0 if sample < 0 else 0x80
    return (sign | exponent << 4 | (value >> max(exponent + 3, 4)) & 0xF) ^ 0x55


class Media:
    """One RTP port with a thread that sends and receives every 20 ms."""

    def __init__(self, port: int, on_tick: Callable[[], object], payload_type: int = PCMU) -> None:
        """Bind ``port``; ``on_tick`` is called by the thread before each packet."""
        self.payload_type = payload_type
        self.mark = _MARKS[next(_next_mark) % len(_MARKS)]
        # call-ID -> where its peer wants our RTP
        self.remotes: dict[str, tuple[str, int]] = {}
        self._on_tick = on_tick
        self._heard: deque[Heard] = deque(maxlen=5000)
        self.digits = ""
        """Keys heard so far."""
        self._pressing: deque[str] = deque()
        self._event_timestamp = -1
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"media-{port}", daemon=True)

    def start(self) -> None:
        """Begin to speak and listen."""
        self._thread.start()

    def stop(self) -> None:
        """Fall silent and free the port."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._socket.close()

    def heard(self, since_s: float = 0.0) -> list[Heard]:
        """Packets received since that ``time.monotonic()``."""
        return [packet for packet in list(self._heard) if packet.at_s >= since_s]

    def press(self, digits: str) -> None:
        """Press keys, one after the other."""
        self._pressing.extend(digits)

    # -- who hears whom; each looks only at what comes from now on

    def hears_mark(self, mark: int, timeout_s: float, packets: int = 5) -> bool:
        """Whether ``packets`` packets of that mark come before the deadline."""
        return self._hears(lambda packet: packet.mark == mark, timeout_s, packets)

    def hears_sound(self, timeout_s: float, packets: int = 5) -> bool:
        """Whether something that is neither silence nor a mark comes: the switch plays."""
        return self._hears(lambda packet: packet.kind == "sound", timeout_s, packets)

    def marks_within(self, duration_s: float) -> Collection[int]:
        """The marks heard in an observation of that length."""
        return {packet.mark for packet in self.observe(duration_s) if packet.kind == "mark"}

    def observe(self, duration_s: float) -> list[Heard]:
        """What comes in during the next ``duration_s`` seconds."""
        start_s = time.monotonic()
        self._stopped.wait(duration_s)
        return self.heard(start_s)

    def _hears(self, wanted: Callable[[Heard], bool], timeout_s: float, packets: int) -> bool:
        start_s = time.monotonic()
        try:
            return wait_for(lambda: sum(map(wanted, self.heard(start_s))) >= packets, timeout_s)
        except NotInTime:
            return False

    # -- the thread

    def _run(self) -> None:
        due_s = time.monotonic()
        sequence, source = 0, self.mark << 16
        payload = bytes([self.mark]) * SAMPLES
        while not self._stopped.is_set():
            self._on_tick()
            header = struct.pack(
                "!BBHII",
                0x80,
                self.payload_type,
                sequence & 0xFFFF,
                sequence * SAMPLES & 0xFFFFFFFF,
                source,
            )
            for remote in list(self.remotes.values()):
                self._send(header + payload, remote)
            sequence += 1
            if self._pressing:
                sequence = self._press(self._pressing.popleft(), sequence, source)
            due_s = max(due_s + PACKET_S, time.monotonic() - PACKET_S)
            self._listen_until(due_s)

    def _press(self, key: str, sequence: int, source: int) -> int:
        """One key as FreeSWITCH wants it: some packets that grow, the last three times."""
        timestamp = sequence * SAMPLES & 0xFFFFFFFF
        for number in range(1, _KEY_PACKETS + _KEY_ENDS):
            over = number >= _KEY_PACKETS
            length = min(number, _KEY_PACKETS) * SAMPLES
            first = 0x80 if number == 1 else 0
            header = struct.pack(
                "!BBHII", 0x80, first | TELEPHONE_EVENT, sequence & 0xFFFF, timestamp, source
            )
            body = struct.pack("!BBH", KEYS.index(key), (0x80 if over else 0) | 10, length)
            for remote in list(self.remotes.values()):
                self._send(header + body, remote)
            sequence += 1
            self._stopped.wait(PACKET_S)
        return sequence

    def _hear_key(self, packet: bytes) -> None:
        """A key is heard once: at the first packet that says that it is over."""
        timestamp = struct.unpack("!I", packet[4:8])[0]
        key, flags = packet[12], packet[13]
        if flags & 0x80 and timestamp != self._event_timestamp and key < len(KEYS):
            self._event_timestamp = timestamp
            self.digits += KEYS[key]

    def _send(self, packet: bytes, remote: tuple[str, int]) -> None:
        try:
            self._socket.sendto(packet, remote)
        except OSError:
            # the peer's port is not open (yet, or any more): RTP does not care
            return

    def _listen_until(self, due_s: float) -> None:
        while (left_s := due_s - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left_s)[0]:
                return
            try:
                packet = self._socket.recv(2048)
            except OSError:
                continue
            if len(packet) > 15 and packet[1] & 0x7F == TELEPHONE_EVENT:
                self._hear_key(packet)
            elif len(packet) > 12 and packet[1] & 0x7F == self.payload_type:
                self._heard.append(Heard(time.monotonic(), *classify(packet[12:])))
