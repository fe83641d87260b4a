"""Log lines: one entry a line, whatever a caller puts into it."""

from __future__ import annotations

import json
import logging

import pytest

from fsctl import log


@pytest.fixture
def logger():
    root = logging.getLogger("fsctl")
    before = (root.handlers[:], root.level, root.propagate)
    yield logging.getLogger("fsctl.test")
    root.handlers[:], root.level, root.propagate = before


def test_control_characters_are_escaped(logger, capsys):
    log.set_up("info", "text")
    logger.info("called by %s", "Eve\r\n2026-01-01 INFO forged\x1b[31m")
    (line,) = capsys.readouterr().err.splitlines()
    assert r"Eve\r\n2026-01-01 INFO forged\x1b[31m" in line


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
