"""The contract of controllers and dialplan: what is written on a channel, and where it goes.

Whoever holds a leg leaves on its channel how far things have come, so that whoever finds it later
(another worker, or FreeSWITCH alone) goes on from there. The templates of ``dialplan/`` are
rendered with these words, the tables of ``dialplan/README.md`` are made from them (``python -m
fsctl.switch.marks_tables``), and a test finds any word that only one side uses.
"""

from __future__ import annotations

from enum import StrEnum


class _Explained(StrEnum):
    """A word, by whom it is set, and what it means to whoever finds it."""

    set_by: str
    meaning: str

    def __new__(cls, word: str, set_by: str, meaning: str) -> _Explained:
        made = str.__new__(cls, word)
        made._value_ = word
        made.set_by, made.meaning = set_by, meaning
        return made


class Stage(_Explained):
    """``fsctl_stage``: how far a leg has come; what becomes of it when no controller holds it."""

    NEW = (
        "new",
        "inbound extension",
        "FreeSWITCH dials by the routes; no route: 404",
    )
    DIALLING = (
        "dialling",
        "controller, before `bridge`",
        "the bridge has ended: hang up, with the failure's cause if it failed; it had not begun: "
        "as `new`",
    )
    TRANSFER = (
        "transfer",
        "`fsctl_refer`",
        "the other controllers are tried, once; then the context ends, FreeSWITCH reports the "
        "failure (NOTIFY) and joins the first two again. The transferor has left: recall, see "
        "below. After a success: hang up",
    )
    CALLING = (
        "calling",
        "controller, before `bridge` in a transfer",
        "as `transfer`; another controller reports what became of the target and does not call it "
        "again",
    )
    JOINED = (
        "joined",
        "controller, before `uuid_bridge`",
        "the call is over: hang up",
    )
    KEPT = (
        "kept",
        "controller, on a transferee that talks with its transferor while its target rings",
        "the leg goes home by `fsctl_return`; nobody there: recall. A timer makes it `joined` when "
        "the target has not answered",
    )
    CALLED = (
        "called",
        "controller, for a party that a scenario calls",
        "the call ends",
    )
    LENT = (
        "lent",
        "controller, before a scenario's own `uuid_bridge`",
        "the leg goes home by `fsctl_return`; nobody there: the call ends",
    )
    RETURNED = (
        "returned",
        "`fsctl_return`",
        "the call ends; a transferee is joined with its transferor again by FreeSWITCH",
    )
    HELD = (
        "held",
        "controller, before an application that a scenario chose",
        "the call ends with it",
    )
    LEGACY = (
        "legacy",
        "`fsctl_legacy`",
        "FreeSWITCH dials by the routes and reports by itself; no route: as `transfer`",
    )
    DONE = (
        "done",
        "controller, in a legacy transfer that failed",
        "the context ends: FreeSWITCH reports and joins the first two again, or recalls",
    )
    FORSAKEN = (
        "forsaken",
        "controller: a transfer has failed and its transferor has left",
        "recall",
    )
    RECALL = (
        "recall",
        "the recall",
        "after a talk: hang up; else the fallback",
    )


class Context(StrEnum):
    """fsctl's own dialplan contexts."""

    CONTROLLERS = "fsctl_controllers"
    """Hands a leg to any of the configured controllers."""
    REFER = "fsctl_refer"
    """Where FreeSWITCH sends the transferee of a blind transfer."""
    LEGACY = "fsctl_legacy"
    """The same, where FreeSWITCH itself carries the transfer out."""
    RETURN = "fsctl_return"
    """Where a leg comes that a scenario has called, or had lent to a bridge that has ended."""
    RESCUE = "fsctl_rescue"
    """What FreeSWITCH does with a leg that no controller holds any more."""
    GRACE = "fsctl_grace"
    """Where a leg waits, if its partner has sent BYE (see `fsctl.session.calling.grace`)."""
    ATTENDED = "fsctl_attended"
    """Where FreeSWITCH asks about a REFER with Replaces."""
    COMMAND = "fsctl_command"
    """By which an operator's command asks a controller."""
    TARGET = "fsctl_target"
    """The way into the switch's own dialplan, for a party that is called there."""
    SERVICE = "fsctl_service"
    """A mailbox or a queue, which a route names."""
    TARGET_OVER = "fsctl_target_over"
    """What follows when an extension there has ended by itself."""
    KEYS = "fsctl_keys"
    """Where the codes of a leg are bound, and lead to; a loopback brings them to a controller."""
    PRESSED = "fsctl_pressed"
    """What follows when a number has been pressed."""


class Extension(StrEnum):
    """Under which numbers those contexts are entered: all are our own words, no caller's."""

    ANY = "any"
    NEW = "new"
    """`fsctl_controllers`: a leg that is handed on, and a call that has just begun."""
    RESCUE = "rescue"
    """`fsctl_rescue`: nobody holds the leg."""
    SETTLE = "settle"
    """`fsctl_rescue`, `fsctl_attended`: an attempt of the dialplan's own is over."""
    UNCLAIMED = "unclaimed"
    """`fsctl_rescue`: a timer sends the leg on."""
    FORSAKEN = "forsaken"
    """`fsctl_rescue`: the last chance of a transferee whose transferor has left."""
    RECALL = "recall"
    FALLBACK = "fallback"
    """`fsctl_rescue`: the recall, and what follows when it is not answered."""
    FORLORN = "forlorn"
    """`fsctl_rescue`: a timer releases a parked transferor."""
    TELL = "tell"
    """`fsctl_rescue`: the transferor is told by FreeSWITCH alone."""
    KEPT = "kept"
    """`fsctl_rescue`: the target of an attended transfer waits to be joined."""
    PARTED = "parted"
    """`fsctl_rescue`: a transferor that talked on has been left by its transferee."""
    OVERTAKEN = "overtaken"
    """`fsctl_rescue`: while a target rang for two who talked on, one has sent another REFER."""
    OVER = "over"
    """`fsctl_rescue`: the partner of a leg that has hung up while it was holding.
    `fsctl_command`: the controller has ended in the middle."""
    GRACE = "grace"
    """`fsctl_grace`: the only way in."""
    ATTENDED = "attended"
    """`fsctl_attended`: a loopback asks, a transferee is fetched; `fsctl_keys`: a consultation."""
    BLIND = "blind"
    """`fsctl_keys`, `fsctl_pressed`: the code of a blind transfer."""
    OTHERS = "others"
    """`fsctl_attended`, `fsctl_command`, `fsctl_keys`: the worker of the session is gone."""
    COMMAND = "command"
    """`fsctl_command`: the only way in."""
    RETURNING = "fsctl_return"
    """`fsctl_return`: the leg is its scenario's again."""
    ARM = "arm"
    """`fsctl_keys`: binds the codes, at the beginning of a bridge."""
    ASK = "ask"
    """`fsctl_keys`: where the loopback comes."""
    HELD = "held"
    """`fsctl_keys`: the partner of a leg that has hung up while it consulted."""
    AGAIN = "again"
    """`fsctl_return`: the leg's call is made anew, for it sent a REFER before anybody answered."""


class Mark(_Explained):
    """The variables of fsctl on channels; the last ones are global, and go on with a name."""

    STAGE = (
        "fsctl_stage",
        "controllers, the dialplan",
        "how far the leg has come, see above; unset when somebody moves it elsewhere",
    )
    HOME = (
        "fsctl_home",
        "controllers, on both legs of a call",
        "`HOST:PORT` of the worker that runs its session: where a REFER brings the leg",
    )
    SESSION = (
        "fsctl_session",
        "controllers, on both legs of a call",
        "the session's id",
    )
    RESTS = (
        "fsctl_rests",
        "controllers, on both legs of a call that waits for nothing but its end",
        "`HOST:PORT` of the worker that hears of them by its kept link to the switch",
    )
    SCENARIO = (
        "fsctl_scenario",
        "controllers, on both legs of a call",
        "the scenario's name, for who takes over; empty: the default",
    )
    CALL_DOMAIN = (
        "fsctl_call_domain",
        "controllers, on both legs of a call",
        "the domain of users who are dialled by number only",
    )
    OWN_HOSTS = (
        "fsctl_own_hosts",
        "controllers, on both legs of a call",
        "the hosts that name this switch, separated by spaces",
    )
    OWN_CONTEXT = (
        "fsctl_own_context",
        "inbound extension; `fsctl_refer`, `fsctl_legacy`; a global variable is the default",
        "the context in which the leg is by FreeSWITCH's own reckoning",
    )
    FOR = (
        "fsctl_for",
        "controllers, `fsctl_rescue`, in the dial string",
        "on a loopback into the switch's own dialplan: the leg that waits, whose rights count",
    )
    TARGET_CONTEXT = (
        "fsctl_target_context",
        "controllers, `fsctl_rescue`, in the dial string; `fsctl_target`",
        "on such a loopback: the context that is called; empty: the waiting leg's own",
    )
    ROUTE = (
        "fsctl_route",
        "controllers, `fsctl_rescue`, in the dial string",
        "on such a loopback: the route that names a mailbox or a queue, see `fsctl_service`",
    )
    NUMBER = (
        "fsctl_number",
        "controllers; the dialplan for a call of its own",
        "the leg's own party: what others are shown",
    )
    NAME = ("fsctl_name", "controllers", "its display name")
    PRIVACY = (
        "fsctl_privacy",
        "controllers; the dialplan for a call of its own",
        "what of that it wants hidden: nothing (empty), `name`, `full`",
    )
    TRANSFEROR_NUMBER = (
        "fsctl_transferor_number",
        "controllers; the dialplan for a call of its own",
        "whom the leg talks with, and who would so be the transferor of its next transfer",
    )
    TRANSFEROR_NAME = ("fsctl_transferor_name", "as that", "its display name")
    TRANSFEROR_PRIVACY = ("fsctl_transferor_privacy", "as that", "what it wants hidden")
    CLAIMED = (
        "fsctl_claimed",
        "controllers, on both legs of a call",
        "`true`: both have called in, and were joined: the other party's number may be no more "
        "than what it says",
    )
    CALLEE = (
        "fsctl_callee",
        "controllers, in the dial string",
        "the name of a party that is being called, the same on each of its channels",
    )
    DIALLED_NUMBER = (
        "fsctl_dialled_number",
        "the dialplan, through a condition that admits safe characters",
        "the number that FreeSWITCH would dial by the routes",
    )
    DIALLED_HOST = (
        "fsctl_dialled_host",
        "`fsctl_legacy`",
        "the host of a legacy transfer's Refer-To; `?`: not to be read",
    )
    OWN_HOST = ("fsctl_own_host", "`fsctl_legacy`", "`own` where that host names this switch")
    DOMAIN = (
        "fsctl_domain",
        "`fsctl_rescue`, where FreeSWITCH dials by itself",
        "the domain of the users that it dials",
    )
    CLAIMABLE = (
        "fsctl_claimable",
        "the dialplan, before `socket`",
        "there is a timer `claim-UUID`, which a controller must delete",
    )
    TIMED = (
        "fsctl_timed",
        "`fsctl_refer`, `fsctl_legacy`; unset when a controller has had the leg",
        "after how many seconds timers of the dialplan let transferee and transferor go",
    )
    UNCLAIMED = (
        "fsctl_unclaimed",
        "`fsctl_rescue`, when that timer has fired",
        "the controller that has had its time, and is not asked again",
    )
    ASKED = (
        "fsctl_asked",
        "`fsctl_refer`, `fsctl_rescue`; unset by the next REFER",
        "`all`: every controller has been asked about this transfer",
    )
    CONTROLLERS = (
        "fsctl_controllers",
        "`fsctl_controllers`, `fsctl_refer`",
        "the controllers that are dialled, one after the other; `-`: the session's own worker is",
    )
    RECALL = (
        "fsctl_recall",
        "`fsctl_refer`, `fsctl_legacy`",
        "who is called again when the target fails and the transferor has left",
    )
    MOVERS = (
        "fsctl_movers",
        "`fsctl_refer`, `fsctl_legacy`; controllers, of what keys ask for",
        "the channels that have asked for a transfer of the leg, each once: how long the chain is",
    )
    ASKER = (
        "fsctl_asker",
        "`fsctl_refer`, `fsctl_legacy`",
        "what FreeSWITCH knows of the transferor, which may soon be gone: `;` between the values",
    )
    IS_REFER = (
        "fsctl_is_refer",
        "`fsctl_refer`, `fsctl_legacy`",
        "a REFER has brought the leg; else its own context is where it goes",
    )
    REFERRED = (
        "fsctl_referred",
        "`fsctl_refer`, `fsctl_legacy`, on both parties",
        "the REFER that was here last, as party and request",
    )
    REFER_EVENT = (
        "fsctl_refer_event",
        "`fsctl_refer`, `fsctl_legacy`",
        "the `Event` of this transfer's REFER (`refer;id=N`)",
    )
    DOLLAR = ("fsctl_dollar", "`fsctl_refer`, `fsctl_legacy`", "`$`: of what a timer expands")
    TRANSFER = (
        "fsctl_transfer",
        "`fsctl_refer`, `fsctl_legacy`; controllers, of an attended one",
        "the transferee's last transfer: kind, transferor, `Event` (or loopback)",
    )
    FAILED = (
        "fsctl_failed",
        "the dialplan",
        "whether FreeSWITCH has ended that transfer by itself, as failed",
    )
    JUDGED = (
        "fsctl_judged",
        "controllers, of a legacy transfer",
        "what the policy has said of the transferee's last transfer: `allow` or `refuse`, and the "
        "rule",
    )
    SHADOW = (
        "fsctl_shadow",
        'controllers, with `[transfer] mode = "observe"`',
        "what they would have done with it, for its record: JSON in base64",
    )
    RECORDED = (
        "fsctl_recorded",
        "whoever has written its record, on the transferee",
        "transferor and `Event` (or loopback) of the last transfer whose record is written",
    )
    REFER_RECORDED = (
        "fsctl_refer_recorded",
        "whoever has written its record, on the transferor",
        "the same, of its own REFER: the party may be the transferee of another one",
    )
    TOLD = (
        "fsctl_told",
        "controllers; the dialplan for what FreeSWITCH tells by itself",
        "on a transferor: the `Event` of the REFER that was reported last",
    )
    OWED = (
        "fsctl_owed",
        "controllers, while a failure waits for the first two to be joined again",
        "on a transferor: the `Event` of a REFER, and the report that it is to get",
    )
    RESULT = (
        "fsctl_result",
        "`fsctl_rescue`, before it tells; controllers, on the leg by which a command asks",
        "the status line of the report",
    )
    WHY = (
        "fsctl_why",
        "controllers, on the leg by which a command asks",
        "the policy's own words, where it has refused",
    )
    JOIN = (
        "fsctl_join",
        "controllers, on the loopback and on a transferee that is fetched",
        "the leg that this one is to be joined with, whoever does it",
    )
    SECURED = (
        "fsctl_secured",
        "controllers, on the loopback",
        "the target, which waits for its join after its bridge",
    )
    KEYS = (
        "fsctl_keys",
        "`fsctl_keys`; controllers",
        "on a loopback: what was pressed (`blind`, `attended`), the number, who has pressed, the "
        "partner, `;` between them; `taken`: a controller serves it",
    )
    KEYED = (
        "fsctl_keyed",
        "`fsctl_keys`",
        "`yes`: the party has pressed a code, and is about to press a number",
    )
    KEYS_NUMBER = (
        "fsctl_keys_number",
        "`fsctl_keys`",
        "the number that it has pressed last; `-`: it is outside, and not asked for one",
    )
    KEPT = (
        "fsctl_kept",
        "controllers, on the target that rings, and on the transferor that has sent the REFER",
        "the transferee that talks with the transferor meanwhile (`fsctl_stage=kept`)",
    )
    WANTED = (
        "fsctl_wanted",
        "`fsctl transfer`, on the leg by which it asks",
        "how long the target may ring (`-`: as ever), and the target, as it was typed",
    )
    ANONYMOUS = (
        "fsctl_anonymous",
        "`fsctl_rescue`, where FreeSWITCH dials by itself",
        "`anonymous` for a caller that wants to be hidden",
    )
    NEVER = (
        "fsctl_never",
        "`fsctl_rescue`, where FreeSWITCH dials by itself",
        "an expression that matches nothing, for a leg that was called: what it carries was sent "
        "to it",
    )
    BRACE = (
        "fsctl_brace",
        "controllers, in the dial string",
        "nothing: it closes the braces that a value has left open, or is FreeSWITCH's answer",
    )
    CDR_ID = (
        "fsctl_cdr_id",
        "controllers, on each leg that a transfer touches; read by nobody but CDR modules, as all "
        "of `fsctl_cdr_*`",
        "the id of the leg's last transfer, by which its record is found",
    )
    CDR_ROLE = ("fsctl_cdr_role", "as that", "`transferor`, `transferee`, `target`: which it was")
    CDR_KIND = ("fsctl_cdr_kind", "as that", "`blind`, `attended`, `legacy`")
    CDR_START = ("fsctl_cdr_start", "as that", "`refer`, `keys`, `command`: how it began")
    CDR_EPOCH = ("fsctl_cdr_epoch", "as that", "when it began, in seconds since 1970")
    CDR_TRANSFEROR = ("fsctl_cdr_transferor", "as that", "the transferor's number")
    CDR_TRANSFEREE = ("fsctl_cdr_transferee", "as that", "the transferee's")
    CDR_TARGET = ("fsctl_cdr_target", "as that, when it is called", "the target's")
    CDR_REFER_TO = ("fsctl_cdr_refer_to", "as that", "the whole Refer-To")
    CDR_OUTCOME = (
        "fsctl_cdr_outcome",
        "as that, at the end of the transfer",
        "`succeeded`, `failed`, `abandoned`",
    )
    CDR_CODE = (
        "fsctl_cdr_code",
        "as that, at the end of the transfer",
        "the SIP code that the transferor was told, or would have been",
    )
    LIVING = (
        "fsctl_living_",
        "controllers, every second; global, with their address",
        "`yes`: the controller is alive",
    )
    LATE = (
        "fsctl_late_",
        "a controller, for 1 s to 2.5 s; global, with its address",
        "`yes`: it is late, and new calls do not ask it (`[server] max_delay_ms`)",
    )
    RESCANNED = (
        "fsctl_rescanned_",
        "whoever has had a sofia profile rescanned; global, with the profile's name",
        "a digest of the parameters that were loaded then; `fsctl check` asks for it",
    )
    CONTEXT_OF = (
        "fsctl_context_of_",
        "`fsctl_refer`, `fsctl_legacy`, for a minute; global, with a sofia profile's name",
        "where the profile lets its calls in",
    )
    LEFT = (
        "fsctl_left_",
        "controllers, for 5 s; global, with a hash of the dialog's Call-ID",
        "a leg has hung up, and whom it has left behind: its REFER may be another worker's",
    )


def one_of(*words: str) -> str:
    """Return a regular expression for exactly one of these words."""
    return f"^{words[0]}$" if len(words) == 1 else f"^(?:{'|'.join(words)})$"
