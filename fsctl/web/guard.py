"""Who may ask for what: by the name it is asked for, by a token, and how often.

There are no cookies, so no page of somebody else's can have a browser say the token; the name that
is asked for is looked at, so that none can read by having its own name lead here (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request
from werkzeug.exceptions import Forbidden, HTTPException, TooManyRequests, Unauthorized

from fsctl.settings import Http

MOST_BYTES = 64 << 10
"""So large may what is asked be."""
ACTS_A_SECOND = 5.0
BURST = 20.0
READS_A_SECOND = 100.0
_OPEN = ("/healthz", "/readyz")
"""Who asks these learns nothing of anybody."""
PAGE = ("/", "/page.js", "/rows.js", "/words.js", "/page.css", "/favicon.svg")
"""The page itself has nothing of anybody in it: it asks for what it shows."""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Bucket:
    """So many at once, and then so many a second."""

    def __init__(self, a_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._a_second, self._burst, self._clock = a_second, burst, clock
        self._left, self._at = burst, clock()

    def take(self) -> bool:
        """Whether one more is allowed."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def guard(app: Flask, settings: Http, clock: Callable[[], float] = time.monotonic) -> None:
    """Have every request looked at before it is answered."""
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    # Who guesses at the token, or asks for too much without it, is in nobody's way who says it.
    buckets = {
        known: {
            True: Bucket(ACTS_A_SECOND, BURST, clock),
            False: Bucket(READS_A_SECOND, 2 * READS_A_SECOND, clock),
        }
        for known in (True, False)
    }

    @app.before_request
    def look() -> None:
        _check_name(request, settings)
        acting = request.method not in ("GET", "HEAD", "OPTIONS")
        known = _says(request, settings.token)
        # Who asks whether we live is told whatever others ask: else these could have us killed.
        if request.path not in _OPEN and not buckets[known][acting].take():
            raise TooManyRequests("too many requests; try again in a second")
        if acting or (settings.guards_reading and request.path not in (*_OPEN, *PAGE)):
            _check_token(known, settings.token)

    @app.after_request
    def head(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @app.errorhandler(HTTPException)
    def tell(error: HTTPException) -> tuple[dict[str, object], int, dict[str, str]]:
        code = error.code or 500
        headers = {"WWW-Authenticate": 'Bearer realm="fsctl"'} if code == 401 else {}
        return {"error": {"code": code, "message": error.description or error.name}}, code, headers


def _check_name(asked: Request, settings: Http) -> None:
    """Raises Forbidden: browsers come here by a name that somebody else has chosen."""
    host = (urlsplit(f"//{asked.host}").hostname or "").lower()
    if host != "localhost" and host not in settings.hosts and not _is_address(host):
        raise Forbidden("this name is not served: [http] hosts")
    origin = asked.headers.get("Origin")
    if origin is not None and _name_in(origin) != asked.host.lower():
        raise Forbidden("asked from another site")


def _says(asked: Request, token: str) -> bool:
    """Whether it says the token. That takes as long, whatever it says."""
    scheme, _, said = asked.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(said.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and right


def _check_token(known: bool, token: str) -> None:
    """Raises Unauthorized, Forbidden."""
    if not token:
        raise Forbidden("nothing can be done here until [http] token_file is set")
    if not known:
        raise Unauthorized("the token is missing or wrong")


def _name_in(origin: str) -> str:
    """Its host and port; empty: it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
