"""What must hold when a story has come to rest, and nobody has been made to hang up yet."""

from __future__ import annotations

from collections.abc import Iterator

from fsctl.simulator import Dialog
from fsctl.simulator.sip import SipMessage
from tests.properties.record import Record, Refer

SUCCESS = "SIP/2.0 200"


def at_rest(record: Record) -> list[str]:
    """Every violation, in words."""
    return [*_reports(record), *_partners(record), *_dropped(record)]


def _reports(record: Record) -> Iterator[str]:
    for refer in record.refers:
        if not refer.accepted:
            continue
        got = len(refer.notifies)
        if got > 1:
            yield f"{refer}: {got} NOTIFYs"
        elif not got and not _phone_ended(refer.dialog):
            yield f"{refer}: no NOTIFY"
        for notify in refer.notifies:
            yield from _truth(record, refer, notify)


def _phone_ended(dialog: Dialog) -> bool:
    sent = [m for m in dialog.phone.messages if m.call_id == dialog.call_id and m.direction == "out"]
    return any(m.method == "BYE" and not m.status for m in sent)


def _truth(record: Record, refer: Refer, notify: SipMessage) -> Iterator[str]:
    """Success only when the target has answered; the code of a target that has refused."""
    target = record.parties[refer.to] if refer.to != "nobody" else None
    told = notify.body.strip()
    if told.startswith(SUCCESS):
        responses = target.phone.sent("INVITE", 200) if target else []
        if not any(m.time_s <= notify.time_s for m in responses):
            yield f"{refer}: NOTIFY 200, and the target has not answered"
        return
    undisturbed = not record.left() and not record.lost_s and len(record.refers) == 1
    if target is None or not undisturbed or record.story.mode == "legacy" or refer.line:
        return
    refusals = [
        m for m in target.phone.messages if m.method == "INVITE" and m.direction == "out"
    ]
    final = [m for m in refusals if m.status >= 400 and m.status != 487]
    if final and told != f"SIP/2.0 {final[-1].status} {final[-1].reason}":
        yield f"{refer}: told {told!r}, the target said {final[-1].status} {final[-1].reason}"


def _partners(record: Record) -> Iterator[str]:
    """Who is in a call talks with somebody, and both hear each other."""
    for name, party in record.parties.items():
        for dialog in party.phone.dialogs:
            if dialog.state == "ended":
                continue
            if dialog.state != "up":
                yield f"{name}'s call is still {dialog.state}"
                continue
            heard = party.phone.hears_in(dialog)
            numbers = {other.number for other in record.parties.values()} - {party.number}
            if heard not in numbers:
                yield f"{name} hears {heard}"


def _dropped(record: Record) -> Iterator[str]:
    """As long as nobody has hung up, only they are let go who were told of success."""
    if record.left():
        return
    released = {
        id(dialog)
        for refer in record.refers
        if any(m.body.startswith(SUCCESS) for m in refer.notifies)
        for dialog in (refer.dialog, refer.line)
    }
    for name, party in record.parties.items():
        for dialog in party.phone.dialogs:
            got = [m for m in party.phone.received("BYE") if m.call_id == dialog.call_id]
            if got and id(dialog) not in released:
                yield f"{name} was dropped, and nobody has hung up"
