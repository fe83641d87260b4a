"""Records one call on a real FreeSWITCH: what goes over fsctl's links, and all its events."""

from __future__ import annotations

import contextlib
import json
import lzma
import re
import socket
import time
from pathlib import Path

from bench.replay.frames import split
from bench.replay.tap import Link, Tap
from bench.switch.contestants import BenchSwitch
from bench.switch.phones import Phones, Script
from tests.live.lab import Controller, free_port, wait_for
from tests.live.lab.fsctl_process import REPOSITORY, Section, Sections
from tests.live.lab.ports import kept_port

FOLDER = Path(__file__).parent
CALL = 8153
"""Of the phones' numbers one that is no part of another number: 108153 calls 2153, which sends it
to 3153."""
_EVENTS = (
    "CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP "
    "CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD "
    "CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING "
    "CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_DATA CALL_UPDATE "
    "CUSTOM sofia::transferor sofia::transferee"
)


def path(scope: str, repository: Path = REPOSITORY) -> Path:
    """Where the recording of a scope lies."""
    return repository / FOLDER.relative_to(REPOSITORY) / f"{scope}.json.xz"


def record(scope: str, script: Script) -> dict[str, object]:
    """One call with one transfer; raises AssertionError when it does not go as it should."""
    with contextlib.ExitStack() as stack:
        switch = BenchSwitch(0, Phones)
        stack.callback(switch.stop)
        switch.start()
        listen = kept_port()
        outbound, inbound = Tap("switch", listen), Tap("controller", switch.esl_port)
        controller = Controller(
            _settings(scope, switch, outbound, inbound),
            {"FSCTL_SWITCH_PASSWORD": switch.password},
            listen,
        )
        stack.callback(controller.finish)
        switch.install(controller.render())
        controller.start()
        own = f"127.0.0.1:{outbound.port}"
        switch.wait(lambda: switch.living() and _is_armed(scope, switch), 10.0, "fsctl is known")
        listener = _listen(switch)
        switch.phones.begin_at(CALL)
        played = switch.phones.play(1, 1, script)
        assert not played.failures, played.failed
        wait_for(
            lambda: all(link.parts[-1][2] == b"" for link in outbound.links), 5.0, "all closed"
        )
        time.sleep(1.0)
        events = _received(listener)
        found = {
            "scope": scope,
            "home": own,
            "steps": _steps(events, outbound.links),
            "asked": _asked(inbound.links),
        }
        text = _scrubbed(json.dumps(found), switch, listen)
    loaded = json.loads(text)
    assert isinstance(loaded, dict)
    return loaded


def save(scope: str, recorded: dict[str, object]) -> Path:
    """Write it, compressed."""
    target = path(scope)
    text = json.dumps(recorded, indent=0).encode()
    target.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    return target


def load(scope: str, repository: Path = REPOSITORY) -> dict[str, object]:
    """The recording of that scope. Raises FileNotFoundError."""
    loaded = json.loads(lzma.decompress(path(scope, repository).read_bytes()))
    assert isinstance(loaded, dict)
    return loaded


def _settings(scope: str, switch: BenchSwitch, outbound: Tap, inbound: Tap) -> Sections:
    own = f"127.0.0.1:{outbound.port}"
    numbers: Section = {"inbound_match": ".*"} if scope == "calls" else {}
    dialplan: Section = {
        "scope": scope,
        "inbound_contexts": [switch.context],
        "sofia_profile": switch.profile,
        "controllers": [own],
    }
    return {
        "server": {"workers": 1, "home": own},
        "switch": {"host": "127.0.0.1", "port": inbound.port},
        "dialplan": {**dialplan, **numbers},
        "policy": {},
        "records": {"folder": str(switch.root / "state")},
        "http": {"listen": f"127.0.0.1:{free_port()}"},
        "route": [{"name": "users", "match": "[0-9]{4}", "kind": "user", "domain": switch.domain}],
    }


def _is_armed(scope: str, switch: BenchSwitch) -> bool:
    return scope == "calls" or switch.esl("global_getvar confirm_blind_transfer") == "true"


def _listen(switch: BenchSwitch) -> socket.socket:
    """A link of our own that gets every event of every leg."""
    one = socket.create_connection(("127.0.0.1", switch.esl_port))
    one.sendall(f"auth {switch.password}\n\nevent plain {_EVENTS}\n\n".encode())
    wait_for(lambda: b"listener enabled" in one.recv(65536, socket.MSG_PEEK), 5.0, "subscribed")
    return one


def _received(one: socket.socket) -> list[bytes]:
    one.settimeout(1.0)
    received = b""
    with contextlib.suppress(TimeoutError):
        while part := one.recv(1 << 20):
            received += part
    one.close()
    return [body for head, body in split(received)[0] if b"text/event-plain" in head]


def _steps(events: list[bytes], links: list[Link]) -> list[dict[str, object]]:
    """All events, as FreeSWITCH has fired them, and what the controller has said, on which link.

    The two are brought into one order by what causes what: see `recording`.
    """
    steps: list[dict[str, object]] = [{"event": body.decode("latin-1")} for body in events]
    for number, link in enumerate(links):
        sent = _blocks(link, "switch")
        snapshot = next(head for _, head, _ in sent if head.startswith(b"Event-Name: CHANNEL_DATA"))
        steps.append({"link": number, "snapshot": snapshot.decode("latin-1")})
        steps += _exchange(number, link, sent)
    return steps


def _exchange(
    number: int, link: Link, sent: list[tuple[int, bytes, bytes]]
) -> list[dict[str, object]]:
    """What the controller said on a link, and which of it without waiting for an answer before."""
    found: list[dict[str, object]] = []
    heard = 0
    for at, head, body in _blocks(link, "controller"):
        before = sum(place < at for place, _, _ in sent)
        text = head.decode() + (f"\n\n{body.decode()}" if body else "")
        found.append({"link": number, "command": text, "together": before == heard})
        heard = before
    return found


def _blocks(link: Link, sender: str) -> list[tuple[int, bytes, bytes]]:
    """Whole blocks of one side, each with its place among all parts."""
    found: list[tuple[int, bytes, bytes]] = []
    rest = b""
    for place, (_, who, part) in enumerate(link.parts):
        if who == sender:
            blocks, rest = split(rest + part)
            found += [(place, head, body) for head, body in blocks]
    return found


def _asked(links: list[Link]) -> dict[str, str]:
    """What was asked on the event socket, and answered; the last answer counts."""
    found = {}
    for link in links:
        commands = [head.decode() for _, head, _ in _blocks(link, "controller")]
        replies = [
            body.decode("latin-1")
            for _, head, body in _blocks(link, "switch")
            if b"api/response" in head
        ]
        asked = [text.removeprefix("api ") for text in commands if text.startswith("api ")]
        for command, reply in zip(asked, replies, strict=False):
            if not command.startswith(("xml_locate", "sched", "global_setvar")):
                found[command] = reply
    return found


def _scrubbed(text: str, switch: BenchSwitch, listen: int) -> str:
    """Without names, addresses and folders of the machine that recorded it."""
    name = socket.gethostname()
    text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "switch", text)
    for folder in (str(switch.root), str(switch.root).replace("/", "%2F")):
        text = text.replace(folder, "/srv/switch")
    text = text.replace(str(REPOSITORY), "/srv/fsctl").replace(str(listen), "8084")
    return text
