"""Straight-line code: where nobody answers, a stand-in is called, and a transfer waits for one."""

from fsctl.scenario import BlindTransferRequested, Call, CallAlerting, CallFailed, Scenario, Session

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event: CallAlerting) -> None:
    callee = reach(event.session, event.destination)
    event.session.send_media_between(event.call, callee)


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    target = reach(event.session, event.transfer_to)
    event.session.send_media_between(event.transferee, target)


def reach(session: Session, number: str) -> Call:
    callee = session.call_user(number, ring_timeout_s=15)
    try:
        callee.wait_connected()
    except CallFailed:
        callee = session.call_user("1009")
        callee.wait_connected()
    return callee
