"""URIs and addresses."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.sip.uri import (
    MAX_ADDRESS_BYTES,
    MAX_URI_BYTES,
    Address,
    Uri,
    UriError,
    parse_address,
    parse_uri,
)

PARSED = [
    ("sip:bob@example.com", Uri("sip", "bob", None, "example.com", None)),
    ("SIP:bob@EXAMPLE.com:5070", Uri("sip", "bob", None, "example.com", 5070)),
    ("sips:bob@example.com", Uri("sips", "bob", None, "example.com", None)),
    ("sip:example.com", Uri("sip", "", None, "example.com", None)),
    ("sip:@example.com", Uri("sip", "", None, "example.com", None)),
    ("sip:bob:secret@h", Uri("sip", "bob", "secret", "h", None)),
    ("sip:bob:@h", Uri("sip", "bob", "", "h", None)),
    ("sip:b@[2001:DB8::1]:5061", Uri("sip", "b", None, "2001:db8::1", 5061)),
    ("sip:b@[::1]", Uri("sip", "b", None, "::1", None)),
    ("sip:b@192.0.2.1;lr", Uri("sip", "b", None, "192.0.2.1", None, (("lr", None),))),
    (
        "sip:b@h;transport=TCP;x=%20?Subject=a%26b&X-A=",
        Uri("sip", "b", None, "h", None, (("transport", "TCP"), ("x", " ")),
            (("Subject", "a&b"), ("X-A", ""))),
    ),
    ("sip:%40%3A%25@h", Uri("sip", "@:%", None, "h", None)),
    ("sip:%C3%BC@h", Uri("sip", "ü", None, "h", None)),
    ("sip:ü你@h", Uri("sip", "ü你", None, "h", None)),
    ("sip:*97#@h", Uri("sip", "*97#", None, "h", None)),
    ("sip:a?b;c=d@h", Uri("sip", "a?b;c=d", None, "h", None)),
    ("sip:a|b,{c}^\\@h", Uri("sip", "a|b,{c}^\\", None, "h", None)),
    ("sip:a$b@h", Uri("sip", "a$b", None, "h", None)),
    ("sip:%2524%257B@h", Uri("sip", "%24%7B", None, "h", None)),
    ("tel:+1-201-555.0123", Uri("tel", "+12015550123", None, "", None)),
    (
        "tel:(863)1234;phone-context=+1-914-555",
        Uri("tel", "8631234", None, "", None, (("phone-context", "+1-914-555"),)),
    ),
    ("tel:*21%23", Uri("tel", "*21#", None, "", None)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), PARSED)
def test_a_uri_is_parsed(text: str, expected: Uri) -> None:
    assert parse_uri(text) == expected


LENIENT = [
    ("sip:b@h;", "sip:b@h", ()),
    ("sip:b@h;;a", "sip:b@h;a", ()),
    ("sip:b@h;=1;a", "sip:b@h;a", ("=1",)),
    ("sip:b@h;a=1;A=2", "sip:b@h;a=1", ("A=2",)),
    ("sip:b@h;a=%FF;b", "sip:b@h;b", ("a=%FF",)),
    ("sip:b@h:;a", "sip:b@h;a", ()),
    ("sip:b@[::1]:", "sip:b@[::1]", ()),
    ("sip:b@h?", "sip:b@h", ()),
    ("sip:b@h?a", "sip:b@h", ("a",)),
    ("sip:b@h?=a&b=%zz&c=%FF&d=1&", "sip:b@h?d=1", ("=a", "b=%zz", "c=%FF")),
    # RFC 3515 section 2.1, with the fourth example as it was printed.
    (
        "sip:bob@biloxi.example.com?Accept-Contact=sip:bobsdesk@biloxi.example.com"
        "&Call-ID%3D55432%40alicepc.atlanta.example.com",
        "sip:bob@biloxi.example.com?Accept-Contact=sip:bobsdesk%40biloxi.example.com",
        ("Call-ID%3D55432%40alicepc.atlanta.example.com",),
    ),
    ("tel:1;", "tel:1", ()),
    ("tel:+1-5?X-A=b", "tel:+15", ("X-A=b",)),
]


@pytest.mark.parametrize(("text", "formatted", "dropped"), LENIENT)
def test_what_is_unusable_beside_the_target_is_dropped(
    text: str, formatted: str, dropped: tuple[str, ...]
) -> None:
    uri = parse_uri(text)
    assert (uri.format(), uri.dropped) == (formatted, dropped)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("sip:1002@h", ("1002",)),
        ("sip:alice@h;user=phone", ("alice",)),
        ("sip:4435550123;phone-context=na@h;user=phone", ("4435550123",)),
        ("sip:4435550123;phone-context=na@h", ("4435550123",)),
        ("sip:4435550123;npdi;rn=4435550100@h;user=phone", ("4435550123",)),
        ("sip:+49-30-1234;phone-context=+1@h", ("+49301234",)),
        ("sip:+1-555-555-0123@h", ("+15555550123",)),
        ("sip:+1.555.555.0123@h;user=phone", ("+15555550123",)),
        ("sip:(555)555-0123@h", ("5555550123",)),
        ("sip:555-0123@h;user=phone", ("5550123",)),
        ("sip:555-0123@h", ("555-0123", "5550123")),  # a name with a dash, or a number
        ("sip:10.20@h", ("10.20", "1020")),
        ("sip:a-b@h", ("a-b",)),
        ("sip:fa-ce@h;user=phone", ("face",)),
        ("sip:fa-ce@h", ("fa-ce",)),
        ("sip:alice;day=tuesday@h", ("alice;day=tuesday",)),
        ("sip:*97%23@h", ("*97#",)),
        ("sip:-@h;user=phone", ("-",)),
        ("sip:h", ("",)),
        ("tel:863-1234;phone-context=+1-914-555", ("8631234",)),
    ],
)
def test_the_number_of_a_telephone_subscriber(text: str, numbers: tuple[str, ...]) -> None:
    uri = parse_uri(text)
    assert uri.numbers() == numbers
    assert uri.number == numbers[0]


@pytest.mark.parametrize("text", [text for text, _ in PARSED])
def test_a_formatted_uri_parses_to_the_same(text: str) -> None:
    uri = parse_uri(text)
    assert parse_uri(uri.format()) == uri
    assert str(uri) == uri.format()


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("SIP:+1(5)@Host:5060;a;b=1?C=d", "sip:+1(5)@host:5060;a;b=1?C=d"),
        ("sip:a b%20c@h".replace(" ", "%20"), "sip:a%20b%20c@h"),
        ("sip:a$b@h", "sip:a%24b@h"),
        ("sip:ü@h", "sip:%C3%BC@h"),
        ("sip:u:p%40@[::1]:5060", "sip:u:p%40@[::1]:5060"),
        ("sip:h?Replaces=a%40b%3Bto-tag%3D1", "sip:h?Replaces=a%40b%3Bto-tag%3D1"),
        ("tel:*21#", "tel:*21%23"),
        ("tel:+1-5;ext=3", "tel:+15;ext=3"),
    ],
)
def test_the_exact_text_of_a_uri(text: str, formatted: str) -> None:
    assert parse_uri(text).format() == formatted


@pytest.mark.parametrize(
    "text",
    ["http://example.com/", "mailto:a@b", "urn:service:sos", "im:a@b", "h323:a@b", "x-y+z.1:a"],
)
def test_another_scheme_is_416(text: str) -> None:
    with pytest.raises(UriError) as caught:
        parse_uri(text)
    assert caught.value.sip_status == 416


BAD = [
    "", "*", "bob", "1:a", ":bob@h", "sip", "sip:", "sip:bob@", "sip:bob@h@i", "sip:bob@-h",
    "sip:b@h..i", "sip:b@.h", "sip:b@hü", "sip:b@h/i", "sip:b@[::1", "sip:b@[::1]x", "sip:b@[]",
    "sip:b@[::g]", "sip:b@::1", "sip:b@[fe80::1%25eth0]", "sip:b@h:0", "sip:b@h:65536",
    "sip:b@h:99999999999999999999", "sip:b@h:٣", "sip:b@h:+1", "sip:b@h:-1", "sip:b@h:5 ",
    " sip:b@h", "sip:b c@h", "sip:b@h;a@b", "sip:%@h", "sip:%4@h", "sip:%zz@h", "sip:%FF@h",
    "sip:%ED%A0%80@h", "sip:%C3@h", "sip:a<b@h", "sip:a>b@h", 'sip:a"b@h', "sip:a\nb@h",
    "sip:a\rb@h", "sip:a\tb@h", "sip:a\x00b@h", "sip:a\x7fb@h", "sip:a\u2028b@h", "sip:a%0Ab@h",
    "sip:a%0d@h", "sip:a%00@h", "sip:a%1F@h", "sip:a%7F@h", "sip:a@h;x=%0A",
    "sip:a@h?x=%0D%0AVia:y", "sip:a@h?%0A=x", "sip:${x}@h", "sip:$${x}@h", "sip:%24%7Bx}@h",
    "sip:$%7Bx}@h", "sip:%24{x}@h", "sip:$\\{x}@h", "sip:$\\\\\\{x}@h", "sip:a@h;x=${y}",
    "sip:a@h?x=%24%7By%7D", "sip:a\ud800@h", "tel:", "tel:+", "tel:bob", "tel:+1a", "tel:++1",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_nonsense_and_danger_are_400(text: str) -> None:
    with pytest.raises(UriError) as caught:
        parse_uri(text)
    assert caught.value.sip_status == 400


def test_the_longest_uri_and_one_more_byte() -> None:
    fits = "sip:" + "a" * (MAX_URI_BYTES - 6) + "@h"
    assert len(parse_uri(fits).user) == MAX_URI_BYTES - 6
    for too_long in (fits.replace("@", "a@"), fits.replace("aa@", "ü@").replace(":", ":a")):
        with pytest.raises(UriError, match="more than"):
            parse_uri(too_long)


def test_parameters_are_found_without_regard_to_case() -> None:
    uri = parse_uri("sip:a@h;Transport=tcp;lr")
    assert uri.parameter("transport") == "tcp"
    assert uri.parameter("LR") == ""
    assert uri.parameter("maddr") is None


def test_a_request_uri_has_no_headers_and_no_method() -> None:
    uri = parse_uri("sip:a:p@h:5070;Method=INVITE;user=phone?X-A=b")
    assert uri.request_uri().format() == "sip:a:p@h:5070;user=phone"


ADDRESSES = [
    ("<sip:a@h>", "", "sip:a@h", ()),
    ("sip:a@h", "", "sip:a@h", ()),
    ("sip:a@h;tag=1;x", "", "sip:a@h", (("tag", "1"), ("x", None))),
    ("<sip:a@h;lr>;tag=1", "", "sip:a@h;lr", (("tag", "1"),)),
    (" \t<sip:a@h> ; tag = 1 ", "", "sip:a@h", (("tag", "1"),)),
    ("Bob Smith <sip:a@h>", "Bob Smith", "sip:a@h", ()),
    ('"Bob" <sip:a@h>', "Bob", "sip:a@h", ()),
    ('"B \\"o\\\\b\\" <x>;," <sip:a@h>', 'B "o\\b" <x>;,', "sip:a@h", ()),
    ('""<sip:a@h>', "", "sip:a@h", ()),
    ('"${system(x)}" <sip:a@h>', "${system(x)}", "sip:a@h", ()),
    ('"a\r\nb\x00" <sip:a@h>', "a  b ", "sip:a@h", ()),
    ('"\ud800" <sip:a@h>', "?", "sip:a@h", ()),
    ("O'Brien, ü <sip:a@h>", "O'Brien, ü", "sip:a@h", ()),
    ('<sip:a@h>;cid="x;\\"y\\" <z>@q"', "", "sip:a@h", (("cid", 'x;"y" <z>@q'),)),
    ("<sip:a@h?Replaces=x%40y>", "", "sip:a@h?Replaces=x%40y", ()),
    ("tel:+1-555;x=y", "", "tel:+1555", (("x", "y"),)),
    ("<tel:+1-555;ext=2>", "", "tel:+1555;ext=2", ()),
    ("sip:a@h?x=y;tag=1", "", "sip:a@h?x=y", (("tag", "1"),)),
    ("sip:1;phone-context=+49@h;tag=1", "", "sip:1;phone-context=+49@h", (("tag", "1"),)),
    ("<sip:a@h>x", "", "sip:a@h", ()),
    ("<sip:a@h>;a;=1;b", "", "sip:a@h", (("a", None),)),
    ("<sip:a@h>;a=b c", "", "sip:a@h", (("a", "b"),)),
    ('<sip:a@h>;a="b', "", "sip:a@h", ()),
    ("<sip:a@h>;received=[::1]:5060", "", "sip:a@h", (("received", "[::1]:5060"),)),
]


@pytest.mark.parametrize(("text", "display_name", "uri", "parameters"), ADDRESSES)
def test_an_address_is_parsed(
    text: str, display_name: str, uri: str, parameters: tuple[tuple[str, str | None], ...]
) -> None:
    assert parse_address(text) == Address(display_name, parse_uri(uri), parameters)


@pytest.mark.parametrize("text", [row[0] for row in ADDRESSES])
def test_a_formatted_address_parses_to_the_same(text: str) -> None:
    address = parse_address(text)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "*", "<>", "<sip:a@h", "sip:a@h>", "<sip:a@h>,<sip:b@h>", "<sip:a@h> <sip:b@h>",
        '"a <sip:a@h>', '"a" sip:a@h', '"a\\', '"a"', "sip:a@h,sip:b@h", "<<sip:a@h>>",
        "<sip:a@h>\r\nVia: x", "<sip:a@h>;x, <sip:b@h>", "<sip:a@h>x<sip:b@h>",
    ],
)  # fmt: skip
def test_a_bad_address_is_400(text: str) -> None:
    with pytest.raises(UriError) as caught:
        parse_address(text)
    assert caught.value.sip_status == 400


def test_an_address_with_another_scheme_is_416() -> None:
    with pytest.raises(UriError) as caught:
        parse_address("<mailto:a@b>")
    assert caught.value.sip_status == 416


def test_a_display_name_cannot_break_a_formatted_address() -> None:
    address = Address('"><sip:evil@h>\r\nVia: x', parse_uri("sip:a@h"), (("p", 'a"\n'),))
    text = address.format()
    assert "\r" not in text and "\n" not in text
    assert parse_address(text).uri == parse_uri("sip:a@h")


def test_a_parameter_of_an_address() -> None:
    address = parse_address("<sip:a@h;tag=no>;Tag=yes;lr")
    assert (address.parameter("tag"), address.parameter("lr"), address.parameter("x")) == (
        "yes", "", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    "hostile",
    [
        "<sip:a@h>" + ";" * 8000,
        "<sip:a@h>" + ";a" * 4000,
        "<sip:a@h>" + ';a=""' * 1600,
        '"' + "\\" * 8000,
        '"' + "\\a" * 4000,
        '"' * 8000,
        "<" * 8000,
        "sip:a@" + "a." * 2000,
        "sip:a@" + "a-" * 2000 + "!",
        "sip:" + "%" * 4000,
        "sip:" + "%41" * 1300,
        "sip:" + "$\\" * 2000,
        "sip:a@h" + ";a=b" * 1000,
        "sip:a@h?" + "a=b&" * 1000,
        " " * 8000,
        "a " * 4000 + "<",
    ],
    ids=lambda text: text[:20],
)
def test_hostile_texts_take_no_time(hostile: str) -> None:
    before = time.process_time()
    for parse in (parse_uri, parse_address):
        try:
            parse(hostile)
        except UriError as error:
            assert error.sip_status == 400
    assert time.process_time() - before < 0.5


def test_a_longer_address_is_refused() -> None:
    with pytest.raises(UriError, match="more than"):
        parse_address('"' + "ü" * (MAX_ADDRESS_BYTES // 2) + '" <sip:a@h>')


# --- properties --------------------------------------------------------------------------------

PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40).filter(
    lambda text: "${" not in text and "$\\" not in text and not text.endswith("$")
)
NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=8)
HOSTS = st.sampled_from(["h", "example.com", "192.0.2.1", "::1", "2001:db8::9", "a_b.c-d."])
URIS = st.builds(
    Uri,
    st.sampled_from(["sip", "sips"]),
    PRINTABLE,
    st.none() | PRINTABLE,
    HOSTS,
    st.none() | st.integers(1, 65535),
    st.lists(st.tuples(NAMES, st.none() | PRINTABLE), max_size=4,
             unique_by=lambda p: p[0].lower()).map(tuple),
    st.lists(st.tuples(NAMES, PRINTABLE), max_size=4).map(tuple),
)  # fmt: skip


@given(URIS)
def test_any_uri_survives_format_and_parse(uri: Uri) -> None:
    text = uri.format()
    assert parse_uri(text) == uri
    assert text.isascii() and text.isprintable() and "$" not in text and " " not in text


@given(PRINTABLE, URIS)
def test_any_address_survives_format_and_parse(display_name: str, uri: Uri) -> None:
    address = Address(display_name, uri, (("cid", display_name), ("x", None)))
    assert parse_address(address.format()) == address


@given(st.text() | st.text().map("sip:{}@h".format) | st.text().map("<sip:a@{}".format))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_uri, parse_address):
        try:
            parsed = parse(text)
        except UriError as error:
            assert error.sip_status in (400, 416)
        else:
            assert parse(parsed.format()) == parsed
