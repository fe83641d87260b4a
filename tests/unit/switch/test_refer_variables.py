"""What a REFER left on the channels, and when it cannot be used."""

from __future__ import annotations

import pytest

from fsctl.switch.refer_variables import BadRequest, RawRequest, bridged_with
from fsctl.switch.variables import value_of


def request(refer_to: str | None, destination: str) -> RawRequest:
    return RawRequest("te", "tr", refer_to, None, "refer;id=2", destination)


@pytest.mark.parametrize(
    ("refer_to", "destination", "user"),
    [
        ("<sip:1002@example.org>", "1002", "1002"),
        ('"Carol" <sip:1002@example.org?X-A=1>', "1002", "1002"),
        ("<sip:%31002@example.org>", "1002", "1002"),
        ("<tel:+49-30-1>", "+49-30-1", "+49301"),
        ("<sip:1002%40127.0.0.1@127.0.0.1>", "1002@127.0.0.1", "1002@127.0.0.1"),
        ("<sip:1002%40127.0.0.1@127.0.0.1>", "1002@127.0.0.1@127.0.0.1", "1002@127.0.0.1"),
    ],
)
def test_usable(refer_to, destination, user):
    assert request(refer_to, destination).parse().target.user == user


@pytest.mark.parametrize(
    ("refer_to", "destination", "status"),
    [
        (None, "1002", 400),
        ("<sip:1002@example.org>", "${system(x)}", 400),  # kept from an earlier transfer
        ("<sip:1002@example.org>", "1003", 400),
        ("<mailto:a@b.c>", "a", 416),
        ("<sip:10%0D%0A02@example.org>", "10\r\n02", 400),
        ("<sip:1002@example.org;method=BYE>", "1002", 405),
    ],
)
def test_refused(refer_to, destination, status):
    with pytest.raises(BadRequest) as refusal:
        request(refer_to, destination).parse()
    assert refusal.value.status.code == status


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x\n", "x"),
        ("_undef_", None),
        ("", None),
        ("-ERR No such channel!\n", None),
        ("a b", "a b"),
    ],
)
def test_value_of_a_variable(text, value):
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("refer_to", "destination", "current"),
    [
        ("<sip:1002@example.org>", "1002@example.org", True),
        ("<sip:1002@Example.org>", "1002@EXAMPLE.org", True),
        ("<sip:1002@[2001:db8::1]>", "1002@[2001:DB8::1]", True),
        ("<sip:1002@example.org>", "1002@example.net", False),
        ("<sip:1002@example.org>", "1003@example.org", False),
        ("<sip:example.org>", "service", True),
        ("<sip:example.org>", "(null)@example.org", True),
        ("<sip:example.org>", "@example.org", True),
        ("<sip:example.org>", "1003@example.org", False),
        ("<sip:example.org>", "1003", False),
    ],
)
def test_whether_it_is_this_transfers_own(refer_to: str, destination: str, current: bool) -> None:
    """Whole identities come with ``full-id-in-dialplan``; ``service`` stands for no user."""
    if current:
        request(refer_to, destination).parse()
        return
    with pytest.raises(BadRequest, match="earlier transfer"):
        request(refer_to, destination).parse()


@pytest.mark.parametrize(
    ("signs", "peer"),
    [
        ((None, None, None), ""),
        (("target", None, None), "target"),  # by `bridge`
        (("target", "eval", None), ""),  # `uuid_bridge` was given up
        (("target", "eval", "eval"), "target"),
    ],
)
def test_with_whom_a_bridge_has_begun(signs, peer):
    assert bridged_with(signs) == peer
