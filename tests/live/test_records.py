"""What was kept of real transfers answers the questions that are asked afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab import wait_for
from tests.live.lab.kept import TOKEN, Kept
from tests.live.lab.ports import kept_port
from tests.live.lab.settings import sections
from tests.unit.keeping import conftest as databases

postgres = databases.postgres


@pytest.fixture
def keeping(controller, switch, tmp_path):
    """Starts a controller that keeps records as these settings say."""

    def start(**records):
        own = {"log_level": "debug", "drain_timeout_s": 1.0, "workers": 2}
        http = {"listen": f"127.0.0.1:{kept_port()}", "token": TOKEN}
        of_records = {"folder": str(tmp_path / "state"), **records}
        tables = {"server": own, "records": of_records, "http": http}
        served = controller({**sections(switch), **tables})
        return Kept(served, http["listen"])

    return start


@pytest.fixture
def kept(keeping):
    return keeping()


def test_a_transfer_is_found_with_all_that_has_happened(kept, phones):
    bob, alice = talking(phones)
    target = phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    (row,) = kept.wait(1, "--number", "1002", "--outcome", "failed")
    assert (row["code"], row["reason"], row["kind"]) == (486, "Gone fishing", "blind")
    numbers = [row[f"{role}_number"] for role in ("transferor", "transferee", "target")]
    assert numbers == ["1001", "2000", "1002"]
    assert row["transferor_call_id"] == bob.wait_received("INVITE").header("Call-ID")
    assert "1002" in row["refer_to"]
    assert kept.logged()[row["id"]]["code"] == 486, "one id wherever it is told"

    for name in (row["id"][:8], row["call"], row["transferor"], row["transferor_call_id"]):
        (same,) = kept.ask(name)
        assert same["id"] == row["id"]
    moments = [step["at"] for step in same["steps"]]
    assert moments == sorted(moments) and len(moments) >= 3
    told = [step["what"] for step in same["steps"]]
    assert told[0] == "the application calls the target" and "the target fails" in told
    assert {leg["number"] for leg in same["legs"]} >= {"1001", "2000"}
    assert target.wait_received("INVITE")


def test_no_death_costs_a_record_or_makes_two(kept, phones):
    """The desk is killed again and again, and the worker while a target rings."""
    bob, alice = talking(phones)
    for number in ("1002", "1003"):
        phones.party(number).refuses(486, "Busy Here")
        kept.kill_desk()
        bob.refers(phones.refer_to(number))
        assert bob.wait_notify(int(number) - 1001) == "SIP/2.0 486 Busy Here"
    target = phones.party("1004").rings()
    bob.refers(phones.refer_to("1004"))
    target.wait_received("INVITE")
    for pid in kept.served.workers():
        os.kill(pid, signal.SIGKILL)
    kept.kill_desk()
    target.answers_now()
    assert bob.wait_notify(3) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    alice.hangs_up()
    rows = kept.wait(3)
    assert [row["outcome"] for row in rows] == ["succeeded", "failed", "failed"]
    assert {row["id"] for row in rows} == set(kept.logged())
    assert kept.served.terminate() == 0
    assert len(kept.ask()) == 3


def test_what_goes_on_is_shown_and_a_leg_can_be_hung_up(kept, phones, switch):
    kept.served.wait_log("what goes on is shown at")
    bob, alice = talking(phones)
    both = {"2000": "connected", "1001": "connected"}
    wait_for(lambda: kept.calls() == [both], 5.0, lambda: f"{kept.calls()}")
    phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    text = 'fsctl_transfers_total{code="4xx",kind="blind",outcome="failed",switch="freeswitch"} 1.0'
    wait_for(lambda: text in kept.get("/metrics"), 5.0, lambda: kept.get("/metrics"))
    wait_for(lambda: kept.connected() == [True, True], 10.0, lambda: kept.get("/api/v1/status"))
    kept.kill_desk()
    wait_for(lambda: is_up(kept), 15.0, "another desk serves")
    assert hear_each_other(alice, bob)
    both["1002"] = "disconnected"
    wait_for(lambda: kept.calls() == [both], 5.0, lambda: f"known anew: {kept.calls()}")
    (call,) = json.loads(kept.get("/api/v1/calls"))["calls"]
    (leg,) = [leg["channel"] for leg in call["legs"].values() if leg["number"] == "1001"]
    kept.get(f"/api/v1/legs/{leg}/hangup", "POST")
    bob.wait_received("BYE")
    alice.wait_over()
    wait_for(lambda: kept.calls() == [], 5.0, lambda: f"{kept.calls()}")


def transfers(phones, bob, alice, numbers):
    """Bob asks for these, who are all busy: who talks talks on."""
    for number in numbers:
        phones.party(str(number)).refuses(486, "Busy Here")
        bob.refers(phones.refer_to(str(number)))
        assert bob.wait_notify(number - 1001) == "SIP/2.0 486 Busy Here"
        assert hear_each_other(alice, bob)


def test_a_database_server_that_is_killed_costs_no_call_and_no_record(keeping, phones, postgres):
    kept = keeping(database=postgres.new_database())
    bob, alice = talking(phones)
    transfers(phones, bob, alice, [1002])
    kept.wait(1)
    wait_for(lambda: kept.connected() == [True, True], 15.0, lambda: kept.get("/api/v1/status"))
    assert kept.shows("fsctl_database_up 1.0")
    postgres.stop()
    try:
        transfers(phones, bob, alice, [1003])
        down = "fsctl_database_up 0.0"
        wait_for(lambda: kept.shows(down), 15.0, lambda: kept.get("/metrics"))
        assert "the database cannot be used" in kept.problems()
        target = phones.party("1004").answers()
        bob.refers(phones.refer_to("1004"))
        assert bob.wait_notify(3) == "SIP/2.0 200 OK"
        assert hear_each_other(alice, target)
    finally:
        postgres.start()
    alice.hangs_up()
    rows = kept.wait(3)
    assert [row["outcome"] for row in rows] == ["succeeded", "failed", "failed"]
    assert {row["id"] for row in rows} == set(kept.logged())
    wait_for(
        lambda: kept.shows("fsctl_database_up 1.0", "fsctl_journal_lines_lost_total 0.0"),
        15.0,
        lambda: kept.get("/metrics"),
    )
    assert kept.served.terminate() == 0
    assert len(kept.ask()) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full_costs_no_call_and_no_record(keeping, phones, small_disk):
    kept = keeping(folder=str(small_disk))
    bob, alice = talking(phones)
    transfers(phones, bob, alice, [1002])
    kept.wait(1)
    wait_for(lambda: kept.connected() == [True, True], 15.0, lambda: kept.get("/api/v1/status"))
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    full = "fsctl_journal_writable 0.0"
    wait_for(lambda: kept.shows(full), 15.0, lambda: kept.get("/metrics"))
    transfers(phones, bob, alice, [1003, 1004])
    assert "no room for records" in kept.problems(), "and calls are served: it is ready"
    filler.unlink()
    rows = kept.wait(3)
    assert {row["id"] for row in rows} == set(kept.logged())
    wait_for(
        lambda: kept.shows("fsctl_journal_writable 1.0", "fsctl_journal_lines_lost_total 0.0"),
        15.0,
        lambda: kept.get("/metrics"),
    )
    assert kept.calls() and hear_each_other(alice, bob)
    assert kept.served.terminate() == 0
    assert len(kept.ask()) == 3


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=8m", "fsctl-test", str(folder)]
    if subprocess.run(mounted, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def is_up(kept):
    try:
        return "ok" in kept.get("/healthz")
    except OSError:
        return False
