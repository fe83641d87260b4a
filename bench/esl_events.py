"""What one event costs: plain read lazily, plain read eagerly (greenswitch's way), and JSON.

All in one run on one event, so the ratios can be compared; the times depend on the machine.
Run it with ``python bench/esl_events.py``. See README.md for what the columns mean.
"""

from __future__ import annotations

import argparse
import importlib
import json
import timeit
from collections.abc import Callable
from urllib.parse import quote

from greenswitch.esl import ESLEvent

from fsctl.esl.events import Event
from fsctl.esl.frames import FrameReader

HEADER_COUNT = 187
WANTED = [
    "Event-Name",
    "Unique-ID",
    "Hangup-Cause",
    "variable_sip_hangup_disposition",
    "variable_sip_invite_failure_status",
    "variable_sip_invite_failure_phrase",
    "variable_sip_term_status",
    "Caller-Destination-Number",
    "Other-Leg-Unique-ID",
    "variable_fsctl_stage",
]


def headers() -> dict[str, str]:
    """An event as large as a CHANNEL_HANGUP of a SIP call."""
    values = {name: f"value of {name}" for name in WANTED}
    values["Event-Name"] = "CHANNEL_HANGUP"
    sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0"
    values["variable_switch_r_sdp"] = sdp
    for number in range(HEADER_COUNT - len(values)):
        values[f"variable_sip_something_{number}"] = f"sip:{number}@192.0.2.{number}:5060"
    return values


def plain(values: dict[str, str]) -> bytes:
    """As FreeSWITCH writes it: percent-encoded lines."""
    lines = (f"{name}: {quote(value, safe='/!$()*,')}" for name, value in values.items())
    return ("\n".join(lines) + "\n\n").encode()


def lazily(body: bytes, reads: int) -> None:
    """Our event, a few headers of it."""
    event = Event(body)
    for name in WANTED[:reads]:
        event.get(name)


def framed(stream: bytes) -> None:
    """Only finding the frame in the stream."""
    FrameReader().feed(stream)


def candidates() -> list[tuple[str, Callable[[], object]]]:
    """What is compared; orjson only where it is installed."""
    values = headers()
    body, as_json = plain(values), json.dumps(values).encode()
    stream = b"Content-Length: %d\nContent-Type: text/event-plain\n\n%s" % (len(body), body)
    found: list[tuple[str, Callable[[], object]]] = [
        ("plain, lazy, 3 headers read", lambda: lazily(body, 3)),
        ("plain, lazy, 10 headers read", lambda: lazily(body, 10)),
        ("plain, lazy, one absent header", lambda: Event(body).get("No-Such-Header")),
        ("plain, all headers decoded", lambda: Event(body).to_dict()),
        ("plain, greenswitch's eager way", lambda: ESLEvent(body.decode())),
        ("json, standard library, parsed only", lambda: json.loads(as_json)),
        ("the frame alone", lambda: framed(stream)),
    ]
    try:
        orjson = importlib.import_module("orjson")
    except ImportError:
        return found
    return [*found, ("json, orjson, parsed only", lambda: orjson.loads(as_json))]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000, help="events for each candidate")
    rounds = parser.parse_args().rounds
    print(f"{HEADER_COUNT} headers, {len(plain(headers()))} bytes; best of 5 x {rounds} events")
    base = 0.0
    for name, call in candidates():
        seconds = min(timeit.repeat(call, number=rounds, repeat=5)) / rounds
        base = base or seconds
        print(f"{name:34} {seconds * 1e6:8.1f} us   x {seconds / base:5.1f}")


if __name__ == "__main__":
    main()
