"""Who looks after what dead workers have left, on every FreeSWITCH that is configured."""

from __future__ import annotations

from collections.abc import Callable

from fsctl.service.orphans import Orphans
from fsctl.session.transfers.record import TransferRecord, write
from fsctl.settings import Settings


class Rescue:
    """Looks after the legs and records of each switch by a link of its own.

    ``held`` asks the living workers which channels they hold, of whatever switch; None when not
    every one has answered.
    """

    def __init__(self, settings: Settings, held: Callable[[], set[str] | None]) -> None:
        self._held = held
        self._orphans: dict[str, Orphans] = {}
        self.take(settings)

    def take(self, settings: Settings) -> None:
        """Go on with these: those of a switch that is no longer there are left to FreeSWITCH."""
        switches = {switch.name: switch for switch in settings.switches}
        for name in self._orphans.keys() - switches.keys():
            self._orphans.pop(name).stop()
        for name, switch in switches.items():
            if name in self._orphans:
                self._orphans[name].take(settings, switch)
            else:
                self._orphans[name] = Orphans(settings, switch, self._held)

    def look_after(self, home: str) -> None:
        """The worker whose private address was ``home`` is dead: it had legs on any switch."""
        for orphans in self._orphans.values():
            orphans.look_after(home)

    def look_after_legs(self, home: str, switch: str) -> None:
        """Legs that came home to that address are in nobody's hands, on the switch of that name."""
        if switch in self._orphans:
            self._orphans[switch].look_after(home)

    def owe(self, record: TransferRecord) -> None:
        """A transfer goes on without the worker that has it: its record is written when it ends.

        Where nobody can look, on a switch that is not configured, it is written now.
        """
        orphans = self._orphans.get(record.switch)
        if orphans is None:
            write(record)
        else:
            orphans.owe(record)

    def look_for_records(self) -> None:
        """Whoever was here before us may have left transfers whose records are owed."""
        for orphans in self._orphans.values():
            orphans.look_for_records()

    @property
    def busy(self) -> bool:
        """Whether somebody is still looked after."""
        return any(orphans.busy for orphans in self._orphans.values())

    def stop(self) -> None:
        """Look no more."""
        for orphans in self._orphans.values():
            orphans.stop()
