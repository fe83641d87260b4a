"""What a phone writes is executed nowhere, and calls nobody but whom it names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from urllib.parse import quote

import pytest

from fsctl.story import Headers, hear_each_other
from tests.live.lab import Refuse, Ring
from tests.live.lab.fsctl_process import Sections
from tests.live.vanilla.installation import ARMED, State
from tests.live.vanilla.kinds import ANSWERS, CALLER, RINGS
from tests.live.vanilla.scene import Scene
from tests.live.vanilla.switch import VanillaSwitch
from tests.live.vanilla.transfers import CALLEE, PARTIES

RING_S = 1
"""How long a transfer's target may ring: some of the numbers below do for ever."""
IN_SESSION: Sections = {"transfer": {"ring_timeout_s": RING_S}}
LEGACY: Sections = {"transfer": {"mode": "legacy"}, "call": {"ring_timeout_s": RING_S}}
NOT_FOR_US = "1008"
LIMIT_S = 8.0

everywhere = pytest.mark.parametrize(
    ("state", "settings", "context"),
    [
        pytest.param(State.ALIVE, IN_SESSION, "fsctl_refer", id="alive"),
        pytest.param(State.KILLED, IN_SESSION, "fsctl_refer", id="killed"),
        pytest.param(State.ALIVE, LEGACY, "fsctl_legacy", id="legacy, alive"),
        pytest.param(State.KILLED, LEGACY, "fsctl_legacy", id="legacy, killed"),
    ],
)


class Traps:
    """Texts that set a global variable each, wherever FreeSWITCH expands them."""

    def __init__(self, switch: VanillaSwitch) -> None:
        self._switch = switch
        self._serial = count(1)

    def __call__(self) -> str:
        """Another one."""
        return f"${{global_setvar(sprung_{next(self._serial)}=yes)}}"

    def sprung(self) -> list[str]:
        """Those that have been expanded."""
        lines = self._switch.esl("global_getvar").splitlines()
        return [line for line in lines if line.startswith("sprung_")]


@pytest.fixture
def trap(switch: VanillaSwitch, state: State, context: str) -> Iterator[Traps]:
    """Makes traps. When fsctl was killed FreeSWITCH arms its legs for some seconds more; here it
    does for as long as the test takes."""
    made = Traps(switch)
    switch.esl(f"expand echo {made()}")
    (first,) = made.sprung()
    switch.esl(f"global_setvar {first.partition('=')[0]}=")
    armed = dict(zip(ARMED, ("true", context, "XML"), strict=True))
    for name, value in armed.items() if state is State.KILLED else ():
        switch.esl(f"global_setvar {name}={value}")
    yield made
    for name in armed if state is State.KILLED else ():
        switch.esl(f"global_setvar {name}=")
    assert not made.sprung()


def _refer_tos(trap: Traps, host: str) -> Iterator[str]:
    """Traps in each part of a Refer-To, and what would have another meaning in a dial string, an
    application's argument, a command or our own dialplan. The number that is meant is busy."""
    escaped = quote(trap(), safe="")
    users = (
        *(trap(), f"2091{trap()}", f"\\{trap()}", f"\\\\{trap()}", f"${trap()}", escaped),
        *("${caller_id_name}", "${sip_h_X-Trap}", "${transfer_history}", "$1", "$\\{uuid}"),
        *(f"2091;x={trap()}", f"2091:{trap()}"),
        "2091%0A%0Aapi%20global_setvar%20sprung_esl=yes%0A%0A",
        *(f"2091,user/{NOT_FOR_US}", f"2091|user/{NOT_FOR_US}", f"2091,user%2F{NOT_FOR_US}"),
        *("^^:2091", "[a=b]2091", "{a=b}2091", "'2091", '"2091', "2091%20XML%20default"),
        *("app=global_setvar:sprung_app=yes", "app%3Dglobal_setvar:sprung_app=yes"),
        *("-bleg", "forlorn", "any", "1" * 2000),
    )
    yield from (f"<sip:{user}@{host}>" for user in users)
    yield f"<sip:2091@{trap()}>"
    yield f'"{trap()}" <sip:2091@{host}>'
    yield f"<sip:2091@{host};x={trap()}>"
    yield f"<sip:2091@{host}?{trap()}={trap()}&X-Trap={trap()}>"
    yield f"<tel:{trap()}>"
    unknown = "Replaces=nobody%3Bto-tag%3Da%3Bfrom-tag%3Db"
    yield f"<sip:{trap()}@{host}?{unknown}>"
    yield f"<sip:2091@{host}?Replaces={trap()}>"
    yield f"<sip:2091@{host}?{unknown}&X-Trap={trap()}>"


@everywhere
@pytest.mark.parametrize(("by", "moved"), PARTIES.values(), ids=PARTIES)
def test_a_refer(scene: Scene, trap: Traps, by: str, moved: str) -> None:
    """Each is refused, and the two talk on."""
    scene.add(CALLEE, ANSWERS)
    other = scene.add(NOT_FOR_US, RINGS)
    caller = scene.dial(CALLER, CALLEE, headers=_headers(trap))
    caller.wait_talking()
    for number, refer_to in enumerate(_refer_tos(trap, scene.switch.domain), 1):
        assert hear_each_other(scene[by], scene[moved]), refer_to
        scene[by].refers(refer_to, f'"{trap()}" <sip:{trap()}@{trap()}>')
        scene.phones.wait(lambda: len(scene[by].notifies) >= number, refer_to, LIMIT_S)  # noqa: B023
        assert not trap.sprung(), refer_to
    assert all(line.startswith("SIP/2.0 4") for line in scene[by].notifies), scene[by].notifies
    assert hear_each_other(scene[by], scene[moved])
    assert not other.received("INVITE")


def _headers(trap: Traps) -> Headers:
    """All in which somebody may be named, and more. Who is asserted to call is called back."""
    asserted = ("P-Asserted-Identity", "Remote-Party-ID")
    named = ("Diversion", "Referred-By", "History-Info")
    plain = ("Subject", "User-Agent", "Privacy", "Reason", "X-Trap", "X-FS-Refer-From", "Identity")
    return (
        *((name, f'"{trap()}" <sip:4930555@x>;x={trap()}') for name in asserted),
        *((name, f'"{trap()}" <sip:{trap()}@{trap()}>') for name in named),
        *((name, trap()) for name in plain),
        ("Call-Info", f"<sip:{trap()}@x>;purpose={trap()}"),
    )


@everywhere
def test_who_calls_and_who_is_called(scene: Scene, trap: Traps, state: State) -> None:
    """Somebody from outside, who is nobody's user; targets that refuse, redirect; the recall."""
    said = (*_headers(trap), ("Warning", f'399 x "{trap()}"'), ("Contact", f"<sip:{trap()}@x>"))
    elsewhere = ", ".join(f"<sip:{user}@{trap()}>" for user in (trap(), f"{NOT_FOR_US}{trap()}"))
    transferor, ringing = scene.add("1000", ANSWERS), scene.add("1007", RINGS)
    scene.add("1002", (Ring(), Refuse(486, trap(), said)))
    scene.add("1003", (Refuse(302, trap(), (("Contact", elsewhere),)),))
    scene.add("1004", (Ring(), Refuse(603, trap(), said)))
    other = scene.add(NOT_FOR_US, RINGS)
    outside = scene.dial_from_outside("5551212", trap(), _headers(trap))
    outside.wait_talking()
    for number, to in enumerate(("2040", "2010"), 1):
        assert hear_each_other(transferor, outside)
        transferor.transfers(to)
        scene.phones.wait(lambda: len(transferor.notifies) >= number, to, LIMIT_S)  # noqa: B023
        assert not trap.sprung(), to
    assert hear_each_other(transferor, outside)
    if state is State.ALIVE:
        transferor.transfers("1007")
        ringing.wait_received("INVITE")
        transferor.hangs_up()
        transferor.wait_received("INVITE", 2)
    outside.hangs_up()
    assert not other.received("INVITE")
