"""fsctl.service.supervisor, with real processes."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from fsctl.service.supervisor import restart_delay_s, worker_count
from fsctl.settings import Server, Settings
from tests.unit.service.supervised import (
    Supervised,
    dial,
    gone,
    is_served,
    refused,
    supervised,
    wait_for,
)

MANY = 20


def test_workers_for_each_core_unless_it_is_said() -> None:
    assert worker_count(Settings()) == len(os.sched_getaffinity(0))
    assert worker_count(Settings(server=Server(workers=3))) == 3


def test_the_second_failure_in_a_row_waits_and_the_wait_has_a_limit() -> None:
    delays = [restart_delay_s(failures) for failures in range(1, 12)]
    assert delays[:4] == [0, 0.5, 1, 2]
    assert delays[-1] == 30


def test_a_worker_that_is_silent_or_whose_loop_is_blocked_is_killed(tmp_path) -> None:
    """One is stopped, the other blocks its loop, as a scenario can: both are silent then."""
    gate = tmp_path / "gate"
    scenario = f"""
import os, time
from fsctl.scenario import Scenario
import gevent
scenario = Scenario()
def block():
    while not os.path.exists({str(gate)!r}):
        gevent.sleep(0.01)
    time.sleep(60)
gevent.spawn(block)
"""
    with supervised(tmp_path, server="hang_timeout_s = 1", scenario=scenario) as served:
        served.port  # noqa: B018 - waits for it
        pid, private = served.started(1)
        os.kill(pid, signal.SIGSTOP)
        waiting = dial(private)
        gate.touch()
        for silent in (pid, served.started(2)[0]):
            served.wait_log(rf"worker \d \(pid {silent}\) has been silent for 1 s: killing it")
        gate.unlink(missing_ok=True)
        assert is_served(waiting), "it is let go, and not reset"
        assert gone(pid)
        wait_for(lambda: refused(private), "the port is closed")
        assert served.started(1, 2)[0] != pid


@pytest.mark.parametrize(
    ("scenario", "message"),
    [("raise ValueError('broken')", "ValueError: broken"), ("import os; os._exit(7)", "status 7")],
)
def test_what_cannot_start_ends_it_with_the_reason(tmp_path, scenario, message) -> None:
    with supervised(tmp_path, scenario=scenario) as served:
        assert served.wait() == 2
        assert message in served.log()
        assert "Traceback" not in served.log() and "listening" not in served.log()


def test_workers_do_not_outlive_a_killed_supervisor_and_hold_up_no_other(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 0.1") as served:
        port = served.port
        slow, other = (served.started(number)[0] for number in (1, 2))
        os.kill(slow, signal.SIGSTOP)  # it keeps its copy of the socket, as one that still drains
        served.process.kill()
        wait_for(lambda: gone(other) and refused(port), served.log)
        place = tmp_path / "another"
        place.mkdir()
        with supervised(place, server="max_calls = 5", port=port) as another:
            assert is_served(dial(another.port))
            os.kill(slow, signal.SIGCONT)
            wait_for(lambda: gone(slow), served.log)
            assert is_served(dial(another.port))


def test_a_second_order_ends_it_at_once(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 60") as served:
        served.port  # noqa: B018
        pids = [served.started(number)[0] for number in (1, 2)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # one that does not drain
        served.signal(signal.SIGTERM)
        served.signal(signal.SIGINT)
        assert served.wait() == 1
        assert all(map(gone, pids))


@pytest.fixture
def ports() -> Iterator[range]:
    """Some that are to be private; the first is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        if first > 65000:
            pytest.skip("no room above that port")
        yield range(first, first + 51)


@pytest.mark.parametrize("heard", ["abstract"], indirect=True)
def test_a_reload_replaces_all_and_refuses_nobody_and_a_termination_ends_one(
    tmp_path, ports, heard
) -> None:
    home_ports = f'home_ports = "{ports[0]}-{ports[-1]}"\n'
    with supervised(tmp_path, server=f"{home_ports}drain_timeout_s = 0.1") as served:
        port = served.port
        assert heard() == "READY=1"
        before = [served.started(number) for number in (1, 2)]
        private = {each for _, each in before}
        assert len(private) == 2 and all(each in ports[1:] for each in private)
        assert all(is_served(dial(each)) for each in private)
        served.configure('listen = "127.0.0.1:0"\nworkers = 3\ndrain_timeout_s = 0.1')
        served.signal(signal.SIGHUP)
        served.started(3)
        while "reloaded\n" not in served.log():
            assert is_served(dial(port))
        wait_for(lambda: all(gone(pid) for pid, _ in before), served.log)
        assert is_served(dial(port))
        assert heard().startswith("RELOADING=1") and heard() == "READY=1"

        served.signal(signal.SIGHUP)
        assert heard().startswith("RELOADING=1")
        pids = [*(pid for pid, _ in served.living().values()), served.started(1, 3)[0]]
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        assert heard() == "STOPPING=1"
        assert all(map(gone, pids))
        assert "Traceback" not in served.log()


def test_a_second_order_to_reload_is_not_lost_in_the_first(tmp_path) -> None:
    """What was changed since the first one had read all is in force afterwards."""
    gate = tmp_path / "gate"
    scenario = f"""
import os, time
from fsctl.scenario import Scenario
scenario = Scenario()
while os.path.exists({str(gate)!r}):
    time.sleep(0.01)
"""
    with supervised(tmp_path, scenario=scenario) as served:
        served.port  # noqa: B018 - waits for it
        gate.touch()
        served.signal(signal.SIGHUP)
        served.started(1, 2)
        served.configure('listen = "127.0.0.1:0"\nworkers = 3')
        served.signal(signal.SIGHUP)
        served.signal(signal.SIGUSR1)  # both have been taken when its workers answer
        served.wait_log("state: .*", 2)
        gate.unlink()
        served.started(3)
        served.wait_log("reloaded\n", 2)


def test_after_a_reload_that_has_stopped_halfway_the_next_one_does_all(
    tmp_path, monkeypatch
) -> None:
    """The first worker has the new settings by then, the desk does not."""
    monkeypatch.setenv("FSCTL_RECORDS_KEEP", "true")
    gate, first = tmp_path / "gate", tmp_path / "first"
    scenario = f"""
import os, pathlib
from fsctl.scenario import Scenario
scenario = Scenario()
gate, first = pathlib.Path({str(gate)!r}), pathlib.Path({str(first)!r})
if gate.exists() and first.exists():
    raise ValueError("broken")
if gate.exists():
    first.touch()
"""

    def shown_at(port: int) -> str:
        return f'[records]\nfolder = "{tmp_path}"\n[http]\nlisten = "127.0.0.1:{port}"'

    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        before, after = one.getsockname()[1], two.getsockname()[1]
    with supervised(tmp_path, server=shown_at(before), scenario=scenario) as served:
        served.port  # noqa: B018 - waits for it
        wait_for(lambda: not refused(before), served.log)
        gate.touch()
        served.configure(f'listen = "127.0.0.1:0"\nworkers = 2\n{shown_at(after)}')
        served.signal(signal.SIGHUP)
        served.wait_log("not reloaded, .*broken")
        gate.unlink()
        served.signal(signal.SIGHUP)
        served.wait_log("reloaded\n")
        wait_for(lambda: not refused(after), served.log)


# -- what leaves a supervisor and its workers as they were: one for all

SCENARIO = "from fsctl.scenario import Scenario\nscenario = Scenario()\n"


@pytest.fixture(scope="module")
def lasting(tmp_path_factory) -> Iterator[Supervised]:
    """In the end it is terminated, and all end in order."""
    server = "hang_timeout_s = 60\ndrain_timeout_s = 0.1"
    folder = tmp_path_factory.mktemp("lasting")
    with supervised(folder, server=server, scenario=SCENARIO) as served:
        yield served
        pids = [pid for pid, _ in served.living().values()]
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        assert all(map(gone, pids))
        assert "Traceback" not in served.log()


@pytest.fixture
def served(lasting) -> Iterator[Supervised]:
    """It, with two workers that serve; only what a test makes it print is there."""
    lasting.port  # noqa: B018 - waits for it
    wait_for(lambda: len(lasting.living()) == 2, lasting.log)
    assert all(is_served(dial(private)) for _, private in lasting.living().values())
    lasting.forget()
    yield lasting
    assert "Traceback" not in lasting.log()


def test_all_tell_their_state_and_accept(served) -> None:
    links = [dial(served.port) for _ in range(MANY)]
    assert all(is_served(link) for link in links)
    served.signal(signal.SIGUSR1)
    for number in (1, 2):
        served.wait_log(rf"\[worker {number}\] .*state: 0 sessions, \d+ links, \d+ greenlets")
    os.kill(served.living()[1][0], signal.SIGUSR1)
    served.wait_log(r"\[worker 1\] .*state: ", 2)


def test_no_call_waits_for_a_worker_that_hangs(served) -> None:
    pid, _ = served.living()[1]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert all(is_served(dial(served.port)) for _ in range(MANY))
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_dead_worker_is_replaced_and_nobody_is_refused_meanwhile(served) -> None:
    pid, private = served.living()[1]
    os.kill(pid, signal.SIGKILL)
    assert all(is_served(dial(served.port)) for _ in range(MANY))
    wait_for(lambda: refused(private), "the private port is closed")
    assert served.started(1) != (pid, private)
    served.wait_log(rf"worker 1 \(pid {pid}\) ended with status -9")


def test_one_that_dies_again_and_again_waits(served) -> None:
    os.kill(served.living()[2][0], signal.SIGKILL)
    os.kill(served.started(2)[0], signal.SIGKILL)
    served.wait_log("worker 2: the next attempt in 0.5 s")
    assert is_served(dial(served.port))
    served.started(2, 2)


def test_one_that_is_told_to_end_leaves_the_others_alone(served) -> None:
    os.kill(served.living()[1][0], signal.SIGTERM)
    served.wait_log("ended with status 0")
    assert all(is_served(dial(served.port)) for _ in range(MANY))
    served.started(1)


@pytest.mark.parametrize("what", ["configuration", "scenario"])
def test_a_broken_reload_changes_nothing(served, what) -> None:
    workers = served.living()
    broken, text = {
        "configuration": (served.config, "[server]\nworkers = -5\n"),
        "scenario": (served.scenario, "raise ValueError('broken')"),
    }[what]
    whole = broken.read_text()
    broken.write_text(text)
    try:
        served.signal(signal.SIGHUP)
        served.wait_log("not reloaded, the running workers go on: .*(workers: must be|broken)")
    finally:
        broken.write_text(whole)
    wait_for(lambda: served.living() == workers, served.log)
    assert is_served(dial(served.port))
