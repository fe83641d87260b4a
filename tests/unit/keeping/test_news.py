"""Each transfer that has ended is told of, at least once, and until it is taken."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from fsctl.decide.signature import verify
from fsctl.desk import news
from fsctl.desk.news import Lines, Sender
from fsctl.journal import Entry
from fsctl.records import redelivery, store
from fsctl.settings import News

SECRET = b"k" * 32
NOW = datetime.now(UTC)
FIELDS = {"id": "t-1", "session": "s-1", "outcome": "failed", "code": 486, "reason": "Busy"}


class Service:
    """A web service that answers as it is told, and keeps what it has heard."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.heard: list[tuple[dict[str, str], bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.heard.append((dict(self.headers), body))
                status = service.answers.pop(0) if service.answers else 204
                if status == 0:  # it hangs up without a word
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Location", self.path + "elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?a=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.stop()


def end(engine: Engine, name: str = "t-1", place: int = 100) -> None:
    fields = FIELDS | {"id": name}
    entry = Entry("1-7-1.jsonl", place, "record", NOW.timestamp(), fields)
    store.keep(engine, [entry], news=True)


def sender(engine: Engine, url: str, **more: Any) -> Sender:
    return Sender(News(url=url, secret=(SECRET,), **more), lambda: engine)


def test_it_is_told_once_and_signed(engine: Engine, service: Service) -> None:
    end(engine)
    end(engine, place=200)  # another process has told the same end
    told = sender(engine, service.url)
    assert told.send_due(NOW) == 1 and told.send_due(NOW + timedelta(days=1)) == 0
    ((headers, body),) = service.heard
    verify(headers, body, [SECRET], NOW.timestamp())
    said = json.loads(body)
    assert said["type"] == "transfer.ended" and said["data"] == FIELDS
    assert headers["Webhook-Id" if "Webhook-Id" in headers else "webhook-id"] == "t-1"


@pytest.mark.parametrize("status", [0, 302, 400, 404, 500, 503])
def test_what_is_not_taken_is_told_again_later(
    engine: Engine, service: Service, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.answers = [status, status]
    end(engine)
    told = sender(engine, service.url)
    assert told.send_due(NOW) == 1
    assert told.send_due(NOW + timedelta(seconds=news.FIRST_DELAY_S * 0.7)) == 0
    second = NOW + timedelta(seconds=news.FIRST_DELAY_S * 2)  # sending has taken its time, too
    assert told.send_due(second) == 1
    assert told.send_due(second + timedelta(seconds=news.FIRST_DELAY_S)) == 0, "later and later"
    assert told.send_due(second + timedelta(seconds=3 * news.FIRST_DELAY_S)) == 1
    assert len({body for _, body in service.heard}) == 1 and len(service.heard) == 3
    assert caplog.text.count("has not taken transfer t-1") == 1
    assert "takes what it is told again" in caplog.text


def test_who_wants_no_more_is_not_told_again(engine: Engine, service: Service) -> None:
    service.answers = [410]
    end(engine)
    told = sender(engine, service.url)
    assert told.send_due(NOW) == 1 and told.send_due(NOW + timedelta(days=1)) == 0


def test_it_is_given_up_at_last(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is there."""
    end(engine)
    told = sender(engine, "http://127.0.0.1:1/", give_up_after_h=1)
    now, tries = NOW, 0
    for _ in range(500):
        tries += told.send_due(now)
        now += timedelta(seconds=10)
    assert 8 <= tries <= 12
    assert caplog.text.count("nobody is told of transfer t-1 any more") == 1


def test_one_that_is_not_taken_holds_up_no_other(engine: Engine, service: Service) -> None:
    for number in range(3):
        end(engine, f"t-{number}", 100 * number + 100)
    service.answers = [500]
    told = sender(engine, service.url)
    assert told.send_due(NOW) == 3 and len(service.heard) == 3
    assert told.send_due(NOW + timedelta(minutes=1)) == 1


def test_what_waits_for_a_slow_service_is_signed_when_it_is_sent(
    engine: Engine, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(news, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    for number in range(3):
        end(engine, f"t-{number}", place=100 * (number + 1))
    told = sender(engine, service.url)
    send = told._send

    def slowly(row: dict[str, Any], now: datetime) -> tuple[bool, str]:
        clock[0] += 200.0
        return send(row, now)

    monkeypatch.setattr(told, "_send", slowly)
    assert told.send_due(NOW) == 3
    for number, (headers, body) in enumerate(service.heard):
        verify(headers, body, [SECRET], NOW.timestamp() + 200.0 * number)


def test_what_is_wrong_with_the_certificates_is_told_and_tried_again(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may vouch for the service has been taken away since the start."""
    end(engine)
    told = sender(engine, "https://127.0.0.1:1/", ca_file=tmp_path / "gone.pem")
    assert told.send_due(NOW) == 1 and told.send_due(NOW) == 0
    assert "FileNotFoundError" in caplog.text


def test_a_file_of_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "transfers.jsonl"
    lines = Lines(path)
    entry = Entry("1-7-1.jsonl", 100, "record", 1_800_000_000.5, FIELDS | {"reason": "a\nb"})
    lines.take(entry)
    lines.take(Entry("1-7-1.jsonl", 200, "leg", 1.0, {}))
    path.rename(tmp_path / "transfers.jsonl.1")
    lines.take(entry)
    (line,) = path.read_text().splitlines()
    said = json.loads(line)
    assert said["ended"] == "2027-01-15T08:00:00.500+00:00" and said["reason"] == "a\nb"
    broken = Lines(tmp_path / "no folder" / "lines")
    broken.take(entry)
    broken.take(entry)
    assert caplog.text.count("records are missing") == 1


def test_what_was_given_up_or_taken_is_told_again_by_hand(
    engine: Engine, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """One that ended before there was any [news], too, with the same fields."""
    names = ["t-given-up", "t-taken", "t-waits"]
    for place, name in enumerate(names, 1):
        end(engine, name, place * 100)
    service.answers = [500, 204, 503]
    told = sender(engine, service.url, give_up_after_h=1)
    assert told.send_due(NOW) == 3
    late = NOW + timedelta(hours=2)
    service.answers = [500, 500]
    assert told.send_due(late) == 2 and told.send_due(late) == 0
    entry = Entry("1-8-1.jsonl", 100, "record", NOW.timestamp(), FIELDS | {"id": "t-old"})
    store.keep(engine, [entry])
    waiting = {row["transfer"] for row in redelivery.undelivered(engine, 10)}
    assert waiting == {"t-given-up", "t-waits"}
    service.heard.clear()
    assert redelivery.again(engine, late) == ["t-given-up", "t-waits"]
    assert redelivery.again(engine, late, ["t-taken", "t-old", "nobody"]) == ["t-old", "t-taken"]
    assert told.send_due(late) == 4 and told.send_due(late) == 0
    said = {json.loads(body)["data"]["id"]: json.loads(body)["data"] for _, body in service.heard}
    assert said.keys() == {*names, "t-old"}
    blank = {"kind", "numbers", "call_ids", "switch", "transferor", "transferee", "target"}
    assert {k: v for k, v in said["t-old"].items() if k not in blank} == FIELDS | {"id": "t-old"}
    assert not redelivery.undelivered(engine, 10)
