"""``sched_hangup``, ``sched_transfer`` and ``sched_del``: FreeSWITCH's task scheduler."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsctl.simulator.clock import Timer
from fsctl.simulator.events import SimEvent
from fsctl.simulator.progress import hang_up

if TYPE_CHECKING:
    from fsctl.simulator.switch import SimulatedSwitch


@dataclass(slots=True)
class _Task:
    task_id: int
    group: str
    description: str
    runtime_s: int
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

    def delete(self, wanted: str) -> int:
        """Remove a task by number, or a group's tasks; how many there were."""
        doomed = [
            task
            for task in self._tasks.values()
            if task.group == wanted or str(task.task_id) == wanted
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

    def _add(self, when: str, group: str, description: str, run: Callable[[], None]) -> int:
        clock = self._switch.clock
        relative = when.startswith("+")
        number = float(when.lstrip("+") or 0)
        delay_s = number if relative else number - clock.now_s
        task = _Task(next(self._ids), group, description, int(clock.now_s + delay_s))

        def fire() -> None:
            if task.task_id in self._tasks:
                run()
                self._forget(task)

        self._tasks[task.task_id] = task
        self._publish("ADD_SCHEDULE", task)
        task.timer = clock.call_later(delay_s, fire)
        return task.task_id

    def _forget(self, task: _Task) -> None:
        if self._tasks.pop(task.task_id, None) is not None:
            self._publish("DEL_SCHEDULE", task)

    def _publish(self, name: str, task: _Task) -> None:
        event = SimEvent(name).add("Task-ID", task.task_id).add("Task-Desc", task.description)
        event.add("Task-Group", task.group).add("Task-Runtime", task.runtime_s)
        self._switch.publish(event)
