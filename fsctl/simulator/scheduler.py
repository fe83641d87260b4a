"""FreeSWITCH's task scheduler (``switch_scheduler.c``): what ``sched_*`` put off."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsctl.simulator.clock import Timer
from fsctl.simulator.events import SimEvent
from fsctl.simulator.parking import broadcast
from fsctl.simulator.progress import hang_up
from fsctl.simulator.words import leading_number

if TYPE_CHECKING:
    from fsctl.simulator.switch import SimulatedSwitch


@dataclass(slots=True)
class _Task:
    task_id: int
    group: str
    description: str
    runtime_s: int
    repeat_s: int
    run: Callable[[], None]
    may_wait: bool
    timer: Timer | None = None


class Scheduler:
    """Tasks by group; a group is a channel's uuid unless a story says otherwise."""

    def __init__(self, switch: SimulatedSwitch) -> None:
        self._switch = switch
        self._tasks: dict[int, _Task] = {}
        self._ids = itertools.count(1)

    def hangup(self, when: str, channel_uuid: str, hangup_cause: str) -> int:
        """Hang a channel up at ``when``: ``+seconds`` from now, or an epoch; the task's number."""

        def run() -> None:
            channel = self._switch.locate(channel_uuid)
            if channel is not None:
                hang_up(channel, hangup_cause)

        return self._add(when, channel_uuid, "switch_ivr_schedule_hangup", run)

    def transfer(
        self, when: str, channel_uuid: str, number: str, dialplan: str, context: str
    ) -> int:
        """Send a channel to another extension at ``when``; the task's number."""

        def run() -> None:
            channel = self._switch.locate(channel_uuid)
            if channel is not None:
                self._switch.transfer(channel, number, dialplan, context)

        return self._add(when, channel_uuid, "switch_ivr_schedule_transfer", run)

    def broadcast(self, when: str, channel_uuid: str, path: str, legs: str) -> int:
        """Let a leg, its partner, or both execute something at ``when``; the task's number."""

        def run() -> None:
            channel = self._switch.locate(channel_uuid)
            if channel is not None:
                broadcast(channel, path, legs=legs)

        return self._add(when, channel_uuid, "switch_ivr_schedule_broadcast", run)

    def api(self, when: str, group: str, command: str) -> int:
        """Run an API command at ``when``, with an ``@`` again and again; the task's number."""

        def run() -> None:
            name, _, arguments = command.partition(" ")
            self._switch.run_api(name, arguments)

        return self._add(when, group, "sched_api_function", run, may_wait=True)

    def delete(self, wanted: str) -> int:
        """Remove a task by number, or a group's tasks; how many there were.

        Digits are always a number: a group of digits only cannot be named.
        """
        by_number = wanted.isdecimal()
        doomed = [
            task
            for task in self._tasks.values()
            if (str(task.task_id) if by_number else task.group) == wanted
        ]
        for task in doomed:
            if task.timer is not None:
                task.timer.cancel()
            self._forget(task)
        return len(doomed)

    def pending(self, group: str = "") -> list[tuple[str, int]]:
        """Description and time (epoch seconds) of the tasks of a group, or of all."""
        chosen = [task for task in self._tasks.values() if group in {"", task.group}]
        return [(task.description, task.runtime_s) for task in chosen]

    def _add(
        self,
        when: str,
        group: str,
        description: str,
        run: Callable[[], None],
        *,
        may_wait: bool = False,
    ) -> int:
        clock = self._switch.clock
        number = leading_number(when.lstrip("+@"))
        past = not when.startswith("+") and number < clock.now_s
        # What has passed, as any number with an `@` has, is not late: it is an interval.
        repeat_s = number if past else 0
        delay_s = number if past or when.startswith("+") else number - clock.now_s
        runtime_s = int(clock.now_s + delay_s)
        task = _Task(next(self._ids), group, description, runtime_s, repeat_s, run, may_wait)
        self._tasks[task.task_id] = task
        self._publish("ADD_SCHEDULE", task)
        self._arm(task)
        return task.task_id

    def _arm(self, task: _Task) -> None:
        """It counts whole seconds: a task may be early by one that goes on already."""
        clock = self._switch.clock
        delay_s = max(0.0, task.runtime_s - clock.now_s)
        task.timer = clock.call_later(delay_s, lambda: self._begin(task))

    def _begin(self, task: _Task) -> None:
        if task.may_wait:
            # The clock must not stand still while a command takes its time.
            self._switch.spawn(self._fire, task)
        else:
            self._fire(task)

    def _fire(self, task: _Task) -> None:
        if task.task_id in self._tasks:
            task.run()
        if task.task_id not in self._tasks:
            # Deleted, perhaps by what it ran.
            return
        if not task.repeat_s:
            self._forget(task)
            return
        task.runtime_s = int(self._switch.clock.now_s) + task.repeat_s
        self._publish("RE_SCHEDULE", task)
        self._arm(task)

    def _forget(self, task: _Task) -> None:
        if self._tasks.pop(task.task_id, None) is not None:
            self._publish("DEL_SCHEDULE", task)

    def _publish(self, name: str, task: _Task) -> None:
        event = SimEvent(name).add("Task-ID", task.task_id).add("Task-Desc", task.description)
        event.add("Task-Group", task.group).add("Task-Runtime", task.runtime_s)
        self._switch.publish(event)
