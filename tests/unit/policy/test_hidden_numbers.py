"""Nothing written in a Refer-To, and no order of the rules, leads past what is closed."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsctl.policy.judge import Asking, Request, judge, table
from fsctl.policy.parties import Party
from fsctl.session.calling.judging import destination
from fsctl.session.calling.routing import NoRoute, Router
from fsctl.setting_policy import Policy, Rule
from fsctl.settings import Route, Settings
from fsctl.sip.refer import parse_refer_to
from fsctl.sip.uri import UriError

NOW = datetime(2026, 11, 30, 10)
CLOSED = ("09001123456", "00442079460000", "0012125551212", "+442079460000", "+499001123456")
"""Premium and abroad, as Germans dial them."""
ROUTES = {
    kind: Settings(
        routes=(Route(name="all", kind=kind, match=".+", gateway="carrier", host="carrier"),),
        policy=Policy(country="DE", outside_prefix="0" if kind == "dialplan" else ""),
    )
    for kind in ("dialplan", "gateway", "sofia")
}
PARTIES = (
    Party("inside", "test", "1001@pbx"),
    Party("outside", "test", gateway="carrier"),
    Party("unknown", "test"),
)
TAILS = (
    *("", ";user=phone", ";phone-context=+49", ";user=phone;phone-context=example.org"),
    *(";ext=12", "?Refer-To=%3Csip:1002@pbx%3E", ";isub=1;maddr=evil"),
)
WIDE = {ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)}
ARABIC = {ord(str(digit)): chr(0x0660 + digit) for digit in range(10)}


def _escaped(text: str) -> str:
    return "".join(f"%{ord(each):02X}" for each in text)


@st.composite
def disguised(draw: st.DrawFn, kind: str) -> str:
    """A Refer-To that leads to a number which is closed, or pretends to."""
    number = draw(st.sampled_from(CLOSED))
    if number.startswith("00"):
        number = draw(st.sampled_from(("", "0", "00"))) + number
    number = draw(st.sampled_from(("", "", "*31#", "#31#", "*67", "*21*"))) + number
    number = ROUTES[kind].policy.outside_prefix + number
    number += draw(st.sampled_from(("", "", "#", "9", "123", "p1", "x12", ",,1", ";ext=1", " 1")))
    for mark in draw(st.lists(st.sampled_from(("-", ".", " ", "(", ")", "/")), max_size=3)):
        place = draw(st.integers(1, len(number)))
        number = number[:place] + mark + number[place:]
    number = number.translate(draw(st.sampled_from(({}, {}, WIDE, ARABIC))))
    user = (
        draw(st.sampled_from((quote, quote, _escaped)))(number)
        if number.isascii()
        else quote(number)
    )
    tail = draw(st.sampled_from(TAILS))
    scheme = draw(st.sampled_from(("sip", "sip", "sip", "SIP", "tel")))
    if scheme == "tel":
        return f"<tel:{user}{tail if tail.startswith(';') else ''}>"
    secret = draw(st.sampled_from(("", "", ":secret")))
    return f"<{scheme}:{user}{secret}@pbx{tail}>"


def _judged(refer_to: str, kind: str, by: Party, of: Party, rules: tuple[Rule, ...] = ()):
    """What the policy says of it; None: nobody can be called so."""
    known = ROUTES[kind]
    try:
        target = parse_refer_to(refer_to).target
        routed = Router(known).route(target, "pbx")
        to = destination(known, routed, of)
        routed.endpoint.format()
    except (UriError, NoRoute):
        return None
    return judge(Request(Asking(by, of, "blind"), to, NOW), known.policy, rules), to


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(sorted(ROUTES)), st.sampled_from(PARTIES))
def test_a_number_that_is_closed_hides_behind_nothing(
    data: st.DataObject, kind: str, of: Party
) -> None:
    refer_to = data.draw(disguised(kind))
    found = _judged(refer_to, kind, PARTIES[0], of)
    assert found is None or not found[0].allowed, (refer_to, found)


@pytest.mark.parametrize("word", ["prefix:0800", "number:0800[0-9]+"])
@pytest.mark.parametrize(
    "user", ["0800123", "00800123", "0-800-123", "0800%20123", "0%EF%BC%98%EF%BC%90%EF%BC%90123"]
)
def test_what_an_operator_closes_hides_behind_nothing_and_what_is_opened_is_as_written(
    word: str, user: str
) -> None:
    closes = Rule("closed", to=(word,))
    opens = Rule("opened", to=(word,), then="allow")
    inside = PARTIES[0]
    found = _judged(f"<sip:{user}@pbx>", "dialplan", inside, inside, (closes,))
    assert found is None or found[0].rule == "closed"
    found = _judged(f"<sip:{user}@pbx>", "dialplan", inside, inside, (opens,))
    assert found is None or (found[0].rule == "opened") is (user == "0800123")


WORDS = st.lists(
    st.sampled_from(
        ("internal", "outside", "abroad", "premium", "national", "unknown", "route:all")
    ),
    max_size=2,
).map(tuple)
SIDES = st.lists(st.sampled_from(("inside", "outside", "unknown", "user:10*")), max_size=2).map(
    tuple
)
RULES = st.lists(
    st.builds(
        Rule, by=SIDES, of=SIDES, to=WORDS, then=st.sampled_from(("allow", "refuse")),
        code=st.integers(400, 699),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    RULES,
    st.one_of(disguised("dialplan"), st.sampled_from(("<sip:1002@pbx>", "<sip:030123456@pbx>"))),
    st.sampled_from(PARTIES),
    st.sampled_from(PARTIES),
)
def test_the_first_rule_that_is_true_decides(
    rules: list[Rule], refer_to: str, by: Party, of: Party
) -> None:
    """Whatever stands behind it: so a refusal in front of all others holds, always."""
    named = tuple(
        Rule(f"rule{n}", each.by, each.of, each.to, then=each.then, code=each.code)
        for n, each in enumerate(rules)
    )
    found = _judged(refer_to, "dialplan", by, of, named)
    if found is None:
        return
    verdict, to = found
    policy = ROUTES["dialplan"].policy
    true = (
        rule
        for rule in table(policy, named)
        if rule.name not in ("max-chain", "max-per-minute")
        and by.is_one_of(rule.by)
        and of.is_one_of(rule.of)
        and to.is_one_of(rule.to, policy, closing=rule.then == "refuse")
    )
    first = next(true, None)
    expected = (first.name, first.then == "allow") if first else ("nothing-matches", False)
    assert (verdict.rule, verdict.allowed) == expected
