"""The laboratory: a real FreeSWITCH, SIPp phones that a test commands, and who hears whom.

A test takes the fixtures of ``tests/live/conftest.py``::

    def test_native_transfer(switch, phones):
        bob = phones.party("2000").answers()              # user/2000@127.0.0.1
        carol = phones.party("3000").rings()              # until the test decides
        alice = phones.caller("1000", to="2000")          # its INVITE is out
        alice.wait_talking()
        assert hear_each_other(alice, bob)
        bob.transfers("3000")
        carol.answers_now()                               # or carol.refuses_now(486, "Busy Here")
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert alice.hears(carol) and not alice.hears(bob, limit_s=0.5)

With a controller (``fsctl serve`` as a process, its rendered dialplan installed)::

    def test_controlled_transfer(switch, controller, phones):
        fsctl = controller({"transfer": {"ring_timeout_s": 5}})
        ...
        fsctl.kill9()                                     # and controller(port=fsctl.port) again

Phones speak the words of all stories (:mod:`fsctl.story`); what `Phone` has besides is for tests of
the wire. Nothing is slept for: ``wait_*`` wait for what went over the wire. A phone answers NOTIFY,
re-INVITE, BYE and OPTIONS by itself, in any order. The switch is shared by all tests of a process;
phones are hung up after each test, and then no channel may be left on it.
"""

from fsctl.simulator import SipMessage
from tests.live.lab.controllers import Controllers
from tests.live.lab.fsctl_process import Controller
from tests.live.lab.media import Media
from tests.live.lab.phone import Dialog, Phone
from tests.live.lab.phones import Phones
from tests.live.lab.ports import free_port
from tests.live.lab.steps import Answer, Early, Pause, Refuse, Ring
from tests.live.lab.switch import Switch
from tests.live.lab.waiting import NotInTime, wait_for

__all__ = [
    "Answer",
    "Controller",
    "Controllers",
    "Dialog",
    "Early",
    "Media",
    "NotInTime",
    "Pause",
    "Phone",
    "Phones",
    "Refuse",
    "Ring",
    "SipMessage",
    "Switch",
    "free_port",
    "wait_for",
]
