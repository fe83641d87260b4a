"""Stories on the simulated switch: one process, one hub, a virtual clock."""

from __future__ import annotations

import atexit
import logging
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest
from gevent.hub import Hub

from fsctl import dialplan, story
from fsctl.cli import main
from fsctl.esl import connection
from fsctl.esl.waiting import Deadline
from fsctl.scenario import Scenario, load
from fsctl.scenario.scenarios import Scenarios
from fsctl.service.worker import Worker
from fsctl.session.calling.deciding import WebService
from fsctl.session.core.clock import Pending
from fsctl.settings import Settings
from fsctl.settings import load as load_settings
from fsctl.simulator import SimulatedSwitch, StoryTimeout, VirtualClock
from fsctl.simulator.events import url_encode
from fsctl.simulator.link import Link
from fsctl.simulator.quiet import until_quiet
from fsctl.stage import PLAIN_CALLS
from fsctl.story import Party
from fsctl.story.simulated import dialog_of
from tests.live.lab.fsctl_process import to_toml
from tests.stories import transcript
from tests.stories.relay import Relay
from tests.stories.world import DOMAIN, LIMIT_S, Asked, World

LEAK_LIMIT_S = 5.0
"""Within this time after the last hang-up (of the switch's clock) everything must have gone."""

_RELAYS: list[Relay] = []
"""Those that no story uses: their addresses are a part of what is rendered."""

_RENDERED: dict[str, Path] = {}
"""By the settings and templates, in full: what does not differ is rendered and read once."""

IMPATIENCE_S = 0.5
"""The same where fsctl would wait for less than a second: it reckons with hearing nothing."""

PATIENCE_S = 60.0
"""Real seconds after which a wait has failed, however little virtual time has passed."""


class _PatientDeadline(Deadline):
    """A command's time is real: on a busy machine it passes, and the story's has not."""

    __slots__ = ()

    def __init__(self, seconds: float) -> None:
        super().__init__(PATIENCE_S if seconds >= 1.0 else IMPATIENCE_S)


class _Log(logging.Handler):
    """Keeps what fsctl logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        if record.levelno >= logging.ERROR:
            self.errors.append(self.format(record))


class StoppableClock:
    """A controller's timers: those that are due while it is stopped come when it goes on."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._put_off: list[Callable[[], None]] | None = None

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Pending:
        return self._clock.call_later(delay_s, lambda: self._call(callback))

    def _call(self, callback: Callable[[], None]) -> None:
        if self._put_off is None:
            callback()
        else:
            self._put_off.append(callback)

    def stop(self) -> None:
        self._put_off = []

    def go_on(self) -> None:
        due, self._put_off = self._put_off or [], None
        for callback in due:
            callback()


class SimulatedAsked(Asked):
    """The command as a greenlet of the story's own process."""

    world: SimulatedWorld

    def __init__(self, world: SimulatedWorld, arguments: list[str]) -> None:
        self.world = world
        self._printed = StringIO()
        self._run = gevent.spawn(self._main, arguments)

    def _main(self, arguments: list[str]) -> int:
        with redirect_stdout(self._printed):
            return main(arguments)

    def takes_back(self) -> None:
        self._run.kill(KeyboardInterrupt, block=False)

    def loses_link(self) -> None:
        for link in self.world.switch.links:
            if any(name == "Job-UUID" for name, _ in link.subscription.filters):
                link.kill()

    @property
    def ended(self) -> tuple[int, str] | None:
        return (int(self._run.get()), self._printed.getvalue()) if self._run.ready() else None


class SimulatedWorld(World, story.SimulatedWorld):
    """The simulated switch, and workers that it reaches through a relay."""

    domain = DOMAIN

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self.waits_for_answers = True
        """Time stands still while a web service is asked. Cleared by a story that does something
        meanwhile."""
        self._clock = VirtualClock()
        self._controller_clock = StoppableClock(self._clock)
        self._relay = _RELAYS.pop() if _RELAYS else Relay()
        self._esl = _RELAYS.pop() if _RELAYS else Relay()
        """What controllers know as FreeSWITCH's own event socket, see `knows_switch`."""
        self.knows_switch = False
        """Controllers are connected to the switch, in scope calls, too (in scope transfers they
        always are), so that sessions rest. Set before `serve`."""
        self._cut_off = False
        """Links to the switch were cut of controllers that live, and come back."""
        self._workers: list[Worker] = []
        self._stopping: list[Any] = []
        self._settings = Settings()
        self._scenario: Scenario | None = None
        self._switch: SimulatedSwitch | None = None
        self._log = _Log()
        self._expected: list[str] = []
        self._logger = logging.getLogger("fsctl")
        self._level = self._logger.level
        self._logger.addHandler(self._log)
        self._logger.setLevel(logging.INFO)
        self._patch = pytest.MonkeyPatch()
        self._watch_hub()
        self._patch.setattr(connection, "Deadline", _PatientDeadline)

    def _watch_hub(self) -> None:
        """A greenlet that dies of an exception, ours or the simulator's, is a fault."""
        original, log = Hub.handle_error, self._log

        def handle_error(hub: Hub, context: Any, kind: Any, value: Any, trace: Any) -> None:
            log.errors.append(f"{context}: {kind.__name__ if kind else kind}: {value}")
            original(hub, context, kind, value, trace)

        self._patch.setattr(Hub, "handle_error", handle_error)

    @property
    def switch(self) -> SimulatedSwitch:
        """The switch; ``serve`` makes it."""
        assert self._switch is not None, "serve() was not called"
        return self._switch

    def _serve(self, sections: dict[str, Any], scenario: str) -> None:
        config = self._folder / "fsctl.toml"
        server: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "home": self._relay.address,
            "drain_timeout_s": 0.0,
        }
        if sections["dialplan"]["scope"] == "transfers" or self.knows_switch:
            sections["switch"] = {"port": self._esl.port, "password": "ClueCon"}
        config.write_text(to_toml({**sections, "server": server}), encoding="utf-8")
        self._settings = load_settings(config, {})
        if scenario:
            path = self._folder / "scenario.py"
            path.write_text(scenario, encoding="utf-8")
            self._scenario = load(path)
        self._switch = SimulatedSwitch(
            self._rendered(),
            clock=self._clock,
            global_variables={"domain": DOMAIN},
        )
        self._switch.listen()
        self.restart()

    def _reload(self, scenario: str) -> None:
        (self._folder / "scenario.py").write_text(scenario, encoding="utf-8")
        self._workers[-1].reload()

    def _rendered(self) -> Path:
        """The dialplan of these settings, wherever their templates lie."""
        plan = self._settings.dialplan
        own = sorted(plan.overrides.iterdir()) if plan.overrides else []
        texts = [(path.name, path.read_text(encoding="utf-8")) for path in own]
        key = repr((replace(self._settings, dialplan=replace(plan, overrides=None)), texts))
        if key not in _RENDERED:
            folder = tempfile.TemporaryDirectory()
            atexit.register(folder.cleanup)
            rendered = Path(folder.name)
            dialplan.render(self._settings, rendered)
            if self._settings.dialplan.scope == "transfers":
                (rendered / "dialplan/default").mkdir()
                (rendered / "dialplan/default/plain.xml").write_text(PLAIN_CALLS, encoding="utf-8")
            _RENDERED[key] = rendered
        return _RENDERED[key]

    def restart(self) -> None:
        self._esl.open(self.switch.esl_address)
        path = self._folder / "scenario.py"
        scenarios = Scenarios(self._scenario) if self._scenario else None
        worker = Worker(
            self._settings,
            scenarios,
            self._controller_clock,
            load_scenarios=lambda: Scenarios(load(path)),
        )
        worker.start()
        self._workers.append(worker)
        self._relay.open(worker.address)

    def kill(self) -> None:
        self._esl.cut()
        self._relay.cut()
        self._stop_worker()

    def terminate(self) -> None:
        self._relay.refuse()
        self._stop_worker()
        gevent.joinall(self._stopping, raise_error=True)
        self._relay.cut()

    def pass_turns(self, turns: int) -> None:
        for _ in range(turns):
            gevent.sleep(0)

    def cut_links(self) -> None:
        self._relay.sever()
        self.cut_kept_links()

    def cut_kept_links(self) -> None:
        self._cut_off = True
        self._esl.sever()

    def lose_switch(self) -> None:
        """Controllers do not reach the switch any more; it reaches them."""
        self.cut_kept_links()
        self._esl.refuse()

    def find_switch(self) -> None:
        """They do again, and are connected."""
        self._esl.open(self.switch.esl_address)
        self.wait_connected()

    def wait_connected(self) -> None:
        """Real time passes until controllers are, whose links were cut: for them none has."""
        if self._cut_off and self._workers:
            self._settle()
            self.wait_really(self._connects, "connected again")
        self._cut_off = False

    def _connects(self) -> bool:
        """What a fault holds back comes as time passes."""
        if self._is_connected():
            return True
        held_back_s = max((link.holds_back_s for link in self.switch.links), default=0.0)
        if held_back_s:
            self.let_pass(held_back_s)
        return False

    def _is_connected(self) -> bool:
        known = [worker.vitals()["switches"].values() for worker in self._workers]
        presences = [worker._signs for worker in self._workers if worker._signs]
        signs = [each._client for presence in presences for each in presence._signs]
        return all(map(all, known)) and all(client.connected.is_set() for client in signs)

    def freeze(self) -> None:
        self._controller_clock.stop()
        self._relay.stop()

    def thaw(self) -> None:
        self._controller_clock.go_on()  # a process that goes on finds its timers first
        self._relay.go_on()

    def _stop_worker(self) -> None:
        self._cut_off = False
        self._stopping.append(gevent.spawn(self._workers.pop().stop))

    @property
    def sessions(self) -> int:
        """How many run in the controller."""
        return len(self._workers[-1].switchboard.sessions)

    def expect_error(self, text: str) -> None:
        self._expected.append(text)

    def log(self) -> str:
        return "\n".join(self._log.lines)

    def wait_really(self, condition: Callable[[], object], what: str) -> None:
        with gevent.Timeout(LIMIT_S, StoryTimeout(what)):
            while not condition():
                gevent.sleep(0.002)

    def forgive(self) -> None:
        self._log.errors.clear()

    def directory(self, party: Party, number: str, name: str) -> None:
        assert isinstance(party, story.SimulatedParty)
        said = {"effective_caller_id_number": number, "effective_caller_id_name": name}
        party.phone.directory = {"sip_auth_username": number, **said}

    def leg(self, party: Party) -> str:
        channel = dialog_of(party).channel
        assert channel is not None, f"{party.name} has no leg"
        return channel.uuid

    def host_of(self, party: Party) -> str:
        return party.number

    @property
    def context(self) -> str:
        return self.switch.context

    def api(self, command: str) -> str:
        name, _, arguments = command.partition(" ")
        reply = self.switch.run_api(name, arguments)
        assert not reply.startswith("-"), f"{command}: {reply}"
        return reply

    def keep_cdrs(self) -> None:
        self.switch.keep_events = True

    def _hung_up(self) -> list[dict[str, str]]:
        ended = (e for e in self.switch.events if e.name == "CHANNEL_HANGUP_COMPLETE")
        return [{name: url_encode(value) for name, value in event.headers} for event in ended]

    def asks_for(self, channel: str, *arguments: str) -> Asked:
        port = self.switch.esl_address[1]
        return SimulatedAsked(self, self._operator(port, "ClueCon", channel, *arguments))

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        limit_s = LIMIT_S if limit_s is None else limit_s
        end_s, deadline = self._clock.now_s + limit_s, monotonic() + PATIENCE_S
        while not condition():
            self._settle()
            due_s = self._clock.next_due_s()
            if condition():
                return
            if monotonic() > deadline:
                raise StoryTimeout(f"not within {limit_s:g} s: {what}\n{self.switch.ladder()}")
            if due_s is not None and due_s <= end_s:
                self._clock.fire_next()

    def let_pass(self, seconds: float) -> None:
        """Let so much time pass, after all that is under way has come to rest."""
        end_s = self._clock.now_s + seconds
        self._settle()
        due_s = self._clock.next_due_s()
        while due_s is not None and due_s <= end_s:
            self._clock.fire_next()
            self._settle()
            due_s = self._clock.next_due_s()
        self._clock.move_to(end_s)

    def ladder_and_log(self) -> str:
        """All that the phones and the controllers have said."""
        return f"{self.switch.ladder()}\n{self.log()}"

    def _settle(self) -> None:
        """Return when neither side has anything more to say."""
        while True:
            until_quiet(lambda: (self._relay.passed, self._esl.passed, self.switch.activity))
            if not self.waits_for_answers or not self._asks():
                return
            gevent.sleep(0.002)

    def _asks(self) -> bool:
        """Whether a web service is being asked: its time is real."""
        return any(worker.switchboard.part(WebService).asking for worker in self._workers)

    def applications(self) -> list[str]:
        channels = self.switch.channels.values()
        return [channel.get_variable("current_application") or "" for channel in channels]

    def finish(self, passed: bool) -> None:
        try:
            if self._switch is not None:
                self._end_calls(passed)
        finally:
            self._close()
        errors = [e for e in self._log.errors if not any(text in e for text in self._expected)]
        if passed and errors:
            raise AssertionError("\n".join(errors))

    def _end_calls(self, passed: bool) -> None:
        if not passed:
            print(f"{self.switch.ladder()}\n{self.log()}")
            return
        for party in self.parties.values():
            for dialog in party.live_dialogs:
                party.phone.hangs_up(dialog=dialog)
        self.wait(lambda: not self.switch.channels, "no channel is left", LEAK_LIMIT_S)
        sessions = [worker.switchboard.sessions for worker in self._workers]
        self.wait_connected()
        self.wait(lambda: not any(sessions), "no session runs any more", LEAK_LIMIT_S)
        self.wait(lambda: not self._links_of_legs(), "no link is open any more", LEAK_LIMIT_S)

    def _links_of_legs(self) -> list[Link]:
        return [link for link in self.switch.links if link.channel is not None]

    def _close(self) -> None:
        if self._switch is not None:
            transcript.keep(self._switch)
            self._switch.stop()
        while self._workers:
            self._stop_worker()
        gevent.joinall(self._stopping, timeout=10, raise_error=True)
        for relay in (self._esl, self._relay):  # the next story takes them in the same order
            relay.cut()
            relay.go_on()
            _RELAYS.append(relay)
        self._patch.undo()
        self._logger.removeHandler(self._log)
        self._logger.setLevel(self._level)
