"""``originate`` with an application: legs that a controller calls by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Lab = Any  # the classes are in conftest.py, which tests cannot import
Link = Any

EVENTS = (
    "CHANNEL_CREATE CHANNEL_ORIGINATE CHANNEL_OUTGOING CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA "
    "CHANNEL_ANSWER CHANNEL_PARK CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP "
    "CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY BACKGROUND_JOB"
)


@pytest.fixture
def link(inbound: Callable[[], Link]) -> Link:
    """An inbound link that hears of leg ``b`` and job ``j``, and of nothing else."""
    made = inbound()
    made.ask("auth ClueCon")
    made.ask("filter Unique-ID b")
    made.ask("filter Job-UUID j")
    made.ask(f"event plain {EVENTS}")
    return made


def originate(link: Link, variables: str = "", destination: str = "&park()") -> str:
    text = f"{{origination_uuid=b{variables}}}user/1001@localhost"
    return str(link.ask(f"bgapi originate {text} {destination}\nJob-UUID: j"))


def names(link: Link) -> list[str]:
    return [event["Event-Name"] for event in link.events]


def job(link: Link) -> str | None:
    """The result of the job, once it has one."""
    for headers, body in link.frames:
        if headers["Content-Type"] == "text/event-plain" and b"BACKGROUND_JOB" in body:
            return str(body.decode().rpartition("\n\n")[2])
    return None


def test_a_leg_that_answers_parks(lab: Lab, link: Link) -> None:
    assert originate(link, ",ignore_early_media=true") == "+OK Job-UUID: j"
    lab.switch.run_until(lambda: job(link) and "CHANNEL_PARK" in names(link))
    assert job(link) == "+OK b\n"
    assert names(link)[:5] == [
        "CHANNEL_OUTGOING",
        "CHANNEL_CREATE",
        "CHANNEL_ORIGINATE",
        "CHANNEL_PROGRESS",
        "CHANNEL_ANSWER",
    ]
    told = [event for event in link.events if event["Event-Name"] == "BACKGROUND_JOB"]
    assert told[0]["Job-Command"] == "originate"
    assert "Job-Owner-UUID" not in told[0]


def test_the_job_of_an_outbound_link_has_an_owner(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    caller = link.frames[0][0]["Unique-ID"]
    link.ask(f"filter Job-Owner-UUID {caller}")
    link.ask("event plain BACKGROUND_JOB")
    link.ask("bgapi originate error/USER_BUSY &park()\nJob-UUID: x")
    lab.switch.run_until(lambda: link.events)
    assert (link.events[0]["Job-UUID"], link.events[0]["Job-Owner-UUID"]) == ("x", caller)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (lambda p: p.busy(), "USER_BUSY"),
        (lambda p: p.declines(), "CALL_REJECTED"),
        (lambda p: p.refuses(404), "UNALLOCATED_NUMBER"),
        (lambda p: p.rings(), "NO_ANSWER"),
        (lambda p: p.unreachable(), "NORMAL_TEMPORARY_FAILURE"),
    ],
)
def test_a_leg_that_fails(lab: Lab, link: Link, script: Callable[[Any], None], cause: str) -> None:
    script(lab.bob)
    originate(link, ",originate_timeout=3")
    lab.switch.run_until(lambda: job(link) and "CHANNEL_DESTROY" in names(link))
    assert job(link) == f"-ERR {cause}\n"
    hangup = next(event for event in link.events if event["Event-Name"] == "CHANNEL_HANGUP")
    assert hangup["Hangup-Cause"] == cause
    assert names(link).index("CHANNEL_HANGUP") < names(link).index("BACKGROUND_JOB")


@pytest.mark.parametrize(
    ("dial_string", "cause"),
    [
        ("user/9999@localhost", "SUBSCRIBER_ABSENT"),
        ("user/1002@localhost", "USER_NOT_REGISTERED"),
        ("sofia/gateway/none/1", "INVALID_GATEWAY"),
        ("sofia/none/1@h", "INVALID_PROFILE"),
        ("none/1", "CHAN_NOT_IMPLEMENTED"),
    ],
)
def test_a_leg_that_never_is(lab: Lab, link: Link, dial_string: str, cause: str) -> None:
    lab.carol.unregistered()
    link.ask(f"bgapi originate {{origination_uuid=b}}{dial_string} &park()\nJob-UUID: j")
    lab.switch.run_until(lambda: job(link))
    assert job(link) == f"-ERR {cause}\n"
    assert names(link) == ["BACKGROUND_JOB"]


def test_early_media_ends_the_originate(lab: Lab, link: Link) -> None:
    lab.bob.early_media_then_answers(after_s=5)
    originate(link)
    lab.switch.run_until(lambda: job(link) and "CHANNEL_PARK" in names(link))
    assert job(link) == "+OK b\n"
    assert "CHANNEL_ANSWER" not in names(link)
    lab.switch.run_until(lambda: "CHANNEL_ANSWER" in names(link))
    assert lab.bob.in_call


def test_early_media_may_end_in_a_refusal(lab: Lab, link: Link) -> None:
    lab.bob.early_media_then_busy(after_s=5)
    originate(link)
    lab.switch.run_until(lambda: "CHANNEL_DESTROY" in names(link))
    assert job(link) == "+OK b\n"
    hangup = next(event for event in link.events if event["Event-Name"] == "CHANNEL_HANGUP")
    assert hangup["variable_sip_invite_failure_status"] == "486"


@pytest.mark.parametrize("value", ["true", "yes", "consume", "ring_ready"])
def test_ignored_early_media(lab: Lab, link: Link, value: str) -> None:
    lab.bob.early_media_then_busy(after_s=5)
    originate(link, f",ignore_early_media={value}")
    lab.switch.run_until(lambda: job(link))
    assert job(link) == "-ERR USER_BUSY\n"


def test_return_ring_ready(lab: Lab, link: Link) -> None:
    lab.bob.rings()
    originate(link, ",return_ring_ready=true")
    lab.switch.run_until(lambda: job(link))
    assert (job(link), lab.bob.in_call) == ("+OK b\n", False)


def test_park_timeout(lab: Lab, link: Link) -> None:
    originate(link, ",park_timeout=10:NO_ANSWER")
    lab.switch.run_until(lambda: "CHANNEL_PARK" in names(link))
    lab.switch.advance(9)
    assert lab.bob.in_call
    lab.switch.advance(0.9)  # it counts whole seconds
    assert "NO_ANSWER" in lab.bob.received("BYE")[0].header("Reason")


def test_a_ringing_leg_is_cancelled(lab: Lab, link: Link) -> None:
    lab.bob.rings()
    originate(link)
    lab.switch.run_until(lambda: lab.bob.sent("INVITE", 180))
    link.ask("api uuid_kill b ORIGINATOR_CANCEL")
    lab.switch.run_until(lambda: job(link))
    assert job(link) == "-ERR ORIGINATOR_CANCEL\n"
    assert lab.bob.received("CANCEL")


def test_any_application(lab: Lab, link: Link) -> None:
    originate(link, destination="&playback(welcome.wav)")
    lab.switch.run_until(lambda: lab.bob.hears == "playback welcome.wav")
    lab.switch.run_until(lambda: lab.bob.received("BYE"))
    (ran,) = [event for event in link.events if event["Event-Name"] == "CHANNEL_EXECUTE"]
    assert (ran["Application"], ran["Application-Data"]) == ("playback", "welcome.wav")


def test_an_extension(lab: Lab, link: Link) -> None:
    originate(link, f",{lab.leg}", "5 XML fsctl_refer Boss 4711")
    lab.switch.run_until(lambda: lab.controller.links[1:])
    assert lab.controller.next_link(2).frames[0][0]["Caller-Context"] == "fsctl_refer"
    assert lab.bob.received("INVITE")[0].header("From") == '"Boss" <sip:4711@127.0.0.1>'


def test_wrong_arguments(lab: Lab) -> None:
    assert lab.switch.run_api("originate", "user/1001@x").startswith("-USAGE")
    assert lab.switch.run_api("originate", "undef &park()").startswith("-USAGE")


def test_its_numbers_are_turned_round(lab: Lab, link: Link) -> None:
    """What the real switch showed: once the leg executes something, the callee is its caller."""
    originate(link, ",origination_caller_id_number=4711,origination_caller_id_name=Boss")
    lab.switch.run_until(lambda: "CHANNEL_PARK" in names(link))
    answer, park = (
        next(event for event in link.events if event["Event-Name"] == name)
        for name in ("CHANNEL_ANSWER", "CHANNEL_PARK")
    )
    assert (answer["Caller-Caller-ID-Number"], answer["Caller-Callee-ID-Number"]) == (
        "4711",
        "1001",
    )
    assert (park["Caller-Caller-ID-Number"], park["Caller-Callee-ID-Number"]) == ("1001", "4711")
    assert park["Caller-Caller-ID-Name"] == "Outbound Call"
    assert park["Caller-Orig-Caller-ID-Number"] == "4711"
    assert park["variable_pre_transfer_caller_id_number"] == "4711"
    assert park["variable_dialed_user"] == "1001"
    assert (answer["Channel-HIT-Dialplan"], park["Channel-HIT-Dialplan"]) == ("false", "true")
    assert "Caller-Dialplan" not in park


def test_show_channels_as_json(lab: Lab, link: Link) -> None:
    originate(link)
    lab.switch.run_until(lambda: "CHANNEL_PARK" in names(link))
    text = link.ask("api show channels as json")
    for part in (
        '"row_count":1',
        '"uuid":"b"',
        '"direction":"outbound"',
        '"state":"CS_EXECUTE"',
        '"callstate":"ACTIVE"',
        '"application":"park"',
        '"dest":"1001"',
        '"cid_num":"1001"',
        '"callee_num":"0000000000"',
        '"name":"sofia/internal/1001@localhost"',
    ):
        assert part in text
