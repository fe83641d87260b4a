"""Who may transfer whom where: the pure part of the policy."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from fsctl.policy.counts import SIZE
from fsctl.policy.judge import NOTHING, Asking, Request, hopeless, judge, table
from fsctl.policy.numbers import Destination, classes_of
from fsctl.policy.parties import FACTS, SEPARATOR, Party, party
from fsctl.policy.times import is_within
from fsctl.policy.vouched import inside_expression
from fsctl.service.shared import Shared, make_shared
from fsctl.setting_policy import OUR_RULES, Policy, Rule
from fsctl.switch.facts import noted
from fsctl.switch.marks import Mark

GERMAN = Policy(country="DE", outside_prefix="0")
INSIDE, OUTSIDE = Party("inside", "test", "1001@pbx"), Party("outside", "test")


def decide(by, of, number, policy=GERMAN, rules=(), **more):
    to = Destination(number, **{k: more.pop(k) for k in ("kind", "host", "inside") if k in more})
    at = more.pop("at", datetime(2026, 11, 30, 10))
    asked = Asking(by, of, more.pop("start", "blind"), **more)
    return judge(Request(asked, to, at), policy, rules)


def test_facts_are_the_channels_own():
    assert Mark.OWN_CONTEXT in FACTS
    assert noted(";".join(["_undef_"] * len(FACTS))) == dict.fromkeys(FACTS)
    assert noted("inbound;true;1001") is None  # cut short: nobody is believed
    assert noted(None) is None


@pytest.mark.parametrize(
    ("facts", "side", "user"),
    [
        ({"direction": None}, "unknown", ""),
        ({}, "outside", ""),
        ({"sip_authorized": "true"}, "outside", ""),
        ({"sip_auth_username": "1001"}, "outside", ""),  # no digest was checked
        (
            {"sip_authorized": "true", "sip_auth_username": "1001", "sip_auth_realm": "pbx"},
            "inside",
            "1001@pbx",
        ),
        ({"sip_authorized": "true", "sip_acl_authed_by": "lan"}, "outside", ""),
        (
            {"sip_authorized": "true", "sip_acl_authed_by": "lan", "sip_acl_token": "1002@pbx"},
            "inside",
            "1002@pbx",
        ),
        (  # an ACL lets it in unchallenged: the dialplan has set the name, for its trunk
            {"sip_authorized": "true", "sip_acl_authed_by": "wan", "sip_auth_username": "trunk"},
            "outside",
            "",
        ),
        ({"direction": "outbound", "dialed_user": "1001"}, "inside", "1001"),
        ({"dialed_user": "1001"}, "outside", ""),  # a caller's own
        ({"direction": "outbound", "sip_auth_username": "trunk"}, "outside", ""),
        (
            {"direction": "outbound", "dialed_user": "1001", "sip_gateway_name": "carrier"},
            "outside",  # a user whose phone is at a trunk
            "",
        ),
        (
            {"sip_authorized": "true", "sip_auth_username": "1001", "sip_gateway": "carrier"},
            "outside",
            "",
        ),
    ],
)
def test_side(facts, side, user):
    found = party({"direction": "inbound", **facts}, GERMAN)
    assert (found.side, found.user) == (side, user)


@pytest.mark.parametrize(
    ("words", "facts", "side"),
    [
        ({"inside": ("acl:lan",)}, {"sip_acl_authed_by": "lan"}, "inside"),
        ({"inside": ("acl:lan",)}, {"sip_acl_authed_by": "wan"}, "outside"),
        ({"inside": ("gateway:desk",)}, {"sip_gateway": "desk"}, "inside"),
        ({"outside": ("user:2*",)}, {"dialed_user": "1", "sip_acl_token": "2"}, "inside"),
        ({"inside": ("context:office",)}, {"fsctl_own_context": "office"}, "inside"),
        ({"inside": ("profile:lan",)}, {"sofia_profile_name": "lan"}, "inside"),
        ({"inside": ("network:192.0.2.0/24",)}, {"sip_network_ip": "192.0.2.7"}, "inside"),
        ({"inside": ("network:192.0.2.0/24",)}, {"sip_network_ip": "::ffff:192.0.2.7"}, "inside"),
        ({"inside": ("network:192.0.2.0/24",)}, {"sip_network_ip": "198.51.100.1"}, "outside"),
        ({"inside": ("network:192.0.2.0/24",)}, {"sip_network_ip": "nonsense"}, "outside"),
        ({"outside": ("user:guest*",)}, {"dialed_user": "guest1"}, "outside"),
        ({"outside": ("user:guest*",)}, {"dialed_user": "1001"}, "inside"),
        ({"outside": ("user:1001@b",)}, {"dialed_user": "1001", "dialed_domain": "a"}, "inside"),
        (
            {"inside": ("profile:lan",), "outside": ("acl:bad",)},
            {"sofia_profile_name": "lan", "sip_acl_authed_by": "bad"},
            "outside",
        ),
    ],
)
def test_settings_name_more(words, facts, side):
    facts = {"direction": "outbound" if "dialed_user" in facts else "inbound", **facts}
    assert party(facts, replace(GERMAN, **words)).side == side


ABROAD = [
    ("DE", "+14045551234"),
    ("DE", "00014045551234"),  # with the outside line's 0
    ("DE", "+870773111111"),
    ("DE", "+0442079460000"),
    ("DE", "0000442079460000"),
    ("DE", "*31#00442079460000"),
    ("DE", "0*31#00442079460000"),
    ("DE", "#31#09001123456"),
    ("DE", "*21*00442079460000#"),
    ("US", "*6719005551212"),
    ("US", "*67011442079460000"),
    ("DE", "+8861234"),
    ("US", "+18765551234"),  # Jamaica has the country code of the United States
    ("US", "18765551234"),
    ("US", "011442079460000"),
    ("US", "00442079460000"),
    ("", "+4930123456"),
    ("", "004930123456"),
    ("", "0114930123456"),
]


@pytest.mark.parametrize(("country", "number"), ABROAD)
def test_abroad_is_closed(country, number):
    policy = Policy(country=country, outside_prefix="0" if country == "DE" else "")
    verdict = decide(INSIDE, INSIDE, number, policy)
    assert (verdict.allowed, verdict.rule, verdict.status.code) in [
        (False, "abroad", 403),
        (False, "premium", 403),
    ]


@pytest.mark.parametrize(
    ("number", "more", "expected"),
    [
        ("1001", {}, {"internal"}),
        ("*97", {}, {"internal"}),
        ("alice", {}, {"internal"}),
        ("1001", {"kind": "user"}, {"internal"}),
        ("4930123456", {"kind": "user"}, {"internal"}),
        ("1001", {"kind": "gateway"}, {"outside", "unknown"}),
        ("1001", {"kind": "uri", "host": "evil.example"}, {"outside", "host"}),
        ("112", {"kind": "uri", "host": "evil.example"}, {"outside", "host"}),
        ("112", {"inside": False}, {"outside", "unknown"}),  # a claim of who has called
        ("0030123456", {}, {"outside", "national", "country:DE"}),
        ("015112345678", {}, {"outside", "national", "country:DE", "mobile"}),
        ("009001123456", {}, {"outside", "national", "country:DE", "premium"}),
        ("0090011234567899", {}, {"outside", "unknown", "premium"}),
        ("008001234567", {}, {"outside", "national", "country:DE", "toll-free"}),
        ("110", {}, {"emergency"}),
        ("0110", {}, {"emergency"}),
        ("911", {}, {"emergency"}),
        ("1-800-x", {}, {"outside", "unknown"}),
        ("٣٣٣", {}, {"outside", "unknown"}),
        ("5551234", {"inside": True}, {"internal"}),
        ("1001", {"inside": False}, {"outside", "unknown"}),
    ],
)
def test_classes(number, more, expected):
    assert classes_of(Destination(number, **more), GERMAN) == expected


@pytest.mark.parametrize(
    ("by", "of", "number", "rule"),
    [
        (INSIDE, OUTSIDE, "1002", "inside"),
        (INSIDE, INSIDE, "0030123456", "inside"),
        (INSIDE, OUTSIDE, "0030123456", "two-outsiders"),
        (INSIDE, OUTSIDE, "112", "emergency"),
        (OUTSIDE, OUTSIDE, "112", "emergency"),
        (OUTSIDE, INSIDE, "1002", "outside-asks"),
        (INSIDE, INSIDE, "009001123456", "premium"),
        (INSIDE, INSIDE, "00033123456789", "abroad"),
    ],
)
def test_secure_as_it_comes(by, of, number, rule):
    verdict = decide(by, of, number)
    assert verdict.rule == rule
    assert verdict.allowed is (rule in ("inside", "emergency"))
    assert rule in verdict.why
    assert number in verdict.why


def test_first_rule_that_matches_decides():
    rules = (
        Rule(name="never-fr", by=("user:1001",), to=("country:FR",), code=603, phrase="No France"),
        Rule(name="fr", to=("country:FR",), when="Mo-Fr 08:00-18:00", then="allow"),
        Rule(name="trunk", by=("gateway:desk",), to=("internal",), leg="callee", then="allow"),
        Rule(name="redirected", by=("outside",), start=("redirect",), then="allow"),
    )
    other = replace(INSIDE, user="1002@pbx")
    assert decide(INSIDE, INSIDE, "+33123456789", rules=rules).status.reason == "No France"
    assert decide(other, INSIDE, "+33123456789", rules=rules).rule == "fr"
    sunday = datetime(2026, 11, 29, 10)
    assert decide(other, INSIDE, "+33123456789", rules=rules, at=sunday).rule == "abroad"
    desk = Party("outside", "test", gateway="desk", called_in=False)
    assert decide(desk, INSIDE, "1002", rules=rules).allowed
    assert not decide(replace(desk, called_in=True), INSIDE, "1002", rules=rules).allowed
    assert not decide(desk, INSIDE, "0030123456", rules=rules).allowed
    assert decide(OUTSIDE, INSIDE, "1002", rules=rules, start="redirect").rule == "redirected"


def test_bounds():
    assert decide(INSIDE, INSIDE, "1002", chain=10).status.code == 483
    assert decide(INSIDE, INSIDE, "1002", chain=9).allowed
    assert decide(INSIDE, INSIDE, "1002", per_minute=31).status.code == 503
    assert decide(INSIDE, INSIDE, "1002", per_minute=30).allowed
    assert decide(INSIDE, INSIDE, "112", per_minute=31, chain=99).rule == "emergency"
    of_all = replace(GERMAN, max_per_minute_of_switch=100)
    refused = decide(INSIDE, INSIDE, "1002", of_all, per_minute_of_switch=101)
    assert (refused.rule, refused.status.code) == ("max-per-minute-of-switch", 503)
    assert decide(INSIDE, INSIDE, "1002", of_all, per_minute_of_switch=100).allowed
    assert decide(INSIDE, INSIDE, "1002", per_minute_of_switch=10**6).allowed
    limited = (Rule(name="few", to=("internal",), per_minute=2, then="allow"),)
    assert decide(INSIDE, INSIDE, "1002", rules=limited, per_minute=2).allowed
    refused = decide(INSIDE, INSIDE, "1002", rules=limited, per_minute=3)
    assert (refused.allowed, refused.rule, refused.status.code) == (False, "few", 503)


def test_no_rule_of_the_settings_has_the_name_of_one_of_ours():
    ours = table(Policy(max_per_minute_of_switch=1), ())
    assert {rule.name for rule in ours} | {NOTHING.name} == OUR_RULES


def test_hopeless_before_the_number_is_known():
    def early(by, rules=(), number="1002", **more):
        request = Request(Asking(by, INSIDE, "blind", **more), Destination(number), datetime.now())
        return hopeless(request, GERMAN, rules)

    assert early(INSIDE) is None
    assert early(OUTSIDE).rule == "outside-asks"
    assert early(OUTSIDE, number="112") is None
    assert early(INSIDE, chain=10).rule == "max-chain"
    opened = (Rule(name="in", by=("outside",), to=("internal",), then="allow"),)
    assert early(OUTSIDE, opened) is None  # a scenario may choose an internal one


@pytest.mark.parametrize(
    ("when", "day", "hour", "within"),
    [
        ("", 30, 3, True),
        ("Mo-Fr", 30, 3, True),
        ("Mo-Fr", 29, 3, False),
        ("Sa-Mo", 29, 3, True),
        ("Tu,Th", 30, 3, False),
        ("08:00-18:00", 29, 8, True),
        ("08:00-18:00", 29, 18, False),
        ("Mo-Fr 08:00-24:00", 30, 23, True),
        ("Mo 22:00-06:00", 30, 23, True),
        ("Su 22:00-06:00", 30, 5, True),
        ("Mo 22:00-06:00", 30, 5, False),
    ],
)
def test_when(when, day, hour, within):
    assert is_within(datetime(2026, 11, day, hour), when) is within  # the 30th is a Monday


def test_counts_agree_over_processes_and_slide():
    now = [6000.0]
    shared = Shared(make_shared())
    one, two = (shared.counts(region, lambda: now[0]) for region in (3, 4))
    assert [one.add("1001"), two.add("1001"), one.add("1001")] == [1, 2, 3]
    assert two.add("1002") == 1
    now[0] += 90.0  # half of the next minute is over: half of what was before counts
    assert one.add("1001") == 1 + 1
    reloaded = shared.counts(5, lambda: now[0])
    assert reloaded.add("1001") == 3
    now[0] += 300.0
    assert two.add("1001") == 1
    crowd = [one.add(f"user {each}") for each in range(3000)]
    assert max(crowd) <= 3, "a party has been taken for another"
    assert SIZE < 2_000_000


def test_a_request_that_is_taken_over_is_counted_once_and_all_are_listed():
    shared = Shared(make_shared())
    one, two = (shared.counts(region, lambda: 6000.0) for region in (3, 4))
    assert [one.add("1001", "leg refer;id=1"), two.add("1001", "leg refer;id=1")] == [1, 1]
    assert [two.add("1001", "leg refer;id=2"), one.add("1001", "leg refer;id=2")] == [2, 2]
    assert [one.add("1002"), one.add("1002"), one.add("1002")] == [1, 2, 3]
    one.add("\u00fc" * 100)
    assert two.listed() == {"1002": 3, "1001": 2, "\u00fc" * 24: 1}


WORDS = (
    *("context:office", "acl:lan", "gateway:desk", "profile:lan", "user:10*", "user:1001@pbx"),
    *("user:*@other", "user:Guest?"),
)
VALUES = {
    "direction": ("inbound", "outbound", None),
    "sip_authorized": ("true", None),
    "sip_auth_username": ("1001", "guest1", None),
    "sip_auth_realm": ("pbx", "other", None),
    "sip_acl_authed_by": ("lan", "wan", None),
    "sip_acl_token": ("1001@pbx", "guest2@other", None),
    "dialed_user": ("1001", "guesty", None),
    "dialed_domain": ("pbx", "other", None),
    "sip_gateway": ("desk", "carrier", None, None),
    "sip_gateway_name": ("desk", "carrier", None, None),
    "sofia_profile_name": ("lan", "internal", None),
    "sip_network_ip": ("192.0.2.1",),
    "fsctl_own_context": ("office", "public", None),
}


@pytest.mark.parametrize("seed", range(40))
def test_the_dialplan_takes_the_same_sides(seed):
    drawn = Random(seed)
    words = [tuple(drawn.sample(WORDS, drawn.choice((0, 0, 1, 2)))) for _ in range(2)]
    policy = Policy(inside=words[0], outside=words[1])
    inside = re.compile(inside_expression(policy), re.ASCII)
    for _ in range(300):
        facts = {name: drawn.choice(VALUES[name]) for name in FACTS}
        mark = SEPARATOR.join(facts[name] or "_undef_" for name in FACTS)
        assert noted(mark) == facts
        assert bool(inside.match(mark)) is (party(facts, policy).side == "inside"), (words, mark)


@pytest.mark.parametrize(
    ("by", "of", "number", "more", "rule", "may_be_opened"),
    [
        (OUTSIDE, INSIDE, "1002", {}, "outside-asks", True),
        (INSIDE, INSIDE, "009001234567", {}, "premium", True),
        (INSIDE, INSIDE, "0004412345678", {}, "abroad", True),
        (INSIDE, OUTSIDE, "0030123456", {}, "two-outsiders", True),
        (INSIDE, INSIDE, "1002", {}, "inside", False),  # nothing is closed
        (INSIDE, INSIDE, "1002", {"chain": 10}, "max-chain", False),
        (INSIDE, INSIDE, "1002", {"per_minute": 31}, "max-per-minute", False),
        (INSIDE, INSIDE, "1003", {}, "mine", False),
        (INSIDE, INSIDE, "1004", {"per_minute": 3}, "limited", False),
    ],
)
def test_what_a_web_service_may_open_is_closed_by_our_own_rules(
    by, of, number, more, rule, may_be_opened
):
    rules = (
        Rule(name="mine", to=("number:1003",)),
        Rule(name="limited", to=("number:1004",), then="allow", per_minute=2),
    )
    verdict = decide(by, of, number, rules=rules, **more)
    assert (verdict.rule, verdict.may_be_opened) == (rule, may_be_opened)
