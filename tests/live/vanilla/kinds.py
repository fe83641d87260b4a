"""What works on a stock FreeSWITCH: calls to every kind of number.

It is to hold before fsctl is installed, with it, when it has died, and when it has been removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.live.lab import Answer, Refuse, Ring
from tests.live.lab.steps import Step
from tests.live.vanilla.scene import PROVIDER, TONE, Kind, Outcome, Play, Scene

CALLER = "1005"
OUTSIDE = "outside"
"""Who calls in by the provider."""

RINGS: Sequence[Step] = (Ring(),)
ANSWERS: Sequence[Step] = (Ring(), Answer())
BUSY: Sequence[Step] = (Ring(), Refuse(486, "Gone fishing"))
DECLINES: Sequence[Step] = (Ring(), Refuse(603, "Not now"))
REDIRECTS: Sequence[Step] = (Refuse(302, "Moved", (("Contact", "<sip:1002@127.0.0.1>"),)),)

BRIDGED = {"bridge": 1, "-": 1}
JOINED = {"uuid_bridge": 2}
VOICEMAIL = {"bridge": 1, "-": 1, "voicemail": 1}
LOOPBACK = {"bridge": 2, "-": 2}
OK = "200 OK"
SECOND = 16000
"""Bytes of a recorded second: 8 kHz, 16 bit."""


# -- what comes of it


def talk(one: str, other: str, runs: Mapping[str, int] = BRIDGED, caller: str = "") -> Outcome:
    """The two talk, and ``caller``, by default ``one``, was told 200."""
    hears, told = {one: other, other: one}, {caller or one: (OK,)}
    return Outcome(hears, told, tuple(sorted((one, other))), runs)


def served(runs: Mapping[str, int], hears: str = TONE, caller: str = CALLER) -> Outcome:
    """The caller is alone with an application of the switch, and hears that."""
    return Outcome({caller: hears}, {caller: (OK,)}, (caller,), runs)


def refused(line: str, caller: str = CALLER) -> Outcome:
    """The caller is told that, and nobody talks."""
    return Outcome(told={caller: (line,)})


def over(caller: str = CALLER) -> Outcome:
    """The caller was answered, and the call has ended."""
    return refused(OK, caller)


def two_served(runs: Mapping[str, int]) -> Outcome:
    """The caller and 1006, who has called as well, hear each other in an application."""
    return also(Outcome(told={"1006": (OK,)}), talk(CALLER, "1006", runs))


def also(before: Outcome, outcome: Outcome) -> Outcome:
    """The outcome, where more phones have been told something ``before``."""
    return replace(outcome, told={**before.told, **outcome.told})


PICKED_UP = also(Outcome(told={"1002": (OK,)}), talk(CALLER, "1002", JOINED))
VOLUNTEERS = also(
    Outcome(told={"1001 joins": (OK,), "1002 joins": (OK,)}), talk(CALLER, "1002", BRIDGED)
)
RECORDED = talk(CALLER, "1001", {"playback": 1, "record_session": 1})
EAVESDROPPED = Outcome(
    {CALLER: "1001", "1001": CALLER, "1006": TONE},
    {CALLER: (OK,), "1006": (OK,)},
    ("1001", CALLER, "1006"),
    {"bridge": 1, "-": 1, "eavesdrop": 1},
)
NO_RIGHT = Outcome({"1015": TONE}, runs={"playback": 1})
REFUSED_OUTSIDE = refused("480 Temporarily Unavailable", OUTSIDE)


# -- what is done


def dials(number: str, keys: str = "", caller: str = CALLER) -> Play:
    """The caller dials, and presses keys when it is answered and something is played to it."""

    def play(scene: Scene) -> None:
        phone = scene.dial(caller, number)
        if keys:
            phone.wait_talking()
            assert phone.hears_ringback()
            phone.presses(keys)

    return play


def from_outside(number: str) -> Play:
    """The provider brings a call for that number."""
    return lambda scene: scene.dial_from_outside(number)


def picks_up(code: str) -> Play:
    """1002 dials the code while the caller's call rings at 1001."""

    def play(scene: Scene) -> None:
        scene.dial(CALLER, "1001")
        scene["1001"].wait_received("INVITE")
        scene.dial("1002", code)

    return play


def then(first: str, second: str) -> Play:
    """The caller dials one number and waits there; 1006 dials the other."""

    def play(scene: Scene) -> None:
        assert scene.talk(CALLER, first).hears_ringback()
        scene.talk("1006", second)

    return play


def presses(keys: str) -> Play:
    """1001 has answered the caller and presses keys."""

    def play(scene: Scene) -> None:
        caller = scene.talk(CALLER, "1001")
        assert scene["1001"].hears(caller)
        scene["1001"].presses(keys)

    return play


def consults_by_keys(scene: Scene) -> None:
    """1001 has answered, calls 1002 by ``*4``, talks, and hangs up."""
    presses("*41002")(scene)
    assert scene["1001"].hears(scene["1002"])
    scene["1001"].hangs_up()


def eavesdrops(scene: Scene) -> None:
    """1006 listens to what the caller and 1001 say."""
    scene.talk(CALLER, "1001")
    scene.talk("1006", f"88{CALLER}")


def redials(scene: Scene) -> None:
    """The caller has talked to 1001, and presses redial."""
    scene.talk(CALLER, "1001").hangs_up()
    scene["1001"].wait_over()
    scene.dial(CALLER, "870", "again")


def calls_back(scene: Scene) -> None:
    """1001 has been called, and calls back whoever it was."""
    scene.talk(CALLER, "1001").hangs_up()
    scene["1001"].wait_over()
    scene.add(CALLER, ANSWERS)
    scene.dial("1001", "*69", "back")


def volunteers(number: str) -> Play:
    """1001 and 1002 join group 01 by a call; that group is dialled, and 1002 answers."""

    def play(scene: Scene) -> None:
        _dissolve(scene)
        for user in ("1001", "1002"):
            scene.dial(user, "8101", f"{user} joins").wait_talking()
            scene[f"{user} joins"].wait_over()
        scene.dial(CALLER, number)
        scene["1001"].wait_received("INVITE")
        if number == "8301":
            scene["1001"].refuses_now(486, "Busy Here")
        scene["1002"].answers_now()
        _dissolve(scene)

    return play


def _dissolve(scene: Scene) -> None:
    """Nobody is in group 01 any more."""
    switch, group = scene.switch, f"01@{scene.switch.domain}"
    for contact in re.split(r"[|,]|:_:", switch.esl(f"group call:{group}")):
        switch.esl(f"group delete:{group}:{contact}")


def intercom(scene: Scene) -> None:
    """1001 answers when the switch says so (NOTIFY, event ``talk``)."""
    scene.dial(CALLER, "81001")
    scene["1001"].wait_received("NOTIFY")
    scene["1001"].answers_now()


def leaves_a_message(scene: Scene) -> None:
    """1001 declines, the caller says something after the tone, and 1001 is told of it."""
    switch = scene.switch
    switch.esl(f"vm_delete 1001@{switch.domain}")
    caller = scene.dial(CALLER, "1001")
    messages = switch.root / "storage/voicemail/default" / switch.domain / "1001"
    switch.wait(
        lambda: any(path.stat().st_size > SECOND for path in messages.glob("msg_*.wav")),
        10.0,
        "a second of the message is recorded",
    )
    caller.presses("#")
    caller.hangs_up()
    lamp = scene["1001"]
    scene.phones.wait(
        lambda: any("Messages-Waiting: yes" in m.body for m in lamp.received("NOTIFY")),
        "a lamp for the message",
    )


CALLS = (
    # users
    Kind("a user", dials("1001"), talk(CALLER, "1001"), {"1001": ANSWERS}),
    Kind("a user, busy", dials("1001"), served(VOICEMAIL), {"1001": BUSY}),
    Kind("a user, declining", dials("1001"), served(VOICEMAIL), {"1001": DECLINES}),
    Kind("a user, not answering", dials("1001"), served(VOICEMAIL), {"1001": RINGS}, 10.0),
    Kind("a user without a phone", dials("1001"), served(VOICEMAIL)),
    Kind("a message", leaves_a_message, over(), {"1001": DECLINES}),
    Kind("a redirect", dials("1001"), talk(CALLER, "1002"), {"1001": REDIRECTS, "1002": ANSWERS}),
    Kind("intercom", intercom, talk(CALLER, "1001"), {"1001": RINGS}),
    Kind("redial", redials, also(over(), talk("again", "1001")), {"1001": ANSWERS}),
    Kind("call back", calls_back, talk("back", CALLER), {"1001": ANSWERS}),
    # several users
    Kind("group", dials("2000"), talk(CALLER, "1002"), {"1001": RINGS, "1002": ANSWERS}),
    Kind("group/", dials("2001"), talk(CALLER, "1011"), {"1010": RINGS, "1011": ANSWERS}),
    Kind("group, no phone", dials("2001"), refused("480 Temporarily Unavailable")),
    Kind("hunt", dials("2010"), talk(CALLER, "1004"), {"1003": BUSY, "1004": ANSWERS}),
    Kind("hunt in one", dials("2011"), talk(CALLER, "1004"), {"1003": BUSY, "1004": ANSWERS}),
    Kind("volunteers", volunteers("8201"), VOLUNTEERS, {"1001": RINGS, "1002": RINGS}),
    Kind("volunteers in turn", volunteers("8301"), VOLUNTEERS, {"1001": RINGS, "1002": RINGS}),
    # by a detour
    Kind("forwarded", dials("2020"), talk(CALLER, "1002"), {"1002": ANSWERS}),
    Kind("forwarded, no context", dials("2021"), talk(CALLER, "1002"), {"1002": ANSWERS}),
    Kind("shared code", dials("2030"), talk(CALLER, "1002"), {"1002": ANSWERS}),
    Kind("loopback", dials("2031"), talk(CALLER, "1002", LOOPBACK), {"1002": ANSWERS}),
    Kind("operator", dials("0"), talk(CALLER, "1000"), {"1000": ANSWERS}),
    Kind("menu", dials("5000", keys="1001"), talk(CALLER, "1001"), {"1001": ANSWERS}),
    # refused
    Kind("no voicemail, busy", dials("2040"), refused("486 Busy Here"), {"1002": BUSY}),
    Kind("no voicemail, no phone", dials("2040"), refused("480 Temporarily Unavailable")),
    Kind("closed line", dials("2090"), refused("404 Closed line")),
    Kind("busy line", dials("2091"), refused("486 Busy Here")),
    Kind("nobody's number", dials("4711"), Outcome({CALLER: TONE}, runs={"playback": 1})),
    # applications
    Kind("voicemail", dials("*98"), served({"voicemail": 1})),
    Kind("voicemail, by number", dials("4000"), served({"voicemail": 1})),
    Kind("own voicemail", dials("*97"), served({"voicemail": 1})),
    Kind("conference, alone", dials("3000"), served({"conference": 1})),
    Kind("conference", then("3000", "3000"), two_served({"conference": 2})),
    Kind("conference of 16 kHz", then("3100", "3100"), two_served({"conference": 2})),
    Kind("park", dials("5900"), served({"fifo": 1})),
    Kind("park and retrieve", then("5900", "5901"), two_served({"fifo": 2})),
    Kind("retrieve nobody", dials("5901"), over()),
    Kind("park by key", dials("park+7"), served({"fifo": 1})),
    Kind("valet", dials("6001"), served({"valet_park": 1})),
    Kind("valet and retrieve", then("6001", "6001"), two_served(JOINED)),
    Kind("valet, asked", dials("6000"), served({"valet_park": 1})),
    Kind("clock", dials("9170"), served({"playback": 1})),
    Kind("180", dials("9180"), served({"playback": 1})),
    Kind("183", dials("9181"), served({**BRIDGED, "playback": 1})),
    Kind("ringback after the answer", dials("9184"), served({**BRIDGED, "playback": 1})),
    Kind("information", dials("9192"), over()),
    Kind("late echo", dials("9195"), served({"delay_echo": 1}, CALLER)),
    Kind("echo", dials("9196"), served({"echo": 1}, CALLER)),
    Kind("milliwatt", dials("9197"), served({"playback": 1})),
    Kind("music", dials("9664"), served({"playback": 1})),
    # taking over, keys
    Kind("pickup of a number", picks_up("**1001"), PICKED_UP, {"1001": RINGS}),
    Kind("pickup of a group", picks_up("*8"), PICKED_UP, {"1001": RINGS}),
    Kind("pickup of any", picks_up("886"), PICKED_UP, {"1001": RINGS}),
    Kind("eavesdropper", eavesdrops, EAVESDROPPED, {"1001": ANSWERS}),
    Kind("*1", presses("*11002#"), talk(CALLER, "1002"), {"1001": ANSWERS, "1002": ANSWERS}),
    Kind("*2", presses("*2"), RECORDED, {"1001": ANSWERS}),
    Kind("*3", presses("*3"), talk(CALLER, "1001", {"conference": 2}), {"1001": ANSWERS}),
    Kind("*4", consults_by_keys, talk(CALLER, "1002", JOINED), {"1001": ANSWERS, "1002": ANSWERS}),
    # the provider
    Kind("local", dials("7777777"), talk(CALLER, PROVIDER), {PROVIDER: ANSWERS}),
    Kind("domestic", dials("12125551212"), talk(CALLER, PROVIDER), {PROVIDER: ANSWERS}),
    Kind("abroad", dials("011493055555"), talk(CALLER, PROVIDER), {PROVIDER: ANSWERS}),
    Kind("domestic, busy", dials("12125551212"), refused("486 Busy Here"), {PROVIDER: BUSY}),
    Kind("no right to call abroad", dials("011493055555", caller="1015"), NO_RIGHT),
    Kind("from outside", from_outside("5551212"), talk(OUTSIDE, "1000"), {"1000": ANSWERS}),
    Kind("from outside, a user", from_outside("1001"), talk(OUTSIDE, "1001"), {"1001": ANSWERS}),
    Kind("from outside, moved", from_outside("5551213"), talk(OUTSIDE, "1002"), {"1002": ANSWERS}),
    # what the public context does not have is not to be reached from there
    Kind(
        "from outside, moved too far", from_outside("5551214"), REFUSED_OUTSIDE, {"1002": ANSWERS}
    ),
    Kind("from outside, nobody", from_outside("4711"), REFUSED_OUTSIDE),
    Kind("from outside, abroad", from_outside("011493055555"), REFUSED_OUTSIDE),
)

SAMPLED = (
    "a user",
    "a user, declining",
    "a redirect",
    "redial",
    "group",
    "forwarded, no context",
    "menu",
    "closed line",
    "own voicemail",
    "conference",
    "park and retrieve",
    "valet and retrieve",
    "pickup of a number",
    "*1",
    "*4",
    "domestic",
    "from outside",
    "from outside, moved too far",
)
"""One of each kind, which are played in every state."""
assert {kind.name for kind in CALLS} >= {*SAMPLED}
