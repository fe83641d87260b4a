"""The links of one session: one at a time is heard, and none is closed under a leg that waits.

Every leg that comes home opens a link of its own; the newest is the session's. The end of *any*
link of a channel ends that channel's park, whichever link holds it by then (mod_event_socket.c
clears CF_CONTROLLED with every listener that ends): so an old link is silenced, and stays open
until its leg ends, or talks and waits for nothing (`session.arrivals.resting`): then all go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from fsctl.esl.commands import Command, Events, Filter, FilterOutDelete, Linger
from fsctl.esl.common import CommonLink
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.switch.ahead import LINGER_S, OF_DIALPLANS, QUIET, SUBSCRIBED, Ahead

FAREWELL_S = 1.0


class Links:
    """The link that is heard, and those that are only kept open."""

    def __init__(self, first: Connection) -> None:
        self.current = first
        self.leg = ""
        """The channel that opened the current link: the only one that can execute applications."""
        self._kept = [first]
        self._of_leg: dict[str, Connection] = {}
        self._wanted: tuple[str, ...] = ()
        self._heard: tuple[str, ...] = ()
        """Applications of `OF_DIALPLANS` whose ends somebody waits for."""
        self._silent: list[Connection] = []
        self._given_up = False
        self._previous: tuple[Connection, str] | None = None

    def adopt(self, link: Connection) -> None:
        """Take responsibility for a link that is to become the current one, or brings a request."""
        others = (each for each in self._kept if not each.closed and each is not link)
        self._kept = [*others, link]

    def take(
        self,
        link: Connection,
        leg: str,
        filters: Iterable[Filter],
        on_event: Callable[[Event], None],
        on_lost: Callable[[], None],
        ahead: Ahead | None = None,
    ) -> None:
        """Make ``link``, opened by channel ``leg``, the current one, with our channels' events.

        The link before it stays usable until :meth:`settle`, or :meth:`go_back`.
        ``ahead``: what was asked of this very link before. Raises
        :class:`fsctl.errors.LinkError`; then nothing has changed.
        """
        commands: list[Command] = [Events(self._wanted)] if self._wanted else []
        if ahead is None or not ahead.filters:
            link.on_event = on_event
            commands = [Linger(LINGER_S), *filters, *QUIET, SUBSCRIBED, *commands]
        else:
            ahead.replay(on_event)
            commands = [*(each for each in filters if each not in ahead.filters), *commands]
        commands += [FilterOutDelete("Application", each) for each in self._heard]
        before = self.current, self.leg
        # Whatever others want to hear while this waits for its answers is asked of the new link.
        self.current, self.leg = link, leg
        try:
            if commands:
                link.send_all(commands)
        except BaseException:
            self.current, self.leg = before
            self._previous = None
            raise
        link.on_lost = on_lost
        self._previous = before
        self._of_leg[leg] = link

    def hold(self, link: Connection, leg: str) -> None:
        """Keep the link that channel ``leg`` has opened, without listening to it."""
        link.on_lost = None
        self._of_leg[leg] = link

    def held(self, leg: str) -> Connection | None:
        """The newest link of channel ``leg``, while it is open."""
        link = self._of_leg.get(leg)
        return None if link is None or link.closed or link.hung_up else link

    def want(self, event_name: str) -> Events | None:
        """Events to be heard on every current link; what is to be sent for that, if anything."""
        if event_name in self._wanted:
            return None
        self._wanted = (*self._wanted, event_name)
        return Events((event_name,))

    def want_end_of(self, application: str) -> Command | None:
        """The end of such an application is to be heard on every current link; as `want`."""
        if application not in OF_DIALPLANS or application in self._heard:
            return None
        self._heard = (*self._heard, application)
        return FilterOutDelete("Application", application)

    def settle(self) -> None:
        """The current link serves: silence the one before it."""
        previous, self._previous = self._previous, None
        if previous is not None and previous[0] is not self.current:
            self._silence(previous[0])

    def go_back(self) -> None:
        """The current link's leg is gone already: the link before it is the current one again."""
        previous, self._previous = self._previous, None
        if previous is not None:
            self._of_leg.pop(self.leg, None)
            self.current, self.leg = previous

    @property
    def rests(self) -> bool:
        """Whether the current link is a part of one that many share."""
        return isinstance(self.current, CommonLink)

    def rest(self, common: CommonLink, on_lost: Callable[[], None]) -> None:
        """Let go of every link that has served, under legs that are bridged; ``common``, which is
        heard already, is the current one from now on. Links that have only come stay."""
        served = dict.fromkeys((*self._of_leg.values(), *self._silent, self.current))
        last = self.current
        last.on_lost = None
        common.on_lost = on_lost
        self.current, self.leg = cast(Connection, common), ""
        self._kept = [link for link in self._kept if link not in served]
        self._of_leg, self._silent, self._previous = {}, [], None
        for link in served:
            if link is last:
                let_go(link, FAREWELL_S, parked=True)
            else:
                link.close()

    def rest_again(self, common: CommonLink, on_lost: Callable[[], None]) -> None:
        """The link that was shared is lost; ``common`` is the current one in its place."""
        common.on_lost = on_lost
        self.current = cast(Connection, common)

    def give_up(self, leg: str) -> None:
        """Channel ``leg`` is another session's now: what links it has opened before end with it."""
        for link in (*self._kept, *self._silent):
            if link.channel_uuid == leg and link is not self.current:
                self._silence(link)
        self._silent = [link for link in self._silent if link.channel_uuid != leg]

    def give_up_current(self) -> None:
        """The current link's leg is another session's now: hear it no more, and keep it open."""
        self._silence(self.current)
        self._given_up = True

    def end(self, *, parked: bool) -> None:
        """Let every leg go on in its dialplan, where it is not held by something else.

        ``parked``: see `fsctl.esl.farewell.let_go`.
        """
        for link in self._kept:
            let_go(link, FAREWELL_S, parked=parked)
        if self.rests:
            self.current.close()
        if not self._given_up:
            for link in self._silent:
                link.close()

    def _silence(self, link: Connection) -> None:
        link.on_lost = None
        if link in self._kept:
            self._kept.remove(link)
        link.retire()
        self._silent = [old for old in [*self._silent, link] if not old.closed]
