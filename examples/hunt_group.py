"""A hunt group: its phones ring one after the other, until one answers.

Straight-line code: a handler may wait, and other handlers of the session run meanwhile. A transfer
to the group's number hunts in the same way.
"""

from fsctl.scenario import BlindTransferRequested, Call, CallAlerting, CallFailed, Scenario

GROUPS = {"8100": ("1001", "1002", "1003")}
RING_TIMEOUT_S = 15

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event: CallAlerting) -> None:
    if event.destination in GROUPS:
        hunt(event.call, GROUPS[event.destination])
    else:
        event.session.connect(event.call, event.destination)


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    if event.transfer_to in GROUPS:
        hunt(event.transferee, GROUPS[event.transfer_to])
    else:
        event.session.connect(event.transferee, event.refer_to.target)


def hunt(waiting: Call, members: tuple[str, ...]) -> None:
    """Join ``waiting`` with the first member that answers.

    Raises CallFailed when nobody does: fsctl passes that on to the caller, or the transferor.
    """
    session = waiting.session
    for number in members:
        member = session.call_user(
            number,
            caller_id=waiting.number,
            display_name=waiting.display_name,
            ring_timeout_s=RING_TIMEOUT_S,
        )
        try:
            member.wait_connected()
        except CallFailed:
            if not waiting.alive:
                return
            continue
        session.send_media_between(waiting, member)
        return
    raise CallFailed(480, "Nobody is free")
