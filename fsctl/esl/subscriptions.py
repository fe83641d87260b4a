"""What a link has asked FreeSWITCH to send it (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from fsctl.esl.commands import Command, Events, Filter, FilterDelete, NoEvents


class Subscriptions:
    """The events and filters of one link, as far as commands on it have set them."""

    __slots__ = ("_filters", "_format", "_names")

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._format = "plain"
        self._filters: set[tuple[str, str]] = set()

    def note(self, command: Command) -> None:
        """This command goes to the switch."""
        if isinstance(command, Events):
            self._names.update(command.names)
            self._format = command.format
        elif isinstance(command, NoEvents):
            self._names.clear()
        elif isinstance(command, Filter):
            self._filters.add((command.header, command.value))
        elif isinstance(command, FilterDelete):
            self._filters = set(_kept(self._filters, command))

    def for_job(self, job_uuid: str) -> list[Command]:
        """What must be asked for so that this job's BACKGROUND_JOB arrives.

        A filter only where there are filters: the first one would shut all other events out.
        """
        wanted: list[Command] = []
        if self._filters:
            wanted.append(Filter("Job-UUID", job_uuid))
        if not self._names & {"BACKGROUND_JOB", "ALL"}:
            wanted.append(Events(("BACKGROUND_JOB",), format=self._format))
        return wanted

    def after_job(self, job_uuid: str) -> list[Command]:
        """What takes `for_job` back."""
        filtered = ("Job-UUID", job_uuid) in self._filters
        return [FilterDelete("Job-UUID", job_uuid)] if filtered else []


def _kept(filters: Iterable[tuple[str, str]], deleted: FilterDelete) -> Iterable[tuple[str, str]]:
    for header, value in filters:
        if header != deleted.header or deleted.value not in (None, value):
            yield header, value
