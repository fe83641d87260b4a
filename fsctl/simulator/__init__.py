"""A FreeSWITCH for tests: its event socket over real TCP, scripted phones, a virtual clock.

Typical use, with a controller that listens at ``address``::

    switch = SimulatedSwitch(Path("rendered"), global_variables={"domain": "example.org"})
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.run_until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>", referred_by="<sip:1001@example.org>")
    switch.run_until(lambda: bob.notifies)
    assert bob.notifies == [("refer;id=2", "SIP/2.0 200 OK")]
    assert alice.hears == "1002"

What it does not do: media, codecs, registration, digest authentication. See ``docs`` of the single
modules for where FreeSWITCH's source defines what they imitate.
"""

from __future__ import annotations

from fsctl.simulator.behaviour import Behaviour, Departure, ReferBehaviour
from fsctl.simulator.channel import Channel
from fsctl.simulator.clock import RealClock, VirtualClock
from fsctl.simulator.dialog import Dialog
from fsctl.simulator.dialplan import Action, Condition, Dialplan, Extension, actions, context
from fsctl.simulator.dialplan_xml import load_dialplan, parse_dialplan
from fsctl.simulator.link import Link
from fsctl.simulator.phone import Phone
from fsctl.simulator.sip import SipMessage
from fsctl.simulator.switch import SimulatedSwitch, StoryTimeout

__all__ = [
    "Action",
    "Behaviour",
    "Channel",
    "Condition",
    "Departure",
    "Dialog",
    "Dialplan",
    "Extension",
    "Link",
    "Phone",
    "RealClock",
    "ReferBehaviour",
    "SimulatedSwitch",
    "SipMessage",
    "StoryTimeout",
    "VirtualClock",
    "actions",
    "context",
    "load_dialplan",
    "parse_dialplan",
]
