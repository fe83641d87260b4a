"""REFERs that cannot be served: refused with a NOTIFY of their own, and the call goes on."""

from __future__ import annotations

import pytest

from tests.live.lab.party import hear_each_other, sections, talking


@pytest.fixture(autouse=True)
def served(controller, switch):
    return controller(sections(switch))


@pytest.fixture
def trap(tmp_path):
    """A file that a command hidden in a Refer-To would make."""
    return tmp_path / "executed"


REFUSED = [
    ("<sip:${{system(touch {trap})}}@example.org>", 400),
    ("<sip:$%7Bsystem(touch%20{trap})%7D@example.org>", 400),
    ("<sip:1002%0D%0AX-Evil:%20yes@example.org>", 400),
    ("<sip:1002%00@example.org>", 400),
    ("<sip:1002@example.org?X-A=1%0D%0AX-Evil:%20yes>", 400),
    ("<mailto:carol@example.org>", 416),
    ("<sip:1002@example.org;method=BYE>", 405),
    ("<sip:" + "9" * 5000 + "@example.org>", 400),
    ("<sip:no-route@example.org>", 404),
    ("<tel:+4930123456>", 404),
    ("<sip:1002@[::1]:99999>", 400),
]


@pytest.mark.parametrize(("refer_to", "status"), REFUSED, ids=[r[:30] for r, _ in REFUSED])
def test_refused(phones, trap, refer_to, status):
    alice, bob = talking(phones)
    carol = phones.callee("1002")
    assert bob.refer(refer_to.format(trap=trap)).status == 202
    assert bob.wait_notify().startswith(f"SIP/2.0 {status} ")
    assert hear_each_other(alice, bob)
    assert not trap.exists()
    assert not carol.received("INVITE")
    assert len(bob.notifies()) == 1


@pytest.mark.parametrize(
    "refer_to",
    [
        '"Carol, of \\"Sales\\"" <sip:1002@example.org:5099;user=phone>',
        "<sip:%31002@example.org>",
        "<sip:1002:secret@example.org>",
        "<sip:1002@[::1]:5070>",
        "<tel:1002>",
        "sip:1002@example.org",
    ],
)
def test_served_whatever_its_form(phones, refer_to):
    alice, bob = talking(phones)
    carol = phones.callee("1002")
    bob.refer(refer_to)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)


def test_replaces_of_an_unknown_dialog_reaches_nobody(served, phones):
    alice, bob = talking(phones)
    carol = phones.callee("1002")
    replaces = "Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2"
    bob.refer(f"<sip:1002@127.0.0.1:{carol.port}?{replaces}>")
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert not carol.received("INVITE")
    assert hear_each_other(alice, bob)
    served.wait_log("attended transfer to an unknown dialog refused")


@pytest.mark.parametrize(
    "number", ["%24%7Bsystem(touch%20{trap})%7D", "a'b&d", "1001,1002", "*97%23"]
)
def test_dialled_number_is_not_interpreted(phones, switch, trap, number):
    dialled = number.format(trap=trap)
    alice = phones.caller("2000", f"sip:{dialled}@{switch.domain}:{switch.sip_port}")
    alice.wait_received(404)
    assert not trap.exists()
