"""A running session: its legs, one mailbox, one greenlet, one link at a time.

Everything that can happen arrives in the mailbox (events of the link, a leg that comes home on a
new link, the link's loss, the order to hand over) or is a timer; the session's greenlet takes one
after the other, so nothing here needs a lock. What the floors above keep with a session are its
*parts*. A scenario sees it as its own ``Session``, which adds the verbs (`fsctl.scenario.session`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from fsctl import journal
from fsctl.errors import ChannelGone, CommandTimeout, LinkError, LinkLost
from fsctl.esl.commands import Events, Filter
from fsctl.esl.common import CommonLink
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.log import seldom
from fsctl.session.core.board import Board
from fsctl.session.core.clock import Timer
from fsctl.session.core.directory import Directory
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.mailbox import Mailbox
from fsctl.session.core.movers import Movers
from fsctl.session.core.told import Told
from fsctl.settings import Settings, TransferMode
from fsctl.switch.ahead import Ahead
from fsctl.switch.links import Links
from fsctl.switch.marks import Mark
from fsctl.switch.origin import Origin
from fsctl.switch.variables import read

log = logging.getLogger(__name__)


class _SessionId(str):
    """The session's id; a log line that names it has the session's calls as fields."""

    session: Session

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """A copy is just the text."""
        return str, (str(self),)

    @property
    def log_fields(self) -> dict[str, Any]:
        """Read by :mod:`fsctl.log` when such a line is written as JSON."""
        calls = [each.log_fields["calls"][0] for each in self.session.calls.values()]
        named = {"session": str(self), "switch": self.session.switch}
        return named | ({"calls": calls} if calls else {})


class Part:
    """What a floor keeps with a session; made with it alone."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def heard(self) -> list[Filter]:
        """What a new link must let through besides the events of the legs."""
        return []

    def given_away(self, leg: Leg) -> None:
        """``leg`` is another session's from now on."""

    def broken(self) -> None:
        """Something has raised that should not have: what it was about must not hang for ever."""

    def hand_over(self) -> None:
        """The session ends, and the application has not been told yet."""

    def end(self) -> None:
        """It has been told, and the link may still serve."""


P = TypeVar("P", bound=Part)


class Session:
    """The legs of one conversation, however many there are; it ends with the last of them."""

    tell: Told
    """The application, which is told of what happens. Set by the class that adds the verbs."""
    movers: Movers
    """The session's blind transfers. Set by the part that keeps them."""
    leg_type: type[Leg] = Leg
    """The class of the session's legs; the session that adds the verbs has its own."""

    def __init__(self, board: Board, session_id: str, link: Connection, origin: Origin) -> None:
        self.origin = origin
        """The FreeSWITCH that all our legs are on."""
        self.id = _SessionId(session_id)
        """The name of the session in logs, and on its channels (``fsctl_session``)."""
        self.id.session = self
        self.board = board
        self.settings: Settings = board.settings
        self.domain = ""
        """The domain of users who are dialled by number. Set from each leg that comes as a new
        one: the domain where its caller is registered, or called."""
        self.own_hosts: set[str] = set()
        """Hosts that name this switch (lower case). Each leg that comes as a new one adds its own:
        a SIP URI of these is dialled as a number."""
        self.own_context = ""
        """The context to which a transfer of our legs that is no REFER goes. Set from each
        leg whose dialplan names one; handed on to the parties that the application calls."""
        self.calls: dict[str, Leg] = {}
        """All legs by their channels, also those that have ended; a called party that has not
        answered stands under the name of its branches. A leg that another session takes goes."""
        self.callees: dict[str, Leg] = {}
        """Of these, those that we have called, by the name that each of their channels carries
        (`Leg.callee`)."""
        self.made: list[Leg] = []
        """All legs that `new_leg` has made here, whatever has become of them."""
        self.over = False
        """Nothing is done any more, for good. Set when the link is lost, the calls are left to
        FreeSWITCH, or the last of them has ended."""
        self._take_event: Callable[[Event], None] = lambda event: None
        self.concerns: Callable[[Event], bool] = lambda event: True
        """Whether an event is to be applied at all; asked as it comes. Set by `take_events`."""
        self._parts: dict[type[Part], Part] = {}
        self._talks = False
        """The link's leg executes something, and so was parked before. Set by `leave`."""
        self._given_away = False
        """The link's leg is another session's now: this session's end leaves the link open."""
        self._timers: list[Timer] = []
        self._links = Links(link)
        self._mailbox: Mailbox[Callable[[], None] | Event] = Mailbox()

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    @property
    def switch(self) -> str:
        """The FreeSWITCH that the session's legs are on: its name in ``[switch]``, else what it
        calls itself (``FreeSWITCH-Switchname``)."""
        return self.board.name_switch(self.origin)

    def part(self, kind: type[P]) -> P:
        """The part of this kind; made when it is first asked for."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)
        assert isinstance(found, kind)
        return found

    def new_leg(
        self,
        channel_uuid: str,
        *,
        number: str,
        display_name: str = "",
        transfer_mode: TransferMode | None = None,
        state: LegState = LegState.ALERTING,
        outgoing: bool = False,
    ) -> Leg:
        """Make a leg of this session; it is not among :attr:`calls` yet."""
        leg = self.leg_type(
            self,
            channel_uuid,
            number=number,
            display_name=display_name,
            transfer_mode=self.settings.mode(transfer_mode),
            state=state,
            outgoing=outgoing,
        )
        self.made.append(leg)
        self.board.part(Directory).add(leg)
        return leg

    # -- for whoever adds the application --------------------------------------------------

    @property
    def scenario_name(self) -> str:
        """By which a worker that takes over finds the same scenario; empty: the default."""
        return ""

    @property
    def waits(self) -> bool:
        """Whether a handler waits for something: it may be about to decide."""
        return False

    def choose_scenario(self, destination: str) -> None:
        """From now on: the scenario of the route that the dialled number takes."""

    def resume_scenario(self, name: str) -> None:
        """It was this one's before we took it over."""

    def looked(self) -> None:
        """Something has happened: whoever waits may look again."""

    def closed(self, error: ChannelGone) -> None:
        """Nobody waits any more: the session has ended."""

    # -- the loop ---------------------------------------------------------------------------

    def run(self) -> None:
        """Do what was posted to begin with, and then everything that happens, until the last call
        has ended."""
        journal.note("session", session=self.id, switch=self.switch)
        try:
            self._do(self._mailbox.get())
            while not self._is_over():
                self._do(self._mailbox.get())
        finally:
            self._end()

    def post(self, work: Callable[[], None]) -> None:
        """Have ``work`` done by the session's greenlet; callable from any greenlet."""
        self._mailbox.put(work)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Have ``callback`` done by the session's greenlet in ``seconds``; can be cancelled."""
        self._timers = [timer for timer in self._timers if timer.is_pending]
        timer = Timer(self.board.clock, seconds, callback, self.post)
        self._timers.append(timer)
        return timer

    def lose(self, why: object = "") -> None:
        """The link is lost: nothing can be done any more."""
        if not self.over:
            extra = seldom("sessions whose link was lost")  # strangers can open and close links
            reason = f": {why}" if why else ""
            log.warning("%s: link lost, its calls go on alone%s", self.id, reason, extra=extra)
        self.over = True

    def _lose_in_work(self, error: LinkLost) -> None:
        """As `lose`, where it is our own link that is lost."""
        if self.is_cut_off:
            self.lose(error)
        else:
            log.info("%s: given up, for a link is away: %s", self.id, error)

    def hand_over(self) -> None:
        """Leave the calls to FreeSWITCH: nothing that is bridged or being bridged is cut."""
        self.over = True

    def leave(self) -> None:
        """As that, when the leg that has opened the link is known to talk: it waits for nothing."""
        self.over = self._talks = True

    def _do(self, work: Callable[[], None] | Event) -> None:
        """Do one thing; whatever it raises ends that thing only, and never the calls."""
        try:
            if isinstance(work, Event):
                self._take_event(work)
            else:
                work()
        except LinkLost as error:
            self._lose_in_work(error)
        except (LinkError, ChannelGone) as error:
            # Mostly the leg's hang-up is on its way to us.
            late = isinstance(error, CommandTimeout)
            log.log(logging.WARNING if late else logging.INFO, "%s: given up: %s", self.id, error)
        except Exception:
            log.exception("%s: given up by an error of our own", self.id)
            for part in tuple(self._parts.values()):
                self._told(part.broken)
        self.looked()

    def _told(self, tell: Callable[[], None]) -> None:
        """Tell a part; whatever it raises, the others are told, too."""
        try:
            tell()
        except LinkLost as error:
            self._lose_in_work(error)
        except (LinkError, ChannelGone) as error:
            log.info("%s: a part has given up: %s", self.id, error)
        except Exception:
            log.exception("%s: a part has failed", self.id)

    def _is_over(self) -> bool:
        if not self.over:
            for call in self.calls.values():
                if call.alive:
                    return False
        return True

    def _end(self) -> None:
        self.over = True
        lost = self.link.closed
        for part in tuple(self._parts.values()):
            self._told(part.hand_over)
        self.tell.terminating()
        self.closed(ChannelGone(f"session {self.id} has ended"))
        for part in tuple(self._parts.values()):
            self._told(part.end)
        self.board.session_ends(self)
        journal.note("session", session=self.id, over=True)
        self.tell.terminated()
        for timer in self._timers:
            timer.cancel()
        if self._given_away:
            self._links.give_up_current()
        self._links.end(parked=self._talks)
        if lost and any(call.alive for call in self.calls.values()):
            self.board.on_stranded(self.board.home, self.switch)

    # -- links ------------------------------------------------------------------------------

    @property
    def link(self) -> Connection:
        """The link that commands go by."""
        return self._links.current

    @property
    def link_leg(self) -> str:
        """The channel that opened the link."""
        return self._links.leg

    def adopt(self, link: Connection, begin: Callable[[], None]) -> None:
        """Have ``begin`` serve ``link``, by which a leg of ours comes, or a request for one."""
        self.keep_link(link)
        self.post(begin)

    def keep_link(self, link: Connection) -> None:
        """Take responsibility for ``link``: it ends with us at the latest."""
        self._links.adopt(link)

    def take_link(self, link: Connection, leg: str, ahead: Ahead | None = None) -> None:
        """Make ``link``, opened by channel ``leg``, the one link: all our events come with it.

        ``ahead``: what it was asked before."""
        filters = [call.filter for call in self.calls.values() if call.alive]
        for part in self._parts.values():
            filters += part.heard()
        self._links.take(
            link,
            leg,
            filters,
            self.hear,
            lambda: self.post(lambda: self._lost(link)),
            ahead,
        )

    def take_events(
        self,
        take: Callable[[Event], None],
        concerns: Callable[[Event], bool] = lambda event: True,
    ) -> None:
        """From now on ``take`` applies the events of our link that it ``concerns``."""
        self._take_event, self.concerns = take, concerns

    def hear(self, event: Event) -> None:
        """Take an event in our greenlet, after what is there already."""
        if self.concerns(event):
            self._mailbox.put(event)

    def hold_link(self, link: Connection, leg: str) -> None:
        """Keep the link by which a leg is in our hands; it becomes the one link when ours ends."""
        self._links.hold(link, leg)
        if self.link.hung_up:
            self.change_link()

    def change_link(self) -> None:
        """Our link's leg has hung up: go on with the link of another leg, if there is one."""
        for uuid, call in self.calls.items():
            link = self._links.held(uuid)
            if call.alive and call.held and link is not None and link is not self.link:
                self.take_link(link, uuid)
                self._links.settle()
                return

    def want(self, event_name: str) -> None:
        """Hear these events of our calls from now on, on whatever link."""
        wanted = self._links.want(event_name)
        if self.rests:
            # That link was not asked before, and DTMF does not bear the mark which it goes by.
            filters = [call.filter for call in self.calls.values() if call.alive]
            self.link.send_all([*filters, Events((event_name,))])
        elif wanted is not None:
            self.link.send(wanted)

    def want_end_of(self, application: str) -> None:
        """As :meth:`want`, for the end of an application that a dialplan executes, too."""
        wanted = self._links.want_end_of(application)
        if wanted is not None:
            self.link.send(wanted)

    def want_custom(self, subclass: str) -> None:
        """As :meth:`want`, for a CUSTOM event's subclass, on this link."""
        self.link.send(Events((), (subclass,)))

    @property
    def rests(self) -> bool:
        """Whether it has no link of its own, for nothing but its calls' end is waited for."""
        return self._links.rests

    @property
    def away(self) -> bool:
        """Whether it rests, and hears nothing: the link that many share is lost, and comes back
        (`session.arrivals.resting`)."""
        return self.rests and self.link.closed

    @property
    def is_cut_off(self) -> bool:
        """Whether its own link is lost. Commands about a call of another session may fail because
        that one is `away`."""
        return self.link.closed and not self.rests

    def rest(self, common: CommonLink, lost: Callable[[], None]) -> bool:
        """Go on by ``common``, which brings our legs' events already; false: there is news.

        ``lost`` is done when that link is lost, and may have us :meth:`rest_again`."""
        if self._mailbox.waiting:
            return False
        self._links.rest(common, lambda: self.post(lost))
        return True

    def rest_again(self, common: CommonLink, lost: Callable[[], None]) -> None:
        """Go on by ``common``, as before the link was lost; ``lost``: see :meth:`rest`."""
        self._links.rest_again(common, lambda: self.post(lost))

    def settle_link(self) -> None:
        """The new link serves: the one before it is only kept open."""
        self._links.settle()

    def return_link(self) -> None:
        """The new link's leg has gone: the link before it is the one again."""
        self._links.go_back()

    def _lost(self, link: Connection) -> None:
        if link is self.link:
            self.lose()

    # -- legs -------------------------------------------------------------------------------

    def handed_over(self, call: Leg) -> None:
        """``call`` belongs to another session from now on."""
        self._given_away = call.channel_uuid == self.link_leg
        self._links.give_up(call.channel_uuid)
        call.advance(LegState.DISCONNECTED)

    def give_away(self, call: Leg) -> None:
        """``call`` lives on as another session's, and what joined it with ours is over."""
        self._given_away = self._given_away or call.channel_uuid == self.link_leg
        self._links.give_up(call.channel_uuid)
        self.calls.pop(call.channel_uuid, None)
        self.callees.pop(call.callee, None)
        for part in self._parts.values():
            part.given_away(call)

    def check_still_ours(self, call: Leg) -> None:
        """``call`` talks with somebody whom we do not know: another worker may have taken it."""
        if read(self.link, call.channel_uuid, Mark.SESSION) not in (None, self.id):
            log.info("%s: %s is another session's now: let go", self.id, call)
            self.give_away(call)
