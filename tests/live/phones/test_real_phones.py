"""Phones that people use transfer, are transferred, are called: who is told, who hears whom."""

from __future__ import annotations

import pytest

from tests.live.lab import Controllers
from tests.live.phones.baresip import Baresip
from tests.live.phones.house import House
from tests.live.phones.jssip import JsSip
from tests.live.phones.linphone import Linphone
from tests.live.phones.real_phone import RealPhone
from tests.live.phones.switch import HANGS_UP_AFTER

Kind = type[RealPhone]
KINDS: tuple[Kind, ...] = (Baresip, Linphone, JsSip)
HANGS_UP_WHEN_TOLD: tuple[Kind, ...] = (Baresip,)
"""Phones that end their call at a NOTIFY of 300 and above: they are told 100 instead."""
OK = "SIP/2.0 200 OK"
REFUSES: dict[str, Kind] = {"busy": Baresip, "declined": Linphone}


def _name(kind: Kind) -> str:
    return kind.__name__.lower()


class Cast:
    """Alice (2000) has called Bob (1001), one of them transfers; Carol (1002) is the target.

    Attributes: ``transferor``, ``transferee``, ``carol``.
    """

    def __init__(
        self,
        house: House,
        by: str,
        kind: Kind,
        target: Kind | None = None,
        transferee: Kind | None = None,
        prefix: str = "",
    ) -> None:
        """The transferor has a phone of that ``kind``; who may have any has one of another kind.

        Alice dials ``prefix`` before Bob's number. Skips the test when a phone is not there.
        """
        for wanted in filter(None, (kind, target, transferee)):
            if reason := wanted.missing():
                pytest.skip(reason)
        any_other = self._another(kind)
        other = transferee or any_other
        first, second = (other, kind) if by == "callee" else (kind, other)
        alice = house.phone(first, "2000", "alice")
        bob = house.phone(second, "1001", "bob")
        self.carol = house.phone(target or any_other, "1002", "carol")
        self.transferor, self.transferee = (bob, alice) if by == "callee" else (alice, bob)
        alice.calls(f"{prefix}1001")
        bob.answers_now()
        house.wait_talking(alice, bob)

    @staticmethod
    def _another(kind: Kind) -> Kind:
        others = [other for other in KINDS if other is not kind and not other.missing()]
        return next(iter(others), kind)


def _serve(controller: Controllers, scope: str = "transfers", **transfer: str) -> None:
    controller({"dialplan": {"scope": scope}, "transfer": {"ring_timeout_s": 20, **transfer}})


@pytest.mark.parametrize(
    ("scope", "by", "outcome"),
    [
        ("transfers", "callee", "answered"),
        ("transfers", "callee", "busy"),
        ("transfers", "callee", "declined"),
        ("transfers", "callee", "answered, from hold"),
        ("transfers", "caller", "answered"),
        ("transfers", "caller", "busy, from hold"),
        ("transfers", "caller", "declined"),
        ("calls", "callee", "answered"),
        ("calls", "caller", "declined, from hold"),
    ],
)
@pytest.mark.parametrize("kind", KINDS, ids=_name)
def test_blind(
    house: House, controller: Controllers, kind: Kind, scope: str, by: str, outcome: str
) -> None:
    """The target's own words are told, and nobody is lost whose phone does not hang up itself."""
    end, _, hold = outcome.partition(", ")
    _serve(controller, scope)
    cast = Cast(house, by, kind, REFUSES.get(end))
    transferor, transferee, carol = cast.transferor, cast.transferee, cast.carol
    if hold:
        transferor.holds()
    transferor.transfers(carol.number)
    if end == "answered":
        carol.answers_now()
        assert transferor.wait_notify() == OK
        house.wait_talking(transferee, carol)
        transferor.wait_over()
        return
    carol.declines()
    told = "100 Trying" if kind in HANGS_UP_WHEN_TOLD else carol.refusal
    assert transferor.wait_notify() == f"SIP/2.0 {told}"
    if hold:
        transferor.resumes()
    if hold and kind is Baresip:  # it hears nobody after a hold, without a transfer either
        house.wait_hearing({transferee.name: {transferor.name}})
    else:
        house.wait_talking(transferor, transferee)
    assert not transferor.sent("BYE") + transferor.received("BYE")


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_a_phone_that_hangs_up_at_a_failure(house: House, controller: Controllers, by: str) -> None:
    """Told the result, as the settings may want, it ends its call by itself."""
    tables = {"dialplan": {"scope": "transfers"}, "transfer": {"ring_timeout_s": 20}}
    controller({**tables, "device": [{"user_agent": "baresip*", "failure": "result"}]})
    cast = Cast(house, by, Baresip, Linphone)
    cast.transferor.transfers(cast.carol.number)
    cast.carol.declines()
    assert cast.transferor.wait_notify() == f"SIP/2.0 {cast.carol.refusal}"
    cast.transferor.wait_sent("BYE")
    cast.transferee.wait_over()
    house.wait_hearing({})


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "declines"])
def test_a_browser_is_transferred_to_a_browser(
    house: House, controller: Controllers, answers: bool
) -> None:
    _serve(controller)
    cast = Cast(house, "callee", Linphone, JsSip, JsSip)
    cast.transferor.transfers("1002")
    if answers:
        cast.carol.answers_now()
        assert cast.transferor.wait_notify() == OK
        house.wait_talking(cast.transferee, cast.carol)
    else:
        cast.carol.declines()
        assert cast.transferor.wait_notify() == f"SIP/2.0 {cast.carol.refusal}"
        house.wait_talking(cast.transferee, cast.transferor)


@pytest.mark.parametrize("end", ["answered", "busy"])
def test_a_caller_that_holds_where_the_dialplan_hangs_up(
    house: House, controller: Controllers, end: str
) -> None:
    """FreeSWITCH may hang it up at its REFER, before anybody is asked (``hangup_after_bridge``).

    Then it is not told; when the transfer fails it is called again.
    """
    _serve(controller)
    cast = Cast(house, "caller", Linphone, REFUSES.get(end), prefix=HANGS_UP_AFTER)
    transferor, transferee, carol = cast.transferor, cast.transferee, cast.carol
    transferor.holds()
    transferor.transfers("1002")
    if end == "answered":
        carol.answers_now()
        house.wait_talking(transferee, carol)
        transferor.wait_over()
        return
    carol.declines()
    house.wait(
        lambda: transferor.notifies or _is_rung(transferor), "alice is told, or called again"
    )
    if transferor.notifies:
        transferor.resumes()
    else:
        transferor.answers_now()
    house.wait_talking(transferee, transferor)


def _is_rung(phone: RealPhone) -> bool:
    return bool(phone.sent(180))


@pytest.mark.parametrize(
    ("scope", "attended", "by", "target"),
    [
        ("transfers", "switch", "callee", "answered"),
        ("transfers", "switch", "caller", "ringing"),
        ("transfers", "application", "caller", "answered"),
        ("transfers", "application", "callee", "ringing"),
        ("calls", "application", "callee", "answered"),
    ],
)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.attends], ids=_name)
def test_attended(
    house: House,
    controller: Controllers,
    kind: Kind,
    scope: str,
    attended: str,
    by: str,
    target: str,
) -> None:
    """The transferor's phone ends both its calls when it is told."""
    _serve(controller, scope, attended=attended)
    cast = Cast(house, by, kind)
    transferor, carol = cast.transferor, cast.carol
    transferor.consults("1002")
    if target == "answered":
        carol.answers_now()
        assert house.hears(carol, transferor)
    transferor.joins()
    if target == "ringing":
        carol.answers_now()
    told = transferor.wait_notify()
    if kind is JsSip and (attended, target) == ("application", "ringing"):
        # it names what rings with "to-tag=null": nobody's dialog, and all talk on
        assert told == "SIP/2.0 403 Forbidden"
        transferor.joins()
        told = transferor.wait_notify(2)
    assert told == OK
    house.wait_talking(cast.transferee, carol)
    transferor.wait_over()
