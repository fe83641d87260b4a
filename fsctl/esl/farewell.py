"""Ending an outbound link so that its channel goes on in its dialplan."""

from __future__ import annotations

import logging
import uuid

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Events, Execute, Exit, Filter
from fsctl.esl.connection import DEFAULT_TIMEOUT_S, Connection
from fsctl.log import seldom

_PARKED_WITHIN_S = 0.5
"""A leg that has not executed anything by then is busy, and was parked before."""

_log = logging.getLogger(__name__)


def let_go(link: Connection, timeout_s: float = DEFAULT_TIMEOUT_S, *, parked: bool = False) -> None:
    """Let the channel go on with the action after ``socket``, and close the link; never raises.

    ``exit`` alone is not enough: the ``socket`` application parks the channel some milliseconds
    after ``connect``, and when the link has ended before that, nobody wakes it any more: it stays
    for ever (mod_event_socket.c, ``socket_function``; switch_ivr.c, ``switch_ivr_park`` sets
    CF_CONTROLLED, which only the ending link clears). An application that has run proves that
    the channel is parked; ``parked``: one is known to have run.
    """
    try:
        if link.channel_uuid is None:
            link.connect(timeout_s)
        if not link.hung_up and not parked:
            _wait_until_parked(link, timeout_s)
        link.send(Exit(), timeout_s)
    except (LinkError, ChannelGone) as error:
        extra = seldom("links that could not be let go properly")
        _log.info("[%s] has ended before it was let go: %s", link.log_id, error, extra=extra)
    finally:
        link.close()


def _wait_until_parked(link: Connection, timeout_s: float) -> None:
    event_uuid = str(uuid.uuid4())
    link.send_all(
        [Filter("Application-UUID", event_uuid), Events(("CHANNEL_EXECUTE_COMPLETE",))], timeout_s
    )
    try:
        link.execute(Execute("eval", event_uuid=event_uuid), min(timeout_s, _PARKED_WITHIN_S))
    except LinkError as error:
        _log.debug("[%s] busy with an application, so it was parked: %s", link.log_id, error)
