"""Transfers of every kind: what stock FreeSWITCH makes of each, and what fsctl does.

Stock FreeSWITCH says 200 to every blind REFER and only then calls the target: who is busy costs the
transferee its call. Under control the transferor is told what the target says, and then the first
two talk on. What a target *is* does not change: a mailbox, a conference or a park slot that answers
is a success in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fsctl.story import hear_each_other
from tests.live.lab.steps import Step
from tests.live.vanilla.kinds import (
    ANSWERS,
    BRIDGED,
    BUSY,
    CALLER,
    DECLINES,
    JOINED,
    LOOPBACK,
    OK,
    OUTSIDE,
    REDIRECTS,
    RINGS,
    VOICEMAIL,
    also,
    served,
    talk,
)
from tests.live.vanilla.scene import PROVIDER, TONE, Kind, Outcome, Play, Scene

SECOND_CALL = "second call"
CALLEE = "1001"
PARTIES = {"callee": (CALLEE, CALLER), "caller": (CALLER, CALLEE)}
"""Who transfers, and who is transferred."""
CAROL = {"1002": ANSWERS}
RINGS_NO_ONE = "480 Temporarily Unavailable"
NOT_ALLOWED = "403 Transfer Not Allowed"

Plays = Callable[[str, str], Play]
"""From who transfers, and to which number."""
Moved = Callable[[str], Outcome]
"""What becomes of the transferee, given by name."""


# -- what is done


def transfers(by: str, to: str) -> Play:
    """The caller and 1001 talk, and one of them transfers the other, blind."""

    def play(scene: Scene) -> None:
        caller = scene.talk(CALLER, CALLEE)
        assert hear_each_other(caller, scene[CALLEE])
        scene[by].transfers(to)

    return play


def transfers_and(number: str) -> Plays:
    """As `transfers`; when the transferee hears what it has been sent to, 1006 dials ``number``."""

    def plays(by: str, to: str) -> Play:
        def play(scene: Scene) -> None:
            transfers(by, to)(scene)
            assert scene[_other(by)].hears_ringback()
            scene.talk("1006", number)

        return play

    return plays


def transfers_and_presses(keys: str) -> Plays:
    """As `transfers`; when something is played to the transferee, it presses keys."""

    def plays(by: str, to: str) -> Play:
        def play(scene: Scene) -> None:
            transfers(by, to)(scene)
            assert scene[_other(by)].hears_ringback()
            scene[_other(by)].presses(keys)

        return play

    return plays


def transfers_from_outside(by: str, to: str) -> Play:
    """A call of the provider's is transferred by the user who has answered it."""

    def play(scene: Scene) -> None:
        scene.dial_from_outside("5551212").wait_talking()
        assert scene[by].hears(scene[OUTSIDE])
        scene[by].transfers(to)

    return play


def transfers_provider(by: str, to: str) -> Play:
    """Somebody has reached somebody by the provider, and transfers them."""

    def play(scene: Scene) -> None:
        assert scene.talk(by, "12125551212").hears(scene[PROVIDER])
        scene[by].transfers(to)

    return play


def consults(by: str, to: str) -> Play:
    """One of the two calls somebody else, is answered, and joins the others (REFER, Replaces)."""

    def play(scene: Scene) -> None:
        caller = scene.talk(CALLER, CALLEE)
        assert hear_each_other(caller, scene[CALLEE])
        _consult(scene, by, to)

    return play


def consults_from_outside(by: str, to: str) -> Play:
    """As `consults`, of a call that the provider has brought."""

    def play(scene: Scene) -> None:
        scene.dial_from_outside("5551212").wait_talking()
        assert scene[by].hears(scene[OUTSIDE])
        _consult(scene, by, to)

    return play


def consults_provider(by: str, to: str) -> Play:
    """As `consults`, of a call that has gone to the provider."""

    def play(scene: Scene) -> None:
        assert scene.talk(by, "12125551212").hears(scene[PROVIDER])
        _consult(scene, by, to)

    return play


def _consult(scene: Scene, by: str, to: str) -> None:
    scene.dial(by, to, SECOND_CALL).wait_talking()
    scene.joins(by, to, SECOND_CALL)


def joins_early(by: str, to: str) -> Play:
    """As `consults`, but the REFER comes while the second call still rings.

    FreeSWITCH ends that call by a BYE, and then by 486.
    """

    def play(scene: Scene) -> None:
        caller = scene.talk(CALLER, CALLEE)
        assert hear_each_other(caller, scene[CALLEE])
        scene.dial(by, to, SECOND_CALL).wait_received(183)
        scene.joins(by, to, SECOND_CALL)
        scene[to].answers_now()

    return play


def _other(by: str) -> str:
    return CALLEE if by == CALLER else CALLER


# -- what comes of it


def reaches(number: str, runs: Mapping[str, int] = BRIDGED) -> Moved:
    """Transferee and target talk."""
    return lambda moved: talk(moved, number, runs)


def gets(runs: Mapping[str, int], hears: str = TONE) -> Moved:
    """The transferee is alone with an application; ``hears`` is empty where it hears itself."""
    return lambda moved: served(runs, hears or moved, moved)


def meets(runs: Mapping[str, int]) -> Moved:
    """The transferee and 1006, who has dialled, hear each other in an application."""
    return lambda moved: also(Outcome(told={"1006": (OK,)}), talk(moved, "1006", runs))


def is_dropped(moved: str) -> Outcome:
    """The transferee's call has ended."""
    return Outcome()


@dataclass(frozen=True)
class Transfer:
    """One row: what is done, what stock FreeSWITCH makes of it, and what fsctl does.

    ``told`` is what fsctl tells the transferor (FreeSWITCH alone always 200); with anything but 200
    the first two talk on. ``ours``: what else becomes of the transferee, if not as ``stock``.
    ``parties``: who transfers, and who is transferred, by role. ``first``: the final response to
    the calls that were made before, by phone. ``sampled``: it is played in every state.
    """

    name: str
    to: str
    stock: Moved
    phones: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    told: str = OK
    ours: Moved | None = None
    plays: Plays = transfers
    parties: Mapping[str, tuple[str, str]] = field(default_factory=lambda: PARTIES)
    first: Mapping[str, Sequence[str]] = field(default_factory=lambda: {CALLER: (OK,)})
    sampled: bool = False
    within_s: float = 8.0

    def by_freeswitch(self) -> Sequence[Kind]:
        """How it is without fsctl: a row for each role, or for one, if it is not `sampled`."""
        roles = list(self.parties)[: len(self.parties) if self.sampled else 1]
        return [self._kind(role, OK, self.stock) for role in roles]

    def by_fsctl(self) -> Sequence[Kind]:
        """How it is under control, a row for each role.

        A leg that fsctl has dialled shows another application than one of FreeSWITCH's own while
        it talks, so only what serves somebody is compared (`Outcome.serving`).
        """
        after = (self.ours or self.stock) if self.told == OK else self._talk_on
        kinds = [self._kind(role, self.told, after) for role in self.parties]
        look = Outcome.serving
        return [replace(kind, outcome=look(kind.outcome), look=look) for kind in kinds]

    def by_legacy(self) -> Sequence[Kind]:
        """How it is in legacy mode: FreeSWITCH reports, and knows a code, but no phrase."""
        code = self.told.split()[0]
        told = OK if self.told == OK else f"{code} {code}"
        return replace(self, told=told).by_fsctl()

    def _talk_on(self, moved: str) -> Outcome:
        by = next(by for by, other in self.parties.values() if other == moved)
        return talk(by, moved)

    def _kind(self, role: str, line: str, after: Moved) -> Kind:
        by, moved = self.parties[role]
        outcome = after(moved)
        others = {name: told for name, told in outcome.told.items() if name != moved}
        told = {**others, **self.first, by: (*self.first.get(by, ()), f"NOTIFY {line}")}
        return Kind(
            f"{self.name}, by the {role}",
            self.plays(by, self.to),
            replace(outcome, told=told),
            {**({CALLEE: ANSWERS} if CALLEE in (by, moved) else {}), **self.phones},
            self.within_s,
        )


BLIND = (
    # a user's phone, then its mailbox
    Transfer("a user", "1002", reaches("1002"), CAROL, sampled=True),
    Transfer(
        "a user, ringing",
        "1002",
        gets(BRIDGED),
        {"1002": RINGS},
        ours=gets(VOICEMAIL),
    ),
    Transfer("a user, busy", "1002", gets(VOICEMAIL), {"1002": BUSY}),
    Transfer("a user, no phone", "1002", gets(VOICEMAIL)),
    # nobody takes the call
    Transfer(
        "no voicemail, busy", "2040", is_dropped, {"1002": BUSY}, "486 Gone fishing", sampled=True
    ),
    Transfer("no voicemail, ringing", "2040", is_dropped, {"1002": RINGS}, RINGS_NO_ONE),
    Transfer("no voicemail, no phone", "2040", is_dropped, told=RINGS_NO_ONE),
    Transfer("a closed line", "2090", is_dropped, told="404 Closed line"),
    Transfer("a busy line", "2091", is_dropped, told="486 Busy Here"),
    Transfer("nobody's number", "4711", gets({"playback": 1}), told=RINGS_NO_ONE),
    # several phones
    Transfer("group", "2001", reaches("1011"), {"1010": RINGS, "1011": ANSWERS}),
    Transfer("group, no phone", "2001", is_dropped, told=RINGS_NO_ONE),
    Transfer("hunt", "2010", reaches("1004"), {"1003": BUSY, "1004": ANSWERS}),
    Transfer("hunt, nobody", "2010", is_dropped, {"1003": BUSY, "1004": DECLINES}, "603 Not now"),
    # by a detour
    Transfer("forwarded", "2020", reaches("1002"), CAROL),
    Transfer("forwarded, no context", "2021", reaches("1002"), CAROL, sampled=True),
    Transfer("a redirect", "1003", reaches("1002"), {"1003": REDIRECTS, **CAROL}),
    Transfer("shared code", "2030", reaches("1002"), CAROL),
    Transfer("loopback", "2031", reaches("1002", LOOPBACK), CAROL),
    Transfer("operator", "0", reaches("1000"), {"1000": ANSWERS}),
    # applications
    Transfer("voicemail", "*98", gets({"voicemail": 1})),
    Transfer("own voicemail", "*97", gets({"voicemail": 1})),
    Transfer("conference", "3000", gets({"conference": 1}), sampled=True),
    # two seconds later no application is left: the loopback between the two has gone
    Transfer(
        "park, and retrieved",
        "5900",
        meets({"fifo": 2}),
        plays=transfers_and("5901"),
        ours=meets({}),
    ),
    Transfer("valet, and retrieved", "6001", meets(JOINED), plays=transfers_and("6001")),
    Transfer("menu", "5000", gets({"ivr": 1})),
    Transfer(
        "menu, to a user", "5000", reaches("1002"), CAROL, plays=transfers_and_presses("1002")
    ),
    Transfer("echo", "9196", gets({"echo": 1}, "")),
    Transfer("music", "9664", gets({"playback": 1})),
    # the provider
    Transfer("domestic", "12125551212", reaches(PROVIDER), {PROVIDER: ANSWERS}, sampled=True),
    Transfer("domestic, busy", "12125551212", is_dropped, {PROVIDER: BUSY}, "486 Gone fishing"),
)

FROM_OUTSIDE = {"callee": ("1000", OUTSIDE)}
TO_OUTSIDE = {"caller": (CALLER, PROVIDER)}


def _outside(
    name: str,
    to: str,
    stock: Moved,
    phones: Mapping[str, Sequence[Step]],
    told: str = OK,
    plays: Plays = transfers_from_outside,
    more: Mapping[str, Sequence[str]] | None = None,
    sampled: bool = False,
) -> Transfer:
    """A row of a call that has come from outside."""
    return Transfer(
        f"a call from outside, {name}",
        to,
        stock,
        {"1000": ANSWERS, **phones},
        told,
        plays=plays,
        parties=FROM_OUTSIDE,
        first={OUTSIDE: (OK,), **(more or {})},
        sampled=sampled,
    )


OUTSIDERS = (
    _outside("a user", "1002", reaches("1002"), CAROL, sampled=True),
    _outside("forwarded", "2020", reaches("1002"), CAROL),
    _outside("busy", "2040", is_dropped, {"1002": BUSY}, "486 Gone fishing"),
    # who may not call the provider does not get there by a transfer either
    _outside("domestic", "12125551212", gets({"playback": 1}), {PROVIDER: ANSWERS}, NOT_ALLOWED),
    Transfer(
        "a call to outside",
        "1002",
        reaches("1002"),
        {PROVIDER: ANSWERS, **CAROL},
        plays=transfers_provider,
        parties=TO_OUTSIDE,
    ),
    Transfer(
        "a call to outside, busy",
        "2040",
        is_dropped,
        {PROVIDER: ANSWERS, "1002": BUSY},
        "486 Gone fishing",
        plays=transfers_provider,
        parties=TO_OUTSIDE,
    ),
)


def _second(
    name: str,
    to: str,
    after: Moved,
    phones: Mapping[str, Sequence[Step]] | None = None,
    plays: Plays = consults,
    second: str = OK,
    sampled: bool = False,
) -> Transfer:
    """An attended transfer, which stock FreeSWITCH carries out."""
    first = {CALLER: (OK,), SECOND_CALL: (second,)}
    name = f"second call, {name}"
    return Transfer(name, to, after, phones or {}, plays=plays, first=first, sampled=sampled)


ATTENDED = (
    _second("a user", "1002", reaches("1002", JOINED), CAROL, sampled=True),
    _second("provider", "12125551212", reaches(PROVIDER, JOINED), {PROVIDER: ANSWERS}),
    _second("conference", "3000", gets({"conference": 1}), sampled=True),
    _second("echo", "9196", gets({"echo": 1}, "")),
    _second("park", "5900", gets({"fifo": 1})),
    _second("valet", "6001", gets({"valet_park": 1})),
    _second("menu", "5000", gets({"ivr": 1})),
    _second("mailbox", "1002", gets(VOICEMAIL), {"1002": BUSY}),
    _second(
        "ringing", "1002", reaches("1002", JOINED), {"1002": RINGS}, joins_early, "486 Busy Here"
    ),
    _outside(
        "second call",
        "1002",
        reaches("1002", JOINED),
        CAROL,
        plays=consults_from_outside,
        more={SECOND_CALL: (OK,)},
    ),
    Transfer(
        "a call to outside, second call",
        "1002",
        reaches("1002", JOINED),
        {PROVIDER: ANSWERS, **CAROL},
        plays=consults_provider,
        parties=TO_OUTSIDE,
        first={CALLER: (OK,), SECOND_CALL: (OK,)},
    ),
)
"""Twenty rows, with both directions."""

TRANSFERS = (*BLIND, *OUTSIDERS, *ATTENDED)
