"""What the API promises, as OpenAPI 3.1 describes it; the tests hold it to that."""

from __future__ import annotations

from typing import Any, Final

from fsctl import __version__

Schema = dict[str, Any]


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _answer(schema: Schema, meaning: str) -> Schema:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer"}
_FLAG: Final[Schema] = {"type": "boolean"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_UUID: Final[Schema] = {"type": "string", "format": "uuid"}
_OUTCOMES: Final = ["succeeded", "failed", "abandoned"]


def _errors(*codes: int) -> dict[str, Schema]:
    meanings = {
        **{400: "Not understood", 401: "The token is missing or wrong", 403: "Not allowed"},
        **{404: "Not there", 409: "It could not be done", 413: "Too large"},
        **{415: "Not JSON", 429: "Too many requests", 503: "Not available now"},
    }
    always = (401, 403, 429)
    return {str(code): _answer(_ref("Error"), meanings[code]) for code in sorted({*codes, *always})}


def _get(
    summary: str, schema: Schema, *codes: int, parameters: list[Schema] | None = None
) -> Schema:
    answers = {"200": _answer(schema, "OK"), **_errors(*codes)}
    operation: Schema = {"summary": summary, "responses": answers}
    return {"get": operation | ({"parameters": parameters} if parameters else {})}


def _query(name: str, schema: Schema, meaning: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": meaning}


def _path(name: str, schema: Schema, meaning: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": meaning}


_LIMIT = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "At most so many")
_NUMBER_OF = _query("number", _TEXT, "Of a party, or its last digits")

_LEG = _object(
    {"leg": _TEXT, "state": _TEXT, "began": _TIME},
    {
        **{name: _TEXT for name in ("channel", "number", "name", "call_id", "dialled")},
        **{"outgoing": _FLAG, "answered": _TIME, "ended": _TIME},
    },
)
_CALL = _object(
    {
        "id": _TEXT,
        "switch": _TEXT,
        "began": _TIME,
        "legs": {"type": "object", "additionalProperties": _ref("Leg")},
        "process": _NUMBER,
    }
)
_TRANSFER = {
    **_object(
        {
            "id": _TEXT,
            "call": _or_null(_TEXT),
            "switch": _or_null(_TEXT),
            "kind": _or_null(_TEXT),
            "began": _TIME,
            "outcome": _or_null({"enum": _OUTCOMES}),
            "code": _or_null(_NUMBER),
            "reason": _or_null(_TEXT),
            "refer_to": _or_null(_TEXT),
        },
        {"cause": _TEXT, "would_have": _TEXT},
    ),
    "description": "One that was kept has its parties in columns, one that goes on as objects",
}
_STATUS = _object(
    {
        "version": _TEXT,
        "problems": _list(_TEXT),
        "calls": _NUMBER,
        "transfers": _NUMBER,
        "workers": _list({"type": "object"}),
        "event": _NUMBER,
    }
)
_ERROR = _object({"error": _object({"code": _NUMBER, "message": _TEXT})})
_READY = _object({"status": _TEXT, "problems": _list(_TEXT)})
_LEVEL = _object({"level": {"enum": ["debug", "info", "warning", "error"]}})

_ASKED = _object(
    {"call": _UUID, "target": {"type": "string", "pattern": r"^[^\x00-\x20\x7f]{1,256}$"}},
    {"ring_timeout_s": {"type": "integer", "minimum": 1, "maximum": 600}},
)
_RESULT = _object(
    {
        **{"call": _UUID, "target": _TEXT, "outcome": {"enum": ["succeeded", "failed"]}},
        **{"code": _NUMBER, "reason": _TEXT, "why": _TEXT},
    }
)
_TRANSFER_PARTY: Final[Schema] = {
    "post": {
        "summary": "Have a party transferred; answered when that is over, in whatever way",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ASKED}}},
        "responses": {"200": _answer(_RESULT, "It is over"), **_errors(400, 409, 413)},
    }
}

DESCRIPTION: Final[Schema] = {
    "openapi": "3.1.0",
    "info": {
        "title": "fsctl",
        "version": __version__,
        "description": "Calls and transfers that fsctl serves. What is not a GET needs the token"
        " of [http] as `Authorization: Bearer TOKEN`; unknown fields may be added to any answer.",
    },
    "security": [{}, {"token": []}],
    "paths": {
        "/healthz": _get("Whether this process answers", _object({"status": _TEXT})),
        "/readyz": {
            "get": {
                "summary": "Whether calls and transfers are served",
                "responses": {
                    "200": _answer(_READY, "They are"),
                    **_errors(),
                    "503": _answer(_READY, "They are not, and why"),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "For Prometheus",
                "responses": {
                    "200": {"description": "OK", "content": {"text/plain": {"schema": _TEXT}}},
                    **_errors(),
                },
            }
        },
        "/api/v1/openapi.json": _get("This description", {"type": "object"}),
        "/api/v1/status": _get("How all is", _ref("Status")),
        "/api/v1/calls": _get(
            "Calls that go on",
            _object({"calls": _list(_ref("Call")), "total": _NUMBER, "event": _NUMBER}),
            400,
            parameters=[_NUMBER_OF, _LIMIT],
        ),
        "/api/v1/calls/{id}": _get(
            "One of them", _ref("Call"), 404, parameters=[_path("id", _TEXT, "The session")]
        ),
        "/api/v1/transfers": _TRANSFER_PARTY
        | _get(
            "Transfers, the newest first",
            _object({"transfers": _list(_ref("Transfer")), "event": _NUMBER}),
            400,
            503,
            parameters=[
                _NUMBER_OF,
                _query("outcome", {"enum": [*_OUTCOMES, "open"]}, "open: it goes on"),
                _query("switch", _TEXT, "The FreeSWITCH"),
                _query("since", _TIME, "Began then or later"),
                _query("until", _TIME, "Began then or earlier"),
                _query("live", {"enum": ["1", "true"]}, "Those that go on, and the latest"),
                _LIMIT,
            ],
        ),
        "/api/v1/transfers/{id}": _get(
            "All that is known of one",
            _object({"transfers": _list(_ref("Transfer"))}),
            404,
            503,
            parameters=[
                _path("id", _TEXT, "Its id, or the first characters; a session, channel or Call-ID")
            ],
        ),
        **{
            f"/api/v1/transfers/{{id}}/ladder.{form}": {
                "get": {
                    "summary": f"The ladder of its call, {meaning}",
                    "parameters": [_path("id", _TEXT, "As above")],
                    "responses": {
                        "200": {"description": "OK", "content": {kind: {"schema": _TEXT}}},
                        **_errors(404, 503),
                    },
                }
            }
            for form, kind, meaning in (
                ("svg", "image/svg+xml", "as a picture"),
                ("txt", "text/plain", "in lines"),
                ("pcap", "application/vnd.tcpdump.pcap", "as its SIP messages"),
            )
        },
        "/api/v1/policy/counts": _get(
            "Who has asked for how many transfers in the last minute, those with most first",
            _object({"counts": _list(_object({"party": _TEXT, "count": _NUMBER}))}),
        )
        | {
            "delete": {
                "summary": "Have a party counted anew",
                "security": [{"token": []}],
                "parameters": [_query("party", _TEXT, "As it is listed") | {"required": True}],
                "responses": {"200": _answer(_object({"party": _TEXT}), "Done"), **_errors(404)},
            }
        },
        "/api/v1/messages": _get(
            "SIP messages that were heard lately ([hep])",
            _object({"messages": _list({"type": "object"})}),
            parameters=[_query("call_id", _list(_TEXT), "Call-IDs of dialogs")],
        ),
        "/api/v1/legs/{channel}/hangup": {
            "post": {
                "summary": "Have FreeSWITCH hang up a leg",
                "security": [{"token": []}],
                "parameters": [_path("channel", _UUID, "Its channel")],
                "responses": {
                    "202": _answer(_object({"channel": _UUID}), "FreeSWITCH was told"),
                    **_errors(400, 404, 409),
                },
            }
        },
        "/api/v1/log-level": {
            "put": {
                "summary": "Log from this level on, until the processes start anew",
                "security": [{"token": []}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _LEVEL}},
                },
                "responses": {"200": _answer(_LEVEL, "Done"), **_errors(400, 409, 413)},
            }
        },
        "/api/v1/drain": {
            "post": {
                "summary": "End as by SIGTERM: no new calls, running ones go on for a while",
                "security": [{"token": []}],
                "responses": {
                    "202": _answer(_object({"status": _TEXT}), "It begins"),
                    **_errors(409),
                },
            }
        },
    },
    "components": {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "Call": _CALL,
            "Error": _ERROR,
            "Leg": _LEG,
            "Status": _STATUS,
            "Transfer": _TRANSFER,
        },
    },
}
"""Without ``/api/v1/events``, the stream of changes (server-sent events: call, call-over, transfer,
worker, and reset, when some were missed)."""
