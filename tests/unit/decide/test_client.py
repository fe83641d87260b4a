"""Whatever a web service does, it is asked no longer than allowed, and the hub goes on."""

from __future__ import annotations

import gc
import json
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from fsctl.decide import client as under_test
from fsctl.decide.answer import MAX_BYTES, Connect, Leave
from fsctl.decide.client import OPEN_S, OPENS_AFTER, Client, Exchange
from fsctl.decide.signature import verify
from fsctl.errors import SettingsError
from fsctl.setting_decide import Decide
from tests.unit.decide.services import Asked, Behaviour, serving

SECRET = b"s" * 32
TIMEOUT_S = 5.0
IMPATIENT_S = 0.1
"""Where no answer is to come, so that it need not be waited for."""
LATE_S = 2.0
"""For a machine that does something else."""
YES = b'{"decision": "settings"}'


def client(url: str, **more: Any) -> Client:
    return Client(Decide(url=url, secret=(SECRET,), **({"timeout_s": TIMEOUT_S} | more)))


def ask(url: str, **more: Any) -> Exchange:
    """Ask; the hub must run all the time, and the deadline hold."""
    turns: list[float] = []

    def tick() -> None:
        while True:
            turns.append(time.monotonic())
            gevent.sleep(0.01)

    ticking, began = gevent.spawn(tick), time.monotonic()
    gevent.sleep(0)
    try:
        exchange = client(url, **more).ask("q1", b'{"a":1}')
    finally:
        ticking.kill()
    ended = time.monotonic()
    allowed = more.get("timeout_s", TIMEOUT_S) + LATE_S
    assert ended - began < allowed
    assert max(b - a for a, b in zip(turns, [*turns[1:], ended], strict=True)) < LATE_S
    return exchange


def test_a_question_is_signed_and_its_answer_read() -> None:
    with serving() as service:
        answer = {"decision": "connect", "targets": ["1002"]}
        service.then(service.answers(json.dumps(answer).encode()))
        exchange = ask(service.url)
    assert exchange.decision == Connect(("1002",))
    ((headers, body),) = service.asked
    verify(headers, body, [SECRET], time.time())
    assert body == b'{"a":1}' and headers["webhook-id"] == "q1"
    assert headers["content-type"] == "application/json"
    said = exchange.fields()
    assert said.pop("ms") >= 0
    assert said == {"id": "q1", "host": "127.0.0.1", "status": 200, "decision": "connect 1002"}


# -- whoever misbehaves -------------------------------------------------------------------------


def _says(*words: Any) -> Behaviour:
    def behave(asked: Asked) -> None:
        asked.hear()
        asked.say(*words)

    return behave


def _raw(data: bytes) -> Behaviour:
    def behave(asked: Asked) -> None:
        asked.hear()
        asked.sock.sendall(data)

    return behave


def _endless(first: bytes, block: bytes) -> Behaviour:
    def behave(asked: Asked) -> None:
        asked.hear()
        asked.sock.sendall(first)
        asked.say_without_end(block * 500)

    return behave


def _silent(asked: Asked) -> None:
    asked.hear()
    asked.stopped.wait(10)


def _deaf(asked: Asked) -> None:
    asked.stopped.wait(10)


def _slow(asked: Asked) -> None:
    asked.hear()
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n" + YES:
        asked.sock.sendall(bytes([byte]))
        if asked.stopped.wait(0.05):
            return


_OK = b"HTTP/1.1 200 OK\r\n"
NO_ANSWER = f"no answer within {IMPATIENT_S:g} s"
MISBEHAVIOURS: list[tuple[str, Behaviour, str, int]] = [
    ("silent", _silent, NO_ANSWER, 0),
    ("deaf", _deaf, NO_ANSWER, 0),
    ("slow", _slow, NO_ANSWER, 0),
    ("hangs up", lambda asked: None, "", 0),
    ("speaks no HTTP", _raw(b"SSH-2.0-OpenSSH\r\n"), "BadStatusLine: ", 0),
    ("endless headers", _endless(_OK, b"X-A: b\r\n"), "", 0),
    ("one endless header", _endless(_OK + b"X-A: ", b"b" * 10), "", 0),
    ("endless interim answers", _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
     "it says more than it may", 0),
    ("endless body", _endless(_OK + b"\r\n", b" " * 10), "more than 65536 bytes", 200),
    ("endless chunks", _endless(_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "", 0),
    ("huge", _says("200 OK", b" " * (MAX_BYTES + 1)), "more than 65536 bytes", 200),
    ("claims to be huge", _raw(_OK + b"Content-Length: 99999999999\r\n\r\n" + YES),
     "99999999975 bytes of the answer are missing", 200),
    ("half an answer", _raw(_OK + b"Content-Length: 25\r\n\r\n" + YES),
     "1 bytes of the answer", 200),
    ("half a chunk", _raw(_OK + b"Transfer-Encoding: chunked\r\n\r\n40\r\n" + YES),
     "IncompleteRead", 0),
    ("less than it says", _says("200 OK", YES, "Content-Length: 5"), "answer: no JSON", 200),
    ("redirects", _says("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/"),
     "HTTP 307", 307),
    ("forgets the body", _says("204 No Content"), "HTTP 204", 204),
    ("created", _says("201 Created", YES), "HTTP 201", 201),
    ("unauthorized", _says("401 Unauthorized", YES), "HTTP 401", 401),
    ("fails", _says("500 Internal Server Error", YES), "HTTP 500", 500),
    ("is overloaded", _says("503 Service Unavailable", YES), "HTTP 503", 503),
    ("no JSON", _says("200 OK", b"<html>"), "answer: no JSON", 200),
    ("nonsense", _says("200 OK", b'{"decision": "\\u0007"}'), "answer: decision: must be", 200),
]  # fmt: skip


@pytest.mark.parametrize(
    ("behave", "failure", "status"), [pytest.param(*row[1:], id=row[0]) for row in MISBEHAVIOURS]
)
def test_whoever_misbehaves_is_not_waited_for(behave: Behaviour, failure: str, status: int) -> None:
    with serving(behave) as service:
        timeout_s = IMPATIENT_S if failure == NO_ANSWER else TIMEOUT_S
        exchange = ask(service.url, timeout_s=timeout_s)
    assert exchange.decision is None
    assert exchange.failure.startswith(failure) and exchange.failure.isprintable()
    assert exchange.status == status
    tries = 2 if status == 503 else 1
    assert service.connections == tries


# -- once more ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Unavailable", "504 Timeout"])
def test_a_gateways_failure_is_tried_once_more_with_the_same_id(status: str) -> None:
    with serving() as service:
        service.then(service.answers(b"", status), service.answers(YES))
        exchange = ask(service.url)
    assert exchange.decision == Leave() and exchange.status == 200
    assert [headers["webhook-id"] for headers, _ in service.asked] == ["q1", "q1"]


def test_the_second_try_is_inside_the_deadline() -> None:
    def late(asked: Asked) -> None:
        asked.hear()
        asked.stopped.wait(0.7 * IMPATIENT_S)
        asked.say("503 Unavailable")

    with serving(late, late) as service:
        assert ask(service.url, timeout_s=IMPATIENT_S).failure == NO_ANSWER


def test_nobody_there() -> None:
    with serving() as service:
        service.stop()
        exchange = ask(service.url)
    assert exchange.failure == "no connection: Connection refused" and exchange.status == 0
    exchange = ask("http://decide.invalid/", timeout_s=2.0)
    assert exchange.failure.startswith(("no connection: ", "no answer within"))


# -- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Of 127.0.0.1, and of somebody else."""
    folder, made = tmp_path_factory.mktemp("tls"), dict[str, Path]()
    for name, subject in (("right", "IP:127.0.0.1"), ("other", "DNS:other.example.com")):
        made[name] = folder / f"{name}.pem"
        made[f"{name} key"] = folder / f"{name}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=decide", "-addext", f"subjectAltName={subject}",
             "-out", made[name], "-keyout", made[f"{name} key"]],
            check=True,
            capture_output=True,
        )  # fmt: skip
    yield made


@pytest.mark.parametrize(
    ("shown", "trusted", "failure"),
    [
        ("right", "right", ""),
        ("other", "other", "TLS: "),
        ("right", "other", "TLS: "),
        ("right", None, "TLS: "),
    ],
)
def test_only_who_is_vouched_for_is_asked(
    certificates: dict[str, Path], shown: str, trusted: str | None, failure: str
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates[shown], certificates[f"{shown} key"])
    with serving(tls=tls) as service:
        service.then(service.answers(YES))
        exchange = ask(service.url, ca_file=certificates[trusted] if trusted else None)
        assert bool(service.asked) is not bool(failure)
    assert exchange.failure.startswith(failure) and bool(exchange.failure) is bool(failure)
    assert service.connections == 1


def test_one_who_does_not_begin_tls() -> None:
    with serving(_deaf) as service:
        exchange = ask(service.url.replace("http:", "https:"), timeout_s=IMPATIENT_S)
    assert exchange.failure == NO_ANSWER


def test_a_ca_file_without_certificates(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing", encoding="utf-8")
    with pytest.raises(SettingsError, match="ca_file"):
        client("https://127.0.0.1/", ca_file=file)


# -- who has failed too often -------------------------------------------------------------------


def test_who_has_failed_too_often_is_left_alone_for_a_while() -> None:
    now = [100.0]
    with serving(_says("500 No")) as service:
        settings = Decide(url=service.url, secret=(SECRET,), timeout_s=TIMEOUT_S)
        asked = Client(settings, now=lambda: now[0])
        for _ in range(OPENS_AFTER):
            assert asked.ask("q", b"{}").failure == "HTTP 500"
        assert asked.ask("q", b"{}").failure == "it has failed too often lately"
        assert service.connections == OPENS_AFTER
        now[0] += OPEN_S + 1  # once, and then again not
        assert asked.ask("q", b"{}").failure == "HTTP 500"
        assert asked.ask("q", b"{}").status == 0
        assert service.connections == OPENS_AFTER + 1
        service.then(*[service.answers(YES)] * 10)
        now[0] += OPEN_S + 1
        answers = [gevent.spawn(asked.ask, "q", b"{}") for _ in range(3)]
        gevent.joinall(answers)
        assert [bool(each.value.decision) for each in answers] == [True, False, False]
        assert asked.ask("q", b"{}").decision == Leave()
    assert asked.asking == 0


def test_an_error_of_our_own_is_an_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(under_test, "_decision", broken)
    with serving(_says("200 OK", YES)) as service:
        assert ask(service.url).failure == "an error of our own: RuntimeError"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_is_left_open_after_a_deadline(scheme: str) -> None:
    with serving(_silent) as service, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        assert ask(service.url.replace("http", scheme), timeout_s=IMPATIENT_S).failure == NO_ANSWER
        gc.collect()
    assert not [each for each in warned if "unclosed" in str(each.message)]
