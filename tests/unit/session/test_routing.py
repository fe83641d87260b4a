"""Routes: which destination is dialled where, and which is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsctl.policy.numbers import classes_of
from fsctl.policy.parties import Party
from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.judging import destination
from fsctl.session.calling.routing import NoRoute, Router
from fsctl.settings import Policy, Route, Settings
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, parse_uri

OWN = {"2001:db8::1", "pbx.here.example"}


def router(*routes: Route) -> Router:
    call = replace(Settings().call, own_hosts=("*.own.example",))
    return Router(replace(Settings(), call=call, routes=routes))


USERS = Route(name="users", match="1[0-9]{3}")
ABROAD = Route(name="abroad", match="00.+", kind="gateway", gateway="carrier", strip=2, prefix="+")
PARTNER = Route(
    name="partner", match=".+", kind="uri", hosts=("*.partner.example",), profile="external"
)
SIP = Route(
    name="sip",
    match="9.*",
    kind="sofia",
    profile="lab",
    host="10.0.0.1",
    port=5070,
    transport="tcp",
)
HOUSE = Route(
    name="house", match="[*#].*|7.*", kind="dialplan", context="other", variables=(("a", "b"),)
)
SECURE = replace(SIP, name="tls", match="8.*", port=0, transport="tls")


@pytest.mark.parametrize(
    ("destination", "endpoint"),
    [
        ("1001", "user/1001@here.example"),
        (parse_uri("sip:1001@HERE.example"), "user/1001@here.example"),
        ("sip:1001@[2001:DB8::1]:5070", "user/1001@here.example"),
        ("sip:1001@also.own.example", "user/1001@here.example"),
        (
            "sips:bob@pbx.partner.example",
            "sofia/external/sips:bob@pbx.partner.example;transport=tls",
        ),
        ("sips:800@here.example", "sofia/lab/sip:800@10.0.0.1;transport=tls"),
        ("0044123", "sofia/gateway/carrier/+44123"),
        ("tel:0044-123", "sofia/gateway/carrier/+44123"),
        ("sip:bob@pbx.partner.example:5080", "sofia/external/sip:bob@pbx.partner.example:5080"),
        ("900", "sofia/lab/sip:900@10.0.0.1:5070;transport=tcp"),
        ("*97#", "loopback/*97#/fsctl_target/XML"),
    ],
)
def test_dialled(destination, endpoint):
    routed = router(USERS, ABROAD, PARTNER, SIP, SECURE, HOUSE).route(
        destination, "here.example", own=OWN
    )
    assert routed.endpoint.format() == endpoint


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("bob", 404),  # a uri route needs a host
        ("sip:bob@partner.example.org", 404),
        ("sip:bob@evilpartner.example", 404),
        ("00", 404),  # nothing would be left
        ("", 404),
        ("http://example.org/", 416),
        ("sip:%00@pbx.partner.example", 400),
        ("12345", 404),
        ("sip:1001@evil.example", 404),
        ("sip:1001@here.example.evil", 404),
        ("sip:1001@[2001:db8::2]", 404),
        ("sip:0044123@evil.example", 404),
        ("sips:1001@here.example", 416),
        ("sips:0044123@pbx.here.example", 416),
        ("sips:900@here.example", 416),
        ("sips:1001@evil.example", 404),
    ],
)
def test_refused(destination, status):
    with pytest.raises(NoRoute) as refusal:
        router(USERS, ABROAD, PARTNER, SIP).route(destination, "here.example", own=OWN)
    assert refusal.value.status.code == status


def test_the_first_route_wins():
    first, second = replace(USERS, domain="one.example"), replace(USERS, name="b", domain="two")
    assert router(first, second).route("1001", "").endpoint.format() == "user/1001@one.example"


def test_a_number_that_no_dial_string_can_carry_is_not_found():
    with pytest.raises(NoRoute) as refusal:
        router(Route()).route("a,loopback/b", "here.example")
    assert refusal.value.status.code == 404


def test_hosts_are_compared_without_case():
    assert router(PARTNER).route("sip:bob@PBX.Partner.Example", "").number == "bob"


@pytest.mark.parametrize(
    ("second", "first_called"),
    [
        ("<sip:1002@example.org>;q=0.5", "1001"),
        ("<sip:1002@example.org>", "1001"),
        ("<sip:1002@example.org>;q=1.0", "1001"),
        ("<sip:1002@example.org>;q=7", "1001"),  # none that there is: as good as any
        ("<sip:1002@example.org>;q=best", "1001"),
    ],
)
def test_the_contacts_of_a_redirection_are_called_best_first(
    second: str, first_called: str
) -> None:
    attempts, contacts = Attempts(5, ""), ["<sip:1001@example.org>", second]
    for listed in (contacts, contacts[::-1]) if second.endswith("0.5") else (contacts,):
        following = replace(attempts).next(
            SipStatus(302), listed, lambda uri: router(Route()).route(uri, "example.org")
        )
        assert following is not None and following.number == first_called


def test_the_switchs_own_dialplan_may_lead_to_a_gateway_but_is_not_known_to_be_secure():
    one = router(HOUSE, ABROAD)
    assert one.route("700", "here.example", "gateway").route is HOUSE
    assert one.route("700", "").endpoint.variables() == {"fsctl_target_context": "other", "a": "b"}
    with pytest.raises(NoRoute) as raised:
        one.route("sips:700@here.example", "here.example")
    assert raised.value.status == SipStatus(416)
    with pytest.raises(NoRoute) as raised:
        one.route("7/x", "here.example")
    assert raised.value.status == SipStatus(404)


@pytest.mark.parametrize(
    "text", ["sip:100@a.partner.example", parse_uri("sip:100@a.partner.example")]
)
def test_a_foreign_host_is_judged_however_it_is_dialled(text: str | Uri) -> None:
    """A scenario may pass on the text of a Refer-To: 100 is nobody's number there."""
    of = Party("inside", "test")
    to = destination(Settings(), router(PARTNER).route(text, "here"), of)
    assert classes_of(to, Policy()) >= {"outside", "host"}


@pytest.mark.parametrize(
    ("of_route", "own", "judged"),
    [("", "house", "house"), ("shop", "house", "shop"), ("", "", "default")],
)
def test_a_number_of_the_dialplan_is_judged_in_the_context_where_it_is_called(
    of_route: str, own: str, judged: str
) -> None:
    route = Route(name="dialplan", kind="dialplan", context=of_route)
    settings = Settings(routes=(route,))
    of = Party("inside", "test", context=own)
    to = destination(settings, Router(settings).route("1002", ""), of)
    assert to.is_one_of((f"context:{judged}",), Policy())
