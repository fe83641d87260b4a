"""Plays conversation after conversation, and says which of them did not go as they must."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

from bench.soak.conversations import MODES, PLOTS, Conversation, Plot
from bench.soak.faults import KILL_ALL, Faults
from tests.live.lab import NotInTime, Switch, wait_for

RELEASE_S = 10.0
RELEASE_AFTER_DEATH_S = 60.0
"""SIP's own timers may have to run out."""
SETTLE_S = 25.0
GOOD = "as it must be"


class Judge:
    """Counts verdicts, for several threads. What did not go as it must is kept in ``folder``."""

    def __init__(self, switch: Switch, faults: Faults, folder: Path) -> None:
        self._switch, self._faults, self.folder = switch, faults, folder
        self.verdicts: Counter[str] = Counter()
        self.plots: Counter[str] = Counter()
        self.violations = 0
        self.stopped = threading.Event()
        self._lock = threading.Lock()

    def play(self, slot: int, chance: random.Random, rounds: int = 0) -> None:
        """Conversations in this slot until we are stopped, or so many of each mode."""
        modes = list(MODES) * rounds
        while not self.stopped.is_set() and (modes or not rounds):
            mode = modes.pop() if modes else chance.choice(list(MODES))
            self._judge(Conversation(self._switch, slot, mode, chance), chance.choice(PLOTS))

    def _judge(self, talk: Conversation, plot: Plot) -> None:
        start_s, mark = time.monotonic(), self._faults.log_mark()
        went = _play(talk, plot)
        deaths = self._faults.deaths_between(start_s, time.monotonic())
        verdict, wrong = GOOD, _reports(talk, exact=not deaths)
        if went and deaths:
            silent, verdict = _silent(talk), "after a death: ended otherwise"
            if silent and KILL_ALL in deaths:
                verdict = "after the death of all: a leg was left standing"
            else:
                wrong += silent
        elif went:
            wrong.append(went)
        elif deaths:
            verdict = f"{GOOD}, in spite of a death"
        talk.phones.hang_up()
        try:
            talk.wait_released(RELEASE_AFTER_DEATH_S if deaths else RELEASE_S)
        except NotInTime as error:
            wrong.append(str(error))
        missing = _reports(talk, exact=True)
        if went and deaths and missing:
            verdict += ", a report is missing"
        ladder, problems = talk.phones.ladder(), talk.phones.finish()
        if problems and not deaths:
            wrong.append(f"a phone met something unexpected: {problems}")
        text = "\n".join([f"{plot.__name__} ({talk.mode})", *deaths, *wrong, *missing, went])
        with self._lock:
            self.plots[plot.__name__] += 1
            self.verdicts["VIOLATION" if wrong else verdict] += 1
            self.violations += bool(wrong)
            if wrong or not verdict.startswith(GOOD):
                self._keep("violation" if wrong else "apart", text, ladder, mark)

    def _keep(self, kind: str, text: str, ladder: str, mark: tuple[object, int]) -> None:
        path = self.folder / f"{kind}-{sum(self.verdicts.values())}.txt"
        path.write_text(f"{text}\n\n{ladder}\n\n{self._faults.log_since(mark)}", encoding="utf-8")
        print(f"{kind} ({path}): {text[:300]}", flush=True)


def _play(talk: Conversation, plot: Plot) -> str:
    """What did not go as the plot wants it; empty when all did."""
    try:
        plot(talk)
    except (AssertionError, KeyError) as error:
        return f"{error}\n{''.join(traceback.format_tb(error.__traceback__)[-3:])}"
    return ""


def _silent(talk: Conversation) -> list[str]:
    """Whom a death has left in silence, beyond the time that everybody may need."""
    try:
        wait_for(lambda: not talk.silent(), SETTLE_S)
    except NotInTime:
        return talk.silent()
    return []


def _reports(talk: Conversation, exact: bool) -> list[str]:
    """REFERs without exactly one report; with fewer only if ``exact``, and its sender stayed."""
    counted = ((phone, len(phone.notifies), asked) for phone, asked in talk.accepted.items())
    return [
        f"{phone.name}: {got} reports of {asked} REFERs"
        for phone, got, asked in counted
        if got > asked or (exact and got < asked and phone not in talk.left)
    ]
