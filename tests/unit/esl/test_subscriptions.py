"""fsctl.esl.subscriptions: what must be asked for before a background job's result arrives."""

from __future__ import annotations

import pytest

from fsctl.esl.commands import Command, Events, Filter, FilterDelete, NoEvents, Status
from fsctl.esl.subscriptions import Subscriptions

JOBS = Events(("BACKGROUND_JOB",))
OURS = Filter("Unique-ID", "u1")
THEIRS = Filter("Unique-ID", "u2")
JOB_FILTER = Filter("Job-UUID", "j")


@pytest.mark.parametrize(
    ("noted", "wanted"),
    [
        ((), [JOBS]),
        ((Status(), Events(("DTMF",))), [JOBS]),
        ((JOBS,), []),
        ((Events(("ALL",)),), []),
        ((JOBS, NoEvents()), [JOBS]),
        ((Events(("DTMF",), format="json"),), [Events(("BACKGROUND_JOB",), format="json")]),
        ((JOBS, OURS), [JOB_FILTER]),
        ((JOBS, OURS, FilterDelete("Unique-ID", "u1")), []),
        ((JOBS, OURS, THEIRS, FilterDelete("Unique-ID", "u1")), [JOB_FILTER]),
        ((JOBS, OURS, THEIRS, FilterDelete("Unique-ID")), []),
        ((JOBS, OURS, FilterDelete("Other")), [JOB_FILTER]),
    ],
)
def test_for_job(noted: tuple[Command, ...], wanted: list[Command]) -> None:
    subscriptions = Subscriptions()
    for command in noted:
        subscriptions.note(command)
    assert subscriptions.for_job("j") == wanted


def test_after_job_takes_back_only_its_own_filter() -> None:
    subscriptions = Subscriptions()
    assert subscriptions.after_job("j") == []
    subscriptions.note(OURS)
    assert subscriptions.after_job("j") == []
    subscriptions.note(JOB_FILTER)
    assert subscriptions.after_job("j") == [FilterDelete("Job-UUID", "j")]
