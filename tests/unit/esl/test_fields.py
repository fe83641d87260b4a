"""fsctl.esl.fields: nothing ends a line, and quoting is what FreeSWITCH undoes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.errors import CommandError
from fsctl.esl import fields

TEXT = st.text(st.characters(exclude_characters="\x00\r\n", exclude_categories=["Cs"]))


def cleaned(token: str) -> str:
    """switch_utils.c cleanup_separated_string for the blank separator, in Python."""
    source, out, end, inside, at = token.lstrip(" "), "", 0, False, 0
    escapes = {"n": "\n", "r": "\r", "t": "\t", "s": " ", "'": "'", '"': '"', "\\": "\\"}
    while at < len(source):
        char = source[at]
        if char == "\\" and source[at + 1 : at + 2] in escapes and at + 1 < len(source):
            at += 1
            out += escapes[source[at]]
            end = len(out)
        elif char == "'" and (inside or "'" in source[at + 1 :]):
            inside = not inside
            end = len(out) if inside else end
        else:
            out += char
            end = len(out) if char != " " or inside else end
        at += 1
    return out[:end] if end else out


@given(TEXT)
def test_freeswitch_undoes_quoting(value: str) -> None:
    assert cleaned(fields.quote(value, always=True)) == value
    assert cleaned(fields.quote(value)) == value


@given(st.text("ab '\\\"=;"))
def test_freeswitch_undoes_quoting_of_its_own_signs(value: str) -> None:
    assert cleaned(fields.quote(value)) == value


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain", "plain"),
        ("", "''"),
        ("O'Brien", "'O\\'Brien'"),
        ("a b", "'a b'"),
        ("back\\slash", "'back\\\\slash'"),
        ("mod_event_socket", "'mod_''event_socket'"),
    ],
)
def test_quote(value: str, quoted: str) -> None:
    assert fields.quote(value) == quoted


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\x00b", "\ud800"])
def test_line_breakers_are_refused(bad: str) -> None:
    with pytest.raises(CommandError):
        fields.check_text("field", bad)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (fields.check_uuid, "a1-B_2.c", ["", "a b", "a" * 65, "a\n", "\u00fc", "a/b"]),
        (fields.check_job_uuid, "a" * 36, ["a" * 37, "", "a b"]),
        (fields.check_name, "variable_x:y", ["", "a b", "a[1]", "a\n", "${x}"]),
        (fields.check_cause, "USER_BUSY", ["", "user_busy", "A B"]),
    ],
)
def test_words(check: object, good: str, bad: list[str]) -> None:
    assert callable(check)
    check("field", good)
    for value in bad:
        with pytest.raises(CommandError, match="field"):
            check("field", value)


@pytest.mark.parametrize("bad", [0, -1, 86_401, True, 1.5, "1"])
def test_seconds(bad: int) -> None:
    fields.check_seconds("field", 86_400)
    with pytest.raises(CommandError):
        fields.check_seconds("field", bad)


def test_choices() -> None:
    fields.check_choice("field", "a", ("a", "b"))
    with pytest.raises(CommandError, match="a, b"):
        fields.check_choice("field", "c", ("a", "b"))


def test_a_command_error_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        fields.check_uuid("field", "")
