"""``[[group]]``: numbers behind which several ring, and where a call goes when none answers."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import OWN_HOSTS, key

Ring = Literal["all", "in-turn"]

_MOST: Final = 50
_ELSEWHERE: Final = kinds.template(kinds.PREFIX, "number")


@dataclass(frozen=True, slots=True)
class Group:
    """``[[group]]``: a number that stands for others; the first that matches counts.

    ``match`` and ``hosts`` are a route's. ``members`` are numbers (none: the dialled one itself),
    which ``ring`` "all" together or "in-turn", each for ``ring_timeout_s`` (None: as its route
    says). ``on_busy`` (486, 600, 603), ``on_no_answer`` (somebody's phone has rung) and
    ``on_failure`` (everything else) are called next; ``{number}`` in them is the dialled number;
    empty: that is the end. Every number is planned by the routes, as if it had been dialled.
    """

    name: str = key("", kinds.NAME)
    match: str = key("", kinds.REGEX)
    hosts: tuple[str, ...] = key((OWN_HOSTS,), kinds.HOST_GLOBS)
    members: tuple[str, ...] = key((), kinds.list_of(kinds.SAFE))
    ring: Ring = key("all", kinds.choice("all", "in-turn"))
    ring_timeout_s: int | None = key(None, kinds.integer(1, 600))
    on_busy: str = key("", _ELSEWHERE)
    on_no_answer: str = key("", _ELSEWHERE)
    on_failure: str = key("", _ELSEWHERE)


def read_groups(origin: str, tables: Any, base: Path) -> tuple[Group, ...]:
    """Read the ``[[group]]``s. Raises SettingsError."""
    groups = []
    for where, accepted in kinds.accept_tables(origin, "group", Group, tables, base):
        if "match" not in accepted:
            raise SettingsError(f"{where} match: is missing")
        members = accepted.get("members", ())
        if len(members) > _MOST:
            raise SettingsError(f"{where} members: {len(members)} are too many, {_MOST} may ring")
        twice = next((each for each in members if members.count(each) > 1), None)
        if twice is not None:
            raise SettingsError(f"{where} members: {twice} stands there twice")
        made = Group(**accepted)
        if not (members or made.on_busy or made.on_no_answer or made.on_failure):
            raise SettingsError(f"{where} members: must be set, or one of on_busy, on_no_answer,"
                                " on_failure")  # fmt: skip
        if "ring" in accepted and not members:
            raise SettingsError(f"{where} ring: needs members")
        groups.append(made)
    return tuple(groups)
