"""The application: what is asked for where, and what it answers. `openapi` describes it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Protocol
from uuid import UUID

from flask import Flask, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest, Conflict, NotFound, ServiceUnavailable
from werkzeug.routing import BaseConverter

from fsctl import __version__, moments
from fsctl.desk.figures import CONTENT_TYPE, Figures
from fsctl.desk.live import Live, Shown
from fsctl.errors import FsctlError
from fsctl.hep.message import Message
from fsctl.ladder import pcap, svg, text
from fsctl.policy.counts import Counts
from fsctl.records.find import Wanted
from fsctl.records.ladders import Material, clock
from fsctl.records.words import cause, would_have
from fsctl.settings import Http
from fsctl.web.guard import PAGE, guard
from fsctl.web.openapi import DESCRIPTION
from fsctl.web.streams import Streams

MOST_ROWS = 1000
MOST_CALL_IDS = 50
_WIDE = 160
"""Characters of a ladder's line."""
_TARGET = r"[^\x00-\x20\x7f]{1,256}"
_YEARS = (1971, 9000)
_OUTCOMES = ("succeeded", "failed", "abandoned", "open")
_LEVELS = ("debug", "info", "warning", "error")
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_FILES = {path: path[1:] or "page.html" for path in PAGE}


class _AnyText(BaseConverter):
    """A part of a path that may be a Call-ID, in which slashes stand anywhere."""

    regex = ".+?"
    part_isolating = False
    weight = 200


class Desk(Protocol):
    """Whose application it is."""

    live: Live
    figures: Figures
    counts: Counts

    def unready(self) -> list[str]:
        """Return why calls and transfers are not served, in words; nothing: they are."""

    def problems(self) -> list[str]:
        """Return that, and what else is not well."""

    def transfers(self, wanted: Wanted) -> list[dict[str, Any]]:
        """See `fsctl.records.find`. Raises SQLAlchemyError."""

    def one_transfer(self, name: str) -> list[dict[str, Any]]:
        """As that, with ``legs`` and ``steps``. Raises SQLAlchemyError."""

    def material(self, name: str) -> Material | None:
        """What a ladder is drawn from; see `fsctl.records.ladders`. Raises FsctlError,
        SQLAlchemyError."""

    def heard(self, call_ids: list[str]) -> list[Message]:
        """SIP messages of these Call-IDs that were heard lately."""

    def have_transferred(self, call: str, target: str, ring_timeout_s: int | None) -> Shown:
        """Have a party transferred, and wait for what comes of it.

        Raises FsctlError, ValueError.
        """

    def hang_up(self, switch: str, channel: str) -> None:
        """Have FreeSWITCH hang up a leg. Raises FsctlError."""

    def set_log_level(self, level: str) -> None:
        """Of all processes, until they start anew. Raises FsctlError."""

    def drain(self) -> None:
        """Have the controller end as by SIGTERM. Raises FsctlError."""


def make(desk: Desk, settings: Http) -> tuple[Flask, Streams]:
    """Return the application of this desk."""
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False
    app.url_map.converters["any_text"] = _AnyText
    guard(app, settings)
    streams = Streams(desk.live, time.time_ns() // 1000)  # a number that JavaScript can tell
    _add_files(app)
    _add_health(app, desk)
    _add_reading(app, desk, streams)
    _add_transfers(app, desk, streams)
    _add_acting(app, desk)
    return app, streams


def _add_files(app: Flask) -> None:
    folder = files("fsctl.web") / "static"

    def answer() -> Response:
        name = _FILES[request.path]
        kind = _TYPES[name.rpartition(".")[2]]
        return Response((folder / name).read_bytes(), mimetype=kind)

    for path, name in _FILES.items():
        app.add_url_rule(path, name, answer)


def _add_health(app: Flask, desk: Desk) -> None:
    @app.get("/healthz")
    def healthz() -> Shown:
        """This process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> tuple[Shown, int]:
        """Calls and transfers are served."""
        unready = desk.unready()
        status = {"status": "unready" if unready else "ok", "problems": desk.problems()}
        return status, 503 if unready else 200

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(desk.figures.text(), content_type=CONTENT_TYPE)


def _add_reading(app: Flask, desk: Desk, streams: Streams) -> None:
    live = desk.live

    @app.get("/api/v1/openapi.json")
    def openapi() -> Shown:
        return DESCRIPTION

    @app.get("/api/v1/status")
    def status() -> Shown:
        return {
            "version": __version__,
            "problems": desk.problems(),
            "calls": len(live.calls),
            "transfers": len(live.running()),
            "workers": list(live.workers.values()),
            "event": streams.number,
        }

    @app.get("/api/v1/calls")
    def calls() -> Shown:
        number = request.args.get("number", "")
        found = [call for call in live.calls.values() if _has(call, number)]
        return {"calls": found[: _limit()], "total": len(found), "event": streams.number}

    @app.get("/api/v1/calls/<name>")
    def call(name: str) -> Shown:
        if name not in live.calls:
            raise NotFound("no such call goes on")
        return live.calls[name]

    @app.get("/api/v1/policy/counts")
    def counts() -> Shown:
        listed = desk.counts.listed().items()
        return {"counts": [{"party": party, "count": count} for party, count in listed]}

    @app.get("/api/v1/messages")
    def messages() -> Shown:
        """What FreeSWITCH has sent of these calls lately ([hep])."""
        asked = request.args.getlist("call_id")[:MOST_CALL_IDS]
        return {"messages": [message.fields() for message in desk.heard(asked)]}

    @app.get("/api/v1/events")
    def events() -> Response:
        if streams.full:
            raise ServiceUnavailable("too many listen already")
        last = request.headers.get("Last-Event-ID") or request.args.get("after") or ""
        told = streams.listen(int(last[:20]) if last.isascii() and last.isdecimal() else None)
        # Without it nginx would keep changes back until it has some kilobytes of them.
        return Response(told, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _add_transfers(app: Flask, desk: Desk, streams: Streams) -> None:
    live = desk.live

    @app.get("/api/v1/transfers")
    def transfers() -> Shown:
        """Those that were kept, or with ``live`` those that go on and the latest, unkept or not."""
        if request.args.get("live") in ("1", "true"):
            newest = list(reversed(live.transfers.values()))
            return {"transfers": newest[: _limit()], "event": streams.number}
        try:
            found = desk.transfers(_wanted())
        except SQLAlchemyError as error:
            raise ServiceUnavailable("the database cannot be read") from error
        shown = [_shown(row) | {"cause": cause(row)} for row in found]
        return {"transfers": shown, "event": streams.number}

    @app.get("/api/v1/transfers/<any_text:name>")
    def transfer(name: str) -> Shown:
        """As it was kept; one that was not, or not yet, as it goes on."""
        known = [each for each in live.transfers.values() if each["id"].startswith(name)]
        try:
            found = desk.one_transfer(name)
        except SQLAlchemyError as error:
            if not known:
                raise ServiceUnavailable("the database cannot be read") from error
            found = []
        if not found and not known:
            raise NotFound("no such transfer is known")
        kept = [_shown(row) | _in_words(row) for row in found]
        return {"transfers": kept or known}

    @app.get("/api/v1/transfers/<any_text:name>/ladder.<form>")
    def ladder(name: str, form: str) -> Response:
        """Drawn of what was kept, or heard lately; times are the desk's own."""
        if form not in _LADDERS:
            raise NotFound(f"a ladder is one of {', '.join(_LADDERS)}")
        try:
            found = desk.material(name)
        except SQLAlchemyError as error:
            raise ServiceUnavailable("the database cannot be read") from error
        except FsctlError as error:
            raise NotFound(str(error)) from error
        if found is None:
            raise NotFound("no such transfer was kept")
        kind, draw = _LADDERS[form]
        return Response(draw(found), mimetype=kind)


def _add_acting(app: Flask, desk: Desk) -> None:
    @app.post("/api/v1/legs/<channel>/hangup")
    def hang_up(channel: str) -> tuple[Shown, int]:
        switch = _switch_of(desk.live, _uuid(channel))
        _do(lambda: desk.hang_up(switch, channel))
        return {"channel": channel}, 202

    @app.post("/api/v1/transfers")
    def transfer_party() -> Shown:
        """As `fsctl transfer`: answered when it is over, in whatever way."""
        body = _body()
        call, target, timeout = body.get("call"), body.get("target"), body.get("ring_timeout_s")
        if not isinstance(target, str) or not re.fullmatch(_TARGET, target):
            raise BadRequest("target: must be a number, or a SIP or tel URI")
        try:
            return desk.have_transferred(_uuid(str(call)), target, _ring_timeout_s(timeout))
        except (FsctlError, ValueError) as error:
            raise Conflict(str(error)) from error

    @app.delete("/api/v1/policy/counts")
    def forget() -> Shown:
        party = request.args.get("party", "")
        if not desk.counts.forget(party):
            raise NotFound("that party is not counted")
        return {"party": party}

    @app.put("/api/v1/log-level")
    def log_level() -> Shown:
        level = _body().get("level")
        if level not in _LEVELS:
            raise BadRequest(f"level: must be one of {', '.join(_LEVELS)}")
        _do(lambda: desk.set_log_level(str(level)))
        return {"level": level}

    @app.post("/api/v1/drain")
    def drain() -> tuple[Shown, int]:
        _do(desk.drain)
        return {"status": "draining"}, 202


def _do(act: Any) -> None:
    try:
        act()
    except FsctlError as error:
        raise Conflict(str(error)) from error


_LADDERS: dict[str, tuple[str, Callable[[Material], str | bytes]]] = {
    "svg": ("image/svg+xml", lambda found: svg.draw(found.ladder(), clock)),
    "txt": ("text/plain", lambda found: text.draw(found.ladder(), clock, _WIDE)),
    "pcap": ("application/vnd.tcpdump.pcap", lambda found: pcap.write(found.messages)),
}


# -- what is asked ------------------------------------------------------------------------------


def _limit() -> int:
    text = request.args.get("limit", "100")
    if not (re.fullmatch("[0-9]{1,6}", text) and 1 <= int(text) <= MOST_ROWS):
        raise BadRequest(f"limit: must be 1..{MOST_ROWS}")
    return int(text)


def _wanted() -> Wanted:
    asked = request.args
    outcome = asked.get("outcome", "")
    if outcome and outcome not in _OUTCOMES:
        raise BadRequest(f"outcome: must be one of {', '.join(_OUTCOMES)}")
    since, until = (_moment(name) for name in ("since", "until"))
    number, switch = asked.get("number", ""), asked.get("switch", "")
    return Wanted(number, outcome, switch, since, until, _limit())


def _moment(name: str) -> datetime | None:
    """A moment as RFC 3339 has it; a "+" that nobody has escaped has become a space."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        said = re.sub(r"(?<=T)([0-9:.]+) (?=[0-9]{2}:?[0-9]{2}$)", r"\1+", text.upper())
        moment = datetime.fromisoformat(re.sub(r":60(?=[.Z+-])", ":59", said))
    except ValueError:
        raise BadRequest(f"{name}: must be a time as RFC 3339 has it") from None
    # No database need be asked about others, in whatever zone.
    year = min(max(moment.year, _YEARS[0]), _YEARS[1])
    if year != moment.year:
        return datetime(year, 1, 1, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _body() -> Mapping[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested as deeply as nobody means it
        body = None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _ring_timeout_s(given: object) -> int | None:
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and 1 <= given <= 600:
        whole = int(given)
        if whole == given:
            return whole
    raise BadRequest("ring_timeout_s: must be 1..600")


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise BadRequest("must be the uuid of a channel") from None


def _switch_of(live: Live, channel: str) -> str:
    for call in live.calls.values():
        if any(leg.get("channel") == channel for leg in call["legs"].values()):
            return str(call["switch"])
    raise NotFound("no such leg is in a call that goes on here")


def _has(call: Shown, number: str) -> bool:
    return not number or any(
        str(leg.get(name) or "").endswith(number)
        for leg in call["legs"].values()
        for name in ("number", "dialled")
    )


def _in_words(row: Mapping[str, Any]) -> Shown:
    would = would_have(row["details"] or {})
    return {"cause": cause(row, row["steps"])} | ({"would_have": would} if would else {})


def _shown(row: Mapping[str, Any]) -> Shown:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return moments.for_programs(value)
    if isinstance(value, list):
        return [_shown(each) if isinstance(each, Mapping) else each for each in value]
    return value
