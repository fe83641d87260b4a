"""Log lines: one entry a line, whatever a caller puts into it."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from datetime import datetime

import pytest

from fsctl import log


@pytest.fixture
def logger():
    loggers = (logging.getLogger("fsctl"), logging.getLogger())
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    yield logging.getLogger("fsctl.test")
    for each, state in zip(loggers, before, strict=True):
        each.handlers[:], each.level, each.propagate = state


def test_control_characters_are_escaped(logger, capsys):
    log.set_up("info", "text")
    logger.info("called by %s", "Eve\r\n2026-01-01 INFO forged\x1b[31m")
    (line,) = capsys.readouterr().err.splitlines()
    assert r"Eve\r\n2026-01-01 INFO forged\x1b[31m" in line


def test_an_error_and_a_record_wait_for_no_other_lines(logger, monkeypatch):
    put: list[bool] = []
    log.set_up("info", "text")
    sink = logging.getLogger("fsctl").handlers[0]._sink
    monkeypatch.setattr(sink, "put", lambda line, *, at_once=False: put.append(at_once))
    logger.warning("may wait a moment")
    logger.error("may be the last words")
    logger.info("a record", extra=log.with_fields({"record": 1}))
    assert put == [False, True, True]


def test_a_traceback_stays_with_its_entry(logger, capsys):
    log.set_up("info", "text")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger.exception("failed")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith("failed") and rest and all(line.startswith("    ") for line in rest)


def test_json(logger, capsys):
    log.set_up("info", "json")
    logger.warning("a %s", "b\nc")
    entry = json.loads(capsys.readouterr().err)
    assert (entry["level"], entry["message"]) == ("warning", "a b\nc")


def test_the_level_holds(logger, capsys):
    log.set_up("warning", "text")
    logger.info("not shown")
    assert capsys.readouterr().err == ""


def test_one_of_several_processes_is_named(logger, capsys):
    log.set_up("info", "text", "worker 2")
    logger.info("here")
    log.set_up("info", "json", "worker 2")
    logger.info("here")
    text, line = capsys.readouterr().err.splitlines()
    assert " INFO [worker 2] fsctl.test: here" in text
    assert json.loads(line)["process"] == "worker 2"


def test_the_time_of_every_line_has_its_zone(logger, capsys):
    for form in ("text", "json"):
        log.set_up("info", form)
        logger.info("here")
    text, line = capsys.readouterr().err.splitlines()
    for told in (text.partition(" INFO")[0], json.loads(line)["time"]):
        assert datetime.fromisoformat(told).utcoffset() is not None


def test_json_has_fields_of_what_a_line_speaks_of_and_a_time_with_its_zone(logger, capsys):
    class Party:
        def __init__(self, number):
            self.log_fields = {"calls": [{"number": number}]}

    log.set_up("info", "json", "worker 1")
    session = log.Field("session", "s-1")
    logger.info("%s: %s and %s", session, Party("1000"), Party("1001"))
    fields = {"record": {"code": 486}}
    logger.info("%s", '{"code": 486}', extra=log.with_fields(fields, "transfer failed"))
    log.say("listening on 127.0.0.1:8084")
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["session"] == "s-1" and first["process"] == "worker 1"
    assert first["calls"] == [{"number": "1000"}, {"number": "1001"}]
    assert (second["message"], second["record"]) == ("transfer failed", {"code": 486})
    assert third["message"] == "listening on 127.0.0.1:8084"
    for entry in (first, second, third):
        assert datetime.fromisoformat(entry["time"]).utcoffset() is not None


def test_a_json_line_is_one_line_for_every_reader(logger, capsysbinary):
    log.set_up("info", "json")
    logger.info("a\x85b\u2028c\x9bd\x7f\u202e\u2067\udc80 %s", "x" * 100_000)
    (line,) = capsysbinary.readouterr().err.decode().splitlines()
    assert json.loads(line)["message"].startswith("a\x85b\u2028c\x9bd\x7f")
    assert len(line) < 10_000 and not re.search("[\x7f-\x9f\u2028\u202e\u2067]", line)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_strangers_cause_has_one_line_and_then_a_count(logger, capsys, monkeypatch, form):
    monkeypatch.setattr(log, "SELDOM_S", 0.3)  # longer than 50 entries take
    log.set_up("info", form)
    for number in range(50):
        logger.warning("[%d] silent", number, extra=log.seldom("silent links"))
    said = []
    while len(said) < 2:
        said += capsys.readouterr().err.splitlines()
        time.sleep(0.001)
    logger.warning("[%d] silent", 50, extra=log.seldom("silent links"))
    logger.warning("[%d] loud", 1, extra=log.seldom("loud links"))
    logging.getLogger("fsctl").handlers[0].tell_counts()
    said += capsys.readouterr().err.splitlines()
    assert len(said) == 4 and "[0] silent" in said[0] and "[1] loud" in said[2]
    assert "silent links: 49 more, the last: [49] silent" in said[1]
    assert "silent links: 1 more, the last: [50] silent" in said[3]
    if form == "json":
        assert [json.loads(line).get("count") for line in said] == [None, 49, None, 1]


def test_a_stream_that_its_owner_has_closed_disturbs_nobody(logger, monkeypatch):
    """Counts that are told later, or when another log is set up, find it so."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.set_up("info", "text")
    stream.close()
    logger.warning("a line")
    log.set_up("info", "text")
