"""Stories on the real FreeSWITCH, with SIPp phones and the controller as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests.live.lab import Controller, Controllers, Phone, Phones, Switch, free_port, wait_for
from tests.live.lab.messages import SipMessage
from tests.live.lab.steps import (
    RING_AND_ANSWER,
    Answer,
    Early,
    Pause,
    Refuse,
    Require,
    Ring,
    Step,
)
from tests.live.lab.switch_conf import PICKUP
from tests.stories.world import DOMAIN, LIMIT_S, Headers, Message, Party, World

DRAIN_S = 1.0
EARLY_MS = 200


class RealParty(Party):
    """A SIPp phone; its process starts when it is said how it takes a call, or when it calls."""

    def __init__(self, world: RealWorld, number: str, name: str, joined_by: str = "") -> None:
        super().__init__(world, number, name)
        self._real = world
        self._joined_by = joined_by
        self._phone: Phone | None = None
        self._leaving: tuple[str, Sequence[Party]] = ("", ())

    @property
    def phone(self) -> Phone:
        """The phone, which must run by now."""
        assert self._phone is not None, f"nobody has said what {self.name} does"
        return self._phone

    def _takes(self, steps: Sequence[Step]) -> Party:
        assert self._phone is None, f"{self.name} has a phone already"
        self._phone = self._real.phones.callee(self.number, steps, self.name, self._joined_by)
        return self

    def rings(self) -> Party:
        return self._takes([Ring()])

    def answers(self) -> Party:
        return self._takes(RING_AND_ANSWER)

    def refuses(self, status: int, phrase: str) -> Party:
        return self._takes([Ring(), Refuse(status, phrase)])

    def sends_early_media(self) -> Party:
        return self._takes([Early()])

    def sends_early_media_and_refuses(self, status: int, phrase: str) -> Party:
        return self._takes([Early(), Pause(EARLY_MS), Refuse(status, phrase)])

    def redirects(self, contact: str) -> Party:
        header = ("Contact", contact if "<" in contact else f"<{contact}>")
        return self._takes([Refuse(302, "Moved Temporarily", (header,))])

    def answers_in(self, codec: str) -> Party:
        return self._takes([Require(codec), Ring(), Answer()])

    def unreachable(self) -> Party:
        self._real.unreachable(self.number, self._joined_by)
        return self

    def calls(self, number: str, headers: Headers = (), uri_parameters: str = "") -> None:
        assert self._phone is None, f"{self.name} has a phone already"
        uri = ";".join(filter(None, (self.world.uri(number), uri_parameters)))
        self._phone = self._real.phones.caller(self.number, uri, headers, self.name)

    def holds(self) -> None:
        assert self.phone.hold().status == 200

    def resumes(self) -> None:
        assert self.phone.resume().status == 200

    def answer_now(self) -> None:
        self.phone.answer()

    def refuse_now(self, status: int, phrase: str) -> None:
        self.phone.refuse(status, phrase)

    def refers(self, refer_to: str, referred_by: str | None = None) -> None:
        assert self.phone.refer(refer_to, referred_by).status == 202
        self._leave()

    def refers_early(self, refer_to: str) -> None:
        assert self.phone.refer(refer_to, early=True).status == 202

    def picks_up(self, other: Party) -> None:
        self.calls(f"{PICKUP}{self.world.leg(other)}")

    def replaces_call(self, other: Party) -> None:
        assert self._phone is None, f"{self.name} has a phone already"
        headers = (("Replaces", unquote(other.replaces)),)
        self._phone = self._real.phones.caller(self.number, "pickup", headers, self.name)

    def hangs_up(self) -> None:
        self.phone.bye()

    def leaves_after_refer(self, after: str, *ended: Party) -> None:
        self._leaving = (after, ended)

    def _leave(self) -> None:
        after, ended = self._leaving
        self._leaving = ("", ())
        if after == "NOTIFY":
            self.phone.wait_notify()
        for party in ended:
            if party.in_call:
                party.hangs_up()

    def gives_up(self) -> None:
        self.phone.cancel()

    def hears(self, other: Party) -> bool:
        assert isinstance(other, RealParty)
        return self.phone.hears(other.phone)

    def hears_ringback(self) -> bool:
        return self.phone.hears_tone()

    @property
    def contact(self) -> str:
        return f"sip:{self.number}@{DOMAIN}:{self.phone.port}"

    @property
    def replaces(self) -> str:
        return quote(self.phone.dialog().replaces, safe="")

    @property
    def in_call(self) -> bool:
        return bool(self.phone.open_calls())

    def messages(self) -> list[Message]:
        return [_message(message) for message in self._phone.messages] if self._phone else []


def _message(seen: SipMessage) -> Message:
    return Message(
        time_s=seen.time_s,
        incoming=seen.direction == "in",
        method=seen.method,
        status=seen.status,
        reason=seen.reason,
        headers=seen.headers,
        body=seen.body,
    )


class RealWorld(World):
    """The laboratory. Its fixtures clean up and look for what was left behind."""

    def __init__(
        self, folder: Path, switch: Switch, controllers: Controllers, phones: Phones
    ) -> None:
        super().__init__(folder)
        self.phones = phones
        self._switch = switch
        self._controllers = controllers
        self._sections: dict[str, Any] = {}
        self._scenario = ""
        self._running: Controller | None = None
        self._parties: dict[str, RealParty] = {}
        self._unreachable: list[str] = []
        self._changes_profile = False

    @property
    def controller(self) -> Controller:
        """The controller that was started last."""
        assert self._running is not None, "serve() was not called"
        return self._running

    def _serve(self, sections: dict[str, Any], scenario: str) -> None:
        self._changes_profile = "overrides" in sections.get("dialplan", {})
        self._sections = {
            **sections,
            "server": {"log_level": "debug", "drain_timeout_s": DRAIN_S},
        }
        self._scenario = scenario
        self._running = self._controllers(self._sections, scenario=scenario)

    def _reload(self, scenario: str) -> None:
        self._scenario = scenario
        self.controller.reload(scenario)

    def restart(self) -> None:
        self._running = self._controllers(
            self._sections, install=False, port=self.controller.port, scenario=self._scenario
        )

    def kill(self) -> None:
        self.controller.kill9()

    def pass_turns(self, turns: int) -> None:
        time.sleep(turns / 200)

    def cut_links(self) -> None:
        port = f"sport = :{self.controller.port}"
        subprocess.run(["ss", "-K", "-t", port], check=True, stdout=subprocess.DEVNULL)

    def freeze(self) -> None:
        os.killpg(self.controller.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.controller.pid, signal.SIGCONT)

    def terminate(self) -> None:
        assert self.controller.terminate() == 0

    def expect_error(self, text: str) -> None:
        self.controller.expected_error = text

    def log(self) -> str:
        return self._controllers.logs()

    def forgive(self) -> None:
        pass  # only a traceback in a log is a fault here

    def party(self, number: str, name: str = "") -> Party:
        if number not in self._parties:
            self._parties[number] = RealParty(self, number, name or f"phone{number}")
        return self._parties[number]

    def line(self, party: Party) -> Party:
        return RealParty(self, party.number, f"{party.name}-again")

    def device(self, party: Party, joined_by: str = ",") -> Party:
        return RealParty(self, party.number, f"{party.name}-too", joined_by)

    def unreachable(self, number: str, joined_by: str = "") -> None:
        """Give a number an address at which nobody listens."""
        self._switch.add_user(number, free_port(), joined_by)
        self._unreachable.append(number)

    def legs(self) -> int:
        return len(self._switch.channels())

    def leg(self, party: Party) -> str:
        assert isinstance(party, RealParty)
        call_id = party.phone.call_id()
        found: list[str] = []

        def is_found() -> bool:  # `show channels` lags
            found[:] = self._switch.leg_of(call_id)
            return bool(found)

        self.wait(is_found, f"{party.name} has a leg")
        return found[0]

    @property
    def context(self) -> str:
        return self._switch.context

    def api(self, command: str) -> str:
        reply = self._switch.esl(command)
        assert not reply.startswith("-"), f"{command}: {reply}"
        return reply

    def uri(self, number: str) -> str:
        return self._switch.uri(number)

    def wait(
        self, condition: Callable[[], object], what: str = "condition", limit_s: float = LIMIT_S
    ) -> None:
        wait_for(condition, limit_s, lambda: f"{what}\n{self.phones.ladder()}")

    def applications(self) -> list[str]:
        return [str(row.get("application")) for row in self._switch.channels()]

    def finish(self, passed: bool) -> None:
        if self._changes_profile:
            self._switch.restore_profile()
        for number in self._unreachable:
            self._switch.remove_user(number)
