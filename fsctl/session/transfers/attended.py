"""An attended transfer in the running session: runs the table of :mod:`fsctl.transfer.attended`.

With ``make-every-transfer-a-nightmare`` FreeSWITCH asks for each one by a loopback: it dials
``loopback/attended/fsctl_attended`` while everybody talks on, and the loopback's b-leg dials us
(sofia.c, ``nightmare_xfer_thread_run``). Answered, FreeSWITCH bridges the transferee with the
loopback, reports 200 and lets the transferor go; hung up, it reports 403. Which two legs talk in
the end is ours: ``uuid_bridge`` of the transferee and the target. Between the answer and that join
the b-leg carries the target's uuid: when we die, its dialplan joins the two (``intercept``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.decide.answer import Leave, Refuse
from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.policy.judge import Asking
from fsctl.session.calling import deciding, judging
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.headers import REFERRED_BY
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.transfers.attended_acts import AttendedActs
from fsctl.session.transfers.attended_parties import Parties
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.attended_request import AttendedRequest, read_attended, read_unheard
from fsctl.session.transfers.attended_target import CalledAnew
from fsctl.session.transfers.engine import Engine
from fsctl.session.transfers.record import (
    BY_SCENARIO,
    BY_SETTINGS,
    OUTCOMES,
    Decided,
    asked_for,
    begun,
    conclude,
    owing,
)
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import UriError
from fsctl.switch.grace import secure
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read
from fsctl.transfer.attended import DEADLINES, Action, Attended, Place, State, Stimulus, step

if TYPE_CHECKING:
    from fsctl.decide.client import Exchange

log = logging.getLogger(__name__)


STEP_TIMEOUT_S = 5.0
"""How long FreeSWITCH may take for each step once the request has been accepted."""

FREESWITCH_WAITS_S = 60.0
"""So long it waits for the loopback to be answered (sofia.c, ``nightmare_xfer_thread_run``)."""

SEEK_S = 1.5
SEEK_PAUSES_S = (0.05, 0.25)
"""How long the dialog to replace is looked for, after which pause first, and then."""

NEWS_S = 0.5
"""How much later than FreeSWITCH we may hear that the transferor has left."""

_LATE = {
    State.REQUESTED: "the scenario has not decided",
    State.WAITING: "the target has not answered",
    State.CALLING: "the target has not answered",
}
"""What an operator is told of a deadline that refuses."""


class AttendedTransfer:
    """One REFER with Replaces, from its arrival over a loopback until two legs talk.

    All of it happens in the greenlet of the transferor's session. ``link`` is the loopback
    b-leg's; with ``other_half`` FreeSWITCH bridges the transferee. Without a link FreeSWITCH has
    not asked us: ``replaces`` is all that is known of the REFER then.
    """

    def __init__(
        self,
        transferor: Leg,
        transferee: Leg,
        link: Connection | None,
        other_half: str,
        replaces: str = "",
    ) -> None:
        self.session = transferor.session
        self.transferor = transferor
        self.transferee = transferee
        self.parties = Parties(self.session, transferor, transferee, link, other_half)
        self.when_refused: Callable[[], None] = lambda: None
        """What follows when everybody talks on; set by who has made the transfer."""
        self.asks = True
        """Whether the scenario decides; cleared by who has made it, of a call that is not ours."""
        self.acts = AttendedActs(self.parties)
        self._replaces = replaces
        self._request: AttendedRequest | None = None
        """As read last; it may not know its dialog yet while that is sought."""
        self._asking: Asking | None = None
        """What the policy judges. Set when the request is read; None: it is not asked."""
        self._decided: Decided = BY_SETTINGS
        """Who decides. Set by whoever is asked."""
        self._anew: CalledAnew | None = None
        """The target's call for the transferee; set where the transferor has taken its own back."""
        self._name = begun(self.session, "attended", transferor, transferee, self.parties.loopback)
        self._engine = Engine(
            self.session,
            self._name,
            f"attended transfer by {transferor.channel_uuid}",
            Attended(asked=link is not None),
            step,
            act=self._act,
            seconds=self._seconds,
            expired=self._too_late,
        )

    @property
    def snapshot(self) -> Attended:
        """How it stands."""
        return self._engine.snapshot

    @property
    def is_unheard(self) -> bool:
        """The transferor was gone before FreeSWITCH could ask us: only the transferee knows."""
        return not self.snapshot.asked

    # -- the request --------------------------------------------------------------------------

    def begin(self) -> None:
        """Read the request, and ask the scenario; without a handler, accept what can be done."""
        if self.snapshot.state is not State.SEEKING:
            return  # a blind REFER has overtaken it
        if (link := self.parties.link) is not None:
            link.on_lost = lambda: self.session.post(self._loopback_gone)
            link.on_hung_up = lambda: self.session.post(self._loopback_ended)
        pair = self.transferor.channel_uuid, self.transferee.channel_uuid
        owed = owing("attended", *pair, self.parties.loopback)
        self.session.link.post(secure(pair[1]), owed)
        self._seek(SEEK_PAUSES_S[0])

    def _seek(self, pause_s: float) -> None:
        """Find the dialog to replace; FreeSWITCH's list of channels lags behind, and so do events.

        A dialog that ends at this moment has no tags any more, but those in its last event.
        """
        if self.snapshot.state is not State.SEEKING:
            return
        try:
            self._request = self._read()
        except (LinkError, ChannelGone, UriError) as error:
            log.warning("%s: attended transfer refused: %s", self.session.id, error)
            self._feed(Stimulus.UNREADABLE)
            return
        if self._request.is_known or self._request.is_own:
            self._feed(Stimulus.READ)
        else:
            self.session.after(pause_s, lambda: self._seek(SEEK_PAUSES_S[1]))
        self._look()

    def _read(self) -> AttendedRequest:
        link, board, session = self.parties.link, self.session.board, self.session
        pair = (self.transferor, self.transferee)
        if link is None:
            return read_unheard(board, session.link, *pair, self._replaces)
        return read_attended(board, link, *pair)

    def _ask(self) -> Stimulus | None:
        """Ask the scenario; without a handler, accept what can be done."""
        request = self._request
        assert request is not None  # read before anybody is asked
        parties = self.parties
        parties.named_by(request)
        asked_for(self._name, request.headers.get("Refer-To", ""), self.transferor, self.transferee)
        if parties.target is not None and parties.target.placed:
            self._secure(parties.target)  # one that rings is, when it has answered
        if self.asks and not self._is_permitted(request):
            return Stimulus.REFUSED
        if self.asks and self.session.tell.decides_on_attended_transfers(self.transferor):
            self._decided = BY_SCENARIO
        asked = self.asks and self.session.tell.attended_transfer_requested(
            self.transferor,
            self.transferee,
            (parties.replaced, parties.target),
            request.refer_to,
            request.headers,
            self,
            lambda _: self._feed(Stimulus.REFUSED),
        )
        if asked:
            return None
        if self._can_be_done:
            return None if self._asks_web(request) else Stimulus.ACCEPTED
        log.warning(
            "attended transfer to an unknown dialog refused: transferor %s",
            self.transferor.channel_uuid,
        )
        return Stimulus.REFUSED

    def _asks_web(self, request: AttendedRequest) -> bool:
        """Ask the web service, where there is one: it can refuse what would be joined."""
        session, service = self.session, self.session.board.part(deciding.WebService)
        if not self.asks or not service.is_asked:
            return False
        pair = self.transferor, self.transferee
        written = request.headers.get("Refer-To", ""), request.headers.get(REFERRED_BY, "")
        question = deciding.question_of(
            session, "attended", pair, request.refer_to, written, self._asking
        )
        self._decided = Decided("web", {"id": question.id})
        service.ask(session, question, self._told_by_web)
        return True

    def _told_by_web(self, exchange: Exchange) -> None:
        """Obey; where all is decided meanwhile, the table has no answer to it."""
        by_web = isinstance(exchange.decision, Refuse)
        self._decided = Decided("web" if by_web else "settings", exchange.fields())
        failed = not isinstance(exchange.decision, Refuse | Leave)  # these two, or nobody
        refuses = by_web or (failed and self.session.settings.decide.on_failure == "refuse")
        self._feed(Stimulus.REFUSED if refuses else Stimulus.ACCEPTED)

    def _is_permitted(self, request: AttendedRequest) -> bool:
        """Whether the policy lets the transferee have the target."""
        session, parties, legs = self.session, self.parties, (self.transferor, self.transferee)
        movers = read(session.link, self.transferee.channel_uuid, Mark.MOVERS)
        refer = parties.loopback
        self._asking = judging.asking(session, *legs, "attended", movers=movers, refer=refer)
        try:
            if parties.extension is not None:
                judging.permit_extension(session, self._asking, *parties.extension)
            elif parties.target is not None:
                places = parties.target.session.part(Calls).places_of(parties.target)
                judging.permit_party(session, self._asking, parties.target, places)
            else:  # an application, or whoever is called anew, which is judged by its number then
                judging.permit_asking(session, self._asking, request.refer_to.target)
        except judging.Refused as refused:
            log.warning("%s: attended transfer refused: %s", session.id, refused)
            return False
        return True

    def _secure(self, target: Leg) -> None:
        link, loopback = self.session.link, self.parties.loopback
        if loopback:
            link.post(UuidSetvar(loopback, Mark.SECURED, target.channel_uuid))
        link.post(secure(target.channel_uuid))

    @property
    def _can_be_done(self) -> bool:
        request, parties = self._request, self.parties
        return request is not None and bool(
            parties.target is not None
            or request.is_given_up
            or parties.application
            or parties.extension
        )

    # -- what the scenario decides ------------------------------------------------------------

    def accept(self) -> None:
        """Join transferee and target; one that still rings as soon as it answers.

        Raises ValueError when the dialog to replace is not one of our calls, or all is decided.
        """
        self._check_undecided()
        if not self._can_be_done:
            raise ValueError("the REFER replaces a dialog that is no call of ours")
        self._feed(Stimulus.ACCEPTED)

    def refuse(self) -> None:
        """Refuse with 403, the only failure that FreeSWITCH reports here; everybody talks on.

        Raises ValueError when all is decided.
        """
        self._check_undecided()
        self._feed(Stimulus.REFUSED)

    def _check_undecided(self) -> None:
        if not self.snapshot.is_undecided:
            raise ValueError("this transfer is decided already")

    # -- what happens -------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """An event of some session; called by its greenlet, for every transfer that is open."""
        self.parties.note(event)
        if event.name == "CHANNEL_BRIDGE":
            pair = {event.get("Bridge-A-Unique-ID"), event.get("Bridge-B-Unique-ID")}
            self.session.post(lambda: self._bridged(pair))
        elif self.parties.is_cancel(event):
            self.session.post(lambda: self._feed(Stimulus.TAKEN_BACK))
        else:
            self.acts.dials.note(event)
        self.session.post(self._look)

    def _look(self) -> None:
        """See what the calls have come to, in all sessions that they belong to."""
        parties = self.parties
        for departure in parties.departures():
            self._feed(departure)
        if self.snapshot.state in (State.WAITING, State.VANISHED):
            fate = parties.fate_of_target()
            if fate is not None:
                self._feed(fate, parties.target_status)

    def _bridged(self, pair: set[str | None]) -> None:
        transferee, target = self.transferee.channel_uuid, self.parties.target
        if pair == {transferee, self.parties.other_half}:
            self._feed(self.acts.bridged())
        elif target is not None and pair == {transferee, target.channel_uuid}:
            self._feed(Stimulus.LEGS_JOINED)

    def _loopback_ended(self) -> None:
        """FreeSWITCH has ended it: it waited long enough, or the transferor hung up.

        Or a REFER of the transferee's has moved it, after their bridge and before we heard of that.
        """
        if self.parties.transferor_left:
            self._feed(Stimulus.TRANSFEROR_LEFT)
        self._feed(Stimulus.LOOPBACK_GONE)

    def _loopback_gone(self) -> None:
        """As that, and with its link; one that is the session's outlives it, for others."""
        self._loopback_ended()
        if not self.snapshot.is_open:
            self._untold()

    def _untold(self) -> None:
        """The link has ended that was to tell how the target's call did: with that (bgapi)."""
        target = self.parties.target
        if target is not None and not target.placed:
            self._called(False, "given up")

    def keeps(self, call: Leg) -> bool:
        """Whether ``call`` is about to be moved: that its old call ends is not its end."""
        return call is self.transferee or call is self.parties.target

    def give_way(self) -> None:
        """A blind REFER of the same two has come meanwhile: it counts, for it has moved them."""
        self._feed(Stimulus.GIVES_WAY)

    def awaits_home(self, channel: str) -> bool:
        """Whether this channel is the transferee that has been sent for."""
        comes = self.snapshot.is_open and self.snapshot.transferee is Place.COMING
        return comes and channel == self.transferee.channel_uuid

    def came_home(self, link: Connection) -> None:
        """The transferee has opened ``link``: it is the session's from now on."""
        self.session.take_link(link, self.transferee.channel_uuid)
        self.session.settle_link()
        self.transferee.held = True
        self._feed(Stimulus.TRANSFEREE_HOME)
        self._look()

    def drop(self) -> None:
        """The session ends: what has not been answered is refused, the rest joined by FreeSWITCH.

        Nothing is left to be joined when it ends because the transferee has.
        """
        there = self.transferee.alive
        self._feed(Stimulus.SESSION_ENDS if there else Stimulus.SESSION_EMPTY)

    # -- the table ----------------------------------------------------------------------------

    def _feed(self, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        self._engine.feed(stimulus, status)

    def _act(self, actions: tuple[Action, ...]) -> None:
        """Perform the actions of one step, and feed what is known by them."""
        snapshot = self.snapshot
        if not snapshot.is_open:
            self._leave(snapshot.state)
        known: Stimulus | None = None
        for action in actions:
            known = self._perform(action) or known
        if not snapshot.is_open:
            self._conclude(snapshot)
        if Action.LET_BE in actions:
            self.when_refused()
        if known is not None:
            self._feed(known)

    def _seconds(self, snapshot: Attended) -> float | None:
        bound = DEADLINES.get(snapshot.state)
        return None if bound is None else self._bounds[bound]

    @property
    def _bounds(self) -> dict[str, float]:
        return {
            "seek_timeout_s": SEEK_S,
            "decision_timeout_s": self.session.settings.transfer.decision_timeout_s,
            "freeswitch_waits_s": FREESWITCH_WAITS_S,
            "news_timeout_s": NEWS_S,
            "step_timeout_s": STEP_TIMEOUT_S,
        }

    def _too_late(self) -> None:
        state = self.snapshot.state
        if state in _LATE:
            log.warning(
                "%s: attended transfer by %s: %s: it is refused, and all talk on",
                self.session.id,
                self.transferor.channel_uuid,
                _LATE[state],
            )
        known = self.parties.target_status if state is State.VANISHED else None
        self._feed(Stimulus.DEADLINE, known)

    def _leave(self, state: State) -> None:
        """It is open no longer: nobody asks it any more."""
        if (link := self.parties.link) is not None:
            link.on_lost, link.on_hung_up = lambda: self.session.post(self._untold), None
        others = self.session.board.part(AttendedTransfers)
        others.remove(self)
        for guest in self._request.guests if self._request is not None else ():
            moved = state is State.SUCCEEDED and guest is self.parties.target
            if not moved and not any(each.has_guest(guest) for each in others):
                self.session.calls.pop(guest.channel_uuid, None)

    def has_guest(self, call: Leg) -> bool:
        """Whether ``call`` is in the session for its sake."""
        return self._request is not None and call in self._request.guests

    def _conclude(self, snapshot: Attended) -> None:
        """Write the record; of one that is left to the dialplan, whoever sees its end does."""
        conclude(
            "attended",
            self.transferor,
            self.transferee,
            self.parties.target,
            OUTCOMES[snapshot.state.value],
            snapshot.result,
            refer=self.parties.loopback,
            ours=snapshot.state is not State.ABANDONED,
            asking=self._asking,
            decided=self._decided,
            second=self.parties.replaced,
        )

    def _perform(self, action: Action) -> Stimulus | None:
        """Do it; returns what is known by it."""
        match action:
            case Action.ASK:
                return self._ask()
            case Action.LOOK:
                self._look()
                return None
            case Action.CALL_TARGET:
                return self._call_anew()
            case _:
                return self.acts.perform(action)

    # -- the target, called anew --------------------------------------------------------------

    def _call_anew(self) -> Stimulus | None:
        """Call the target for the transferee, as a blind transfer would."""
        link, request = self.parties.link, self._request
        assert link is not None and request is not None  # rule 5 of the table
        self._anew = CalledAnew(self.parties, link, request, self._called, self._asking)
        return None if self._rings(self._anew.begin()) else Stimulus.TARGET_FAILED

    def _rings(self, target: Leg | None) -> bool:
        if target is not None:
            self.parties.ring(target)
        return target is not None

    def _called(self, answered: bool, result: str) -> None:
        """An attempt has ended; ``result`` is the channel that has answered, of all that rang."""
        target, anew, session = self.parties.target, self._anew, self.session
        if target is None or anew is None or not target.alive:
            return
        calling = self.snapshot.state is State.CALLING
        if answered:
            branches.settle(session, target, result)
            if calling:
                self._feed(Stimulus.TARGET_READY)
            else:
                branches.hang_up(session, target)
            return
        log.info("%s: %s has not answered: %s", session.id, target, result)
        status = anew.failed(target, self.parties.target_status)
        if calling and not self._rings(anew.goes_on(target, status)):
            self._feed(Stimulus.TARGET_FAILED, anew.outcome(status))
