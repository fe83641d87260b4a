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


def test_all_tell_their_state_and_accept_and_a_termination_ends_them_in_order(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 0.1") as served:
        served.port  # noqa: B018 - waits for it
        pids = [served.started(number)[0] for number in (1, 2)]
        served.signal(signal.SIGUSR1)
        for number in (1, 2):
            served.wait_log(rf"\[worker {number}\] .*state: 0 sessions, 0 links, \d+ greenlets")
        os.kill(pids[0], signal.SIGUSR1)
        served.wait_log(r"\[worker 1\] .*state: ", 2)
        links = [dial(served.port) for _ in range(MANY)]
        assert all(is_served(link) for link in links)
        assert not any(map(gone, pids))
        for link in links:
            link.close()
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        assert all(gone(pid) for pid in pids)
        assert "Traceback" not in served.log()
        assert served.log().count("listening on") == 1


def test_each_has_a_private_port_of_the_configured_ones(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        if first > 65000:
            pytest.skip("no room above that port")
        with supervised(tmp_path, server=f'home_ports = "{first}-{first + 50}"') as served:
            served.port  # noqa: B018 - waits for it
            ports = {served.started(number)[1] for number in (1, 2)}
            assert len(ports) == 2 and all(first < port <= first + 50 for port in ports)
            assert all(is_served(dial(port)) for port in ports)


def test_a_silent_worker_is_killed_and_who_waited_at_its_port_is_served(tmp_path) -> None:
    with supervised(tmp_path, server="hang_timeout_s = 1") as served:
        served.port  # noqa: B018
        pid, private = served.started(1)
        os.kill(pid, signal.SIGSTOP)
        waiting = dial(private)
        served.wait_log(rf"worker 1 \(pid {pid}\) has been silent for 1 s: killing it")
        assert is_served(waiting), "it is let go, and not reset"
        assert gone(pid)
        wait_for(lambda: refused(private), "the port is closed")
        assert served.started(1, 2)[0] != pid


def test_a_worker_whose_loop_is_blocked_is_killed(tmp_path) -> None:
    scenario = """
import time
from fsctl.scenario import Scenario
import gevent
scenario = Scenario()
gevent.spawn_later(0.2, time.sleep, 60)
"""
    with supervised(tmp_path, server="hang_timeout_s = 1", scenario=scenario) as served:
        served.wait_log("has been silent for 1 s: killing it", 2)


@pytest.mark.parametrize(
    ("scenario", "message"),
    [("raise ValueError('broken')", "ValueError: broken"), ("import os; os._exit(7)", "status 7")],
)
def test_what_cannot_start_ends_it_with_the_reason(tmp_path, scenario, message) -> None:
    with supervised(tmp_path, scenario=scenario) as served:
        assert served.wait() == 2
        assert message in served.log()
        assert "Traceback" not in served.log() and "listening" not in served.log()


def test_workers_do_not_outlive_a_killed_supervisor(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 0.1") as served:
        port = served.port
        pids = [served.started(number)[0] for number in (1, 2)]
        served.process.kill()
        wait_for(lambda: all(map(gone, pids)), served.log)
        assert refused(port)


def test_another_can_start_while_the_workers_of_a_killed_one_still_drain(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 60") as served:
        port = served.port
        pids = [served.started(number)[0] for number in (1, 2)]
        os.kill(pids[0], signal.SIGSTOP)  # it keeps its copy of the socket
        served.process.kill()
        wait_for(lambda: refused(port), served.log)
        place = tmp_path / "another"
        place.mkdir()
        with supervised(place, server="max_calls = 5", port=port) as another:
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


def test_a_reload_replaces_all_and_refuses_nobody(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 0.1") as served:
        port = served.port
        pids = [served.started(number)[0] for number in (1, 2)]
        served.configure('listen = "127.0.0.1:0"\nworkers = 3\ndrain_timeout_s = 0.1')
        served.signal(signal.SIGHUP)
        served.started(3)
        while "reloaded\n" not in served.log():
            assert is_served(dial(port))
        wait_for(lambda: all(map(gone, pids)), served.log)
        assert is_served(dial(port))
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


def test_a_termination_ends_a_reload(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 0.1") as served:
        served.port  # noqa: B018
        served.signal(signal.SIGHUP)
        pid = served.started(1, 2)[0]
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        assert gone(pid)
        assert "Traceback" not in served.log()


# -- what leaves a supervisor and its workers as they were: one for all

SCENARIO = "from fsctl.scenario import Scenario\nscenario = Scenario()\n"


@pytest.fixture(scope="module")
def lasting(tmp_path_factory) -> Iterator[Supervised]:
    server = "hang_timeout_s = 60\ndrain_timeout_s = 0.1"
    folder = tmp_path_factory.mktemp("lasting")
    with supervised(folder, server=server, scenario=SCENARIO) as served:
        yield served
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


@pytest.fixture
def served(lasting) -> Iterator[Supervised]:
    """It, with two workers that serve; only what a test makes it print is there."""
    lasting.port  # noqa: B018 - waits for it
    wait_for(lambda: len(lasting.living()) == 2, lasting.log)
    assert all(is_served(dial(private)) for _, private in lasting.living().values())
    lasting.forget()
    yield lasting
    assert "Traceback" not in lasting.log()


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
