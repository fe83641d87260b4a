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

from fsctl.errors import CallFailed, ChannelGone, WaitExpired
from fsctl.scenario.call import Call, CallState
from fsctl.scenario.events import (
    AttendedTransferRequested,
    BlindTransferRequested,
    CallAlerting,
    Connected,
    Disconnected,
    Failed,
    OffHold,
    OnHold,
    PlaybackFinished,
    RecordStopped,
    Resumed,
    Ringing,
    Started,
    Terminated,
    Terminating,
    ToneReceived,
    TransferComplete,
    TransferFailed,
)
from fsctl.scenario.loader import load, load_all
from fsctl.scenario.scenario import Scenario
from fsctl.scenario.session import Session
from fsctl.session.calling.routing import NoRoute

__all__ = [
    "AttendedTransferRequested",
    "BlindTransferRequested",
    "Call",
    "CallAlerting",
    "CallFailed",
    "CallState",
    "ChannelGone",
    "Connected",
    "Disconnected",
    "Failed",
    "NoRoute",
    "OffHold",
    "OnHold",
    "PlaybackFinished",
    "RecordStopped",
    "Resumed",
    "Ringing",
    "Scenario",
    "Session",
    "Started",
    "Terminated",
    "Terminating",
    "ToneReceived",
    "TransferComplete",
    "TransferFailed",
    "WaitExpired",
    "load",
    "load_all",
]
