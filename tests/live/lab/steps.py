"""What a phone is and what it does by itself: the values that a test writes down."""

from __future__ import annotations

from dataclasses import dataclass

from fsctl.story import Headers

COMMAND_PREFIX = "LAB-"

# those that a phone can be commanded to send; a Refuse step can send any
REFUSALS = (302, 400, 403, 404, 408, 410, 480, 484, 486, 487, 488, 500, 503, 600, 603, 604)


@dataclass(frozen=True, slots=True)
class Ring:
    """Send 180 Ringing."""


@dataclass(frozen=True, slots=True)
class Early:
    """Send 183 Session Progress with SDP; the phone's RTP flows from now on."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait ``ms`` milliseconds; a CANCEL and commands are taken meanwhile."""

    ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Send 200 OK with SDP; ``headers`` are added."""

    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse the call with this status and phrase; ``headers`` are added."""

    status: int = 486
    phrase: str = "Busy Here"
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Require:
    """Refuse (488) what is offered without ``codec``, PCMU or PCMA; the phone speaks that one."""

    codec: str


Step = Require | Ring | Early | Pause | Answer | Refuse


@dataclass(frozen=True, slots=True)
class PhoneIdentity:
    """What a scenario must know of its phone.

    ``name`` is the display name and the dialog tag, ``headers`` go into a caller's INVITE,
    ``dial`` is the URI that a caller calls; ``codec`` is what it speaks: PCMU or PCMA.
    ``password`` is what a caller answers a challenge with (RFC 3261 22.2); without one a
    challenge is a refusal like any other. ``transport`` is udp or tcp.
    """

    number: str
    name: str
    rtp_port: int
    dial: str = ""
    headers: Headers = ()
    codec: str = "PCMU"
    password: str = ""
    transport: str = "udp"

    @property
    def contact(self) -> str:
        """What its Contact header says, in SIPp's words."""
        parameter = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"<sip:{self.number}@[local_ip]:[local_port]{parameter}>"
