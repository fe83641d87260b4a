"""A ring group: all its phones ring, and whoever answers first gets the caller.

A transfer to the group's number works the same: the transferee hears ringback meanwhile, and the
transferor is told what has become of it.
"""

from collections.abc import Sequence

from fsctl.scenario import (
    BlindTransferRequested,
    Call,
    CallAlerting,
    Connected,
    Scenario,
    Session,
)

GROUPS = {"8000": ("1001", "1002", "1003")}
RING_TIMEOUT_S = 20

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event: CallAlerting) -> None:
    if event.destination in GROUPS:
        ring(event.session, event.call, GROUPS[event.destination])
    else:
        event.session.connect(event.call, event.destination)


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    if event.transfer_to in GROUPS:
        ring(event.session, event.transferee, GROUPS[event.transfer_to])
    else:
        event.session.connect(event.transferee, event.refer_to.target)


def ring(session: Session, waiting: Call, members: Sequence[str]) -> None:
    """Call all at once. When the last one has failed, fsctl refuses the caller by itself."""
    calls = [
        session.call_user(
            number,
            caller_id=waiting.number,
            display_name=waiting.display_name,
            ring_timeout_s=RING_TIMEOUT_S,
        )
        for number in members
    ]

    def answered(event: Connected) -> None:
        for call in calls:  # who is hung up here is not Connected any more, however quick it was
            if call.alive and call is not event.call:
                call.hangup()
        session.send_media_between(waiting, event.call)

    for call in calls:
        call.on(Connected, answered)
