"""``switch_ivr_originate``: dial legs, wait, and hand back the one that won."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import gevent

from fsctl.simulator.causes import cause_name, dialstatus
from fsctl.simulator.dialstring import DialledLeg, DialString, parse_dial_string
from fsctl.simulator.execute_on import api_on
from fsctl.simulator.flags import ORIGINATING
from fsctl.simulator.legs import LegRefused, exported_variables, make_leg
from fsctl.simulator.progress import hang_up, send_answer, send_early_media, send_ringing
from fsctl.simulator.signals import Signal, wait_for
from fsctl.simulator.uuid_bridge import uuid_bridge

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

SEVERAL = ":_:"
DEFAULT_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Originated:
    """How an originate ended: a channel, or the cause of its failure."""

    channel: Channel | None
    hangup_cause: str
    timed_out: bool = False
    """``originate_timeout`` has ended it: the endpoints after it are not tried."""


@dataclass(slots=True)
class _Race:
    """Several dial strings at the same time, of which one may win."""

    signal: Signal = field(default_factory=Signal)
    cause: str = ""
    """Why those that have not won end now; empty: nobody has."""
    results: dict[int, Originated] = field(default_factory=dict)
    """Of those that are over, by their place."""

    def winner(self) -> Channel | None:
        """The channel of the first that has one."""
        return next((each.channel for each in self.results.values() if each.channel), None)


@dataclass(slots=True)
class _Attempt:
    """One group of legs that ring together."""

    switch: SimulatedSwitch
    caller: Channel | None
    timeout_s: float
    accept_early: bool
    accept_ringing: bool
    bridge_early: bool
    """Early media is played to the caller, and all legs go on ringing (``bridge_early_media``)."""
    legs: list[Channel] = field(default_factory=list)
    cause: str = "NORMAL_CLEARING"
    race: _Race | None = None
    forced: bool = False
    """``cause`` is that of the whole attempt, whatever its legs say."""

    def winner(self) -> Channel | None:
        """A leg that is answered, or sends media or rings where that is enough."""
        for leg in self.legs:
            early = leg.early and self.accept_early
            if _is_ours(leg) and (leg.answered or early or (leg.ringing and self.accept_ringing)):
                return leg
        return None

    def over(self) -> bool:
        """Whether there is nothing left to wait for."""
        gone = self.caller is not None and not self.caller.ready
        gone = gone or (self.race is not None and bool(self.race.cause))
        return gone or self.winner() is not None or not any(map(_is_ours, self.legs))


def originate(
    switch: SimulatedSwitch,
    dial_string: str,
    caller: Channel | None = None,
    timeout_s: float | None = None,
    extra: dict[str, str] | None = None,
    race: _Race | None = None,
) -> Originated:
    """Dial; blocks the current greenlet until a leg is won or all are lost.

    ``caller`` is the channel that executes ``bridge``: it hears ringing and early media, and its
    end cancels the legs.
    """
    if SEVERAL in dial_string:
        return _enterprise(switch, dial_string.split(SEVERAL), caller, timeout_s, extra or {})
    plan = parse_dial_string(dial_string)
    result = Originated(None, "DESTINATION_OUT_OF_ORDER")
    if caller is not None:
        # What FreeSWITCH writes before it has tried anything; a crash leaves it there.
        caller.set_variable("originate_disposition", "failure")
        caller.set_variable("DIALSTATUS", "INVALIDARGS")
    for group in _contacts(switch, plan.groups):
        result = _try_group(switch, plan, group, caller, timeout_s, extra or {}, race)
        if result.channel is not None or result.timed_out:
            break
        if caller is not None and not caller.ready:
            break
    if caller is not None:
        _settle(caller, result)
    return result


def _enterprise(
    switch: SimulatedSwitch,
    dial_strings: list[str],
    caller: Channel | None,
    timeout_s: float | None,
    extra: dict[str, str],
) -> Originated:
    """``switch_ivr_enterprise_originate``: each is dialled as for nobody, and the first one wins.

    What it says of that is not what one dial string would say.
    """
    race, exported = _Race(), exported_variables(caller) if caller is not None else {}
    given = {**exported, **extra, "ignore_early_media": "true"}
    if caller is not None:
        given["ent_originate_aleg_uuid"] = caller.uuid

    def dial(place: int, text: str) -> None:
        delay_ms = dict(parse_dial_string(text).variables).get("originate_delay_start", "0")
        wait_for([race.signal], lambda: bool(race.cause), switch.clock, int(delay_ms) / 1000)
        result = originate(switch, text, None, timeout_s, given, race)
        if race.cause and result.channel is not None:
            hang_up(result.channel, race.cause)
        race.results[place] = result
        race.signal.notify()

    def over() -> bool:
        gone = caller is not None and not caller.ready
        return gone or race.winner() is not None or len(race.results) == len(dial_strings)

    if caller is not None and caller.answered and caller.get_variable("transfer_ringback"):
        caller.hears_tone = caller.get_variable("transfer_ringback") or ""
    lines = [gevent.spawn(dial, place, text) for place, text in enumerate(dial_strings)]
    signals = [race.signal, *([caller.signal] if caller is not None else [])]
    wait_for(signals, over, switch.clock)
    return _end(race, lines, caller)


def _end(race: _Race, lines: list[gevent.Greenlet], caller: Channel | None) -> Originated:
    """Whoever has not won is given up."""
    winner = race.winner() if caller is None or caller.ready else None
    race.cause = "LOSE_RACE" if winner is not None else "ORIGINATOR_CANCEL"
    race.signal.notify()
    gevent.joinall(lines)
    causes = [race.results[place].hangup_cause for place in sorted(race.results)]
    cause = next((each for each in reversed(causes) if each != "LOSE_RACE"), "NO_ANSWER")
    if caller is not None:
        caller.hears_tone = ""
        caller.set_variable("originate_disposition", "success" if winner else "failure")
        if winner is None:
            caller.set_variable("hangup_cause", cause)
        else:
            _meet(caller, winner)
    return Originated(winner, "SUCCESS" if winner is not None else cause)


def _contacts(
    switch: SimulatedSwitch, groups: tuple[tuple[DialledLeg, ...], ...]
) -> list[tuple[DialledLeg, ...]]:
    """The endpoint ``user`` dials the user's own dial string, with all of its contacts.

    Only the first of them where it is itself one of several endpoints (mod_dptools.c: SOF_NOBLOCK).
    """
    forked = len(groups) > 1 or any(len(group) > 1 for group in groups)
    if forked or not groups or groups[0][0].kind != "user":
        return list(groups)
    leg = groups[0][0]
    return [
        tuple(replace(leg, contact=contact) for contact in together)
        for together in switch.directory.contacts(leg.number)
    ] or list(groups)


def _try_group(
    switch: SimulatedSwitch,
    plan: DialString,
    group: tuple[DialledLeg, ...],
    caller: Channel | None,
    timeout_s: float | None,
    extra: dict[str, str],
    race: _Race | None,
) -> Originated:
    exported = exported_variables(caller) if caller is not None else {}
    shared = {**exported, **extra, **dict(plan.variables)}
    ignores = _true(shared.get("ignore_early_media", ""), "consume", "ring_ready")
    bridges = _true(shared.get("bridge_early_media", ""))
    attempt = _Attempt(
        switch,
        caller,
        timeout_s or float(shared.get("originate_timeout") or DEFAULT_TIMEOUT_S),
        not ignores and not bridges,
        _true(shared.get("return_ring_ready", "")) and len(group) == 1,
        bridges and not ignores,
        race=race,
    )
    wait_s = attempt.timeout_s
    if caller is not None and caller.answered:
        caller.set_call_state("RING_WAIT")
    for leg in group:
        _dial(attempt, leg, shared)
    _wait(attempt, wait_s)
    return _conclude(attempt)


def _dial(attempt: _Attempt, leg: DialledLeg, shared: dict[str, str]) -> None:
    """Make and start one leg of an attempt."""
    switch, caller, variables = attempt.switch, attempt.caller, dict(leg.variables)
    try:
        channel = make_leg(switch, leg, {**shared, **variables}, caller)
    except LegRefused as refusal:
        attempt.cause = refusal.hangup_cause
        return
    attempt.legs.append(channel)
    channel.flags.add(ORIGINATING)
    channel.set_variable("originate_early_media", "true" if attempt.accept_early else "false")
    if "leg_timeout" in variables:
        _arm_leg_timeout(switch, channel, float(variables["leg_timeout"]))
    if caller is not None:
        caller.set_variable("originate_signal_bond", channel.uuid)
        caller.profile.callee_id_name = "Outbound Call"
        caller.profile.callee_id_number = leg.number
    waits = caller or switch.locate(shared.get("ent_originate_aleg_uuid", ""))
    if waits is not None:
        waits.add_to_variable("originated_legs", f"{channel.uuid};Outbound Call;{leg.number}")
    api_on(channel, "api_on_originate")
    switch.start(channel)


def _is_ours(leg: Channel) -> bool:
    """Whether the attempt may still take the leg, or end it: nobody else has sent it elsewhere.

    Source: ``peer_eligible``, and what precedes ``outer_for`` (switch_ivr_originate.c).
    """
    return leg.up and ORIGINATING in leg.flags


def _true(text: str, *also: str) -> bool:
    return text.lower() in {"true", "yes", "on", "1", "t", "enabled", "active", "allow", *also}


def _arm_leg_timeout(switch: SimulatedSwitch, channel: Channel, delay_s: float) -> None:
    def expire() -> None:
        if not channel.answered:
            hang_up(channel, "ALLOTTED_TIMEOUT")

    switch.clock.call_later(delay_s, expire)


def _early_one(attempt: _Attempt) -> Channel | None:
    """Whose early media the caller hears from now on."""
    caller = attempt.caller
    wanted = attempt.bridge_early and caller is not None and caller.hears_early is None
    return next((leg for leg in attempt.legs if wanted and leg.up and leg.early), None)


def _wait(attempt: _Attempt, timeout_s: float) -> None:
    """Wait for the end of the attempt, passing ringing on to the caller meanwhile."""
    clock, caller = attempt.switch.clock, attempt.caller
    signals = [leg.signal for leg in attempt.legs]
    if attempt.race is not None:
        signals.append(attempt.race.signal)
    if caller is not None:
        signals.append(caller.signal)
        if caller.answered and caller.get_variable("transfer_ringback"):
            caller.hears_tone = caller.get_variable("transfer_ringback") or ""
    deadline_s = clock.now_s + timeout_s

    def to_pass_on() -> bool:
        return (
            caller is not None
            and not (caller.ringing or caller.early or caller.answered)
            and (any(leg.ringing or leg.early for leg in attempt.legs))
        )

    while not attempt.over():
        left_s = deadline_s - clock.now_s
        wait_for(
            signals,
            lambda: attempt.over() or to_pass_on() or _early_one(attempt) is not None,
            clock,
            left_s,
        )
        if attempt.over():
            break
        heard = _early_one(attempt)
        if heard is not None and caller is not None:
            caller.hears_early = heard
            send_early_media(caller)
        elif to_pass_on() and caller is not None:
            send_ringing(caller)
        elif clock.now_s >= deadline_s:
            attempt.cause, attempt.forced = "NO_ANSWER", True
            for leg in filter(_is_ours, attempt.legs):
                hang_up(leg, "NO_ANSWER")


def _conclude(attempt: _Attempt) -> Originated:
    caller, winner = attempt.caller, attempt.winner()
    if caller is not None and not caller.ready:
        winner = None
        attempt.cause, attempt.forced = "ORIGINATOR_CANCEL", True
    if attempt.race is not None and attempt.race.cause:
        winner = None
        attempt.cause, attempt.forced = attempt.race.cause, True
    held = _held_by(caller)
    for leg in attempt.legs:
        if leg is not winner and _is_ours(leg):
            if held and uuid_bridge(attempt.switch, held, leg.uuid):
                held = ""
                continue
            hang_up(leg, attempt.cause if attempt.forced else "LOSE_RACE")
    if caller is not None:
        caller.hears_tone, caller.hears_early = "", None
        if winner is None and caller.call_state == "RING_WAIT" and caller.up:
            caller.set_call_state("ACTIVE")
    if winner is not None:
        if winner.get_variable("originate_endpoint") == "user":
            # The endpoint `user` dials another one, and then both have made the leg.
            winner.fire("CHANNEL_OUTGOING")
            api_on(winner, "api_on_originate")
        return Originated(winner, "SUCCESS")
    lost = [leg.hangup_cause for leg in attempt.legs if leg.hangup_cause]
    cause = attempt.cause if attempt.forced or not lost else lost[0]
    if caller is not None:
        for leg in attempt.legs:
            caller.add_to_variable("originate_causes", f"{leg.uuid};{leg.hangup_cause}")
    return Originated(None, cause_name(cause), attempt.forced)


def _held_by(caller: Channel | None) -> str:
    """A caller that consults (``att_xfer``) has hung up: whom it holds gets its leg."""
    if caller is None or caller.up:
        return ""
    return caller.get_variable("soft_holding_uuid") or ""


def _settle(caller: Channel, result: Originated) -> None:
    """The variables that an originate leaves on its caller."""
    if result.channel is None:
        caller.set_variable("originate_disposition", result.hangup_cause)
        caller.set_variable("DIALSTATUS", dialstatus(result.hangup_cause))
        caller.set_variable("originate_failed_cause", result.hangup_cause)
        return
    peer = result.channel
    _meet(caller, peer)
    caller.set_variable("originate_disposition", "SUCCESS")
    caller.set_variable("DIALSTATUS", "SUCCESS")
    caller.set_variable("originate_signal_bond", None)
    caller.add_to_variable("originate_causes", f"{peer.uuid};NONE")


def _meet(caller: Channel, peer: Channel) -> None:
    if peer.answered:
        send_answer(caller)
    elif peer.early:
        send_early_media(caller)
    caller.set_variable("signal_bond", peer.uuid)
    caller.profile.other_type = "originatee"
    caller.profile.other = peer.profile.clone()
    caller.profile.other.logical_direction = "inbound"
    if caller.answered:
        caller.set_call_state("ACTIVE")
