"""Whom a called party sees: the number and name that go out with a call."""

from __future__ import annotations

from fsctl.session.call import Call
from fsctl.settings import Route, Settings


def presented(
    settings: Settings, route: Route, waiting: Call, transferor: Call | None
) -> tuple[str, str]:
    """Return number and display name that the party called for ``waiting`` sees.

    In a transfer (``transferor`` given) ``[transfer] caller_id`` decides, unless the route has a
    word of its own; in a plain call only a route's ``fixed`` replaces the caller.
    """
    section = settings.transfer
    policy = route.caller_id or (section.caller_id if transferor else "transferee")
    if policy == "fixed":
        number, name = route.caller_id_number, route.caller_id_name
        return (
            section.caller_id_number if number is None else number,
            section.caller_id_name if name is None else name,
        )
    if policy == "transferor" and transferor is not None:
        return transferor.number, transferor.display_name
    return waiting.caller_id, waiting.caller_name
