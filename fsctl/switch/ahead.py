"""What is asked about a transfer in one write with the claim of its leg.

FreeSWITCH reads commands byte by byte, and each wait costs its thread's time to look and ours: so
all for which the leg's own snapshot suffices goes out at once. The claim comes first; then the link
is subscribed, and only then is anything asked: who has left before is seen as gone in an answer,
who leaves later by its event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command, Events, Filter, FilterOut, Linger, UuidDump, UuidGetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event, Reply
from fsctl.esl.frames import Frame
from fsctl.switch.timers import CLAIM_TIMEOUT_S, claiming, is_claimed

LINGER_S = 600
"""How long a link may outlive its leg: to cancel a target, to release a transferor, or for calls
that go on without the one that came first. It is closed as soon as the session ends."""

SUBSCRIBED = Events(
    (
        "CHANNEL_PROGRESS",
        "CHANNEL_PROGRESS_MEDIA",
        "CHANNEL_ANSWER",
        "CHANNEL_BRIDGE",
        "CHANNEL_HANGUP",
        "CHANNEL_EXECUTE_COMPLETE",
        "CHANNEL_HOLD",
        "CHANNEL_UNHOLD",
    ),
    ("sofia::transferor",),
)

OF_DIALPLANS = frozenset({"execute_extension", "socket"})
"""The applications that a dialplan of ours executes around those that we do: of their ends most are
told for nothing, each at the price of four of our API calls."""

QUIET = tuple(FilterOut("Application", each) for each in sorted(OF_DIALPLANS))
"""What holds these back, on the link of a leg that stays with us until it hangs up."""

OF_TRANSFEREE = ("sip_refer_to", "sip_h_Referred-By")
"""What is read exactly, where the snapshot has it; the rest that is needed of it that tells."""

PROFILE = {
    "direction": "Call-Direction",
    "caller_id_number": "Caller-Caller-ID-Number",
    "caller_id_name": "Caller-Caller-ID-Name",
    "privacy_hide_number": "Caller-Privacy-Hide-Number",
    "privacy_hide_name": "Caller-Privacy-Hide-Name",
}
"""What FreeSWITCH answers under a variable's name, and events have as a header of its own."""


class Dump:
    """All that FreeSWITCH knows of one channel, exactly (``uuid_dump``)."""

    def __init__(self, text: str) -> None:
        found = json.loads(text)
        self._headers: dict[str, object] = found if isinstance(found, dict) else {}

    def variable(self, name: str) -> str | None:
        """As ``uuid_getvar`` answers, but for the global variables."""
        value = self._headers.get(PROFILE.get(name, f"variable_{name}"))
        if isinstance(value, list):
            return "ARRAY::" + "|:".join(map(str, value))
        return None if value is None else str(value)


class Ahead:
    """What was asked with the claim of one leg; for anything else its link is asked."""

    def __init__(self, link: Connection, snapshot: Event) -> None:
        self.link = link
        self.filters: tuple[Filter, ...] = ()
        """The channels whose events the link brings; empty: it is not subscribed."""
        self.transferor: Dump | None = None
        """The party that sent the REFER; None: it was not asked about, or has gone."""
        self._snapshot = snapshot
        self._heard: list[Event] = []
        self._known: dict[tuple[str, str], Reply] = {}
        self._all_of: tuple[str, Reply] | None = None

    def claim(self, stranger: bool | None = None) -> bool:
        """Claim the leg, and ask; false: too late.

        ``stranger``: nobody here knows the transferor, of whom all is asked then; None: a call
        that is new, of which nothing is asked.
        """
        transferee, transferor = self._snapshot.channel_uuid or "", ""
        asked: list[tuple[str, str]] = []
        unset: list[tuple[str, str]] = []
        if stranger is not None:
            transferor = self._snapshot.variable("blind_transfer_uuid") or ""
            of_leg = [(transferee, name) for name in OF_TRANSFEREE]
            unset = [each for each in of_leg if self._snapshot.variable(each[1]) is None]
            asked = [each for each in of_leg if each not in unset]
        filters = [Filter("Unique-ID", uuid) for uuid in (transferee, transferor) if uuid]
        if transferor and not stranger:
            asked.append((transferor, "sip_blind_transfer_event"))
        dumps = [UuidDump(transferor)] if transferor and stranger else []
        commands: list[Command] = [
            claiming(self._snapshot),
            Linger(LINGER_S),
            *filters,
            *(() if stranger else QUIET),
            SUBSCRIBED,
            *dumps,
            *(UuidGetvar(uuid, name) for uuid, name in asked),
        ]
        self.link.on_event = self._heard.append
        try:
            replies = self.link.send_all(commands, CLAIM_TIMEOUT_S)
        except (LinkError, ChannelGone):
            return True  # whoever serves it will see
        if not is_claimed(self._snapshot, replies[0]):
            return False
        self.filters = tuple(filters)
        answers = replies[len(commands) - len(asked) :]
        not_set = _as_answered(UuidGetvar.__name__, None, replies[0].frame)
        self._known = dict(zip(asked, answers, strict=True)) | dict.fromkeys(unset, not_set)
        if dumps:
            self._take_dump(transferor, replies[len(commands) - len(asked) - 1])
        return True

    def _take_dump(self, transferor: str, reply: Reply) -> None:
        if reply.no_channel:
            self._all_of = (transferor, reply)
            return
        try:
            self.transferor = Dump(reply.text)
        except (ValueError, RecursionError):  # none that we can read: each is asked for
            return
        self._all_of = (transferor, reply)

    def replay(self, on_event: Callable[[Event], None]) -> None:
        """From now on ``on_event`` hears, and first of all what has come since."""
        self.link.on_event = on_event
        for event in self._heard:
            on_event(event)
        self._heard = []

    def forget(self) -> None:
        """It has served: a session that begins with it may last for hours."""
        self.transferor = self._all_of = None
        self._known = {}

    def send_all(self, commands: Sequence[Command]) -> list[Reply]:
        """As a link does; what is known already it is not asked for. Raises LinkError."""
        known = [self._answer(command) for command in commands]
        unknown = [each for each, reply in zip(commands, known, strict=True) if reply is None]
        replies = iter(self.link.send_all(unknown) if unknown else ())
        return [next(replies) if reply is None else reply for reply in known]

    def _answer(self, command: Command) -> Reply | None:
        if not isinstance(command, UuidGetvar):
            return None
        uuid, name = command.channel_uuid, command.variable
        if self._all_of is None or self._all_of[0] != uuid:
            return self._known.get((uuid, name))
        if self.transferor is None:
            return self._all_of[1]  # it has gone
        return _as_answered(command.label, self.transferor.variable(name), self._all_of[1].frame)


def _as_answered(label: str, value: str | None, like: Frame) -> Reply:
    """What ``uuid_getvar`` would answer, framed as FreeSWITCH has framed another answer."""
    text = value or "_undef_"
    return Reply(label, text, Frame(like.head, text.encode("utf-8", "replace"), like.content_type))
