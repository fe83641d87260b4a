"""An attended transfer by keys: FreeSWITCH's ``att_xfer`` on the leg of whoever has pressed.

mod_dptools.c, ``att_xfer_function``, does it all and needs nobody: the partner is held, the
transferor talks with the target; when one of these hangs up, or presses a key, the right two (or
all three) are joined. Our part is what comes before (may it, who is called, whom does that party
see) and after (how has it ended). The two who talked are at no moment in our hands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from uuid import uuid4

from fsctl.esl.commands import Command, Execute, UuidBroadcast, UuidSetvar, UuidSetvarMulti
from fsctl.esl.events import Event
from fsctl.policy.judge import Asking
from fsctl.session.calling import judging
from fsctl.session.calling.arming import arming, in_dialplan
from fsctl.session.calling.invite import invite
from fsctl.session.calling.plan import Asker, Plan, called_party, plan
from fsctl.session.calling.purposes import PlainCall
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Part, Session
from fsctl.session.transfers.by_keys import Pressed, note_mover
from fsctl.session.transfers.record import Outcome, conclude, owing
from fsctl.settings import Call, Transfer
from fsctl.sip.status import SipStatus
from fsctl.switch.dialstring import DialString, DialStringError
from fsctl.switch.end_status import bridge_status
from fsctl.switch.marks import Context, Extension, Mark
from fsctl.switch.posting import post_if_there
from fsctl.switch.variables import read, read_if_there, read_several

log = logging.getLogger(__name__)

_STALE = ("sip_invite_failure_status", "sip_invite_failure_phrase", "originate_disposition")
"""What an earlier call of somebody has left on the transferor must not be taken for this one's."""
_AFTER_BRIDGE = "execute_on_post_bridge_fsctl_keys"
_WAITS = f"execute_extension:{Extension.HELD} XML {Context.KEYS}"
"""The transferee waits for a moment when its partner has hung up: ``att_xfer`` is a thread of its
own, and may be later than the end of their bridge, which hangs up who is left."""
_RINGBACK = "%(2000,4000,440,480)"
_NO_KEY = "none"
"""FreeSWITCH compares a key with the first character of a variable; none is like this one's."""
_SETTLED_S = 1.0
"""So long after the transferor has hung up the other two are joined, if at all."""
_LEFT = SipStatus(487)
_GIVEN_UP = SipStatus(502)
"""By the cause with which FreeSWITCH ends both, when the transferee has waited long enough for the
target (switch_ivr_bridge.c, DESTINATION_OUT_OF_ORDER)."""
_THREE_WAY = SipStatus(200, "Three-Way Call")


class _Consulting(PlainCall):
    """The transferor calls the target for itself; but the policy judges the transfer."""

    def __init__(self, session: Session, transferor: Leg, asking: Asking | None) -> None:
        super().__init__(session, transferor)
        self.asking = asking

    @property
    def defaults(self) -> Call | Transfer:
        return self._session.settings.transfer


class Consultations(Part):
    """That of a session."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.running: Consultation | None = None
        """Set when a number has been pressed, for good."""

    def hand_over(self) -> None:
        """The session ends before it."""
        if self.running is not None:
            self.running.hand_over()


class Consultation:
    """One attended transfer by keys, from the number that was pressed to its record."""

    def __init__(self, asked: Pressed) -> None:
        self._asked = asked
        self._session = asked.transferor.session
        self._session.part(Consultations).running = self
        self._asking: Asking | None = None
        self._target: Leg | None = None
        self._execution = ""
        """Event-UUID of the ``att_xfer``. Set when it is begun."""
        self._before: dict[Leg, list[Command]] = {}
        """What gives the first two the variables back that they had before. Set by `_call`."""
        self._known: dict[str, str] = {}
        """To which session the call belongs, and which worker runs that. Set by `begin`, from the
        transferee's channel: it is not ours."""
        self._over = False
        self._takers: dict[str, Callable[[Event], None]] = {
            "CHANNEL_ANSWER": self._answer,
            "CHANNEL_BRIDGE": self._bridge,
            "CHANNEL_HANGUP": self._hangup,
            "CHANNEL_EXECUTE_COMPLETE": self._complete,
        }

    def begin(self) -> None:
        """Call the target, or tell the transferor that nobody is called."""
        session, asked = self._session, self._asked
        session.take_events(self._take)
        pair = asked.transferor, asked.transferee
        names = (Mark.SESSION, Mark.SCENARIO, Mark.HOME)
        known = read_several(session.link, asked.transferee.channel_uuid, *names)
        self._known = {name: value or "" for name, value in zip(names, known, strict=True)}
        self._known[Mark.HOME] = self._known[Mark.HOME] or session.board.home
        movers = note_mover(session, asked)
        self._asking = judging.asking(session, *pair, "keys-attended", movers=movers)
        try:
            judging.permit_asking(session, self._asking, asked.number)
            if not asked.number:
                raise NoRoute("no number was pressed", SipStatus(484))
            purpose = _Consulting(session, asked.transferor, self._asking)
            self._call(plan(session, asked.number, Asker(asked.transferor, purpose)))
        except NoRoute as error:
            log.warning("%s: consultation refused: %s", session.id, error)
            self._refuse(error.status)
        except DialStringError as error:
            log.warning("%s: consultation refused: %s", session.id, error)
            self._refuse(SipStatus(400))

    def _call(self, planned: Plan) -> None:
        """Raises DialStringError, LinkError, ChannelGone."""
        session, settings = self._session, self._session.settings
        transferor, transferee = self._asked.transferor, self._asked.transferee
        route, keys = planned.routed.route, settings.keys
        target = self._target = called_party(session, planned.routed)
        branches.name_anew(session, target)
        variables = self._armed(target, transferee) | invite(
            target,
            transferor,
            route,
            planned.shown,
            moves=False,
            ring_timeout_s=planned.ring_timeout_s,
            headers=dict(settings.transfer.headers),
            codecs=planned.attempts.codecs,
        )
        variables |= {
            "ignore_early_media": "true",
            "attxfer_hangup_key": keys.complete or _NO_KEY,
            "attxfer_cancel_key": keys.cancel or _NO_KEY,
            "attxfer_conf_key": keys.three_way or _NO_KEY,
        }
        if route.kind == "dialplan":
            own = read(session.link, transferor.channel_uuid, Mark.OWN_CONTEXT)
            if own and not route.context:
                variables |= {Mark.TARGET_CONTEXT: own}
            variables |= in_dialplan(variables, transferor) | {"loopback_bowout": "false"}
        # Should the transferor hang up while the target rings FreeSWITCH has the transferee wait
        # for so long again, and gives up at once without a sound to play
        # (switch_ivr_wait_for_answer).
        sound = settings.transfer.ringback or _RINGBACK
        calls = {"transfer_ringback": sound, "origination_cancel_key": keys.cancel or _NO_KEY}
        waits = {"transfer_ringback": sound, _AFTER_BRIDGE: _WAITS}
        waits |= {"call_timeout": str(planned.ring_timeout_s)}
        changed = ((transferor, calls), (transferee, waits))
        self._before = {leg: self._found(leg, names) for leg, names in changed}
        calls |= dict.fromkeys(_STALE, "")
        waits |= {Mark.HOME: self._known[Mark.HOME]}
        self._execution = str(uuid4())
        dial_string = DialString(planned.routed.endpoint, variables).format()
        session.link.send_all(
            [
                branches.begin(session, target),
                UuidSetvarMulti(transferee.channel_uuid, tuple(waits.items())),
                self._owing(),
                UuidSetvarMulti(transferor.channel_uuid, tuple(calls.items())),
                Execute(
                    "att_xfer",
                    dial_string,
                    event_uuid=self._execution,
                    channel_uuid=transferor.channel_uuid,
                    holds_partner=True,
                ),
            ]
        )[-1].raise_for_error()

    def _found(self, leg: Leg, names: Iterable[str]) -> list[Command]:
        uuid, wanted = leg.channel_uuid, tuple(names)
        found = read_several(self._session.link, uuid, *wanted)
        return [UuidSetvar(uuid, name, value) for name, value in zip(wanted, found, strict=True)]

    def _owing(self) -> Command:
        asked = self._asked
        pair = asked.transferor.channel_uuid, asked.transferee.channel_uuid
        return owing("attended", *pair, asked.loopback, start="keys")

    def _armed(self, call: Leg, peer: Leg) -> dict[str, str]:
        return arming(call, peer, self._known[Mark.HOME], self._session.settings) | self._known

    # -- what happens ---------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if event.name in branches.NOTED:
            branches.note(self._session, event)
        taker = self._takers.get(event.name)
        if taker is not None and not self._over:
            taker(event)

    def _answer(self, event: Event) -> None:
        target = self._target
        if target is None or branches.call_of(self._session, event) is not target:
            return
        branches.settle(self._session, target, event.channel_uuid or "")
        branches.learn(target, event)
        target.advance(LegState.CONNECTED)

    def _bridge(self, event: Event) -> None:
        pair = {event.get(f"Bridge-{end}-Unique-ID") or "" for end in "AB"}
        transferor, transferee = self._asked.transferor, self._asked.transferee
        target = self._target
        if transferee.channel_uuid not in pair or target is None:
            return
        (other,) = pair - {transferee.channel_uuid}
        if branches.has(target, other):
            branches.settle(self._session, target, other)
            target.advance(LegState.CONNECTED)
            self._joined(target)
        elif other == transferor.channel_uuid and target.was_connected:
            self._back(target)

    def _hangup(self, event: Event) -> None:
        session = self._session
        call = branches.call_of(session, event)
        if call is None:
            return
        if call is self._target:
            call.advance(LegState.DISCONNECTED) if call.placed else None
            return
        call.advance(LegState.DISCONNECTED)
        if call is self._asked.transferor:
            session.after(_SETTLED_S, self._left)
        elif self._rings_for_transferee():
            why = self._why(SipStatus(480))
            self._end("failed", SipStatus(480) if why == _GIVEN_UP else why)
        else:
            self._end("abandoned", _LEFT)

    def _rings_for_transferee(self) -> bool:
        """The transferor has hung up, and FreeSWITCH has the transferee wait for the target."""
        target = self._target
        waits = target is not None and not target.was_connected
        return waits and not self._asked.transferor.alive

    def _why(self, otherwise: SipStatus) -> SipStatus:
        """Why the target was not reached."""
        known = self._target.branches if self._target is not None else None
        return otherwise if known is None else known.status(otherwise)

    def _complete(self, event: Event) -> None:
        """The ``att_xfer`` has ended: unless the target has answered, it was not reached."""
        target = self._target
        if event.get("Application-UUID") != self._execution or target is None:
            return
        if target.was_connected or not self._asked.transferor.alive:
            return
        self._refuse(self._why(bridge_status(event)))

    # -- how it ends ----------------------------------------------------------------------------

    def _joined(self, target: Leg) -> None:
        """Transferee and target talk: they may transfer on."""
        transferee = self._asked.transferee
        paired(transferee, target)
        armed = self._armed(transferee, target)
        self._post([UuidSetvarMulti(transferee.channel_uuid, tuple(armed.items()))])
        self._end("succeeded", SipStatus(200))

    def _back(self, target: Leg) -> None:
        """The first two talk again: with the target, or without (somebody may have moved it)."""
        doing = read_if_there(self._session.link, target.channel_uuid, "current_application")
        if doing == "three_way":
            self._end("succeeded", _THREE_WAY)
        else:
            self._end("failed", _LEFT)

    def _left(self) -> None:
        """The transferor has hung up, and the other two are not joined."""
        if not self._over and not self._rings_for_transferee():
            self._end("abandoned", _LEFT)

    def _refuse(self, status: SipStatus) -> None:
        """The transferor hears that nothing came of it, unless it has wanted that, and talks on."""
        transferor = self._asked.transferor
        if transferor.alive and status != _LEFT:
            sound = self._session.settings.keys.error
            self._post([UuidBroadcast(transferor.channel_uuid, sound)])
        self._end("failed", status)

    def _post(self, commands: list[Command]) -> None:
        """Send what may as well come too late."""
        session = self._session
        post_if_there(session.link, commands, f"{session.id} consultation: not told to FreeSWITCH")

    def hand_over(self) -> None:
        """FreeSWITCH goes on alone: whoever sees the end writes the record."""
        if not self._over:
            self._end("abandoned", SipStatus(503), ours=False)

    def _end(self, outcome: Outcome, status: SipStatus, *, ours: bool = True) -> None:
        self._over = True
        asked = self._asked
        if ours:
            self._post([each for leg in self._before if leg.alive for each in self._before[leg]])
        conclude(
            "attended",
            asked.transferor,
            asked.transferee,
            self._target,
            outcome,
            status,
            refer=asked.loopback,
            ours=ours,
            asking=self._asking,
            start="keys",
        )
        self._session.hand_over()
