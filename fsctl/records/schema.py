"""The tables as the newest fsctl has them; `migrations` leads there from each older one.

Times are UTC. A leg, and each party of a transfer, is named by its channel's uuid. NULL: nothing
has told it, or not yet.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from fsctl.sip.roles import ROLES


class Moment(TypeDecorator[datetime]):
    """A moment, given and returned with its zone, UTC. SQLite knows no zones: there it is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


METADATA = MetaData()

_ID = String(64)
_NAME = String(128)
_NUMBER = String(256)
_CALL_ID = String(256)

CALLS = Table(
    "calls",
    METADATA,
    Column("id", _ID, primary_key=True, doc="the session"),
    Column("switch", _NAME, doc="the FreeSWITCH that its legs are on"),
    Column("process", Integer, doc="the worker that has it"),
    Column("began", Moment, nullable=False, index=True),
    Column("ended", Moment, doc="NULL: it goes on, or its worker died with it"),
)
"""What one session has seen: a call from its start, or from its first transfer on."""

LEGS = Table(
    "legs",
    METADATA,
    Column("id", _ID, primary_key=True, doc="its channel; of a party that we have called its name"),
    Column("channel", _ID, index=True, doc="NULL: none of its channels has answered"),
    Column("call", _ID, index=True, doc="the session that had it last"),
    Column("number", _NUMBER, index=True),
    Column("name", _NUMBER),
    Column("call_id", _CALL_ID, index=True, doc="Call-ID of its SIP dialog"),
    Column("outgoing", Boolean, doc="we have called the party"),
    Column("dialled", _NUMBER, doc="what a caller has dialled"),
    Column("began", Moment, nullable=False),
    Column("answered", Moment),
    Column("ended", Moment),
)

TRANSFERS = Table(
    "transfers",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("call", _ID, index=True, doc="the session"),
    Column("switch", _NAME),
    Column("kind", String(32)),
    *(Column(role, _ID) for role in ROLES),
    *(Column(f"{role}_number", _NUMBER, index=True) for role in ROLES),
    *(Column(f"{role}_call_id", _CALL_ID) for role in ROLES),
    Column("refer_to", Text, doc="as the REFER has it"),
    Column("began", Moment, nullable=False, index=True),
    Column("ended", Moment),
    Column("outcome", String(32), doc="NULL: it goes on"),
    Column("code", Integer, doc="what the transferor was told"),
    Column("reason", _NUMBER),
    Column("details", JSON(none_as_null=True), doc="all else that its record has"),
)

STEPS = Table(
    "steps",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("transfer", _ID, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("what", _NAME, nullable=False, doc="what has happened"),
    Column("state", Text, nullable=False, doc="how the transfer stands since"),
)

MESSAGES = Table(
    "messages",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("transfer", _ID, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("src", _NAME, nullable=False, doc="address:port, IPv6 in brackets"),
    Column("dst", _NAME, nullable=False),
    Column("transport", String(8), nullable=False),
    Column("text", LargeBinary, nullable=False, doc="without secrets (fsctl.hep.masking)"),
    Column("flags", _NAME, nullable=False, doc="words: truncated, gap (something before is lost)"),
)
"""SIP messages of all legs of a transfer that has failed, or was abandoned; in their order."""

NEWS = Table(
    "news",
    METADATA,
    Column("transfer", _ID, primary_key=True),
    Column("body", LargeBinary, nullable=False, doc="what is sent, the same each time"),
    Column("began", Moment, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", Moment, index=True, doc="NULL: it was taken, or is given up"),
    Column("answer", _NUMBER, doc="what the last try has brought, in words"),
)
"""What `fsctl.desk.news` sends; there with the end of its transfer, in one transaction."""

JOURNALS = Table(
    "journals",
    METADATA,
    Column("file", _NAME, primary_key=True),
    Column("kept_to", BigInteger, nullable=False, doc="bytes of it that are kept"),
    Column("read_at", Float, nullable=False),
)
"""How far the files of `fsctl.journal` have been read: written with what stood there, or not."""

Index("transfers_by_outcome", TRANSFERS.c.outcome, TRANSFERS.c.began)
