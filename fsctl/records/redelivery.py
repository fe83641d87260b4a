"""News that somebody wants told again: what is due is sent by the desk (`fsctl.desk.news`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Engine, or_, select

from fsctl.records import find, store
from fsctl.records.find import Row
from fsctl.records.schema import NEWS
from fsctl.sip.roles import ROLES

_TAKEN = or_(NEWS.c.answer.like("HTTP 2%"), NEWS.c.answer == "HTTP 410")
_UNDELIVERED = or_(NEWS.c.due.is_not(None), NEWS.c.answer.is_(None), ~_TAKEN)


def undelivered(engine: Engine, most: int) -> list[Row]:
    """Return what nobody has taken yet, also what was given up; the newest first. Raises
    SQLAlchemyError."""
    columns = [column for column in NEWS.c if column is not NEWS.c.body]
    query = select(*columns).where(_UNDELIVERED).order_by(NEWS.c.began.desc()).limit(most)
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def again(engine: Engine, now: datetime, names: Iterable[str] = ()) -> list[str]:
    """Have these transfers' news told now, whether they were taken or not; without ``names`` all
    that were not. Returns the ids of the transfers; raises SQLAlchemyError.

    A name is as of `fsctl.records.find`; a transfer that goes on, or has no record, has no news.
    """
    names = list(names)
    wanted = [row for name in names for row in find.one_transfer(engine, name) if row["outcome"]]
    by_id = {row["id"]: row for row in wanted}
    with engine.begin() as connection:
        which = NEWS.c.transfer.in_(by_id) if names else _UNDELIVERED
        known = {row.transfer for row in connection.execute(select(NEWS.c.transfer).where(which))}
        due = {"due": now, "tries": 0}
        connection.execute(NEWS.update().where(which).values(**due))
        # Those of before [news] was set.
        new = [_row(by_id[name]) | due for name in by_id.keys() - known]
        if new:
            connection.execute(NEWS.insert(), new)
    return sorted(known | by_id.keys())


def _row(row: Row) -> Row:
    """As the end of the transfer would have made it (`store.keep`)."""
    fields = {
        "session": row["call"] or "",
        **{name: row[name] or "" for name in ("kind", *ROLES, "outcome", "reason", "switch")},
        "code": row["code"],
        "numbers": _by_role(row, "number"),
        "call_ids": _by_role(row, "call_id"),
        **(row["details"] or {}),
        "id": row["id"],
    }
    body = store.news_body(row["ended"] or row["began"], fields)
    return {"transfer": row["id"], "began": row["began"], "body": body}


def _by_role(row: Row, what: str) -> dict[str, str]:
    return {role: row[f"{role}_{what}"] for role in ROLES if row[f"{role}_{what}"]}
