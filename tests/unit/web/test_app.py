"""What is asked by HTTP, who may ask, and what it promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from sqlalchemy.exc import OperationalError

from fsctl.desk.figures import Figures
from fsctl.desk.live import Live
from fsctl.hep.message import Message
from fsctl.journal import Entry
from fsctl.policy.judge import refusing
from fsctl.records import store
from fsctl.setting_policy import Policy, Rule
from fsctl.settings import Http
from fsctl.web import guard
from fsctl.web.app import make
from fsctl.web.openapi import DESCRIPTION
from fsctl.web.streams import Streams
from tests.unit.web.desk import AT, MESSAGE, PID, A, B, ToldDesk

TOKEN = "0123456789abcdef"
SAYS_IT = {"Authorization": f"Bearer {TOKEN}"}
JSON = "application/json"
RULE = Rule(name="mine", to=("number:1",))
NESTED = b"[" * 30_000 + b"]" * 30_000


@pytest.fixture
def desk(tmp_path: Path) -> ToldDesk:
    return ToldDesk(tmp_path)


def application(desk: ToldDesk, **http: object) -> Flask:
    return make(desk, Http(**{"token": TOKEN, **http}))[0]  # type: ignore[arg-type]


@pytest.fixture
def client(desk: ToldDesk) -> FlaskClient:
    return application(desk).test_client()


def test_calls_that_go_on(desk: ToldDesk, client: FlaskClient) -> None:
    desk.call("s-1")
    desk.call("s-2", number="1999")
    desk.note("session", session="s-1", over=True)
    found = client.get("/api/v1/calls").json
    assert [call["id"] for call in found["calls"]] == ["s-2"] and found["total"] == 1
    assert {leg["number"] for leg in found["calls"][0]["legs"].values()} == {"1999", "1001"}
    assert client.get("/api/v1/calls?number=999").json["total"] == 1
    assert client.get("/api/v1/calls?number=5").json["total"] == 0
    assert client.get("/api/v1/calls/s-2").json["switch"] == "pbx"
    assert client.get("/api/v1/calls/s-1").status_code == 404


def test_transfers_that_go_on_and_those_that_were_kept(desk: ToldDesk, client: FlaskClient) -> None:
    desk.call()
    desk.transfer("t-1", outcome="failed", code=486, reason="Gone fishing", rule="inside")
    desk.transfer("t-2")
    live = client.get("/api/v1/transfers?live=1").json["transfers"]
    assert [(each["id"], each["outcome"], each["state"]) for each in live] == [
        ("t-2", None, "calling target"),
        ("t-1", "failed", "calling target"),
    ]
    (kept,) = client.get("/api/v1/transfers?outcome=failed&number=1001").json["transfers"]
    assert (kept["id"], kept["code"], kept["transferee_number"]) == ("t-1", 486, "2000")
    (one,) = client.get("/api/v1/transfers/t-1").json["transfers"]
    assert [step["state"] for step in one["steps"]] == ["calling target"]
    assert one["ended"].startswith("2027-01-15T08:00:05")
    assert {leg["number"] for leg in one["legs"]} == {"2000", "1001"}


@pytest.mark.parametrize("number", ["%00", "%", "_", "%27", "%5C", "%EF%BF%BD"])
def test_what_a_database_takes_for_a_pattern_finds_nothing(
    desk: ToldDesk, client: FlaskClient, number: str
) -> None:
    desk.call()
    desk.transfer("t-1", outcome="failed", code=486)
    assert client.get(f"/api/v1/transfers?number={number}").json["transfers"] == []
    assert client.get(f"/api/v1/transfers/{number}").status_code == 404


@pytest.mark.parametrize(
    "call_id",
    [
        "a/b@h",
        "a//b",
        "/a",
        "a/",
        'a%2Fb?c#d"<e>\\[f]{g}@h',
        "..",
        "Ünï\u202e",
        "%00",
        "+ ",
    ],
)
def test_a_call_id_is_found_whatever_is_in_it(
    desk: ToldDesk, client: FlaskClient, call_id: str
) -> None:
    desk.call()
    desk.transfer("t-1", outcome="failed", code=486, call_ids={"transferor": call_id})
    name = quote(call_id, safe="")
    (found,) = client.get(f"/api/v1/transfers/{name}").json["transfers"]
    assert found["transferor_call_id"] == call_id
    assert "t-1" in client.get(f"/api/v1/transfers/{name}/ladder.txt").text


@pytest.mark.parametrize("zone", ["Z", "+00:00", "%2B00:00", "-01:00"])
def test_a_zone_may_be_said_as_it_stands(desk: ToldDesk, client: FlaskClient, zone: str) -> None:
    """A plus in a query is a space, and hardly anybody writes it otherwise."""
    desk.call()
    desk.transfer("t-1", outcome="failed", code=486)
    found = client.get(f"/api/v1/transfers?since=2027-01-15T00:00:00{zone}")
    assert [each["id"] for each in found.json["transfers"]] == ["t-1"]


def test_one_that_was_not_kept_yet_is_shown_as_it_goes_on(
    desk: ToldDesk, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str) -> None:
        raise OperationalError("SELECT", {}, Exception("locked"))

    monkeypatch.setattr(store, "keep", lambda engine, entries: None)
    desk.transfer("t-1")
    for _ in range(2):  # as the database is down, too
        (one,) = client.get("/api/v1/transfers/t-1").json["transfers"]
        assert (one["state"], one["outcome"]) == ("calling target", None)
        monkeypatch.setattr(desk, "one_transfer", fails)
    assert client.get("/api/v1/transfers/t-2").status_code == 503


def test_the_latest_that_have_ended_are_shown_and_no_more(
    desk: ToldDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsctl.desk.live.RECENT", 3)
    for number in range(9):
        desk.transfer(f"t-{number}", outcome="succeeded", code=200, reason="OK")
    desk.transfer("t-open")
    assert list(desk.live.transfers) == ["t-6", "t-7", "t-8", "t-open"]
    desk.clock += 3600
    desk.live.forget_silent(AT + 3600)
    assert len(desk.live.running()) == 1
    desk.clock += 24 * 3600  # nobody has seen its end
    desk.live.forget_silent(AT + 24 * 3600)
    assert list(desk.live.transfers) == ["t-6", "t-7", "t-8"]


def test_a_worker_that_has_gone_takes_its_calls_along(desk: ToldDesk) -> None:
    """But not those that another one has taken over since."""
    for pid in (1, 2):
        desk.note("worker", pid=pid, number=pid)
    desk.call("s-1", pid=1)
    desk.call("s-2", pid=1)
    desk.note("session", process=2, session="s-2", switch="pbx")
    desk.note("process", pid=1, status=-9)
    assert list(desk.live.calls) == ["s-2"] and list(desk.live.workers) == [2]
    desk.live.forget_silent(AT + 3600)
    assert desk.live.calls and desk.live.workers, "the host's time was corrected, that is all"
    desk.clock += 60
    desk.live.excuse_silence()  # nobody can say anything on a disk that is full
    desk.live.forget_silent(AT + 3600)
    assert desk.live.calls and desk.live.workers
    desk.note("worker", pid=3, number=3, clock=desk.clock - 60)
    desk.clock += 60
    desk.note("worker", pid=4, number=4, clock=desk.clock)
    desk.live.forget_silent(AT + 3600)
    assert not desk.live.calls and list(desk.live.workers) == [4]


def test_health(desk: ToldDesk, client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    desk.wrong.append("the database cannot be used: records wait")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["problems"]) == (200, desk.wrong), "calls are served"
    desk.wrong.append("no worker is connected to pbx")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["problems"]) == (503, desk.wrong)
    assert client.get("/api/v1/status").json["problems"] == desk.wrong


def test_what_can_be_done(desk: ToldDesk) -> None:
    desk.call()
    client = application(desk).test_client()
    asked = [
        client.post(f"/api/v1/legs/{A}/hangup", headers=SAYS_IT),
        client.put("/api/v1/log-level", headers=SAYS_IT, json={"level": "debug"}),
        client.post("/api/v1/drain", headers=SAYS_IT),
    ]
    assert [answer.status_code for answer in asked] == [202, 200, 202]
    assert desk.done == [("hang up", "pbx", A), ("log level", "debug"), ("drain",)]
    refused = [
        client.post(f"/api/v1/legs/{B}/hangup", headers=SAYS_IT),
        client.post("/api/v1/legs/x;uuid_kill/hangup", headers=SAYS_IT),
        client.post(f"/api/v1/legs/{A.replace('a', 'd')}/hangup", headers=SAYS_IT),
        client.put("/api/v1/log-level", headers=SAYS_IT, json={"level": "loud"}),
        client.put("/api/v1/log-level", headers=SAYS_IT, data="debug"),
        client.put("/api/v1/log-level", headers=SAYS_IT, data="x" * 100_000),
        client.put("/api/v1/log-level", headers=SAYS_IT, data=NESTED, content_type=JSON),
        client.post("/api/v1/transfers", headers=SAYS_IT, data=NESTED, content_type=JSON),
    ]
    assert [answer.status_code for answer in refused] == [409, 400, 404, *[400] * 5]
    assert all(answer.json["error"]["message"] for answer in refused)
    assert len(desk.done) == 3


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 401),
        ({"Authorization": "Bearer 0123456789abcdeg"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer é"}, 401),
        ({**SAYS_IT, "Origin": "https://evil.example"}, 403),
        ({**SAYS_IT, "Origin": "null"}, 403),
        ({**SAYS_IT, "Host": "evil.example"}, 403),
        ({**SAYS_IT, "Origin": "http://localhost"}, 202),
        ({**SAYS_IT, "Host": "127.0.0.1:8090"}, 202),
        ({**SAYS_IT, "Host": "[::1]:8090"}, 202),
        ({**SAYS_IT, "Host": "pbx.example"}, 202),
    ],
    ids=str,
)
def test_who_may_have_something_done(desk: ToldDesk, headers: dict[str, str], code: int) -> None:
    client = application(desk, hosts=("pbx.example",)).test_client()
    assert client.post("/api/v1/drain", headers=headers).status_code == code
    assert desk.done == ([("drain",)] if code == 202 else [])


def test_without_a_token_nothing_can_be_done(desk: ToldDesk) -> None:
    client = application(desk, token="").test_client()
    assert client.post("/api/v1/drain", headers=SAYS_IT).status_code == 403
    assert client.post("/api/v1/drain", headers={"Authorization": "Bearer "}).status_code == 403
    assert client.get("/api/v1/status").status_code == 200 and not desk.done


def test_who_reads_from_another_host_says_the_token(desk: ToldDesk) -> None:
    client = application(desk, listen="0.0.0.0:8090").test_client()
    paths = ("/api/v1/calls", "/api/v1/events", "/metrics", "/api/v1/transfers/x")
    assert {client.get(path).status_code for path in paths} == {401}
    assert client.get("/api/v1/calls", headers=SAYS_IT).status_code == 200
    # There is nothing of anybody in these.
    assert {client.get(path).status_code for path in ("/", "/healthz", "/readyz")} == {200}


def test_nobody_reads_by_a_name_that_leads_here(desk: ToldDesk, client: FlaskClient) -> None:
    assert client.get("/api/v1/calls", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/api/v1/calls", headers={"Origin": "http://["}).status_code == 403


@pytest.mark.parametrize("limit", ["0", "1001", "0005009999999999999999999", "x", ""])
def test_no_more_rows_than_are_allowed(client: FlaskClient, limit: str) -> None:
    for path in ("calls", "transfers"):
        assert client.get(f"/api/v1/{path}?limit={limit}").status_code == 400


def test_too_many_requests(desk: ToldDesk) -> None:
    client = application(desk).test_client()
    codes = [client.post("/api/v1/drain").status_code for _ in range(60)]
    assert codes[0] == 401 and codes[-1] == 429
    assert client.get("/healthz").status_code == 200
    # Who guesses is in nobody's way who knows it.
    assert client.post("/api/v1/drain", headers=SAYS_IT).status_code == 202


def test_a_probe_is_answered_whatever_others_ask(
    desk: ToldDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.Bucket, "take", lambda self: False)
    client = application(desk).test_client()
    paths = ("/healthz", "/readyz", "/api/v1/status", "/")
    assert [client.get(path).status_code for path in paths] == [200, 200, 429, 429]


def test_a_bucket_fills_again() -> None:
    now = 0.0
    bucket = guard.Bucket(2.0, 3.0, lambda: now)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 1000.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_every_answer_tells_browsers_to_be_careful(client: FlaskClient) -> None:
    for path in ("/", "/api/v1/calls", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_what_prometheus_scrapes(desk: ToldDesk, client: FlaskClient) -> None:
    desk.call()
    desk.note("worker", pid=PID, number=1, late_ms=12.5, links=3, switches={"pbx": True})
    desk.transfer("t-1", outcome="failed", code=403, reason="No", rule="premium", allowed=False)
    desk.transfer("t-2")
    # What was only observed was not refused.
    seen = {"rule": "abroad", "allowed": False, "code": 200, "reason": "OK"}
    desk.transfer("t-3", outcome="succeeded", **seen)
    answered = {"transfer": "t-2", "step": "the target answers", "state": "joining"}
    desk.note("step", AT + 4.25, **answered)
    desk.note("step", AT + 4.5, **(answered | {"step": "transferee and target are bridged"}))
    desk.note("happened", event="recall")
    desk.note("lost", lines=7)
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    lines = set(answer.text.splitlines())
    assert {
        'fsctl_calls_total{switch="pbx"} 1.0',
        'fsctl_transfers_total{code="4xx",kind="blind",outcome="failed",switch="pbx"} 1.0',
        'fsctl_policy_refusals_total{rule="premium"} 1.0',
        'fsctl_events_total{what="recall"} 1.0',
        "fsctl_calls_now 1.0",
        "fsctl_legs_now 2.0",
        "fsctl_transfers_now 1.0",
        "fsctl_journal_waiting_bytes 17.0",
        "fsctl_journal_lines_lost_total 7.0",
        "fsctl_sip_messages_heard_total 3.0",
        "fsctl_sip_messages_bytes 0.0",
        'fsctl_worker_loop_late_seconds{pid="4711",worker="1"} 0.0125',
        'fsctl_switch_connected{pid="4711",switch="pbx",worker="1"} 1.0',
        'fsctl_events_total{what="rescue"} 0.0',
        'fsctl_process_ends_total{expected="no"} 0.0',
        "fsctl_transfer_request_to_call_seconds_sum 0.75",
        "fsctl_transfer_ring_seconds_sum 2.0",
        "fsctl_transfer_answer_to_join_seconds_sum 0.25",
    } <= lines, answer.text
    assert "2000" not in answer.text and "1001" not in answer.text


def test_the_first_of_a_kind_is_an_increase() -> None:
    """Prometheus sees none where a counter appears with its first event."""
    figures = Figures(Live(), lambda: 0, lambda: True, rules=refusing(Policy(), (RULE,)))
    figures.take(Entry("1-7-1", 1, "worker", 0.0, {"pid": 7, "switches": {"pbx": True}}))
    before = figures.text().decode().splitlines()
    told = {"switch": "pbx", "kind": "blind", "outcome": "failed", "code": 603}
    for number, rule in enumerate(("abroad", "mine", "max-per-minute")):
        refused = {"id": f"t-{number}", "rule": rule, "allowed": False}
        figures.take(Entry("1-7-1", 2, "record", 0.0, told | refused))
    after = set(figures.text().decode().splitlines()) - set(before)
    changed = [line.rpartition(" ")[0] for line in after if line.startswith("fsctl_")]
    assert len(changed) == 4 and all(f"{name} 0.0" in before for name in changed)


# -- the stream of changes ------------------------------------------------------------------------


def told(stream: Iterator[bytes], count: int) -> list[tuple[str, dict[str, object]]]:
    found = []
    for _ in range(count):
        lines = next(stream).decode().splitlines()
        fields = dict(line.split(": ", 1) for line in lines if line)
        found.append((fields.get("event", ""), json.loads(fields.get("data", "{}"))))
    return found


def test_who_listens_hears_each_change(desk: ToldDesk) -> None:
    streams = Streams(desk.live)
    stream = streams.listen(None)
    assert next(stream).startswith(b"retry:"), "at once"
    desk.call()
    desk.note("session", session="s-1", over=True)
    assert [kind for kind, _ in told(stream, 4)] == ["call", "call", "call", "call-over"]


def test_who_comes_back_hears_what_it_has_missed(desk: ToldDesk) -> None:
    streams = Streams(desk.live)
    desk.call()
    assert streams.number == 3
    stream = streams.listen(1)
    assert [kind for kind, _ in told(stream, 3)] == ["", "call", "call"]
    assert told(streams.listen(3), 1) == [("", {})]


@pytest.mark.parametrize("heard", [0, 99])
def test_who_has_missed_too_much_is_told_so(desk: ToldDesk, heard: int) -> None:
    """0: of what is not remembered any more; 99: of a desk that has ended since."""
    streams = Streams(desk.live)
    streams._latest = type(streams._latest)(maxlen=1)
    desk.call()
    assert told(streams.listen(heard), 1) == [("reset", {})]


def test_changes_of_a_new_desk_are_none_of_the_one_before(desk: ToldDesk) -> None:
    first = make(desk, Http())[1]
    desk.call()
    second = make(desk, Http())[1]
    desk.call("s-2")
    assert told(second.listen(first.number - 3), 1) == [("reset", {})]


def test_who_does_not_read_is_not_waited_for(
    desk: ToldDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsctl.web.streams.WAITING", 2)
    streams = Streams(desk.live)
    stream = streams.listen(None)
    next(stream)
    desk.call()
    assert len(told(stream, 2)) == 2
    with pytest.raises(StopIteration):
        next(stream)


def test_no_more_than_so_many_listen(desk: ToldDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsctl.web.streams.MOST_STREAMS", 1)
    client = application(desk).test_client()
    first = client.get("/api/v1/events")
    assert next(first.iter_encoded()).startswith(b"retry")
    assert client.get("/api/v1/events").status_code == 503
    first.close()
    assert client.get("/api/v1/events").status_code == 200


def test_what_goes_on_is_bounded(monkeypatch: pytest.MonkeyPatch, desk: ToldDesk) -> None:
    monkeypatch.setattr("fsctl.desk.live.MOST_CALLS", 2)
    for number in range(5):
        desk.note("session", session=f"s-{number}", switch="pbx")
    assert list(desk.live.calls) == ["s-3", "s-4"]
    assert isinstance(desk.live, Live)


# -- what the description promises ----------------------------------------------------------------


def test_the_api_keeps_what_its_description_promises(
    desk: ToldDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked: no error of ours, no answer that is not described."""
    import schemathesis  # takes a second, and no other test wants it

    monkeypatch.setattr(guard.Bucket, "take", lambda self: True)
    desk.call()
    desk.transfer("t-1", outcome="failed", code=486, reason="Busy")
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application(desk))
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:

        @given(operation.as_strategy())
        @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
        def holds(case: Any) -> None:
            case.call_and_validate(
                headers=SAYS_IT, excluded_checks=[schemathesis.checks.ignored_auth]
            )

        holds()
    assert {each.path for each in operations} | {"/api/v1/openapi.json"} == {*DESCRIPTION["paths"]}


def test_a_ladder(desk: ToldDesk, client: FlaskClient) -> None:
    desk.call()
    desk.transfer("t-1", outcome="failed", code=486, reason="<script>")
    drawn = client.get("/api/v1/transfers/t-1/ladder.svg")
    assert drawn.mimetype == "image/svg+xml" and "<svg" in drawn.text
    assert "<script" not in drawn.text
    assert "the application calls the target" in client.get("/api/v1/transfers/t-1/ladder.txt").text
    empty = client.get("/api/v1/transfers/t-1/ladder.pcap").data
    desk.tells_messages = True
    assert "REFER" in client.get("/api/v1/transfers/t-1/ladder.txt").text
    assert len(client.get("/api/v1/transfers/t-1/ladder.pcap").data) > len(empty)
    for path in ("none/ladder.svg", "t-1/ladder.exe"):
        assert client.get(f"/api/v1/transfers/{path}").status_code == 404


def test_messages(desk: ToldDesk, client: FlaskClient) -> None:
    desk.tells_messages = True
    (told,) = client.get("/api/v1/messages?call_id=one&call_id=two").json["messages"]
    assert Message.of_fields(told) == MESSAGE and desk.done == [("asked", "one", "two")]


def test_a_party_is_transferred(desk: ToldDesk, client: FlaskClient) -> None:
    asked = {"call": A, "target": "1002", "ring_timeout_s": 20}
    answer = client.post("/api/v1/transfers", headers=SAYS_IT, json=asked)
    assert (answer.status_code, answer.json["code"]) == (200, 486)
    assert desk.done == [("transfer", A, "1002", "20")]
    assert client.post("/api/v1/transfers", json=asked).status_code == 401
    for wrong, code in (
        ({"call": "x"}, 400),
        ({"call": B}, 409),
        ({"target": "1002 1003"}, 400),
        ({"target": 5}, 400),
        ({"ring_timeout_s": 0}, 400),
        ({"ring_timeout_s": True}, 400),
    ):
        refused = client.post("/api/v1/transfers", headers=SAYS_IT, json=asked | wrong)
        assert refused.status_code == code, wrong
    assert len(desk.done) == 1


def test_who_asks_too_often_can_be_counted_anew(desk: ToldDesk, client: FlaskClient) -> None:
    for party, times in (("1001@pbx", 3), ("carrier", 1)):
        for _ in range(times):
            desk.counts.add(party)
    listed = client.get("/api/v1/policy/counts").json["counts"]
    assert listed == [{"party": "1001@pbx", "count": 3}, {"party": "carrier", "count": 1}]
    path = "/api/v1/policy/counts?party=1001@pbx"
    assert client.delete(path).status_code == 401
    assert client.delete(path, headers=SAYS_IT).status_code == 200
    assert client.delete(path, headers=SAYS_IT).status_code == 404
    assert desk.counts.listed() == {"carrier": 1} and desk.counts.add("1001@pbx") == 1
