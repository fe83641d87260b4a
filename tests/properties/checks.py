"""What must hold when a story has come to rest, and nobody has been made to hang up yet."""

from __future__ import annotations

from collections.abc import Iterator

from fsctl.simulator.sip import SipMessage
from tests.properties.record import Record, Refer

SUCCESS = "SIP/2.0 200"
CROSSING_S = 0.1
"""A partner that has just hung up takes the transferor with it, and a NOTIFY on its way is lost."""


def at_rest(record: Record) -> list[str]:
    """Every violation, in words."""
    if record.stranded:
        return []
    return [*_reports(record), *_partners(record), *_dropped(record), *_concluded(record)]


def _reports(record: Record) -> Iterator[str]:
    for refer in record.refers:
        if not refer.accepted:
            continue
        got = len(refer.notifies)
        if got > 1:
            yield f"{refer}: {got} NOTIFYs"
        elif not got and refer not in record.cut_short and not _excused(record, refer):
            yield f"{refer}: no NOTIFY"
        for notify in refer.notifies:
            yield from _truth(record, refer, notify)


def _excused(record: Record, refer: Refer) -> bool:
    """Its dialog has ended first, or its transferee has left when no controller was there.

    FreeSWITCH alone says nothing then (sofia.c), and its timer releases the transferor.
    """
    if refer.hung_up or (record.is_alone(refer) and record.left()):
        return True
    ended_s = refer.ended_s
    if ended_s is None:
        return False
    if any(other.succeeded and other.dialog is refer.dialog for other in record.refers):
        return True  # let go, for another REFER of the same phone has succeeded
    return any(0 <= ended_s - left_s < CROSSING_S for left_s in record.byes_s())


def _truth(record: Record, refer: Refer, notify: SipMessage) -> Iterator[str]:
    """Success only when the target has answered; the code of a target that has refused."""
    target = record.parties[refer.to] if refer.to != "nobody" else None
    told = notify.body.strip()
    if told.startswith(SUCCESS):
        responses = target.phone.sent("INVITE", 200) if target else []
        if not any(m.time_s <= notify.time_s for m in responses):
            yield f"{refer}: NOTIFY 200, and the target has not answered"
        return
    undisturbed = not record.left() and not record.absences and len(record.refers) == 1
    if target is None or not undisturbed or record.story.mode == "legacy" or refer.line:
        return
    refusals = [m for m in target.phone.messages if m.method == "INVITE" and m.direction == "out"]
    final = [m for m in refusals if m.status >= 400 and m.status != 487]
    if final and told != f"SIP/2.0 {final[-1].status} {final[-1].reason}":
        yield f"{refer}: told {told!r}, the target said {final[-1].status} {final[-1].reason}"


def _partners(record: Record) -> Iterator[str]:
    """Who is in a call talks with somebody.

    A phone hangs up by itself when it is told of success; only a controller does it in its place,
    or much later a timer. The legacy transfer of a call that FreeSWITCH has dialled when no
    controller was there is FreeSWITCH's alone.
    """
    native = record.story.mode == "legacy" and bool(record.absences)
    parked = {
        id(refer.dialog)
        for refer in record.refers
        if (record.is_alone(refer) or native) and (refer.succeeded or _excused(record, refer))
    }
    for name, party in record.parties.items():
        for dialog in party.phone.dialogs:
            if dialog.state == "ended":
                continue
            if dialog.state != "up":
                yield f"{name}'s call is still {dialog.state}"
                continue
            heard = party.phone.hears_in(dialog)
            numbers = {other.number for other in record.parties.values()}
            if heard not in numbers and id(dialog) not in parked:
                yield f"{name} hears {heard}"


def _dropped(record: Record) -> Iterator[str]:
    """As long as nobody has hung up, only they are let go who were told of success."""
    if (
        record.left()
        or record.again
        or record.held_back
        or (record.story.mode == "sample" and record.absences)
    ):
        return  # a call of the scenario's own that comes home to nobody is hung up
    released = {
        id(dialog)
        for refer in record.refers
        if refer.succeeded
        for dialog in (refer.dialog, refer.line)
    }
    for name, party in record.parties.items():
        for dialog in party.phone.dialogs:
            got = [m for m in party.phone.received("BYE") if m.call_id == dialog.call_id]
            if got and id(dialog) not in released:
                yield f"{name} was dropped, and nobody has hung up"


def _concluded(record: Record) -> Iterator[str]:
    """One transfer, one record; of what became of it without a controller there need not be one.

    FreeSWITCH refuses a REFER by itself whose phone has asked for a transfer already, or whose
    transferee has just left.
    """
    if record.story.mode == "legacy" or record.absences:
        return
    undisturbed = len(record.refers) == 1 and not record.left()
    for refer in record.refers:
        channel = refer.dialog.channel
        if channel is None or refer.line:
            continue
        wanted = (channel.uuid, f"refer;id={refer.cseq}")
        got = [r for r in record.concluded if (r["transferor"], r["refer"]) == wanted]
        if len(got) > 1:
            yield f"{refer}: {len(got)} records"
        elif not got and refer.notifies and undisturbed:
            yield f"{refer}: no record"
        elif got and refer.notifies:
            told = refer.notifies[0].body.strip()
            if told != f"SIP/2.0 {got[0]['code']} {got[0]['reason']}":
                yield f"{refer}: told {told!r}, and the record says {got[0]}"
