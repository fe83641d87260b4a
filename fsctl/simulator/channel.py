"""A channel: FreeSWITCH's object for one leg, with its state, variables and events."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Protocol

from fsctl.simulator.events import SimEvent, Value, joined
from fsctl.simulator.profile import CallerProfile
from fsctl.simulator.signals import Signal, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsctl.simulator.clock import Timer
    from fsctl.simulator.dialplan import Action
    from fsctl.simulator.digit_actions import DigitMachine
    from fsctl.simulator.dtmf import Digit
    from fsctl.simulator.link import Link
    from fsctl.simulator.switch import SimulatedSwitch

STATES = """
    CS_NEW CS_INIT CS_ROUTING CS_SOFT_EXECUTE CS_EXECUTE CS_EXCHANGE_MEDIA CS_PARK
    CS_CONSUME_MEDIA CS_HIBERNATE CS_RESET CS_HANGUP CS_REPORTING CS_DESTROY
    """.split()
"""Channel states in FreeSWITCH's order: the index is ``Channel-State-Number``."""

_CALL_STATES = [
    "DOWN",
    "DIALING",
    "RINGING",
    "EARLY",
    "ACTIVE",
    "HELD",
    "RING_WAIT",
    "HANGUP",
    "UNHELD",
]
_HANGUP = STATES.index("CS_HANGUP")
# switch_channel_event_set_extended_data: these say where the channel is, without variables.
_WITHOUT_VARIABLES = frozenset({"CHANNEL_STATE", "CHANNEL_CALLSTATE", "DTMF"})
_CODEC = tuple(
    (f"Channel-{way}-Codec-{name}", value)
    for way in ("Read", "Write")
    for name, value in (("Name", "PCMU"), ("Rate", "8000"), ("Bit-Rate", "64000"))
)


@cache
def _header_of(variable: str) -> str:
    return f"variable_{variable}"


class Endpoint(Protocol):
    """What a channel speaks to: a phone's SIP dialog, or the other half of a loopback."""

    def ring(self) -> None:
        """Tell the far end that it rings here (180)."""

    def early_media(self) -> None:
        """Open the media before the answer (183)."""

    def answer(self) -> None:
        """Accept the call (200)."""

    def hang_up(self, hangup_cause: str) -> None:
        """End it as the channel's direction and state ask for: BYE, CANCEL or a refusal."""

    def notify(self, event: str, content_type: str, body: str) -> None:
        """Send a NOTIFY within the dialog."""

    def heard_by(self, asker: Channel) -> str:
        """What somebody bridged to this channel hears."""

    def send_digit(self, digit: Digit) -> None:
        """Send a DTMF digit to the far end."""

    def refer(self, refer_to: str) -> None:
        """Send a REFER (``deflect``)."""

    def hold(self, *, held: bool) -> None:
        """Re-INVITE the far end: on hold, or back."""


class Channel:
    """One channel; all its code runs in its own greenlet, like a FreeSWITCH session's thread."""

    def __init__(self, switch: SimulatedSwitch, profile: CallerProfile) -> None:
        self.switch = switch
        self.uuid = profile.unique_id
        self.name = profile.channel_name
        self.direction = profile.direction
        self.profile = profile
        self.variables: dict[str, Value] = {}
        self.endpoint: Endpoint | None = None
        self.signal = Signal()
        # `state` is what the channel shall do, `running_state` what its greenlet is doing: events
        # carry the second by name and the first by number.
        self.state = "CS_NEW"
        self.running_state = "CS_NEW" if profile.direction == "inbound" else "CS_NONE"
        self.call_state = "DOWN"
        self.answered = self.early = self.ringing = False
        self.hangup_cause = ""
        self.hit_dialplan = False
        self.flags: set[str] = set()
        # Flags that the channel gets when it enters its next state (set_state_flag).
        self.next_flags: set[str] = set()
        self.pending: deque[dict[str, str]] = deque()
        self.urgent: deque[dict[str, str]] = deque()
        self.dtmf_queue: deque[Digit] = deque()
        self.digit_machines: dict[str, DigitMachine] = {}
        self.links: dict[Link, None] = {}  # in their order
        self.actions: deque[Action] = deque()
        self.on_routing: Callable[[], None] | None = None
        self.bridged_to: Channel | None = None
        # What is played to the far end, what a room gives it to hear, what `uuid_audio` mutes.
        self.hears_tone = ""
        self.hears_early: Channel | None = None
        self.place = ""
        self.muted: set[str] = set()
        # By path: when it began, and the timer of its limit.
        self.recordings: dict[str, tuple[float, Timer | None]] = {}
        self.application = ("", "")
        self.reported = False
        self.nested_extensions = 0
        self.respond_with = ""

    # -- variables -----------------------------------------------------------------------------

    def set_variable(self, name: str, value: Value | None) -> None:
        """Set a variable, or remove it with None or an empty text.

        A value with ``${`` in it is not taken: the old one stays (``switch_string_var_check``).
        """
        if not value:
            self.variables.pop(name, None)
        elif not (isinstance(value, str) and "${" in value):
            self.variables[name] = value

    def add_to_variable(self, name: str, value: str) -> None:
        """Append to an array variable (``transfer_history``, ``originated_legs``)."""
        old = self.variables.get(name)
        if old is None:
            self.variables[name] = value
        else:
            self.variables[name] = [*([old] if isinstance(old, str) else old), value]

    def get_variable(self, name: str) -> str | None:
        """A variable, a field of the caller profile, or a global, in that order."""
        value = self.variables.get(name)
        if value is not None:
            return joined(value)
        field = self.present_profile.field_named(name)
        return field if field is not None else self.switch.global_variables.get(name)

    def item(self, name: str, index: int) -> str | None:
        """One of an array variable (``switch_event_get_header_idx``); None also of any other."""
        value = self.variables.get(name)
        return value[index] if isinstance(value, list) and 0 <= index < len(value) else None

    def is_true(self, name: str) -> bool:
        """Whether a variable is one of the texts that ``switch_true`` takes for yes."""
        text = (self.get_variable(name) or "").lower()
        return text in {"yes", "on", "true", "t", "enabled", "active", "allow"} or (
            text.isdigit() and int(text) != 0
        )

    @property
    def present_profile(self) -> CallerProfile:
        """``switch_channel_get_caller_profile``: inside ``execute_extension`` that one's.

        Lookups and transfers go by it; events show the outer one.
        """
        return self.profile.hunt or self.profile

    # -- state ---------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """Whether the channel has not been hung up."""
        return STATES.index(self.state) < _HANGUP

    @property
    def ready(self) -> bool:
        """``switch_channel_ready``: up, and nobody has asked for another state."""
        settled = self.state == self.running_state and "transfer" not in self.flags
        return self.up and settled

    @property
    def answer_state(self) -> str:
        """The header Answer-State."""
        if not self.up:
            return "hangup"
        return "answered" if self.answered else "early" if self.early else "ringing"

    def set_state(self, state: str) -> None:
        """Ask the channel's greenlet for another state; a hung-up channel keeps its own."""
        if self.up or STATES.index(state) > STATES.index(self.state):
            self.state = state
            self.wake()

    def set_call_state(self, call_state: str) -> None:
        """Change the call state and say so (``CHANNEL_CALLSTATE``)."""
        if call_state == self.call_state:
            return
        event = SimEvent("CHANNEL_CALLSTATE").add("Original-Channel-Call-State", self.call_state)
        self.call_state = call_state
        event.add("Channel-Call-State-Number", _CALL_STATES.index(call_state))
        self.fire_event(event)

    def stamp(self, what: str) -> None:
        """Remember when something happened first (``Caller-Channel-<what>-Time``)."""
        self.profile.times_us.setdefault(what, self.switch.now_us)

    def wake(self) -> None:
        """Let everybody who waits for this channel look again."""
        self.signal.notify()

    def wait(self, predicate: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Block the channel's greenlet; see ``wait_for``."""
        return wait_for([self.signal], predicate, self.switch.clock, timeout_s)

    # -- events --------------------------------------------------------------------------------

    def fire(self, name: str, *extra: tuple[str, str]) -> None:
        """Publish an event of this channel, with ``extra`` headers at its end."""
        self.fire_event(SimEvent(name), *extra)

    def fire_event(self, event: SimEvent, *extra: tuple[str, str]) -> None:
        """Publish an event that has headers of its own before the channel's."""
        heard = self.switch.hears(event)
        if heard:
            self.fill(event)
            event.headers.extend(extra)
        self.switch.publish(event, heard=heard)

    def fill(self, event: SimEvent) -> None:
        """Append the channel's headers (``switch_channel_event_set_data``)."""
        event.headers.extend(self._state_headers())
        event.headers.extend(self.profile.headers("Caller"))
        if self.profile.other is not None:
            event.add("Other-Type", self.profile.other_type)
            event.headers.extend(self.profile.other.headers("Other-Leg", is_other=True))
        if event.name not in _WITHOUT_VARIABLES:
            values = map(joined, self.variables.values())
            event.headers.extend(zip(map(_header_of, self.variables), values, strict=True))

    def _state_headers(self) -> list[tuple[str, str]]:
        headers = [
            ("Channel-State", self.running_state),
            ("Channel-Call-State", self.call_state),
            ("Channel-State-Number", str(STATES.index(self.state))),
            ("Channel-Name", self.name),
            ("Unique-ID", self.uuid),
            ("Call-Direction", self.direction),
            ("Presence-Call-Direction", self.direction),
            ("Channel-HIT-Dialplan", "true" if self.hit_dialplan else "false"),
            ("Channel-Call-UUID", self.get_variable("call_uuid") or self.uuid),
            ("Answer-State", self.answer_state),
            ("Hangup-Cause", self.hangup_cause),
        ]
        if self.direction == "inbound" or self.answered or self.early:
            headers += _CODEC
        return headers
