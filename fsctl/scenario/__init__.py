"""The public programming model: a scenario is a plain Python file with event handlers.

::

    from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario

    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event: CallAlerting) -> None:
        callee = event.session.connect(event.call, event.destination)
        callee.handle_blind_transfer(True)

Whatever has no handler is done by the settings: calls are connected by the routes, transfers are
carried out in the session.
"""

from fsctl.scenario.loader import load
from fsctl.scenario.scenario import Scenario
from fsctl.session.call import Call, CallState
from fsctl.session.events import (
    AttendedTransferRequested,
    BlindTransferRequested,
    CallAlerting,
    Connected,
    Disconnected,
    Failed,
    Ringing,
    Started,
    Terminated,
    TransferComplete,
    TransferFailed,
)
from fsctl.session.routing import NoRoute
from fsctl.session.session import Session

__all__ = [
    "AttendedTransferRequested",
    "BlindTransferRequested",
    "Call",
    "CallAlerting",
    "CallState",
    "Connected",
    "Disconnected",
    "Failed",
    "NoRoute",
    "Ringing",
    "Scenario",
    "Session",
    "Started",
    "Terminated",
    "TransferComplete",
    "TransferFailed",
    "load",
]
