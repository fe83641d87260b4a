"""Expressions of the settings are asked about numbers from the network: none may take forever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsctl.setting_regex import LONGEST, Ambiguous, check

GOOD = [
    *(".*", ".+", "[0-9]{4}", "(?:0|00)[0-9]+", "[0-9]+(?:-[0-9]+)*", r"\+?[0-9 ]*x.*"),
    *(r"1[0-9]{3}|2[0-9]{3}|\*97", "(?!0900)[0-9]+", "(?:\\+49|0049|0)(?:15|16|17)[0-9]{7,10}"),
    *("^.*$", "[0-9]{2}[0-9]{3}[0-9]{4}[0-9]{2}[0-9]{9}", "[a-z]+@[a-z.]+", "(?:a|b)*c"),
    *("(?:ab|ac)?[0-9*#]{1,5}", r"\d*\d\d", ".*1.*", "(?:[0-9]{3}-)?[0-9]{4}"),
    "|".join(str(number) for number in range(1000, 1090)),
]
BAD = [
    *("(a+)+b", "(a*)*b", "(a|ab|b)*c", "([0-9]+)*#", r"(?:\d+|[0-9a]+)+x", ".*.*.*.*.*x"),
    *("a?" * 30 + "a" * 30, "(a?){30}a{30}", "(x+x+)+y", "(?:[0-9]+ ?)*#", "(a{1,30}){1,30}b"),
    *("(?=(a+)+b).*", "(?:[0-9]?[0-9])*x", "(.*)*", "a++"),
]
_CHARACTER = st.sampled_from(("a", "b", "[ab]", ".", "[^a]"))
_EXPRESSION = st.recursive(
    _CHARACTER,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("*", "+", "?", "{1,3}", "{2}"))).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("expression", GOOD)
def test_what_is_usual_is_accepted(expression):
    check(expression)


@pytest.mark.parametrize("expression", BAD)
def test_what_could_take_forever_is_refused(expression):
    with pytest.raises(Ambiguous):
        check(expression)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(_EXPRESSION)
def test_what_is_accepted_is_answered_in_a_moment(expression):
    """Longer numbers are not asked about."""
    try:
        check(expression)
    except Ambiguous:
        return
    for text in ("a", "b", "ab", "aab"):
        # Were one of these exponential it would not return.
        assert not re.fullmatch(expression + "!", (text * LONGEST)[:LONGEST] + "?", re.ASCII)
