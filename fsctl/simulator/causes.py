"""Hangup causes and SIP statuses, in FreeSWITCH's own tables.

Sources: ``switch_call_cause_t`` (names and numbers), ``sofia_glue_sip_cause_to_freeswitch``
(what a SIP status becomes) and ``hangup_cause_to_sip`` of mod_sofia (what a cause becomes).
"""

from __future__ import annotations

_NUMBERED = """
    NONE 0 UNALLOCATED_NUMBER 1 NO_ROUTE_TRANSIT_NET 2 NO_ROUTE_DESTINATION 3
    CHANNEL_UNACCEPTABLE 6 CALL_AWARDED_DELIVERED 7 NORMAL_CLEARING 16 USER_BUSY 17
    NO_USER_RESPONSE 18 NO_ANSWER 19 SUBSCRIBER_ABSENT 20 CALL_REJECTED 21 NUMBER_CHANGED 22
    REDIRECTION_TO_NEW_DESTINATION 23 EXCHANGE_ROUTING_ERROR 25 DESTINATION_OUT_OF_ORDER 27
    INVALID_NUMBER_FORMAT 28 FACILITY_REJECTED 29 RESPONSE_TO_STATUS_ENQUIRY 30
    NORMAL_UNSPECIFIED 31 NORMAL_CIRCUIT_CONGESTION 34 NETWORK_OUT_OF_ORDER 38
    NORMAL_TEMPORARY_FAILURE 41 SWITCH_CONGESTION 42 ACCESS_INFO_DISCARDED 43
    REQUESTED_CHAN_UNAVAIL 44 PRE_EMPTED 45 FACILITY_NOT_SUBSCRIBED 50 OUTGOING_CALL_BARRED 52
    INCOMING_CALL_BARRED 54 BEARERCAPABILITY_NOTAUTH 57 BEARERCAPABILITY_NOTAVAIL 58
    SERVICE_UNAVAILABLE 63 BEARERCAPABILITY_NOTIMPL 65 CHAN_NOT_IMPLEMENTED 66
    FACILITY_NOT_IMPLEMENTED 69 SERVICE_NOT_IMPLEMENTED 79 INVALID_CALL_REFERENCE 81
    INCOMPATIBLE_DESTINATION 88 INVALID_MSG_UNSPECIFIED 95 MANDATORY_IE_MISSING 96
    MESSAGE_TYPE_NONEXIST 97 WRONG_MESSAGE 98 IE_NONEXIST 99 INVALID_IE_CONTENTS 100
    WRONG_CALL_STATE 101 RECOVERY_ON_TIMER_EXPIRE 102 MANDATORY_IE_LENGTH_ERROR 103
    PROTOCOL_ERROR 111 INTERWORKING 127 SUCCESS 142 ORIGINATOR_CANCEL 487 CRASH 700
    SYSTEM_SHUTDOWN 701 LOSE_RACE 702 MANAGER_REQUEST 703 BLIND_TRANSFER 800 ATTENDED_TRANSFER
    801 ALLOTTED_TIMEOUT 802 USER_CHALLENGE 803 MEDIA_TIMEOUT 804 PICKED_OFF 805
    USER_NOT_REGISTERED 806 PROGRESS_TIMEOUT 807 INVALID_GATEWAY 808 GATEWAY_DOWN 809
    INVALID_URL 810 INVALID_PROFILE 811 NO_PICKUP 812 SRTP_READ_ERROR 813 BOWOUT 814
    BUSY_EVERYWHERE 815 DECLINE 816 DOES_NOT_EXIST_ANYWHERE 817 NOT_ACCEPTABLE 818 UNWANTED
    819 NO_IDENTITY 820 BAD_IDENTITY_INFO 821 UNSUPPORTED_CERTIFICATE 822 INVALID_IDENTITY 823
    STALE_DATE 824 REJECT_ALL 825
    """.split()

CAUSE_NUMBERS: dict[str, int] = {
    name: int(number) for name, number in zip(_NUMBERED[::2], _NUMBERED[1::2], strict=True)
}
"""Every cause that FreeSWITCH knows, with its number (a Q.850 cause when below 128)."""

_NUMBER_NAMES = {number: name for name, number in CAUSE_NUMBERS.items()}

_CAUSE_OF_STATUS = {
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
}
_STATUS_TO_CAUSE = {
    status: cause for cause, statuses in _CAUSE_OF_STATUS.items() for status in statuses
}

_STATUS_OF_CAUSE = {
    404: "UNALLOCATED_NUMBER NO_ROUTE_TRANSIT_NET NO_ROUTE_DESTINATION",
    486: "USER_BUSY",
    408: "NO_USER_RESPONSE",
    603: "CALL_REJECTED DECLINE REJECT_ALL",
    410: "NUMBER_CHANGED REDIRECTION_TO_NEW_DESTINATION",
    502: "DESTINATION_OUT_OF_ORDER INVALID_PROFILE",
    484: "INVALID_NUMBER_FORMAT INVALID_URL INVALID_GATEWAY",
    501: "FACILITY_REJECTED FACILITY_NOT_IMPLEMENTED SERVICE_NOT_IMPLEMENTED",
    503: "REQUESTED_CHAN_UNAVAIL NORMAL_CIRCUIT_CONGESTION NETWORK_OUT_OF_ORDER "
    "NORMAL_TEMPORARY_FAILURE SWITCH_CONGESTION GATEWAY_DOWN BEARERCAPABILITY_NOTAVAIL",
    403: "OUTGOING_CALL_BARRED INCOMING_CALL_BARRED BEARERCAPABILITY_NOTAUTH STALE_DATE",
    488: "BEARERCAPABILITY_NOTIMPL INCOMPATIBLE_DESTINATION",
    504: "RECOVERY_ON_TIMER_EXPIRE",
    487: "ORIGINATOR_CANCEL",
    483: "EXCHANGE_ROUTING_ERROR",
    600: "BUSY_EVERYWHERE",
    604: "DOES_NOT_EXIST_ANYWHERE",
    606: "NOT_ACCEPTABLE",
    607: "UNWANTED",
}
_CAUSE_TO_STATUS = {
    cause: status for status, causes in _STATUS_OF_CAUSE.items() for cause in causes.split()
}

_PHRASES = {
    100: "Trying",
    180: "Ringing",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    415: "Unsupported Media Type",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}


def cause_name(text: str, default: str = "NORMAL_CLEARING") -> str:
    """The cause that ``text`` (a name in any case, or a number) means; ``default`` if none.

    As ``switch_channel_str2cause`` reads it.
    """
    if text.isdigit():
        return _NUMBER_NAMES.get(int(text), default)
    upper = text.upper()
    return upper if upper in CAUSE_NUMBERS else default


def cause_from_status(sip_status: int) -> str:
    """The hangup cause of a leg that was refused with ``sip_status``."""
    return _STATUS_TO_CAUSE.get(sip_status, "NORMAL_UNSPECIFIED")


def status_from_cause(hangup_cause: str) -> int:
    """The SIP status with which mod_sofia refuses an unanswered caller for ``hangup_cause``."""
    return _CAUSE_TO_STATUS.get(hangup_cause, 480)


def phrase_of(sip_status: int) -> str:
    """The reason phrase that the SIP stack writes when nobody gave one."""
    return _PHRASES.get(sip_status, "Unknown")


def reason_header(hangup_cause: str) -> str:
    """The Reason header (RFC 3326) that mod_sofia puts on BYE, CANCEL and refusals."""
    number = CAUSE_NUMBERS[hangup_cause]
    protocol = "Q.850" if 0 < number < 128 else "SIP"
    return f'{protocol};cause={number};text="{hangup_cause}"'


def dialstatus(hangup_cause: str) -> str:
    """The variable DIALSTATUS of a failed bridge (``switch_ivr_originate``)."""
    return {
        "USER_BUSY": "BUSY",
        "NO_ANSWER": "NOANSWER",
        "ORIGINATOR_CANCEL": "CANCEL",
        "DESTINATION_OUT_OF_ORDER": "INVALIDARGS",
        "INVALID_PROFILE": "INVALIDARGS",
        "CALL_REJECTED": "DONTCALL",
    }.get(hangup_cause, hangup_cause)
