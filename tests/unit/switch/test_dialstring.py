"""Dial strings: what FreeSWITCH's own parsers make of them is what was meant.

The functions below follow FreeSWITCH's C code step by step (switch_utils.c, switch_event.c,
switch_channel.c, mod_commands.c); tests/live/test_dialstring.py proves them on the real switch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.esl.commands import Originate
from fsctl.sip.uri import Uri, parse_uri
from fsctl.switch.dialstring import (
    MAX_VARIABLES,
    DialString,
    DialStringError,
    Endpoint,
    GatewayEndpoint,
    LoopbackEndpoint,
    SofiaEndpoint,
    UserEndpoint,
    carried_caller_name,
    carried_caller_number,
    carried_value,
)

# --- FreeSWITCH's parsers ----------------------------------------------------------------------

_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


def _expand(text: str) -> str:
    """switch_channel_expand_variables, for a text without ``$``."""
    assert "$" not in text
    if not any("\\" + c in text for c in "\\nst'"):
        return text
    result, position = [], 0
    while position < len(text):
        pair = text[position : position + 2]
        if pair == "\\'":
            position += 2
        elif pair == "\\\\":
            result.append("\\")
            position += 2
        else:
            result.append(text[position])
            position += 1
    return "".join(result)


def _cleanup(text: str, delimiter: str) -> str:
    """cleanup_separated_string."""
    text = text.lstrip(" ")
    result: list[str] = []
    end, inside, position = None, False, 0
    while position < len(text):
        here, after = text[position], text[position + 1 : position + 2]
        if here == "\\" and after and (after in ("'", '"', delimiter, "\\") or after in _UNESCAPED):
            plain = after in ("'", '"', delimiter, "\\")
            result.append(after if plain else _UNESCAPED[after])
            end = len(result)
            position += 2
            continue
        if here == "'" and (inside or "'" in text[position + 1 :]):
            inside = not inside
            end = len(result) if inside else end
        else:
            result.append(here)
            end = len(result) if here != " " or inside else end
        position += 1
    return "".join(result if end is None else result[:end])


def _separate(text: str, delimiter: str, limit: int = 1024) -> list[str]:
    """separate_string_char_delim."""
    if text.startswith("^^") and len(text) > 3:
        text, delimiter = text[3:], text[2]
    parts: list[str] = []
    start, position, inside = 0, 0, False
    while position < len(text):
        if len(parts) + 1 >= limit:
            break
        here = text[position]
        if here == "\\":
            position += 1
        elif here == "'" and (inside or "'" in text[position + 1 :]):
            inside = not inside
        elif here == delimiter and not inside:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    if start < len(text):
        parts.append(text[start:])
    return [_cleanup(part, delimiter) for part in parts]


def _first_word(text: str) -> str:
    """separate_string_blank_delim, its first element."""
    position, inside = 0, False
    while position < len(text) and (text[position] != " " or inside):
        if text[position] == "\\":
            position += 1
        elif text[position] == "'":
            inside = not inside
        position += 1
    return _cleanup(text[:position], "")


def _end_of_block(text: str) -> int:
    """switch_find_end_paren."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if not depth:
            return position
    raise AssertionError(f"the braces are not closed in {text!r}")


@dataclass
class Dialled:
    """What FreeSWITCH dials."""

    endpoint: str
    variables: dict[str, str]


def _originate(text: str) -> Dialled:
    """switch_ivr_originate and switch_event_create_brackets."""
    assert ":_:" not in text, "an enterprise originate"
    assert "origination_nested_vars=true" not in text
    variables: dict[str, str] = {}
    while text.startswith("{"):
        end = _end_of_block(text)
        block, text = text[1:end], text[end + 1 :]
        if block.startswith("^^"):
            raise AssertionError("another separator")
        for part in _separate(block, ","):
            pair = _separate(part, "=", limit=2)
            if len(pair) == 2:
                assert not pair[1].startswith("ARRAY::")
                variables[pair[0]] = pair[1]
    assert not set(text) & set("|,<>{}'\\ "), f"more than one endpoint in {text!r}"
    return Dialled(text, variables)


def bridged(dial_string: DialString) -> Dialled:
    return _originate(_expand(dial_string.format()))


def originated(dial_string: DialString) -> Dialled:
    line = Originate(dial_string.format_for_originate()).line()
    return _originate(_first_word(line.removeprefix("originate ")))


# --- values ------------------------------------------------------------------------------------

PARK = LoopbackEndpoint("park", "default")
# The same values are sent through the real switch by tests/live/test_dialstring.py.
EXACT = [
    "plain", " ", "  both  ", "'", "''", "'''", "'a'", "it's 'so' ''", "a,b", ",", "a=b", "=", "|",
    "a|b:_:c:_:_:d", ":_:", "\\", "\\\\", "\\\\\\", "a\\", "\\n\\r\\t\\s", "\\'", "\\,", "\\=",
    "\\ ", " \\", '"', '\\"', "{", "}", "}{", "{a}", "a}}b{", "{{{", "}}}", "[a]", "]", "<x>",
    "^^", "^^:a", "%41%0d%0a", "%[a=b]", "origination_nested_vars=true", "x ARRAY::a|:b", "ARRAY:",
    "ü", "你好 😀", "&park()", "undef", "a   b", "' '", " ' ' ", "=,'\\ }", "{'", "'}'", ";a=b/",
    "O'Brien, \"Ann\" {x} [y] \\ ^^ = | : , %41 ü 你",
]  # fmt: skip


@pytest.mark.parametrize("value", EXACT)
@pytest.mark.parametrize("read", [bridged, originated])
def test_a_value_arrives_exactly(read: Callable[[DialString], Dialled], value: str) -> None:
    dialled = read(DialString(PARK, {"before": "1", "x": value, "after": "2"}))
    assert dialled.endpoint == "loopback/park/default"
    kept = {name: text for name, text in dialled.variables.items() if name != "fsctl_brace"}
    assert kept == {"before": "1", "x": value, "after": "2"}


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        ("$", "＄"),
        ("${system(x)}", "＄{system(x)}"),
        ("a\r\nb\tc\x00d\x7f", "a  b c d "),
        ("\ud800", "?"),
        ("ARRAY::a|:b", "ARRAY: a|:b"),
        ("ARRAY::ARRAY::", "ARRAY: ARRAY::"),
        ("\x85\u2028", "\x85\u2028"),
    ],
)
def test_what_cannot_be_carried_is_replaced(value: str, carried: str) -> None:
    assert carried_value(value) == carried
    dial_string = DialString(PARK, {"x": value})
    assert bridged(dial_string).variables["x"] == carried
    assert originated(dial_string).variables["x"] == carried


def test_an_empty_value_is_written() -> None:
    dial_string = DialString(PARK, {"x": "", "y": "1"})
    assert bridged(dial_string).variables == {"x": "", "y": "1"}
    assert originated(dial_string).variables == {"x": "", "y": "1"}


@pytest.mark.parametrize(
    ("name", "value", "carried"),
    [
        (
            "origination_caller_id_name",
            'A "B" <c@d> \\ 1/2: 5% $',
            "A ＂B＂ ＜c＠d＞ ＼ 1／2： 5％ ＄",
        ),
        ("effective_caller_id_name", "a/b", "a／b"),
        ("origination_caller_id_name", "O'Brien, {ü} 你", "O'Brien, {ü} 你"),
        ("origination_caller_id_number", "+1 (555)@x%41ü", "+1__555__x_41_"),
        ("effective_caller_id_number", "ann.b-c_d~*", "ann.b-c_d~*"),
        ("sip_h_X-Name", 'A "B" <c@d> / :', 'A "B" <c@d> / :'),
    ],
)
def test_a_caller_is_shown_as_sofia_can_carry_it(name: str, value: str, carried: str) -> None:
    assert bridged(DialString(PARK, {name: value})).variables == {name: carried}


def test_the_caller_functions_are_what_a_dial_string_applies() -> None:
    assert carried_caller_name('"$"\n') == "＂＄＂ "
    assert carried_caller_number("") == ""


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "loopback/park/default"),
        ({"a": "1", "b": "x y"}, "{a=1,b=x y}loopback/park/default"),
        ({"a": "b,c"}, "{a=b\\\\,c}loopback/park/default"),
        ({"a": "}"}, "{fsctl_brace={,a=}}loopback/park/default"),
        ({"a": "{"}, "{a={,fsctl_brace=}}loopback/park/default"),
    ],
)
def test_the_exact_text(variables: dict[str, str], text: str) -> None:
    dial_string = DialString(PARK, variables)
    assert dial_string.format() == text == str(dial_string)


def test_the_exact_text_for_originate() -> None:
    dial_string = DialString(PARK, {"a": "x y", "b": "c,d"})
    assert dial_string.format_for_originate() == "{a=x y,b=c\\,d}loopback/park/default"


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a=b", "a,b", "a}", "a[0]", "${a}", "a'", "a\\", "ü", "^^", "a\n",
             "x" * 200]
)  # fmt: skip
def test_a_variable_needs_a_plain_name(name: str) -> None:
    with pytest.raises(DialStringError):
        DialString(PARK, {name: "1"})


def test_too_many_variables() -> None:
    variables = {f"v{index}": "1" for index in range(MAX_VARIABLES)}
    assert bridged(DialString(PARK, variables)).variables == variables
    with pytest.raises(DialStringError):
        DialString(PARK, {**variables, "one_more": "1"})


# --- endpoints ---------------------------------------------------------------------------------


def sofia(uri: str, passed: tuple[str, ...] = (), transport: str = "") -> SofiaEndpoint:
    return SofiaEndpoint("lab", parse_uri(uri), passed, transport)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (sofia("sip:3000@h:5070"), "sofia/lab/sip:3000@h:5070"),
        (sofia("sip:+1-5_.~*@192.0.2.1"), "sofia/lab/sip:+1-5_.~*@192.0.2.1"),
        (sofia("sip:a%20b@[::1]:5060"), "sofia/lab/sip:a%20b@[::1]:5060"),
        (sofia("sip:a:secret@h?X-A=b"), "sofia/lab/sip:a@h"),
        (sofia("sip:a@h;transport=TCP"), "sofia/lab/sip:a@h;transport=tcp"),
        (sofia("sip:a@h;transport=ws"), "sofia/lab/sip:a@h"),
        (sofia("sip:a@h;fs_path=sip%3Ax;maddr=y"), "sofia/lab/sip:a@h"),
        (sofia("sips:a@h;transport=tcp"), "sofia/lab/sips:a@h;transport=tls"),
        (sofia("sip:fs_path=x;port=tls@h"), "sofia/lab/sip:fs_path%3Dx%3Bport%3Dtls@h"),
        (sofia("sip:a|b,c/d^e$f'g@h"), "sofia/lab/sip:a%7Cb%2Cc%2Fd%5Ee%24f%27g@h"),
        (sofia("sip:ü@h"), "sofia/lab/sip:%C3%BC@h"),
        (sofia("sip:h:5061;x-m=8:a"), "sofia/lab/sip:h:5061"),
        (sofia("sip:h;X-M=8:a;maddr=y;x-t", ("x-*",)), "sofia/lab/sip:h;X-M=8:a;x-t"),
        (sofia("sip:h;x-m=a%2Cb%7Cc%7D%40", ("x-*",)), "sofia/lab/sip:h;x-m=a%2Cb%7Cc%7D%40"),
        (sofia("sip:a@h;transport=udp", (), "tls"), "sofia/lab/sip:a@h;transport=tls"),
        (UserEndpoint("1001", "example.com"), "user/1001@example.com"),
        (UserEndpoint("*97#", "[::1]"), "user/*97#@[::1]"),
        (GatewayEndpoint("carrier-1", "+1555"), "sofia/gateway/carrier-1/+1555"),
        (GatewayEndpoint("g", "a@b;c"), "sofia/gateway/g/a%40b%3Bc"),
        (LoopbackEndpoint("3000", "fsctl_refer"), "loopback/3000/fsctl_refer"),
    ],
)
def test_an_endpoint_as_text(endpoint: Endpoint, text: str) -> None:
    assert endpoint.format() == text
    assert bridged(DialString(endpoint)).endpoint == text
    assert originated(DialString(endpoint)).endpoint == text


def test_sofia_is_told_to_leave_the_uri_alone() -> None:
    assert bridged(DialString(sofia("sip:a@h"), {"x": "1"})).variables == {
        "sofia_suppress_url_encoding": "true",
        "x": "1",
    }


@pytest.mark.parametrize(
    "parameter",
    [
        *("x-transport=ws", "x-fs_path=sip:h", "x-port=1", "x-a=fs_path%3Dsip%3Ah", "x-maddr=h"),
        *("lr", "method=BYE", f"x-a={'1' * 1100}", "x-a!=1"),
    ],
)
def test_a_parameter_in_which_sofia_finds_a_word_of_its_own_is_not_dialled(parameter: str) -> None:
    with pytest.raises(DialStringError):
        sofia(f"sip:h;{parameter}", ("*",))


BAD_USERS = ["a\nb", "a\x00", "\x7f", "\ud800", "ü" * 200]
BAD_NUMBERS = ["", "a b", "a@b", "a/b", "app=park", "a,b", "a|b", "a'b", "${x}", "$", "a%41",
               "a^b", "{a}", "[a]", "ü", "a\n", "a:b", "1" * 129]  # fmt: skip
BAD_NAMES = ["", "a/b", "a b", "a,b", "${x}", "a|b", "a:_:b", "a\n", "ü", "a'b", "{a}"]


@pytest.mark.parametrize("user", BAD_USERS)
def test_a_user_part_that_cannot_be_dialled(user: str) -> None:
    with pytest.raises(DialStringError):
        SofiaEndpoint("lab", Uri("sip", user, None, "h", None))
    with pytest.raises(DialStringError):
        GatewayEndpoint("g", user)


def test_a_gateway_needs_a_number() -> None:
    with pytest.raises(DialStringError):
        GatewayEndpoint("g", "")


@pytest.mark.parametrize("number", BAD_NUMBERS)
def test_a_number_that_cannot_be_looked_up(number: str) -> None:
    with pytest.raises(DialStringError):
        UserEndpoint(number, "h")
    with pytest.raises(DialStringError):
        LoopbackEndpoint(number, "default")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_not_plain(name: str) -> None:
    with pytest.raises(DialStringError):
        SofiaEndpoint(name, parse_uri("sip:a@h"))
    with pytest.raises(DialStringError):
        GatewayEndpoint(name, "1")
    with pytest.raises(DialStringError):
        LoopbackEndpoint("1", name)


@pytest.mark.parametrize("host", ["", "a/b", "a,b", "a b", "a;fs_path=b", "${x}", "a@b", "a|b"])
def test_a_host_that_is_not_plain(host: str) -> None:
    with pytest.raises(DialStringError):
        SofiaEndpoint("lab", Uri("sip", "a", None, host, None))
    with pytest.raises(DialStringError):
        UserEndpoint("1", host)


@pytest.mark.parametrize(
    ("profile", "uri"), [("gateway", "sip:a@h"), ("GateWay", "sip:a@h"), ("lab", "tel:+15")]
)
def test_a_uri_that_sofia_would_take_for_something_else(profile: str, uri: str) -> None:
    with pytest.raises(DialStringError):
        SofiaEndpoint(profile, parse_uri(uri))


# --- properties --------------------------------------------------------------------------------

VALUES = st.text() | st.text("{}[]'\"\\,=|:_^$ &<>%@/;nrst\r\n", max_size=12)
VARIABLES = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), VALUES)
USERS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)


@given(VARIABLES, USERS)
def test_whatever_comes_from_the_network_is_carried(variables: dict[str, str], user: str) -> None:
    dial_string = DialString(SofiaEndpoint("lab", Uri("sip", user, None, "h", 5060)), variables)
    for text in (dial_string.format(), dial_string.format_for_originate()):
        assert not set(text) & set("$\r\n\x00") and text.count("{") == text.count("}")
    for dialled in (bridged(dial_string), originated(dial_string)):
        address = dialled.endpoint.removeprefix("sofia/lab/sip:")
        assert unquote(address.removesuffix("@h:5060")) == user
        for name, value in variables.items():
            assert dialled.variables[name] == carried_value(value)
        assert dialled.variables.keys() - variables.keys() <= {
            "sofia_suppress_url_encoding", "fsctl_brace",
        }  # fmt: skip


@given(VALUES)
def test_carrying_is_done_once(value: str) -> None:
    for carried in (carried_value, carried_caller_name, carried_caller_number):
        assert carried(carried(value)) == carried(value)
