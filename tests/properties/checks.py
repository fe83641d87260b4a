"""What must hold when a story has come to rest, and nobody has been made to hang up yet."""

from __future__ import annotations

from collections.abc import Iterator

from fsctl.simulator.sip import SipMessage
from tests.properties.record import Record, Refer

SUCCESS = "SIP/2.0 200"
FORBIDDEN = "SIP/2.0 403 Forbidden"
CROSSING_S = 0.1
"""A partner that hangs up as an attended transfer is granted takes the transferor with it, and the
NOTIFY is lost: for the two are no partners any more to FreeSWITCH, and the leg gets no grace."""

_MOMENT_S = 0.01


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
        if got == 1 or (refer.leaving and refer.hung_up):
            record.judged.add("reports")
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
    answers = record.sent_by(record.number_of(refer.to), "INVITE", 200)
    if not refer.line or all(answer.time_s > ended_s for answer in answers):
        return False  # nothing could be granted
    others = [p.phone for p in record.parties.values() if p.phone is not refer.dialog.phone]
    byes = [bye for phone in others for bye in phone.sent("BYE")]
    return any(0 <= ended_s - bye.time_s < CROSSING_S for bye in byes)


def _truth(record: Record, refer: Refer, notify: SipMessage) -> Iterator[str]:
    """Success only when the target has answered; the code of a target that has refused."""
    number = record.number_of(refer.to)
    told = notify.body.strip()
    if told.startswith(SUCCESS):
        answers = record.sent_by(None if record.taken else number, "INVITE", 200)
        if any(m.time_s <= notify.time_s for m in answers):
            record.judged.add("codes")
        else:
            yield f"{refer}: NOTIFY 200, and the target has not answered"
        return
    if not _undisturbed(record) or (refer.unjoined and told == FORBIDDEN):
        return
    if record.again and any(m.status == 200 for m in record.called(number, refer)):
        return  # the sample could not join this one: what it answers is its own (500)
    refused = [m for m in record.called(number, refer) if m.status >= 400 and m.status != 487]
    if refer.line:
        wanted = {"SIP/2.0 403 Forbidden", *(f"SIP/2.0 {m.status} {m.reason}" for m in refused)}
    elif record.story.mode == "legacy":
        record.judged.add("codes")
        wanted = {f"SIP/2.0 {m.status} {m.status}" for m in refused}  # FreeSWITCH's own words
    else:
        wanted = {f"SIP/2.0 {m.status} {m.reason}" for m in refused} or _without_words(
            record, refer
        )
    if wanted:
        record.judged.add("codes")
    if wanted and told not in wanted:
        yield f"{refer}: told {told!r}, and not {' or '.join(sorted(wanted))}"


def _undisturbed(record: Record) -> bool:
    """Nobody has hung up or interfered, and a controller was there: one transfer at a time."""
    return not (record.left() or record.taken or record.absences or record.overlap)


def _without_words(record: Record, refer: Refer) -> set[str]:
    """What is told of a target that has said nothing final itself."""
    if refer.to == "nobody":
        return {"SIP/2.0 404 Not Found"}
    does = record.story.carol if refer.to == "carol" else record.story.dave
    lines = {"rings": "480 Temporarily Unavailable", "unreachable": "503 Service Unavailable"}
    alone = refer.to != "carol" or record.story.device is None
    return {f"SIP/2.0 {lines[does]}"} if does in lines and alone else set()


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
        or record.taken
        or any(_parted(record, refer) for refer in record.refers)
        or (record.story.mode == "sample" and record.absences)
    ):
        return  # a call of the scenario's own that comes home to nobody is hung up
    record.judged.add("dropped")
    released = {
        id(dialog)
        for refer in record.refers
        if refer.succeeded or refer.leaving
        for dialog in (refer.dialog, refer.line)
    }
    for name, party in record.parties.items():
        for dialog in party.phone.dialogs:
            got = [m for m in party.phone.received("BYE") if m.call_id == dialog.call_id]
            if got and id(dialog) not in released:
                yield f"{name} was dropped, and nobody has hung up"


def _parted(record: Record, refer: Refer) -> bool:
    """Its phone has hung up after a failure, or may have given up a call that rang.

    Without a controller each attended transfer is refused, whatever its phone does meanwhile.
    """
    leaves = record.story.leaves
    if leaves is None or not refer.leaving:
        return False
    if refer.line is not None and (not refer.consulted or record.was_absent(refer.sent_s)):
        return True
    failed = any(not m.body.startswith(SUCCESS) for m in refer.notifies)
    if failed and (leaves.after == "NOTIFY" or refer.line is None):
        return True
    if refer.line is not None or refer.ended_s is None or not refer.hung_up:
        return False
    # Joined again, and then its BYE came: the NOTIFY was on its way.
    number = record.number_of(refer.to)
    refused_s = [m.time_s for m in record.called(number, refer) if m.status >= 400]
    failed_s = refused_s[0] if refused_s else refer.sent_s
    answered = record.sent_by(number, "INVITE", 200)
    return not answered and refer.ended_s - failed_s >= -_MOMENT_S


def _concluded(record: Record) -> Iterator[str]:
    """One transfer, one record; of what became of it without a controller there need not be one.

    FreeSWITCH refuses a REFER by itself whose phone has asked for a transfer already, or whose
    transferee has just left.
    """
    if record.story.mode == "legacy" or record.absences:
        return
    for refer in record.refers:
        channel = refer.dialog.channel
        if channel is None or refer.line:
            continue
        if refer.unjoined and any(m.body.strip() == FORBIDDEN for m in refer.notifies):
            continue
        # Of a phone that has left the record may not know which REFER it was; one that FreeSWITCH
        # has refused beside another one has told its phone so, and has no record.
        only = all(other is refer or other.dialog is not refer.dialog for other in record.refers)
        unnamed = refer.hung_up and (only or not refer.notifies)
        of_its_leg = [r for r in record.concluded if r["transferor"] == channel.uuid]
        got = [r for r in of_its_leg if r["refer"] == f"refer;id={refer.cseq}"]
        if unnamed and (only or not got):  # else it is that of another REFER of the same phone
            got += [r for r in of_its_leg if not r["refer"]]
        if len(got) > 1:
            yield f"{refer}: {len(got)} records"
        elif not got and refer.accepted and _undisturbed(record):
            yield f"{refer}: no record"
        elif got:
            record.judged.add("records")
        if got and refer.notifies:
            told = refer.notifies[0].body.strip()
            if told != f"SIP/2.0 {got[0]['code']} {got[0]['reason']}":
                yield f"{refer}: told {told!r}, and the record says {got[0]}"
