"""Routes decide how a dialled user, number or SIP URI becomes an endpoint of FreeSWITCH."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fsctl.errors import FsctlError
from fsctl.setting_regex import LONGEST
from fsctl.settings import OWN_HOSTS, Route, RouteKind, Settings
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, UriError, parse_uri, telephone
from fsctl.switch.dialstring import (
    Endpoint,
    GatewayEndpoint,
    LoopbackEndpoint,
    SofiaEndpoint,
    UserEndpoint,
)
from fsctl.switch.marks import Context, Mark


class NoRoute(FsctlError):
    """No route admits the destination; ``status`` is what the one who asked is told."""

    def __init__(self, message: str, status: SipStatus) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Routed:
    """A destination with the route that admits it."""

    route: Route
    endpoint: Endpoint
    number: str
    """The number as the route dials it: without what it strips, with its prefix."""


class Router:
    """Finds the first route that matches a destination. Immutable after its making."""

    def __init__(self, settings: Settings) -> None:
        self._default_profile = settings.dialplan.sofia_profile
        self._routes = [(re.compile(r.match, re.ASCII), r) for r in settings.routes]
        named = (*settings.call.own_hosts, *(r.domain for r in settings.routes if r.domain))
        self._own = tuple(glob.lower() for glob in named)

    def route(
        self,
        destination: str | Uri,
        domain: str,
        kind: RouteKind | None = None,
        own: Collection[str] = (),
    ) -> Routed:
        """Return where ``destination`` is dialled.

        A text with a scheme (``sip:``, ``tel:``) is parsed. Of a telephone-subscriber its number
        counts (`fsctl.sip.uri.telephone`); a user part that may be a name or a number is tried
        as a name first.
        ``domain`` is the domain of the call that asks, for routes without one of their own; with
        ``kind`` only the routes of that kind, and those into the switch's own dialplan, are asked.
        ``own`` are the hosts that name this switch (lower case), besides that domain and those of
        the settings; a URI of any other host is dialled only where a route names it. ``sips:`` asks
        for a secure hop (RFC 3261 section 19.1): only routes that have one are asked.
        Raises :class:`NoRoute` (404; 416 where all that there is, is not secure; or the URI's own
        400 and 416).
        """
        uri = self._uri(destination)
        numbers = uri.numbers() if isinstance(uri, Uri) else telephone(uri)
        host = uri.host if isinstance(uri, Uri) else ""
        ours = self.is_own(host, domain, own)
        insecure = False
        if len(numbers[0]) > LONGEST:
            raise NoRoute(f"no number has {len(numbers[0])} characters", SipStatus(404))
        for number in numbers:
            for pattern, route in self._routes:
                wanted = _is_left(number, route) and _is_of(route, kind)
                if wanted and pattern.fullmatch(number) and _host_matches(route, host, ours):
                    if _is_secure_enough(route, uri):
                        return self._routed(route, number, uri, domain)
                    insecure = True
        if insecure:
            raise NoRoute(f"no secure route for sips:{numbers[0]!r}", SipStatus(416))
        raise NoRoute(f"no route for {numbers[0]!r} at {host!r}", SipStatus(404))

    def is_own(self, host: str, domain: str, own: Collection[str]) -> bool:
        """Whether a host of a URI names this switch; see `route`."""
        return host == domain.lower() or host in own or any(fnmatchcase(host, g) for g in self._own)

    def _routed(self, route: Route, dialled: str, uri: str | Uri, domain: str) -> Routed:
        number = route.prefix + dialled[route.strip :]
        try:
            return Routed(route, self._endpoint(route, number, uri, domain), number)
        except ValueError as error:
            raise NoRoute(f"{number!r} cannot be dialled: {error}", SipStatus(404)) from error

    @staticmethod
    def _uri(destination: str | Uri) -> str | Uri:
        if isinstance(destination, Uri) or not re.match(r"(?i)[a-z][a-z0-9+.-]*:", destination):
            return destination
        try:
            return parse_uri(destination)
        except UriError as error:
            raise NoRoute(str(error), SipStatus(error.sip_status)) from error

    def _endpoint(self, route: Route, number: str, uri: str | Uri, domain: str) -> Endpoint:
        if route.kind == "user":
            return UserEndpoint(number, route.domain or domain)
        if route.kind == "gateway":
            return GatewayEndpoint(route.gateway, number)
        if route.in_dialplan:
            return LoopbackEndpoint(number, Context.TARGET, of_loopback(route), "XML")
        profile = route.profile or self._default_profile
        if route.kind == "sofia":
            parameters = (("transport", route.transport),) if route.transport else ()
            address = Uri("sip", number, None, route.host, route.port or None, parameters, ())
            return SofiaEndpoint(profile, address)
        if isinstance(uri, Uri) and uri.host:
            return SofiaEndpoint(profile, uri, route.uri_parameters, route.transport)
        raise ValueError("a route of kind 'uri' needs a destination with a host")


def _is_left(number: str, route: Route) -> bool:
    """Whether something is left to be dialled: a URI may be its host alone."""
    return len(number) > route.strip or (route.kind == "uri" and not number)


def of_loopback(route: Route) -> dict[str, str]:
    """Return the variables that say where a number of that route is called; an empty context is
    that of the party for which it is called."""
    if route.kind == "dialplan":
        return {Mark.TARGET_CONTEXT: route.context, **dict(route.variables)}
    return {Mark.TARGET_CONTEXT: Context.SERVICE, Mark.ROUTE: route.name}


def _is_of(route: Route, kind: RouteKind | None) -> bool:
    """The switch's own dialplan may lead anywhere."""
    return kind in (None, route.kind) or route.in_dialplan


def _host_matches(route: Route, host: str, is_own: bool) -> bool:
    """A number without a host belongs to every route but those that dial the host itself."""
    if not host:
        return route.kind != "uri"
    return any(
        is_own if glob == OWN_HOSTS else fnmatchcase(host, glob.lower()) for glob in route.hosts
    )


def _is_secure_enough(route: Route, uri: str | Uri) -> bool:
    """Only of such a route it is known that it uses TLS: what a user's own dial string or a gateway
    does is not."""
    asked = isinstance(uri, Uri) and uri.scheme == "sips"
    return not asked or route.kind == "uri" or (route.kind == "sofia" and route.transport == "tls")
