"""A reception: callers see its name, and nobody is transferred abroad."""

from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event: CallAlerting) -> None:
    event.session.connect(event.call, event.destination, display_name="Reception")


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    if event.transfer_to.startswith("00"):
        event.call.notify_blind_transfer_failed(603, "No calls abroad")
    else:
        event.session.connect(event.transferee, event.transfer_to, headers={"X-Via": "reception"})
