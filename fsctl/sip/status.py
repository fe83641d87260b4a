"""SIP statuses, FreeSWITCH's hangup causes, and message/sipfrag: one table for each.

Sources: the IANA registry of SIP response codes (RFC 3261 §21 and later RFCs), FreeSWITCH 1.10
(``switch_channel.c``: ``CAUSE_CHART``; ``switch_types.h``: the numbers; ``mod_sofia.c``:
``hangup_cause_to_sip``; ``sofia_glue.c``: ``sofia_glue_sip_cause_to_freeswitch``), RFC 4497 §8.4
for the mapping, RFC 3420 for the sipfrag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

MAX_REASON_BYTES = 200
"""A longer phrase is cut: it goes into one line of a NOTIFY that should fit one datagram."""

LOWEST_STATUS, HIGHEST_STATUS = 100, 699

PHRASES = MappingProxyType(
    {
        100: "Trying",
        180: "Ringing",
        181: "Call Is Being Forwarded",
        182: "Queued",
        183: "Session Progress",
        199: "Early Dialog Terminated",
        200: "OK",
        202: "Accepted",
        204: "No Notification",
        300: "Multiple Choices",
        301: "Moved Permanently",
        302: "Moved Temporarily",
        305: "Use Proxy",
        380: "Alternative Service",
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        407: "Proxy Authentication Required",
        408: "Request Timeout",
        410: "Gone",
        412: "Conditional Request Failed",
        413: "Request Entity Too Large",
        414: "Request-URI Too Long",
        415: "Unsupported Media Type",
        416: "Unsupported URI Scheme",
        417: "Unknown Resource-Priority",
        420: "Bad Extension",
        421: "Extension Required",
        422: "Session Interval Too Small",
        423: "Interval Too Brief",
        424: "Bad Location Information",
        425: "Bad Alert Message",
        428: "Use Identity Header",
        429: "Provide Referrer Identity",
        430: "Flow Failed",
        433: "Anonymity Disallowed",
        436: "Bad Identity Info",
        437: "Unsupported Credential",
        438: "Invalid Identity Header",
        439: "First Hop Lacks Outbound Support",
        440: "Max-Breadth Exceeded",
        469: "Bad Info Package",
        470: "Consent Needed",
        480: "Temporarily Unavailable",
        481: "Call/Transaction Does Not Exist",
        482: "Loop Detected",
        483: "Too Many Hops",
        484: "Address Incomplete",
        485: "Ambiguous",
        486: "Busy Here",
        487: "Request Terminated",
        488: "Not Acceptable Here",
        489: "Bad Event",
        491: "Request Pending",
        493: "Undecipherable",
        494: "Security Agreement Required",
        500: "Server Internal Error",
        501: "Not Implemented",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Server Time-out",
        505: "Version Not Supported",
        513: "Message Too Large",
        555: "Push Notification Service Not Supported",
        580: "Precondition Failure",
        600: "Busy Everywhere",
        603: "Decline",
        604: "Does Not Exist Anywhere",
        606: "Not Acceptable",
        607: "Unwanted",
        608: "Rejected",
    }
)
"""Every registered status and its phrase."""

_CLASS_PHRASES = ("Provisional", "Successful", "Redirection", "Request Failure", "Server Failure",
                  "Global Failure")  # fmt: skip


def phrase(sip_status: int) -> str:
    """Return the reason phrase of ``sip_status``.

    An unregistered status has the title of its class (RFC 3261 §21), for a receiver treats it as
    the class's ``x00``. Raises ValueError outside 100..699.
    """
    if not LOWEST_STATUS <= sip_status <= HIGHEST_STATUS:
        raise ValueError(f"not a SIP status: {sip_status}")
    return PHRASES.get(sip_status) or _CLASS_PHRASES[sip_status // 100 - 1]


@dataclass(frozen=True, slots=True)
class SipStatus:
    """A SIP response's code (100..699) and reason phrase.

    The phrase may come from the network: it is kept (UTF-8 too), but control characters become
    spaces and it is cut to :data:`MAX_REASON_BYTES`; an empty one becomes the registered phrase.
    Raises ValueError for a code outside 100..699.
    """

    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        registered = phrase(self.code)
        object.__setattr__(self, "reason", _one_line(self.reason) or registered)

    @property
    def is_success(self) -> bool:
        """Whether this is a 2xx."""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {self.reason}"


def failure_in(code: str | None, reason: str | None) -> SipStatus | None:
    """Return the failure (300..699) in the texts of two variables; None when they hold none."""
    if not code or not code.isdecimal() or not 300 <= int(code) <= 699:
        return None
    return SipStatus(int(code), reason or "")


def best_failure(failures: Iterable[SipStatus], otherwise: SipStatus) -> SipStatus:
    """Return what a caller is told when all branches of a forked call have failed.

    RFC 3261 section 16.7, step 6: a 6xx wins, then the lowest class; among the 4xx what says most
    about the party, so that one phone busy and another one dead is busy. A redirection that nobody
    has followed says nothing, nor does a branch that was cancelled (487): they count when there is
    nothing else. The first of equals; ``otherwise`` when there are none.
    """
    return min(failures, key=_failure_rank, default=otherwise)


def _failure_rank(status: SipStatus) -> int:
    if status.code >= 600:
        return 0
    if status.code == 486:
        return 1
    if status.code in (480, 408):
        return 3 if status.code == 480 else 4
    if 400 <= status.code < 500 and status.code != 487:
        return 2
    return 5 if status.code >= 500 else 6


def _one_line(reason: str) -> str:
    """Return ``reason`` without control characters or lone surrogates, cut at a character."""
    printable = reason[: 4 * MAX_REASON_BYTES]
    if not printable.isprintable():
        printable = "".join(c if c.isprintable() else " " for c in printable)
    line = " ".join(printable.split())
    return line.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore").strip()


# --- message/sipfrag ---------------------------------------------------------------------------

_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*))?(?:\r\n|\r|\n|\Z)", re.I)


def sipfrag(status: SipStatus) -> bytes:
    """Return the body of a NOTIFY (RFC 3515 §2.4.5, RFC 3420): one status line with CRLF."""
    return f"SIP/2.0 {status}\r\n".encode()


def parse_sipfrag(body: bytes) -> tuple[int, str]:
    """Return code and phrase of the status line that a sipfrag starts with.

    Headers may follow the line (RFC 3420 §2). Raises ValueError if there is no status line.
    """
    match = _STATUS_LINE.match(body)
    if not match:
        raise ValueError(f"no status line in sipfrag {body[:80]!r}")
    return int(match[1]), (match[2] or b"").decode("utf-8", "replace").strip()


# --- hangup causes -----------------------------------------------------------------------------


# Where the status differs from hangup_cause_to_sip of mod_sofia, the comment names mod_sofia's and
# the reason. mod_sofia answers 480 for everything it does not list.
HANGUP_CAUSES = MappingProxyType(
    {
        "NONE": 480,
        "UNALLOCATED_NUMBER": 404,
        "NO_ROUTE_TRANSIT_NET": 404,
        "NO_ROUTE_DESTINATION": 404,
        "CHANNEL_UNACCEPTABLE": 480,
        "CALL_AWARDED_DELIVERED": 480,
        "NORMAL_CLEARING": 480,
        "USER_BUSY": 486,
        "NO_USER_RESPONSE": 480,  # 408: but a received 480 becomes this cause
        "NO_ANSWER": 480,
        "SUBSCRIBER_ABSENT": 404,  # 480: FreeSWITCH has no such user (mod_dptools)
        "CALL_REJECTED": 603,
        "NUMBER_CHANGED": 410,
        "REDIRECTION_TO_NEW_DESTINATION": 410,
        "EXCHANGE_ROUTING_ERROR": 483,
        "DESTINATION_OUT_OF_ORDER": 502,
        "INVALID_NUMBER_FORMAT": 484,
        "FACILITY_REJECTED": 501,
        "RESPONSE_TO_STATUS_ENQUIRY": 480,
        "NORMAL_UNSPECIFIED": 480,
        "NORMAL_CIRCUIT_CONGESTION": 503,
        "NETWORK_OUT_OF_ORDER": 503,
        "NORMAL_TEMPORARY_FAILURE": 503,
        "SWITCH_CONGESTION": 503,
        "ACCESS_INFO_DISCARDED": 480,
        "REQUESTED_CHAN_UNAVAIL": 503,
        "PRE_EMPTED": 480,
        "FACILITY_NOT_SUBSCRIBED": 480,
        "OUTGOING_CALL_BARRED": 403,
        "INCOMING_CALL_BARRED": 403,
        "BEARERCAPABILITY_NOTAUTH": 403,
        "BEARERCAPABILITY_NOTAVAIL": 503,
        "SERVICE_UNAVAILABLE": 503,  # 480: the name says 503
        "BEARERCAPABILITY_NOTIMPL": 488,
        "CHAN_NOT_IMPLEMENTED": 501,  # 480: no such endpoint module, it will not come back
        "FACILITY_NOT_IMPLEMENTED": 501,
        "SERVICE_NOT_IMPLEMENTED": 501,
        "INVALID_CALL_REFERENCE": 480,
        "INCOMPATIBLE_DESTINATION": 488,
        # 480 for the next ten: a fault of ours or of the line, not the callee's absence
        "INVALID_MSG_UNSPECIFIED": 500,
        "MANDATORY_IE_MISSING": 500,
        "MESSAGE_TYPE_NONEXIST": 500,
        "WRONG_MESSAGE": 500,
        "IE_NONEXIST": 500,
        "INVALID_IE_CONTENTS": 500,
        "WRONG_CALL_STATE": 500,
        "RECOVERY_ON_TIMER_EXPIRE": 408,  # 504: the target's 408, and timer B, end so
        "MANDATORY_IE_LENGTH_ERROR": 500,
        "PROTOCOL_ERROR": 500,
        "INTERWORKING": 500,
        "SUCCESS": 200,  # 480: originate_disposition of a call that was answered
        "ORIGINATOR_CANCEL": 487,
        "CRASH": 500,  # 480
        "SYSTEM_SHUTDOWN": 503,  # 480
        "LOSE_RACE": 487,  # 480: another branch has answered, this one is cancelled
        "MANAGER_REQUEST": 480,
        "BLIND_TRANSFER": 480,
        "ATTENDED_TRANSFER": 480,
        "ALLOTTED_TIMEOUT": 480,
        "USER_CHALLENGE": 480,
        "MEDIA_TIMEOUT": 480,
        "PICKED_OFF": 487,  # 480: as LOSE_RACE
        "USER_NOT_REGISTERED": 480,
        "PROGRESS_TIMEOUT": 480,
        "INVALID_GATEWAY": 502,  # 484: the number is fine, our routing is not
        "GATEWAY_DOWN": 503,
        "INVALID_URL": 484,
        "INVALID_PROFILE": 502,
        "NO_PICKUP": 480,
        "SRTP_READ_ERROR": 480,
        "BOWOUT": 480,
        "BUSY_EVERYWHERE": 600,
        "DECLINE": 603,
        "DOES_NOT_EXIST_ANYWHERE": 604,
        "NOT_ACCEPTABLE": 606,
        "UNWANTED": 607,
        "NO_IDENTITY": 428,
        "BAD_IDENTITY_INFO": 436,  # 429: that is about Referred-By (RFC 3892)
        "UNSUPPORTED_CERTIFICATE": 437,
        "INVALID_IDENTITY": 438,
        "STALE_DATE": 403,
        "REJECT_ALL": 603,
    }
)
"""Every cause of FreeSWITCH 1.10, and what a caller should see when a call that was not answered
ends with it."""

# sofia_glue_sip_cause_to_freeswitch, unchanged: what FreeSWITCH reports for a received status.
_CAUSE_OF_STATUS = MappingProxyType(
    {
        status: name
        for name, statuses in {
            "NORMAL_CLEARING": (200,),
            "CALL_REJECTED": (401, 402, 403, 407, 603, 608),
            "UNWANTED": (607,),
            "UNALLOCATED_NUMBER": (404,),
            "NO_ROUTE_DESTINATION": (485, 604),
            "RECOVERY_ON_TIMER_EXPIRE": (408, 504),
            "NUMBER_CHANGED": (410,),
            "INTERWORKING": (413, 414, 416, 420, 421, 423, 505, 513),
            "NO_USER_RESPONSE": (480,),
            "NORMAL_TEMPORARY_FAILURE": (400, 481, 500, 503),
            "USER_BUSY": (486, 600),
            "INVALID_NUMBER_FORMAT": (484,),
            "INCOMPATIBLE_DESTINATION": (488, 606),
            "NETWORK_OUT_OF_ORDER": (502,),
            "SERVICE_UNAVAILABLE": (405,),
            "SERVICE_NOT_IMPLEMENTED": (406, 415, 501),
            "EXCHANGE_ROUTING_ERROR": (482, 483),
            "ORIGINATOR_CANCEL": (487,),
            "NO_IDENTITY": (428,),
            "BAD_IDENTITY_INFO": (429,),
            "UNSUPPORTED_CERTIFICATE": (437,),
            "INVALID_IDENTITY": (438,),
        }.items()
        for status in statuses
    }
)


def status_of_cause(hangup_cause: str) -> SipStatus:
    """Return what the one who waits is told when a call ends unanswered with ``hangup_cause``.

    Names are compared as FreeSWITCH does, without regard to case. An unknown name is 480, as in
    mod_sofia. Use it only when the other side's own status is not known.
    """
    return SipStatus(HANGUP_CAUSES.get(hangup_cause.strip().upper(), 480))


def cause_of_status(sip_status: int) -> str:
    """Return the cause that FreeSWITCH reports when a leg is refused with ``sip_status``.

    Raises ValueError outside 100..699.
    """
    phrase(sip_status)
    return _CAUSE_OF_STATUS.get(sip_status, "NORMAL_UNSPECIFIED")
