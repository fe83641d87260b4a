"""Places instead of people: conferences, a queue and parking, each with a number of its own.

They can be dialled, and a party can be transferred to them: the transferor is told success, and
the transferee is left to FreeSWITCH's application. Who is parked is picked up at 6001 to 6009.
"""

import re

from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario

LOT = "lot"

PLACES = (
    (re.compile(r"30[0-9]{2}"), "conference", "{number}@default"),
    (re.compile(r"5000"), "fifo", "support in"),
    (re.compile(r"5001"), "fifo", "support out nowait"),  # an agent takes the next caller
    (re.compile(r"6000"), "valet_park", f"{LOT} auto in 6001 6009"),
    (re.compile(r"600[1-9]"), "valet_park", LOT + " {number}"),
)

scenario = Scenario()


def place_of(number: str) -> tuple[str, str] | None:
    """The application and its argument."""
    for pattern, application, argument in PLACES:
        if pattern.fullmatch(number):
            return application, argument.format(number=number)
    return None


@scenario.on(CallAlerting)
def alerting(event: CallAlerting) -> None:
    place = place_of(event.destination)
    if place is None:
        event.session.connect(event.call, event.destination)
        return
    event.call.answer()
    event.call.execute(*place)


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    place = place_of(event.transfer_to)
    if place is None:
        event.session.connect(event.transferee, event.refer_to.target)
        return
    event.call.notify_blind_transfer_success()
    event.transferee.execute(*place)
