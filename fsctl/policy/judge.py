"""The one question of the policy: may this party have that one talk with that number?

Rules in order, the first that matches decides: emergency, the bounds, the operator's ``[[rule]]``s,
then ours, which close what costs money and open what is inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from fsctl.policy.numbers import Destination, classes_of
from fsctl.policy.parties import Party
from fsctl.policy.times import is_within
from fsctl.setting_policy import Policy, Rule
from fsctl.sip.status import SipStatus

EMERGENCY: Final = Rule(name="emergency", to=("emergency",), then="allow")
OURS: Final = (
    Rule(name="unknown-asks", by=("unknown",), to=("internal",), then="allow"),
    Rule(name="outside-asks", by=("outside", "unknown")),
    Rule(name="premium", to=("premium",)),
    Rule(name="abroad", to=("abroad",)),
    Rule(name="two-outsiders", of=("outside", "unknown"), to=("outside",)),
    Rule(name="inside", by=("inside",), then="allow"),
)
"""The last rules, behind those of the settings: a ``[[rule]]`` opens or closes more."""
CHAIN: Final = Rule(name="max-chain", code=483, phrase="Too Many Transfers")
RATE: Final = Rule(name="max-per-minute", code=503, phrase="Too Many Transfers")
ALL: Final = Rule(name="max-per-minute-of-switch", code=503, phrase="Too Many Transfers")
NOTHING: Final = Rule(name="nothing-matches")


@dataclass(slots=True)
class Asking:
    """Somebody asks that a party be moved."""

    by: Party
    of: Party
    start: str
    """One of `fsctl.setting_policy.STARTS`."""
    chain: int = 0
    """So many others have had ``of`` moved before."""
    per_minute: int = 1
    """So many transfers ``by`` has asked for in the last minute, this one too."""
    per_minute_of_switch: int = 1
    """So many all of its FreeSWITCH have."""
    verdict: Verdict | None = None
    """What was decided last. Set by who asks the policy; None: it has not been asked yet."""
    observed: bool = False
    """FreeSWITCH carries the transfer out, and nothing of ours is to have an effect."""
    opened: bool = False
    """A web service connects it, which the settings let open what our own rules close. Set when it
    has said so."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is judged: that party is to talk with that number."""

    asked: Asking
    to: Destination
    at: datetime
    """Now, in the time zone of ``[policy]``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has been decided, and by which rule."""

    allowed: bool
    rule: str
    status: SipStatus
    """What who asks is told when it is refused."""
    why: str
    """One sentence, for the log, the record, and ``fsctl policy explain``."""
    may_be_opened: bool = False
    """One of our own rules closes it, which are there as long as nobody knows better: neither the
    operator's rules nor a bound."""


def table(policy: Policy, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return all rules in their order, those of the settings among ours."""
    bounds = (CHAIN, RATE, ALL) if policy.max_per_minute_of_switch else (CHAIN, RATE)
    return (EMERGENCY, *bounds, *rules, *OURS)


def refusing(policy: Policy, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the names of all that may refuse, those of the settings among ours."""
    if policy.mode == "off":
        return ()
    named = (rule.name for rule in (*table(policy, rules), NOTHING) if rule.then == "refuse")
    return tuple(dict.fromkeys(named))


def judge(request: Request, policy: Policy, rules: Sequence[Rule]) -> Verdict:
    """Return what the first rule says that matches."""
    for rule, differs in considered(request, policy, rules):
        if not differs:
            return _verdict(request, policy, rule)
    return _verdict(request, policy, NOTHING)


def hopeless(request: Request, policy: Policy, rules: Sequence[Rule]) -> Verdict | None:
    """Return the refusal that stands whatever number is dialled; None: that is still to be seen."""
    if EMERGENCY.to[0] in classes_of(request.to, policy):
        return None
    for rule in table(policy, rules)[1:]:
        if _differs(replace(rule, to=()) if rule.to else rule, request, policy):
            continue
        if not rule.to:
            verdict = _verdict(request, policy, rule)
            return None if verdict.allowed else verdict
        if rule.then == "allow":
            return None
    return _verdict(request, policy, NOTHING)


def considered(
    request: Request, policy: Policy, rules: Sequence[Rule]
) -> Iterator[tuple[Rule, str]]:
    """Yield each rule, with why it does not match; empty: it does."""
    for rule in table(policy, rules):
        yield rule, _differs(rule, request, policy)


def _differs(rule: Rule, request: Request, policy: Policy) -> str:
    if rule is CHAIN:
        moved = request.asked.chain
        return "" if moved >= policy.max_chain else f"it has been moved {moved} times"
    if rule is RATE:
        asked = request.asked.per_minute
        return "" if asked > policy.max_per_minute else f"{asked} asked for in a minute"
    if rule is ALL:
        asked, most = request.asked.per_minute_of_switch, policy.max_per_minute_of_switch
        return "" if asked > most else f"{asked} asked for in a minute, by all together"
    if not request.asked.by.is_one_of(rule.by):
        return f"who asks is {request.asked.by.side}: {request.asked.by.because}"
    if not request.asked.of.is_one_of(rule.of):
        return f"who is to be moved is {request.asked.of.side}: {request.asked.of.because}"
    if not request.to.is_one_of(rule.to, policy, closing=rule.then == "refuse"):
        return f"the number is {said(request.to, policy)}"
    if rule.leg and (rule.leg == "caller") is not request.asked.by.called_in:
        return "who asks has called" if request.asked.by.called_in else "who asks was called"
    if rule.start and request.asked.start not in rule.start:
        return f"it is {request.asked.start}"
    if not is_within(request.at, rule.when):
        return f"now it is {request.at:%a %H:%M}"
    return ""


def said(to: Destination, policy: Policy) -> str:
    """Return what a number is, in words."""
    return ", ".join(sorted(classes_of(to, policy)))


def _verdict(request: Request, policy: Policy, rule: Rule) -> Verdict:
    allowed, code, phrase = rule.then == "allow", rule.code, rule.phrase
    limit = rule.per_minute
    if allowed and limit is not None and request.asked.per_minute > limit:
        allowed, code, phrase = False, RATE.code, RATE.phrase
    by, of = request.asked.by, request.asked.of
    why = (
        f"rule {rule.name}: who asks is {by.side} ({by.because}), who is to be moved is {of.side}"
        f" ({of.because}), the number {request.to.number} is {said(request.to, policy)}"
    )
    if rule is CHAIN:
        why = f"rule {rule.name}: it has been moved {request.asked.chain} times"
    elif rule is ALL:
        asked = request.asked.per_minute_of_switch
        why = f"rule {rule.name}: {asked} transfers asked for in a minute, by all together"
    elif rule is RATE or (rule.then == "allow" and not allowed):
        why = f"rule {rule.name}: {request.asked.per_minute} transfers asked for in a minute"
    opens = not allowed and (rule is NOTHING or any(rule is each for each in OURS))
    return Verdict(allowed, rule.name, SipStatus(code, phrase), why, opens)
