"""What the simulated switch does not play of the codes of ``[keys]``: see ``tests/stories``."""

from __future__ import annotations

from fsctl.story import hear_each_other, talking
from tests.live.lab.settings import sections
from tests.stories.test_keys import KEYS, consults, transfers


def test_three_ways(controller, switch, phones):
    """All three talk; then the transferor leaves."""
    served = controller(sections(switch, dialplan={"scope": "transfers"}, keys=KEYS))
    one, other = talking(phones)
    carol = phones.party("1002").answers()
    consults(one, "1002")
    assert hear_each_other(one, carol)
    one.presses("0")
    switch.wait(lambda: "Three-Way Call" in served.log_text(), what="it is recorded")
    one.hangs_up()
    assert hear_each_other(other, carol)


def test_by_the_switchs_own_dialplan(controller, switch, phones):
    """Without a route the target is called there, as whoever presses would call it."""
    served = controller({"dialplan": {"scope": "transfers"}, "keys": KEYS})
    one, other = talking(phones)
    carol, dave = phones.party("1002").answers(), phones.party("1004").answers()
    phones.party("1003").refuses(603, "Not today")
    consults(one, "1003")
    switch.wait(lambda: '"Not today"' in served.log_text(), what="it is recorded")
    assert hear_each_other(one, other)
    consults(one, "1002")
    assert hear_each_other(one, carol)
    assert f"<sip:{one.number}@" in carol.received("INVITE")[0].header("From")
    one.hangs_up()
    assert hear_each_other(other, carol)
    other.refers(phones.refer_to("1004"))
    assert hear_each_other(carol, dave)


def test_the_keys_of_a_consultation(controller, switch, phones):
    """After a blind transfer without a route: one is taken back as it rings, one is completed."""
    served = controller({"dialplan": {"scope": "transfers"}, "keys": KEYS})
    one, other = talking(phones, "caller")
    carol, dave = phones.party("1002").answers(), phones.party("1003").rings()
    transfers(one, "1002")
    assert hear_each_other(other, carol)
    one.wait_over()
    consults(other, "1003")
    dave.wait_received("INVITE")
    assert other.hears_ringback()
    other.presses("#")
    assert hear_each_other(other, carol)
    dave.wait_over()
    consults(other, "1003")
    dave.wait_received("INVITE", 2)
    dave.answers_now()
    assert hear_each_other(other, dave)
    other.presses("*")
    assert hear_each_other(carol, dave)
    other.wait_over()
    switch.wait(lambda: served.log_text().count('"start": "keys"') == 3, what="all are recorded")
