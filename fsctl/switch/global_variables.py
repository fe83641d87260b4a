"""FreeSWITCH's global variables, as ``global_getvar`` lists them (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from fsctl.switch.marks import Mark


def listed(reply: str) -> dict[str, str]:
    """Return the variables in a reply to ``global_getvar``, by name."""
    pairs = (line.partition("=") for line in reply.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def living(names: Iterable[str]) -> list[str]:
    """Return the addresses of the controllers that show signs of life, of variables' names."""
    return [name.removeprefix(Mark.LIVING) for name in names if name.startswith(Mark.LIVING)]
