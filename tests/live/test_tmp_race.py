from tests.live.lab import *
from tests.live.lab import media
import pytest


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("i", range(10))
def test_transfer(switch, controller, phones, monkeypatch, i, silent):
    if silent:
        monkeypatch.setattr(media.Media, "_send", lambda *a: None)
    fsctl = controller({"server": {"log_level": "debug"}})
    bob = phones.callee("2000", name="bob")
    carol = phones.callee("3001", [Ring()], name="carol")
    alice = phones.caller("1000", to="2000", name="alice")
    alice.wait_talking(10)
    assert bob.refer(f"<{switch.uri('3001')}>").status == 202
    carol.wait_sent(180)
    carol.answer()
    assert bob.wait_notify(1) == "SIP/2.0 200 OK"
    bob.bye()
    bob.wait_over()
    alice.media.observe(2 if i % 2 else 0.2)
    carol.bye()
    alice.wait_received("BYE", timeout_s=4)
