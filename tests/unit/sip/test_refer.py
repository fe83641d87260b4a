"""Refer-To, Referred-By, Replaces and embedded headers."""

from __future__ import annotations

import pytest

from fsctl.sip.refer import (
    ReferError,
    Replaces,
    allowed_headers,
    parse_refer_to,
    parse_replaces,
)
from fsctl.sip.uri import UriError, parse_address, parse_uri


def test_a_plain_refer_to() -> None:
    refer_to = parse_refer_to('"Ann" <sip:3000@h;user=phone>;x=y')
    assert refer_to.address == parse_address('"Ann" <sip:3000@h;user=phone>;x=y')
    assert refer_to.target == parse_uri("sip:3000@h;user=phone")
    assert (refer_to.embedded_headers, refer_to.replaces, refer_to.method) == ((), None, "INVITE")


def test_embedded_headers_and_method_are_taken_out_of_the_target() -> None:
    refer_to = parse_refer_to("<sip:3000@h;method=INVITE?X-Foo=a%20b&User-to-User=c%3B%26>")
    assert refer_to.target.format() == "sip:3000@h"
    assert refer_to.embedded_headers == (("X-Foo", "a b"), ("User-to-User", "c;&"))


def test_replaces_is_found_among_the_headers() -> None:
    value = "<sip:a@h?x=y&REPLACES=1%40h%3Bto-tag%3Dt%3Bfrom-tag%3Df%3Bearly-only>"
    assert parse_refer_to(value).replaces == Replaces("1@h", "t", "f", True)


@pytest.mark.parametrize("value", ["<sip:@h>", "<sip:h>", "sip:h;x=y"])
def test_a_missing_user_is_left_to_the_routing(value: str) -> None:
    assert parse_refer_to(value).target.user == ""


@pytest.mark.parametrize(
    ("value", "sip_status"),
    [
        ("", 400),
        ("*", 400),
        ("<sip:a@h>, <sip:b@h>", 400),
        ("<sip:a@h?X-A=b%0D%0AVia:%20c>", 400),
        ("<sip:a@h?X-A=b%0Ac>", 400),
        ("<sip:${system(x)}@h>", 400),
        ("<sip:a@h?Replaces=x>", 400),
        ("<sip:a@h?Replaces=x%3Bto-tag%3D1>", 400),
        ("<sip:a@h?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=b>", 400),
        ("<http://h/>", 416),
        ("<urn:service:sos>", 416),
        ("<sip:a@h;method=BYE>", 405),
        ("<sip:a@h;METHOD=subscribe>", 405),
        ("<sip:a@h;method=nonsense>", 405),
    ],
)
def test_a_refer_to_that_cannot_be_followed(value: str, sip_status: int) -> None:
    with pytest.raises(UriError) as caught:
        parse_refer_to(value)
    assert caught.value.sip_status == sip_status


@pytest.mark.parametrize("value", ["<sip:a@h;method=INVITE>", "<sip:a@h;method=invite>",
                                   "<sip:a@h;method>"])  # fmt: skip
def test_an_invite_by_any_spelling_is_followed(value: str) -> None:
    assert parse_refer_to(value).method == "INVITE"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@h;to-tag=1;from-tag=2", Replaces("a@h", "1", "2")),
        (" a ; From-Tag = 2 ; TO-TAG=1 ; early-only", Replaces("a", "1", "2", True)),
        ("a;to-tag=1;from-tag=2;x=y", Replaces("a", "1", "2")),
    ],
)
def test_replaces(value: str, expected: Replaces) -> None:
    assert parse_replaces(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", ";to-tag=1;from-tag=2", "a", "a;to-tag=;from-tag=2", "a b;to-tag=1;from-tag=2",
     "a,b;to-tag=1;from-tag=2"],
)  # fmt: skip
def test_a_malformed_replaces(value: str) -> None:
    with pytest.raises(ReferError) as caught:
        parse_replaces(value)
    assert caught.value.sip_status == 400


HEADERS = (
    ("X-Foo", "1"),
    ("x-bar", "2"),
    ("User-to-User", "3"),
    ("Subject", "4"),
    ("X-FS-Refer-For", "5"),
)


@pytest.mark.parametrize(
    ("allow", "kept"),
    [
        ([], []),
        (["X-*"], ["X-Foo", "x-bar"]),
        (["x-foo"], ["X-Foo"]),
        (["X-Fo"], []),
        (["USER-TO-USER", "s*"], ["User-to-User", "Subject"]),
        (["*"], ["X-Foo", "x-bar", "User-to-User", "Subject"]),
        (["X-FS-*", "x-fs-refer-for"], []),
        (["X*Foo"], []),
    ],
)
def test_only_listed_headers_are_kept(allow: list[str], kept: list[str]) -> None:
    assert [name for name, _ in allowed_headers(HEADERS, allow)] == kept


@pytest.mark.parametrize(
    "name",
    [
        "Via", "FROM", "to", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", "Max-Forwards",
        "Content-Type", "Content-Length", "Content-Disposition", "Replaces", "Require", "Supported",
        "Authorization", "Proxy-Authorization", "P-Asserted-Identity", "Remote-Party-ID",
        "Privacy", "Identity", "Referred-By", "Refer-To", "Session-Expires", "Join", "Event",
        "X-FS-Support", "x-fs-refer-from", "i", "m", "body", "", "a b", "a:b", "a\r\nb", "ü", "a$",
        "a[0]", "a{b}", "x" * 65,
    ],
)  # fmt: skip
def test_some_headers_are_never_kept(name: str) -> None:
    assert allowed_headers(((name, "v"),), ["*", name]) == ()


def test_the_first_of_a_repeated_header_is_kept() -> None:
    assert allowed_headers((("X-A", "1"), ("x-a", "2")), ["X-*"]) == (("X-A", "1"),)
