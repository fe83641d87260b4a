"""The branches of a called party: a user may have several phones (forking, RFC 3261 section 16).

For each contact in a user's dial string FreeSWITCH makes a channel, and only FreeSWITCH knows how
many there are. None can be given a uuid beforehand: all would get the same, and all but the first
would be refused (switch_core_session.c, "Duplicate UUID!"). So each carries the variable
`fsctl_callee` instead, by which we hear of all, find them and hang them up; the one that is joined
becomes the channel of the call. Until then the call is known by that name.
"""

from __future__ import annotations

from fsctl import journal
from fsctl.esl.commands import Command, Hupall, UuidKill
from fsctl.esl.events import Event
from fsctl.session.core.branch import Branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.switch import facts
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read

_AGAIN_S = 0.5
_TIMES = 240
"""How often those who are not to ring any more are hung up: FreeSWITCH may dial the next one."""


_OF_BRANCHES = frozenset(
    {"CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_HANGUP"}
)
_OF_INSIDE = frozenset({"CHANNEL_BRIDGE", "CHANNEL_HANGUP", "CHANNEL_EXECUTE_COMPLETE"})
NOTED = _OF_BRANCHES | _OF_INSIDE
"""The events that :func:`note` takes."""


def name_anew(session: Session, call: Leg) -> None:
    """A party is about to be called, or called anew; it is no call of the session until then."""
    session.calls.pop(call.channel_uuid, None)
    session.callees.pop(call.callee, None)
    call.branches = Branches()
    call.channel_uuid = call.branches.name


def begin(session: Session, call: Leg) -> Command:
    """It is called now: return what subscribes to all of its channels."""
    session.calls[call.channel_uuid] = session.callees[call.callee] = call
    return call.filter


def find(session: Session, channel: str, callee: str | None) -> Leg | None:
    """The call to which a channel belongs; ``callee`` is what it says in `fsctl_callee`."""
    known = session.calls.get(channel)
    if known is not None:
        return known
    if callee is not None:
        return session.callees.get(callee)
    calls = session.callees.values()
    return next((call for call in calls if call.branches and channel in call.branches), None)


def has(call: Leg, channel: str | None) -> bool:
    """Whether this is the call's channel, or one that rings, or rang, for it."""
    return channel == call.channel_uuid or (call.branches is not None and channel in call.branches)


def note(session: Session, event: Event) -> None:
    """Keep what has happened to a branch; its call may have another channel by then."""
    if event.name == "CHANNEL_EXECUTE_COMPLETE":
        known = session.calls.get(event.channel_uuid or "")
        if known is not None and known.branches is None:
            return  # it has called us: the many applications that it executes say nothing of others
    call = session.callees.get(event.variable(Mark.CALLEE) or "")
    if call is None or call.branches is None:
        return
    if _is_inside(event):
        call.branches.note_inside(event)
    elif event.name in _OF_BRANCHES:
        call_id = call.branches.note(event)
        if call_id and journal.is_kept():
            journal.note("branch", leg=call.callee, session=session.id, call_id=call_id)


def call_of(session: Session, event: Event) -> Leg | None:
    """The call that an event is about: not that of a branch when another one is joined."""
    channel = event.channel_uuid or ""
    call = find(session, channel, event.variable(Mark.CALLEE))
    if call is None or (call.placed and call.channel_uuid != channel):
        return None
    if _is_inside(event) and call.channel_uuid != channel:
        return None
    return call


def learn(call: Leg, event: Event) -> None:
    """Take what an event of the leg's channel says of its party, its dialog and its codecs."""
    call.sip_call_id = event.variable("sip_call_id") or call.sip_call_id
    call.codecs.learn(event)
    if call.facts is None:
        call.facts = facts.of_event(event)
    ip, port = event.variable("sip_network_ip"), event.variable("sip_network_port")
    call.address = (ip, port) if ip and port else call.address


def settle(session: Session, call: Leg, channel: str) -> None:
    """``channel`` is the one by which the party talks."""
    if call.channel_uuid == channel:
        return
    session.calls.pop(call.channel_uuid, None)
    call.channel_uuid, call.facts = channel, None
    session.calls[channel] = call
    if call.branches is not None:
        call.branches.chosen = channel
    session.link.post(call.filter)


def is_channel_of(session: Session, call: Leg, channel: str | None) -> bool:
    """Whether this is the call's channel, or a branch of it. Raises LinkError."""
    if not channel or call.placed:
        return channel == call.channel_uuid
    if call.branches is not None and channel in call.branches:
        return True
    return read(session.link, channel, Mark.CALLEE) == call.callee


def kill(call: Leg, cause: str = "NORMAL_CLEARING") -> Command:
    """Return what hangs the call up: all that ring for a party that is being called."""
    if call.placed:
        return UuidKill(call.channel_uuid, cause)
    return Hupall(cause, Mark.CALLEE, call.callee)


def stopping(
    session: Session, call: Leg, cause: str = "NORMAL_CLEARING", times: int = _TIMES
) -> Command:
    """As :func:`kill`, again and again until FreeSWITCH has given the party up.

    Its channels may not have been made yet, and where the dial string goes on behind a ``|`` the
    next one is dialled as soon as those before it have ended.
    """
    callee = call.callee

    def again() -> None:
        if call.alive and not call.placed and call.callee == callee:
            session.link.post(stopping(session, call, cause, times - 1))

    if not call.placed and times > 0:
        session.after(_AGAIN_S, again)
    return kill(call, cause)


def hang_up(session: Session, call: Leg, cause: str = "NORMAL_CLEARING") -> None:
    """End ``call`` at once, on all phones that ring for it."""
    session.link.send(stopping(session, call, cause))


def _is_inside(event: Event) -> bool:
    """The other half of a loopback has our variables, too (mod_loopback.c), and is no branch."""
    return event.get("Call-Direction") == "inbound" and event.variable(Mark.CALLEE) is not None
